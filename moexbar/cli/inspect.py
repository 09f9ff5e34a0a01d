"""`moexbar inspect`: read the emitted schedule."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ir.errors import InputError
from ir.program import Opcode, Program
from ir.text import Filter, GroupBy, grouped_rows, listing
from moexbar.cli.options import Json
from moexbar.console import print_json
from moexbar.files.chip_file import read_folder_chip
from moexbar.files.program_file import read_program

if TYPE_CHECKING:  # numba takes half a second to import: only --waits pays it
    from backends.simulate import Waits


class Group(StrEnum):
    """What to list together."""

    UNIT = "unit"
    TOKEN = "token"  # noqa: S105 - a token of the model
    EXPERT = "expert"


def inspect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output of `moexbar compile`.")],
    layer: Annotated[int | None, typer.Option(help="One layer.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit name or kind, e.g. bus.1 or dpu.")] = None,
    token: Annotated[int | None, typer.Option(help="One token of the window.")] = None,
    expert: Annotated[int | None, typer.Option(help="One expert.")] = None,
    opcode: Annotated[str | None, typer.Option(help="One opcode, e.g. MVM.")] = None,
    first: Annotated[float | None, typer.Option("--from", help="From this time, in ns.")] = None,
    last: Annotated[float | None, typer.Option("--to", help="Up to this time, in ns.")] = None,
    group_by: Annotated[
        Group | None, typer.Option("--group-by", help="All of a unit, token or expert together.")
    ] = None,
    waits: Annotated[
        bool, typer.Option("--waits", help="What each waited for longest, for whom, in ns.")
    ] = False,
    limit: Annotated[int, typer.Option(help="Most lines to print; 0 = all.", min=0)] = 1000,
    json: Json = False,
) -> None:
    """Print the instructions of a compiled program, filtered.

    Example: moexbar inspect build/demo --layer 1 --unit group.1.0.0 --from 0 --to 20000

    Example: moexbar inspect build/demo --layer 1 --opcode MVM --group-by expert --waits
    """
    program = read_program(folder / "program.parquet")
    keep = Filter(
        layer=layer,
        unit=_unit(program, unit),
        token=token,
        expert=expert,
        opcode=_opcode(opcode),
        first_ps=None if first is None else round(first * 1000),
        last_ps=None if last is None else round(last * 1000),
    )
    by: GroupBy | None = group_by.value if group_by else None
    found = _waits(folder, program) if waits else None
    if json:
        rows = grouped_rows(program, keep, by)[: limit or len(program)]
        print_json({"instructions": [_row(program, row, found) for row in rows.tolist()]})
        return
    notes = None if found is None else partial(_note, program, found)
    for line in listing(program, keep, group_by=by, limit=limit, notes=notes):
        typer.echo(line)


def _waits(folder: Path, program: Program) -> "Waits":
    """The waits of the given times; a program that does not replay is refused."""
    from backends.simulate import Waits, replay

    return Waits(replay(program, read_folder_chip(folder)))


def _note(program: Program, waits: "Waits", row: int) -> str:
    """`unit 130.000 #17 MVM expert 9`: the longest wait, and for whom."""
    cause, ps, holder = waits.longest(row)
    if not cause:
        return "-"
    if holder < 0:
        return f"{cause} {ps / 1000:.3f}"
    expert = f" e{program.expert[holder]}" if program.expert[holder] >= 0 else ""
    name = Opcode(int(program.opcode[holder])).name
    return f"{cause} {ps / 1000:.3f} #{holder} {name}{expert}"


def _unit(program: Program, name: str | None) -> str | None:
    if name is None:
        return None
    names = {u.name for u in program.units} | {u.kind for u in program.units}
    if name not in names:
        some = ", ".join(u.name for u in program.units[:6])
        raise InputError("--unit", f"{name!r} is no unit of this program", f"some: {some}, ...")
    return name


def _opcode(name: str | None) -> str | None:
    if name is None:
        return None
    if name.upper() not in Opcode.__members__:
        known = ", ".join(op.name for op in Opcode)
        raise InputError("--opcode", f"{name!r}, expected one of {known}")
    return name.upper()


def _row(program: Program, row: int, waits: "Waits | None") -> dict[str, object]:
    found: dict[str, object] = {
        "id": row,
        "opcode": Opcode(int(program.opcode[row])).name,
        "unit": program.units[program.unit[row]].name,
        "step": int(program.step[row]),
        "layer": int(program.layer[row]),
        "stage": int(program.stage[row]),
        "token": int(program.token[row]),
        "expert": int(program.expert[row]),
        "slot": int(program.slot[row]),
        "start_ps": int(program.start_ps[row]),
        "duration_ps": int(program.duration_ps[row]),
        "energy_fj": int(program.energy_fj[row]),
        "reads": program.reads[row].tolist(),
        "nodes": list(program.nodes[program.node[row]]) if program.node[row] >= 0 else [],
    }
    if waits is not None:
        waited = {cause: int(ps[row]) for cause, ps in waits.by_cause.items() if ps[row]}
        found["waits_ps"] = waited
        found["waited_for"] = {cause: int(waits.holder(cause)[row]) for cause in waited}
    return found

"""`moexbar inspect`: read the emitted schedule."""

from pathlib import Path
from typing import Annotated

import typer

from ir.errors import InputError
from ir.program import Opcode, Program
from ir.text import Filter, listing
from moexbar.artifacts.program_file import read_program
from moexbar.cli.console import print_json
from moexbar.cli.options import Json


def inspect(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output of `moexbar compile`.")],
    layer: Annotated[int | None, typer.Option(help="One layer.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit name or kind, e.g. bus.1 or dpu.")] = None,
    token: Annotated[int | None, typer.Option(help="One token of the window.")] = None,
    expert: Annotated[int | None, typer.Option(help="One expert.")] = None,
    opcode: Annotated[str | None, typer.Option(help="One opcode, e.g. MVM.")] = None,
    first: Annotated[float | None, typer.Option("--from", help="From this time, in ns.")] = None,
    last: Annotated[float | None, typer.Option("--to", help="Up to this time, in ns.")] = None,
    by_unit: Annotated[bool, typer.Option("--by-unit", help="Grouped by unit.")] = False,
    limit: Annotated[int, typer.Option(help="Most lines to print; 0 = all.", min=0)] = 1000,
    json: Json = False,
) -> None:
    """Print the instructions of a compiled program, filtered.

    Example: moexbar inspect build/demo --layer 1 --unit group.1.0.0 --from 0 --to 20000
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
    if json:
        print_json({"instructions": _rows(program, keep, limit)})
        return
    for line in listing(program, keep, by_unit=by_unit, limit=limit):
        typer.echo(line)


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


def _rows(program: Program, keep: Filter, limit: int) -> list[dict[str, object]]:
    found = keep.rows(program)
    return [
        {
            "id": row,
            "opcode": Opcode(int(program.opcode[row])).name,
            "unit": program.units[program.unit[row]].name,
            "layer": int(program.layer[row]),
            "stage": int(program.stage[row]),
            "token": int(program.token[row]),
            "expert": int(program.expert[row]),
            "replica": int(program.replica[row]),
            "slot": int(program.slot[row]),
            "start_ps": int(program.start_ps[row]),
            "duration_ps": int(program.duration_ps[row]),
            "energy_fj": int(program.energy_fj[row]),
            "reads": program.reads[row].tolist(),
            "nodes": list(program.nodes[program.node[row]]) if program.node[row] >= 0 else [],
        }
        for row in found[: limit or len(found)].tolist()
    ]

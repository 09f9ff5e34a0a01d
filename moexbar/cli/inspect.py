"""`moexbar inspect`: read the emitted schedule."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ir.errors import InputError
from moexbar.cli.complete import opcode_names
from moexbar.cli.options import OUTPUT, WHICH, CompiledFolder, First, Json, Last, Layer, Unchecked
from moexbar.console import note, out, print_json, table
from moexbar.visible import visible

if TYPE_CHECKING:  # numba takes half a second to import: only --waits pays it
    from backends.simulate import GroupWaits, Simulation, Waits
    from ir.program import Program
    from ir.text import Filter
    from moexbar.files.output import Output

TABLE_ROWS = 40  # of groups, where the lines are limited at all

By = Literal["unit", "token", "expert", "opcode"]

Unit = Annotated[
    str | None,
    typer.Option(help="Unit name or kind, e.g. bus.1 or dpu.", rich_help_panel=WHICH),
]
Token = Annotated[int | None, typer.Option(help="One token of the window.", rich_help_panel=WHICH)]
Expert = Annotated[int | None, typer.Option(help="One expert.", rich_help_panel=WHICH)]
OpcodeName = Annotated[
    str | None,
    typer.Option(
        help="One opcode, e.g. MVM.",
        metavar="OPCODE",
        autocompletion=opcode_names,
        rich_help_panel=WHICH,
    ),
]
ListBy = Annotated[
    By | None,
    typer.Option("--group-by", help="All of a unit, token, ... together.", rich_help_panel=OUTPUT),
]
ShowWaits = Annotated[
    bool,
    typer.Option(
        "--waits",
        help="What each waited for longest, for whom, in ns; with --group-by also in sums.",
        rich_help_panel=OUTPUT,
    ),
]
Limit = Annotated[
    int, typer.Option(help="Most lines to print; 0 = all.", min=0, rich_help_panel=OUTPUT)
]


def inspect(
    folder: CompiledFolder,
    layer: Layer = None,
    unit: Unit = None,
    token: Token = None,
    expert: Expert = None,
    opcode: OpcodeName = None,
    first: First = None,
    last: Last = None,
    group_by: ListBy = None,
    waits: ShowWaits = False,
    limit: Limit = 1000,
    unchecked: Unchecked = False,
    json: Json = False,
) -> None:
    """Print the instructions of a compiled program, filtered.

    Where nothing matches, the part of the filter that leaves nothing is named. With --waits and
    --group-by, a table after the lines has the waits of each group, those first that others held
    up longest.

    Example: moexbar inspect build/demo --layer 1 --unit group.1.0.0 --from 0 --to 20000

    Example: moexbar inspect build/demo --layer 1 --opcode MVM --group-by expert --waits
    """
    from ir.text import Filter
    from moexbar.files.output import read_output
    from moexbar.files.program_file import read_program
    from moexbar.inspection import inspect as instructions_of
    from moexbar.inspection import why_none

    files = read_output(folder, ("compile",), unchecked=unchecked)
    program = read_program(files.file("program.parquet"))
    keep = Filter(
        layer=layer,
        unit=_unit(program, unit),
        token=token,
        expert=expert,
        opcode=_opcode(opcode),
        first_ps=None if first is None else round(first * 1000),
        last_ps=None if last is None else round(last * 1000),
    )
    simulation = _replayed(files, program) if waits else None
    nothing = "" if len(keep.rows(program)) else why_none(program, keep)
    if json:
        print_json(
            instructions_of(program, keep, group_by=group_by, simulation=simulation, limit=limit)
        )
        if nothing:
            note(nothing)
    elif nothing:
        typer.echo(visible(nothing))
    else:
        _print(program, keep, group_by, simulation, limit)


def _print(
    program: "Program",
    keep: "Filter",
    by: By | None,
    simulation: "Simulation | None",
    limit: int,
) -> None:
    """A line an instruction, and with both waits and groups a table of the groups."""
    from backends.simulate import Waits
    from ir.text import listing
    from moexbar.inspection import waits_by_group

    waits = None if simulation is None else Waits(simulation)
    notes = None if waits is None else partial(_note, program, waits)
    for line in listing(program, keep, group_by=by, limit=limit, notes=notes):
        typer.echo(visible(line))
    if (
        waits is not None
        and by is not None
        and (groups := waits_by_group(program, waits, keep, by))
    ):
        typer.echo("")
        _print_groups(program, groups, by, limit)


def _print_groups(program: "Program", groups: list["GroupWaits"], by: By, limit: int) -> None:
    """What the instructions of each group waited for, in us, and the longest wait of one."""
    from backends.simulate import CAUSES
    from ir.text import group_name
    from moexbar.inspection import holder_text

    causes = [c for c in CAUSES if any(c in group.by_cause for group in groups)]
    shown = table(
        by, "jobs", *(f"{c} us" for c in causes), "longest us", "of", "for", least=("of",)
    )
    for group in groups[: TABLE_ROWS if limit else len(groups)]:
        sums = [f"{group.by_cause[c] / 1e6:.3f}" if c in group.by_cause else "" for c in causes]
        longest = ("", "", "")
        if group.cause:
            held = holder_text(program, group.holder) if group.holder >= 0 else ""
            longest = (
                f"{group.longest_ps / 1e6:.3f}",
                f"#{group.longest}",
                f"{group.cause} {held}",
            )
        shown.add_row(group_name(program, group.first, by), str(group.rows), *sums, *longest)
    out().print(shown)
    if limit and len(groups) > TABLE_ROWS:
        typer.echo(f"... {len(groups) - TABLE_ROWS} more of {len(groups)} groups")


def _replayed(files: "Output", program: "Program") -> "Simulation":
    """The program at its given times; one that does not replay is refused."""
    from backends.simulate import replay
    from moexbar.files.chip_file import read_folder_chip

    return replay(program, read_folder_chip(files.file("report.json")))


def _note(program: "Program", waits: "Waits", row: int) -> str:
    """The longest wait, and for whom."""
    from moexbar.inspection import wait_text

    return wait_text(program, *waits.longest(row))


def _unit(program: "Program", name: str | None) -> str | None:
    if name is None:
        return None
    names = {u.name for u in program.units} | {u.kind for u in program.units}
    if name not in names:
        some = ", ".join(u.name for u in program.units[:6])
        raise InputError("--unit", f"{name!r} is no unit of this program", f"some: {some}, ...")
    return name


def _opcode(name: str | None) -> str | None:
    from ir.program import Opcode

    if name is None:
        return None
    if name.upper() not in Opcode.__members__:
        known = ", ".join(op.name for op in Opcode)
        raise InputError("--opcode", f"{name!r}, expected one of {known}")
    return name.upper()

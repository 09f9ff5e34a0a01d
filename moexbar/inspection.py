"""Instructions of a program, their waits by group, and why a filter leaves none of them."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from backends.simulate import GroupWaits, Simulation, Waits, group_waits
from ir.program import Opcode, Program
from ir.text import Filter, GroupBy, group_keys, group_name, grouped_rows
from moexbar.arguments import check
from moexbar.report.programs import GroupedWaits, InspectReport, InstructionRow

NAMED = 8  # values that exist, in a sentence
OPTION = {"first_ps": "--from", "last_ps": "--to"}  # others are called as the field


ALL = Filter()


def inspect(
    program: Program,
    keep: Filter = ALL,
    *,
    group_by: GroupBy | None = None,
    simulation: Simulation | None = None,
    limit: int = 0,
) -> InspectReport:
    """The instructions that a filter leaves, in order of effect; the first `limit`, 0 = all.

    group_by: all of a unit, token, expert or opcode together. simulation: of the program
    (`moexbar.simulate`), to say what each instruction waited for and for whom; with `group_by` then
    of all instructions of a group together too.
    """
    check("program", program, Program, "a Program, as `moexbar.read_program` gives it")
    check("keep", keep, Filter, "a Filter")
    waits = None if simulation is None else Waits(simulation)
    rows = grouped_rows(program, keep, group_by)[: limit or len(program)].tolist()
    groups = None
    if waits is not None and group_by is not None:
        found = waits_by_group(program, waits, keep, group_by)
        groups = tuple(group_row(program, group, group_by) for group in found)
    return InspectReport(tuple(instruction_row(program, row, waits) for row in rows), groups)


def instruction_row(program: Program, row: int, waits: Waits | None) -> InstructionRow:
    """One instruction; with `waits` what it waited for, and for whom."""
    waited = None
    if waits is not None:
        waited = {cause: int(ps[row]) for cause, ps in waits.by_cause.items() if ps[row]}
    return InstructionRow(
        id=row,
        opcode=Opcode(int(program.opcode[row])).name,
        unit=program.units[program.unit[row]].name,
        step=int(program.step[row]),
        layer=int(program.layer[row]),
        stage=int(program.stage[row]),
        token=int(program.token[row]),
        expert=int(program.expert[row]),
        slot=int(program.slot[row]),
        start_ps=int(program.start_ps[row]),
        duration_ps=int(program.duration_ps[row]),
        energy_fj=int(program.energy_fj[row]),
        reads=tuple(program.reads[row].tolist()),
        nodes=program.nodes[program.node[row]] if program.node[row] >= 0 else (),
        waits_ps=waited,
        waited_for=None
        if waits is None or waited is None
        else {cause: int(waits.holder(cause)[row]) for cause in waited},
    )


def waits_by_group(program: Program, waits: Waits, keep: Filter, by: GroupBy) -> list[GroupWaits]:
    """The waits of each group of the instructions that `keep` leaves."""
    rows = grouped_rows(program, keep, by)
    return group_waits(waits, rows, group_keys(program, rows, by))


def group_row(program: Program, group: GroupWaits, by: GroupBy) -> GroupedWaits:
    """Waits of a group of instructions."""
    return GroupedWaits(
        group=group_name(program, group.first, by),
        instructions=group.rows,
        waits_ps=group.by_cause,
        longest_ps=group.longest_ps,
        longest=group.longest,
        cause=group.cause,
        waited_for=group.holder,
    )


def wait_text(program: Program, cause: str, ps: int, holder: int) -> str:
    """`unit 130.000 #17 MVM e9`: a wait in ns, and for whom; `-` for none."""
    if not cause:
        return "-"
    return f"{cause} {ps / 1000:.3f}" + (f" {holder_text(program, holder)}" if holder >= 0 else "")


def holder_text(program: Program, row: int) -> str:
    """`#17 MVM e9`: an instruction that others waited for."""
    expert = f" e{program.expert[row]}" if program.expert[row] >= 0 else ""
    return f"#{row} {Opcode(int(program.opcode[row])).name}{expert}"


def why_none(program: Program, keep: Filter) -> str:
    """Which part of a filter leaves nothing, and what there is instead."""
    so_far, said = Filter(), ""
    for field in fields(Filter):
        value = getattr(keep, field.name)
        if value is None:
            continue
        left = so_far.rows(program)
        so_far = replace(so_far, **{field.name: value})
        if not len(so_far.rows(program)):
            return (
                f"0 of {len(program)} instructions: none{_of(len(left), said)} matches "
                f"{_option(field.name, value)}; {_instead(program, left, field.name)}"
            )
        said += f" {_option(field.name, value)}"
    return f"0 of {len(program)} instructions"


def _of(left: int, said: str) -> str:
    return f" of the {left} with{said}" if said else ""


def _option(field: str, value: Any) -> str:
    """A part of the filter as it is written on the command line; times in ns."""
    name = OPTION.get(field, f"--{field}")
    return f"{name} {value / 1000:.12g}" if field in OPTION else f"{name} {value}"


def _instead(program: Program, rows: Sequence[int] | Any, field: str) -> str:
    """What the instructions `rows` have in place of the value that none of them has."""
    if field in OPTION:
        start, end = int(program.start_ps[rows].min()), int(program.end_ps[rows].max())
        return f"they run from {start / 1000:.12g} to {end / 1000:.12g} ns"
    if field == "opcode":
        return (
            f"they are {_some(Opcode(op).name for op in np.unique(program.opcode[rows]).tolist())}"
        )
    if field == "unit":
        numbers = np.unique(program.unit[rows]).tolist()
        return f"they are on {_some(program.units[n].name for n in numbers)}"
    values = np.unique(getattr(program, field)[rows])
    values = values[values >= 0]
    if not len(values):
        return f"they have no {field}"
    if len(values) > 2 and values[-1] - values[0] == len(values) - 1:
        return f"they have {field}s {values[0]} to {values[-1]}"
    return f"they have {field} {_some(str(v) for v in values.tolist())}"


def _some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more

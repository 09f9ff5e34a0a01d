"""The program as text for people: a line per instruction, by time, unit, token, expert, opcode."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ir.arrays import Ints
from ir.program import Opcode, Program


@dataclass(frozen=True)
class Filter:
    """Which instructions to show: None = all. Times in picoseconds, [first_ps, last_ps)."""

    layer: int | None = None
    unit: str | None = None
    token: int | None = None
    expert: int | None = None
    opcode: str | None = None
    first_ps: int | None = None
    last_ps: int | None = None

    def rows(self, program: Program) -> Ints:
        """Ids that match, in order of effect (start, id)."""
        keep = np.ones(len(program), dtype=np.bool_)
        if self.layer is not None:
            keep &= program.layer == self.layer
        if self.token is not None:
            keep &= program.token == self.token
        if self.expert is not None:
            keep &= program.expert == self.expert
        if self.opcode is not None:
            keep &= program.opcode == Opcode[self.opcode]
        if self.unit is not None:
            named = [u.name == self.unit or u.kind == self.unit for u in program.units]
            keep &= np.array(named, dtype=np.bool_)[program.unit]
        if self.first_ps is not None:
            keep &= program.end_ps > self.first_ps
        if self.last_ps is not None:
            keep &= program.start_ps < self.last_ps
        found = np.flatnonzero(keep)
        return found[np.lexsort((found, program.start_ps[found]))]


BLOCK = 10_000  # rows made into lines together
GroupBy = Literal["unit", "token", "expert", "opcode"]
Notes = Callable[[int], str]

HEADER = (
    f"{'start ns':>12} {'end ns':>12}  {'unit':<14} {'op':<8} {'layer':>5} {'token':>5} "
    f"{'expert':>6} {'slot':>5}  {'id':>7}  "
)


def listing(
    program: Program,
    keep: Filter | None = None,
    *,
    group_by: GroupBy | None = None,
    limit: int = 0,
    notes: Notes | None = None,
) -> Iterator[str]:
    """Lines of the listing, header first; `limit` > 0 stops there and says how many are left.

    group_by: all of a unit, a token, an expert of a layer, or an opcode together, each under a
    heading.
    notes: what to say of a row in place of the values it reads.
    """
    rows = grouped_rows(program, keep or Filter(), group_by)
    total = len(rows)
    yield HEADER + ("reads" if notes is None else "waited for")
    heading = ""
    shown = rows[: limit or total]
    for at in range(0, len(shown), BLOCK):
        part = shown[at : at + BLOCK]
        ends = map(notes, part.tolist()) if notes else _reads(program, part)
        for row, line, end in zip(part.tolist(), _lines(program, part), ends, strict=True):
            if group_by and heading != (now := group_name(program, row, group_by)):
                heading = now
                yield f"-- {heading}"
            yield line + end
    if limit and total > limit:
        yield f"... {total - limit} more of {total} instructions"


def grouped_rows(program: Program, keep: Filter, group_by: GroupBy | None) -> Ints:
    """Ids that match, group by group, in order of effect within each."""
    rows = keep.rows(program)
    if group_by is None:
        return rows
    return rows[np.argsort(group_keys(program, rows, group_by), kind="stable")]


def group_keys(program: Program, rows: Ints, group_by: GroupBy) -> Ints:
    """A number for the group of every row, in the order of groups: int64 [rows]."""
    if group_by == "expert":
        experts = int(program.expert.max(initial=0)) + 2  # -1 stands for no expert
        return program.layer[rows].astype(np.int64) * experts + program.expert[rows]
    if group_by == "unit":
        return program.unit[rows].astype(np.int64)
    column = program.token if group_by == "token" else program.opcode
    return column[rows].astype(np.int64)


def group_name(program: Program, row: int, group_by: GroupBy) -> str:
    """What the group of a row is called."""
    if group_by == "opcode":
        return Opcode(int(program.opcode[row])).name
    if group_by == "unit":
        return program.units[int(program.unit[row])].name
    if group_by == "token":
        return f"token {program.token[row]}" if program.token[row] >= 0 else "no token"
    expert = int(program.expert[row])
    return f"layer {program.layer[row]} " + (f"expert {expert}" if expert >= 0 else "no expert")


def _lines(program: Program, rows: Ints) -> Iterator[str]:
    """The lines of `rows`, but for their last column."""
    p, names = program, [op.name for op in Opcode]
    units = [unit.name for unit in p.units]
    start_ps = p.start_ps[rows]
    times = (start_ps / 1000, (start_ps + p.duration_ps[rows]) / 1000, p.unit[rows], p.opcode[rows])
    numbers = (p.layer, p.token, p.expert, p.slot)
    for row, start, end, unit, code, layer, token, expert, slot in zip(
        rows.tolist(),
        *(column.tolist() for column in times),
        *(_numbers(column[rows]) for column in numbers),
        strict=True,
    ):
        yield (
            f"{start:12.3f} {end:12.3f}  {units[unit]:<14} {names[code]:<8} "
            f"{layer:>5} {token:>5} {expert:>6} {slot:>5}  {row:>7}  "
        )


def _reads(program: Program, rows: Ints) -> Iterator[str]:
    """The last column of `rows`: the first three values that each reads, and how many more."""
    values, offsets = program.reads.values, program.reads.offsets
    for first, end in zip(offsets[rows].tolist(), offsets[rows + 1].tolist(), strict=True):
        shown = ",".join(map(str, values[first : min(first + 3, end)].tolist()))
        yield shown + (f"+{end - first - 3}" if end - first > 3 else "")


def _numbers(column: npt.NDArray[np.int32]) -> list[str]:
    return [str(value) if value >= 0 else "-" for value in column.tolist()]

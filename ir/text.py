"""The program as text for people: one line per instruction, by time or by unit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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

    def rows(self, program: Program) -> npt.NDArray[np.int64]:
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


HEADER = (
    f"{'start ns':>12} {'end ns':>12}  {'unit':<14} {'op':<8} {'layer':>5} {'token':>5} "
    f"{'expert':>6} {'slot':>5}  {'id':>7}  reads"
)


def listing(
    program: Program, keep: Filter | None = None, *, by_unit: bool = False, limit: int = 0
) -> Iterator[str]:
    """Lines of the listing, header first; `limit` > 0 stops there and says how many are left."""
    rows = (keep or Filter()).rows(program)
    total = len(rows)
    if by_unit:
        rows = rows[np.argsort(program.unit[rows], kind="stable")]
    yield HEADER
    unit = -1
    for row in rows[: limit or total].tolist():
        if by_unit and program.unit[row] != unit:
            unit = int(program.unit[row])
            yield f"-- {program.units[unit].name}"
        yield _line(program, row)
    if limit and total > limit:
        yield f"... {total - limit} more of {total} instructions"


def _line(program: Program, row: int) -> str:
    start = int(program.start_ps[row])
    end = start + int(program.duration_ps[row])
    reads = program.reads[row].tolist()
    shown = ",".join(str(r) for r in reads[:3]) + (f"+{len(reads) - 3}" if len(reads) > 3 else "")
    unit = program.units[int(program.unit[row])].name
    return (
        f"{start / 1000:12.3f} {end / 1000:12.3f}  {unit:<14} "
        f"{Opcode(int(program.opcode[row])).name:<8} {_number(program.layer[row]):>5} "
        f"{_number(program.token[row]):>5} {_number(program.expert[row]):>6} "
        f"{_number(program.slot[row]):>5}  {row:>7}  {shown}"
    )


def _number(value: np.int32) -> str:
    return str(int(value)) if value >= 0 else "-"

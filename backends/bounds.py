"""Lower bounds on a program's makespan, from the program alone."""

from dataclasses import dataclass

import numpy as np

from ir.program import Program


@dataclass(frozen=True)
class Bounds:
    """Two times that no schedule of the program can beat.

    critical_path_ps: the longest chain of instructions that read each other's values; busiest_ps:
    the longest total of one unit's busy time (a pool's divided by its units), `busiest` its name.
    """

    critical_path_ps: int
    busiest_ps: int
    busiest: str

    @property
    def bound_ps(self) -> int:
        """The larger of the two."""
        return max(self.critical_path_ps, self.busiest_ps)


def lower_bounds(program: Program) -> Bounds:
    """Both bounds of `program`; reads point to lower ids, so one pass in id order suffices."""
    ends: list[int] = []
    reads, at = program.reads.values.tolist(), program.reads.offsets.tolist()
    for row, duration in enumerate(program.duration_ps.tolist()):
        ready = max((ends[r] for r in reads[at[row] : at[row + 1]]), default=0)
        ends.append(ready + duration)
    busy = np.zeros(len(program.units), dtype=np.int64)
    np.add.at(busy, program.unit, program.busy_ps)
    totals: dict[str, list[int]] = {}
    for unit, load in zip(program.units, busy.tolist(), strict=True):
        pool = unit.kind if unit.layer < 0 else f"{unit.kind}.{unit.layer}"
        totals.setdefault(pool if unit.kind in ("dpu", "mha") else unit.name, []).append(load)
    means = {name: -(-sum(loads) // len(loads)) for name, loads in totals.items()}
    busiest = max(means, key=means.__getitem__, default="none")
    return Bounds(max(ends, default=0), means.get(busiest, 0), busiest)

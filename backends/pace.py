"""The pace of decode steps: tokens a second once sequences decode, and what keeps them from more.

Counted from the last SAMPLE of the prefill to the end of the program, when all sequences decode.
Neither of two times there can be beaten: the longest chain of instructions of the decode steps that
read each other's values, and the busy time of the unit that works most.
"""

from dataclasses import dataclass

import numpy as np

from backends.bounds import pools
from ir.arrays import Array, Ints
from ir.jit import compiled, frozen
from ir.program import Opcode, Program


@dataclass(frozen=True)
class Pace:
    """Decode steps in the mean; times in ps.

    sampled: tokens chosen since the prefill's last; window_ps: time since then; batch: sequences.
    path_ps: the longest chain of instructions of decode steps over their number; busiest_ps: of
    `busiest`, a unit or a pool of equal units, its busy time for a token of every sequence.
    """

    batch: int
    sampled: int
    window_ps: int
    path_ps: int
    busiest_ps: int
    busiest: str

    @property
    def tokens_per_s(self) -> float:
        """Tokens of all sequences in a second."""
        return self.sampled / (self.window_ps * 1e-12)

    @property
    def step_ps(self) -> float:
        """Time in which every sequence goes on by a token."""
        return self.batch * self.window_ps / self.sampled

    @property
    def bound_ps(self) -> int:
        """What a step takes at least."""
        return max(self.path_ps, self.busiest_ps)

    @property
    def binds(self) -> str:
        """The unit that works most, or `chain` where one sequence's chain takes longer."""
        return self.busiest if self.busiest_ps >= self.path_ps else "chain"


def pace(program: Program) -> Pace | None:
    """The pace of a program's decode steps; None where it has none that end in a SAMPLE."""
    samples = program.opcode == Opcode.SAMPLE
    steps = int(program.step.max(initial=0))
    if not samples.any() or not steps:
        return None
    first = samples & (program.step == 0)
    begin, end = int(program.end_ps[first].max()), program.makespan_ps
    sampled = int(np.count_nonzero(samples & (program.end_ps > begin)))
    batch = int(np.count_nonzero(first))
    later = np.where(program.step > 0, program.duration_ps, 0).astype(np.int64)
    at, read = frozen(program.reads.offsets, np.int64), frozen(program.reads.values, np.int32)
    path = int(_longest(at, read, later))
    pool, size, names = pools(program)
    stop = np.minimum(program.start_ps + program.busy_ps, end)
    busy = np.maximum(stop - np.maximum(program.start_ps, begin), 0)
    total = np.zeros(len(size), dtype=np.int64)
    np.add.at(total, pool[program.unit], busy)
    mean: Ints = -(-total // size)
    most = int(np.argmax(mean))
    each = batch * int(mean[most]) // sampled
    return Pace(batch, sampled, end - begin, path // steps, each, names[most])


@compiled
def _longest(at: Array, values: Array, duration: Array) -> int:
    """The longest chain of rows that read each other, in durations."""
    out = duration.copy()
    most = np.int64(0)
    for row in range(len(duration)):
        before = np.int64(0)
        for i in range(at[row], at[row + 1]):
            before = max(before, out[values[i]])
        out[row] += before
        most = max(most, out[row])
    return int(most)

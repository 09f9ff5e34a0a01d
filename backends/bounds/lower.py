"""The three bounds of a program, the largest with what it is made of."""

from dataclasses import dataclass

import numpy as np

from backends.bounds.earliest import earliest
from backends.bounds.joins import joins, links
from backends.bounds.parts import CHAIN, Part, as_parts, traced
from backends.bounds.pools import pools
from ir.arrays import Array
from ir.jit import compiled
from ir.program import Program


@dataclass(frozen=True)
class Bounds:
    """critical_path_ps, busiest_ps with `busiest` its name, segments_ps: see the package.

    parts: what the largest of the three is made of, the longest first; they sum to it.
    """

    critical_path_ps: int
    busiest_ps: int
    busiest: str
    segments_ps: int = 0
    parts: tuple[Part, ...] = ()

    @property
    def bound_ps(self) -> int:
        """The largest of them."""
        return max(self.critical_path_ps, self.busiest_ps, self.segments_ps)


def lower_bounds(program: Program) -> Bounds:
    """All bounds of `program`; reads point to lower ids, so passes in id order suffice."""
    pool = pools(program)
    of = links(program, pool.of_unit)
    path = _path(of.at, of.values, of.duration)
    busy = np.zeros(len(pool.size), dtype=np.int64)
    np.add.at(busy, of.pool, program.busy_ps)
    means = -(-busy // pool.size)
    most = int(np.argmax(means)) if len(means) else CHAIN
    name, total = (pool.names[most], int(means[most])) if most >= 0 else ("none", 0)
    found = joins(program, of)
    times = earliest(of, found, pool.size)
    segments = max(int(times.held[-1]), int((times.start + of.duration).max(initial=0)))
    largest = {CHAIN: path} if path >= max(total, segments) else {most: total}
    if segments > max(path, total):
        largest = traced(of, found, times)
    return Bounds(path, total, name, segments, as_parts(largest, program, pool))


@compiled
def _path(at: Array, values: Array, duration: Array) -> int:
    """The longest chain of rows that read each other, ps."""
    end = duration.copy()
    longest = np.int64(0)
    for row in range(len(duration)):
        for i in range(at[row], at[row + 1]):
            end[row] = max(end[row], end[values[i]] + duration[row])
        longest = max(longest, end[row])
    return int(longest)

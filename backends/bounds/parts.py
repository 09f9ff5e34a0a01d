"""What a lower bound is made of: units that work, and chains of instructions between."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backends.bounds.earliest import Earliest
from backends.bounds.joins import Joins, Links
from backends.bounds.pools import Pools
from ir.program import Program, Unit

CHAIN = -1  # in place of a pool: instructions that read each other's values


@dataclass(frozen=True)
class Part:
    """Time that no schedule can spare, and what takes it.

    unit: one unit, the first of its pool where several are equal, with `name` for them all; None:
    a chain of instructions that read each other's values.
    """

    unit: Unit | None
    name: str
    ps: int


def as_parts(held: Mapping[int, int], program: Program, pool: Pools) -> tuple[Part, ...]:
    """{pool or CHAIN: ps} with their units, the longest first."""
    by_time = sorted(held.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Part(None, "", ps)
        if key == CHAIN
        else Part(program.units[int(np.argmax(pool.of_unit == key))], pool.names[key], ps)
        for key, ps in by_time
        if ps
    )


def traced(of: Links, found: Joins, times: Earliest) -> dict[int, int]:
    """{pool or CHAIN: ps} of the earliest end, from there back to the start of the program.

    A join on the way is its unit's time. So is the work before it where that holds it up; what
    passes from there to the join, and all else on the way, is a chain's.
    """
    held: Counter[int] = Counter()
    end = times.start + of.duration
    row, start = len(end), int(max(times.held[-1], end.max(initial=0)))
    while start:
        if times.held[row] == start:
            first, behind = int(times.first[row]), int(times.behind[row])
            held[int(times.by[row])] += start - int(times.start[first]) - behind
            held[CHAIN] += behind
            row = first
        else:
            read = of.values[of.at[row] : of.at[row + 1]] if row < len(end) else np.arange(row)
            row = int(read[np.argmax(end[read])])
            held[int(of.pool[row]) if found.join[row] else CHAIN] += int(of.duration[row])
        start = int(times.start[row])
    return dict(held)

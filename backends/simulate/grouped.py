"""Waits of many instructions together: how long they waited by cause, and who waited longest."""

from dataclasses import dataclass

import numpy as np

from backends.simulate.waits import CAUSES, Waits
from ir.arrays import Ints


@dataclass(frozen=True)
class GroupWaits:
    """Some instructions: the first of them, how many, and their waits in picoseconds.

    by_cause: {cause: sum}, of those that waited for it; longest: the one that waited longest for
    one thing, for `longest_ps`, of `cause`, until `holder` let go; each -1, 0 or "" where nothing
    waited.
    """

    first: int
    rows: int
    by_cause: dict[str, int]
    longest: int
    longest_ps: int
    cause: str
    holder: int

    @property
    def held_ps(self) -> int:
        """Waits for other instructions: all but `data`, which is time of the unit."""
        return sum(ps for cause, ps in self.by_cause.items() if cause != "data")


def group_waits(waits: Waits, rows: Ints, keys: Ints) -> list[GroupWaits]:
    """The waits of each group of instructions, those that others held up longest first.

    rows: ids; keys: int64 [rows], the group of each, those of a group side by side.
    """
    if not len(rows):
        return []
    at = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    ps = np.stack([waits.by_cause[cause][rows] for cause in CAUSES])  # [causes, rows]
    sums = np.add.reduceat(ps, at, axis=1)
    most = ps.max(axis=0)
    found = []
    for n, (start, stop) in enumerate(zip(at, [*at[1:], len(rows)], strict=True)):
        worst = int(rows[start + np.argmax(most[start:stop])])
        cause, longest_ps, holder = waits.longest(worst)
        found.append(
            GroupWaits(
                int(rows[start]),
                int(stop - start),
                {name: int(s) for name, s in zip(CAUSES, sums[:, n], strict=True) if s},
                worst if longest_ps else -1,
                longest_ps,
                cause,
                holder,
            )
        )
    return sorted(found, key=lambda group: -group.held_ps)

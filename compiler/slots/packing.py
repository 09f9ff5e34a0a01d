"""The heaviest set of disjoint parts within every subset of the groups, by dynamic programming.

A part is a set of groups as a bit mask. With best[S] the heaviest packing within S and h the
highest group of S,

    best[S] = max(best[S - h], max over parts A of S with highest group h of w_A + best[S - A]).

Parts are taken in order of their highest group, each on all S that hold it at once: 2^(h + 1 - |A|)
sums for a part A, milliseconds for 16 groups and some hundred parts. Weights are integers: exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ir.arrays import Ints

MOST_GROUPS = 16  # 65536 subsets


@dataclass(frozen=True)
class Packings:
    """The heaviest packing within every subset of the groups.

    best: [2^groups] weight by subset; parts[h]: the parts with highest group h and their weights.
    """

    best: Ints
    parts: tuple[tuple[tuple[int, int], ...], ...]

    def within(self, groups: int) -> tuple[int, ...]:
        """Return the parts of a heaviest packing within the subset `groups`."""
        found = []
        while self.best[groups] > 0:
            highest = groups.bit_length() - 1
            if self.best[groups] == self.best[groups ^ 1 << highest]:
                groups ^= 1 << highest
                continue
            part = next(
                part
                for part, weight in self.parts[highest]
                if part & ~groups == 0 and self.best[groups] == weight + self.best[groups ^ part]
            )
            found.append(part)
            groups ^= part
        return tuple(found)


def heaviest_packings(weights: Mapping[int, int], groups: int) -> Packings:
    """Pack the parts of `weights` (part -> weight) into every subset of `groups` groups.

    Parts of weight 0 or less are left out.
    """
    parts: list[list[tuple[int, int]]] = [[] for _ in range(groups)]
    for part, weight in weights.items():
        if weight > 0:
            parts[part.bit_length() - 1].append((part, weight))
    best = np.zeros(1 << groups, dtype=np.int64)
    for highest, of_highest in enumerate(parts):
        first = 1 << highest
        best[first : 2 * first] = best[:first]
        for part, weight in of_highest:
            holders = _holders(part)
            best[holders] = np.maximum(best[holders], best[holders ^ part] + weight)
    return Packings(best, tuple(tuple(of_highest) for of_highest in parts))


@lru_cache(maxsize=4096)
def _holders(part: int) -> Ints:
    """List the subsets that hold `part` and no group above its highest: [2^(h + 1 - |part|)]."""
    subsets = np.array([part], dtype=np.int64)
    for group in range(part.bit_length() - 1):
        if not part >> group & 1:
            subsets = np.concatenate([subsets, subsets | 1 << group])
    return subsets

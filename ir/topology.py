"""How dies are joined: neighbours, and the way that a value takes from one die to another.

Routes are fixed: on a mesh first along the row, then along the column (from its last row, which may
not be full, the other way round); on a ring the shorter way,
of two as short that of ascending numbers; by a table a shortest way, of several the one through the
lowest numbers. The route to any die begins with the route to the die before it on the way, so the
routes from one die to several are a tree, and what is sent to all of them goes over each of its
links once.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isqrt

import numpy as np

from ir.arrays import Ints
from ir.chip.dies import Dies
from ir.errors import InputError


@dataclass(frozen=True)
class Topology:
    """`count` dies, and the pairs that are joined: (a, b) with a < b, ascending.

    columns: of a mesh of dies, row by row; 0 of others.
    """

    count: int
    joined: tuple[tuple[int, int], ...]
    columns: int = 0

    @cached_property
    def links(self) -> tuple[tuple[int, int], ...]:
        """Every directed link (from, to), ascending: two for each joined pair."""
        return tuple(sorted({*self.joined, *((b, a) for a, b in self.joined)}))

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """The dies that each die is joined to, ascending."""
        found: list[list[int]] = [[] for _ in range(self.count)]
        for a, b in self.links:
            found[a].append(b)
        return tuple(map(tuple, found))

    @cached_property
    def before(self) -> Ints:
        """before[a, b]: the die before b on the route from a, -1 where a is b: int64 [dies, dies].

        Raises InputError where some dies are not joined, over however many others.
        """
        if self.columns:
            return self._before_on_mesh()
        if 2 * len(self.joined) == self.count * (self.count - 1):  # all to all
            dies = np.arange(self.count)
            return np.where(dies[:, None] == dies, -1, dies[:, None])
        return np.stack([self._before_from(a) for a in range(self.count)])

    def route(self, a: int, b: int) -> tuple[int, ...]:
        """The dies from `a` to `b`, both of them."""
        way = [b]
        while way[-1] != a:
            way.append(int(self.before[a, way[-1]]))
        return tuple(reversed(way))

    def tree(self, root: int, ends: set[int]) -> tuple[tuple[int, int], ...]:
        """The links that reach all of `ends` from `root`, each after those before it on the way."""
        found: dict[tuple[int, int], None] = {}
        for end in sorted(ends):
            found |= dict.fromkeys(pairwise(self.route(root, end)))
        return tuple(found)

    def _before_on_mesh(self) -> Ints:
        """Along the row first: the last steps are along the column; turned about from the last row.

        That row may not be full, so that its dies have no way along it to every column.
        """
        index = np.arange(self.count)
        y, x = np.divmod(index, self.columns)
        down, right = y - y[:, None], x - x[:, None]
        up, left = index - np.sign(down) * self.columns, index - np.sign(right)
        row_first = (y < y.max(initial=0))[:, None]
        out = np.where((down != 0) & (row_first | (right == 0)), up, left)
        return np.where((down == 0) & (right == 0), -1, out)

    def _before_from(self, root: int) -> Ints:
        """Breadth first, lowest numbers first."""
        out = np.full(self.count, -2, dtype=np.int64)
        out[root] = -1
        queue = deque([root])
        while queue:
            here = queue.popleft()
            for die in self.neighbours[here]:
                if out[die] == -2:
                    out[die] = here
                    queue.append(die)
        if np.any(out == -2):
            lost = int(np.argmax(out == -2))
            raise InputError("dies", f"die {lost} is not joined to die {root}, over any others")
        return out


ONE_DIE = Topology(1, ())


def topology_of(dies: Dies, count: int = 0) -> Topology:
    """How so many dies are joined; count: 0 = as many as `dies` says.

    Raises InputError where the number of dies does not fit the topology.
    """
    count = count or dies.count
    if dies.topology == "mesh":
        return _mesh(count, dies.columns)
    if dies.topology == "ring":
        return Topology(count, _ascending({(a, (a + 1) % count) for a in range(count)}))
    if dies.topology == "all-to-all":
        return Topology(count, tuple((a, b) for b in range(count) for a in range(b)))
    highest = max((max(pair) for pair in dies.table), default=0)
    if highest >= count:
        raise InputError("dies", f"die.links names die {highest}, expected 0 to {count - 1}")
    return Topology(count, _ascending(set(dies.table)))


def _mesh(count: int, columns: int) -> Topology:
    """Dies row by row, the last row perhaps not full; columns: 0 = the root, rounded up."""
    columns = min(columns or isqrt(max(count - 1, 0)) + 1, max(count, 1))
    beside = {(a, a + 1) for a in range(count - 1) if (a + 1) % columns}
    below = {(a, a + columns) for a in range(count - columns)}
    return Topology(count, _ascending(beside | below), columns)


def _ascending(pairs: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}))

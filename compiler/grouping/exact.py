"""Branch and bound over whole groups: layers of few experts proven in milliseconds.

A node has some groups closed, and in every window at least the slots of the fullest of them. It
prices every two experts that are left: the slots if they, and the least pairs that fill their group
up, were together. Two whose price reaches the limit cannot be in one group. The expert with the
fewest partners must be somewhere all the same, so every group that it can be in is closed in turn,
the cheapest first; an expert with too few partners ends the node.

The search counts its work and knows no clock. Where the best value at hand cannot be proven in it,
smaller limits prune far more: one under which there is no grouping is a lower bound (`prove`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from compiler.grouping.bounds import window_bounds
from compiler.grouping.company import slots_of_both
from compiler.grouping.objective import GroupingProblem
from compiler.grouping.start import Start
from compiler.grouping.watch import Watch
from ir.arrays import Bools, Ints

WORK_PER_SECOND = 500_000_000  # of the time asked for: takes about half of it
MOST_PLACES = 64  # of a layer; with more a node takes long, and even low limits are not finished
_NODE = 20_000  # loads that are looked at in the time that a node takes besides
_LEVEL = 5_000  # and so many in that of a choice among the experts of a group
_HALVINGS = 4  # limits tried where the best value is not proven
_NEVER = np.iinfo(np.int64).max


def worth_searching(problem: GroupingProblem) -> bool:
    """Whether the search is made for this problem: few experts, of which only slots count."""
    plain = not problem.replicas and not problem.costs.broadcast
    return plain and problem.groups * problem.size <= MOST_PLACES


def prove(problem: GroupingProblem, start: Start, work: int, watch: Watch) -> Start:
    """`start` with a better grouping or bound, or both, after `work` loads looked at.

    Half of the work goes to the question whether anything is better than the start. If it stays
    open, the rest halves the gap: is there a grouping below the middle of the bound and the least
    limit left open? Better values go to `watch`; Ctrl-C and its deadline end the search.
    """
    if not worth_searching(problem) or start.value <= start.bound:
        return start
    limit = left_open = start.value
    for share in (work // 2, *[work // (2 * _HALVINGS)] * _HALVINGS):
        search = Search(problem, limit, share, watch)
        complete = _complete(search, watch)
        if search.best is not None:
            start = replace(start, assignment=search.best, value=search.limit)
            watch.better(start.value)
        if complete:
            start = replace(start, bound=search.limit)
        else:
            left_open = search.limit
        limit = (start.bound + left_open + 1) // 2
        if start.value <= start.bound or limit >= left_open or watch.ended:
            break
    return start


def _complete(search: "Search", watch: Watch) -> bool:
    """Search; return whether all was looked at."""
    try:
        return search.run()
    except KeyboardInterrupt:
        watch.interrupted = True
        return False


@dataclass(frozen=True, eq=False)
class _Node:
    """What is left, and what it may become: positions below are among the places left.

    loads: [left, windows]; slots: [windows] at least; able: [left, left] who may be together.
    """

    left: Ints
    loads: Ints
    slots: Ints
    able: Bools


class Search:
    """Looks for the best grouping of an objective below `limit`; `work` counts loads looked at.

    limit: falls to the value of each better grouping; best: the last of these, [experts].
    """

    def __init__(self, problem: GroupingProblem, limit: int, most: int, watch: Watch) -> None:
        self.problem, self.watch = problem, watch
        self.limit, self.most, self.work = limit, most, 0
        self.best: Ints | None = None
        places = problem.groups * problem.size
        self.loads = np.zeros((places, problem.windows), dtype=np.int64)  # empty places have none
        self.loads[: problem.experts] = problem.loads.T
        self.closed: list[Ints] = []

    def run(self) -> bool:
        """Search; return whether all was looked at, so that no grouping is below `limit`."""
        self._visit(np.arange(len(self.loads)), window_bounds(self.problem))
        return not self._over

    @property
    def _over(self) -> bool:
        return self.work > self.most or self.watch.ended

    def _visit(self, left: Ints, slots: Ints) -> None:
        """Make groups of the places `left` in every way; at least `slots` [windows]."""
        loads, size = self.loads[left], self.problem.size
        slots = np.maximum(slots, -(-loads.sum(axis=0) // (len(left) // size)))
        self.work += _NODE
        if len(left) == size:
            self._take(left, slots)
            return
        able = self._able(loads, slots)
        partners = able.sum(axis=1)
        e = int(partners.argmin())
        if partners[e] < size - 1:
            return
        node = _Node(left, loads, slots, able)
        for members in self._groups(node, [e], np.flatnonzero(able[e])):
            self.closed.append(left[members])
            self._visit(np.delete(left, members), np.maximum(slots, loads[members].sum(axis=0)))
            self.closed.pop()
            if self._over:
                return

    def _take(self, left: Ints, slots: Ints) -> None:
        """Close the last group, and keep the grouping if it is the best."""
        value = int(self.problem.objective(slots))
        if value < self.limit:
            group = np.empty(len(self.loads), dtype=np.int64)
            for g, members in enumerate([*self.closed, left]):
                group[members] = g
            self.limit, self.best = value, group[: self.problem.experts]

    def _able(self, loads: Ints, slots: Ints) -> Bools:
        """Whether two may be in one group: bool [left, left]."""
        others = _least(loads, self.problem.size - 2)
        price = slots_of_both(loads, others, slots, self.problem.parts)
        self.work += loads.size * len(loads) // 2
        np.fill_diagonal(price, _NEVER)  # no expert is its own partner
        return price < self.limit

    def _groups(self, node: _Node, members: list[int], among: Ints) -> Iterator[list[int]]:
        """Fill `members` up from `among` in every way that stays below the limit, cheapest first.

        Empty places are alike: where one was tried, no other is in its stead.
        """
        missing = self.problem.size - len(members)
        if not missing:
            yield members
            return
        if len(among) < missing or self._over:
            return
        loads = node.loads[among]
        group = node.loads[members].sum(axis=0) + _least(loads, missing - 1)
        price = self.problem.objective(np.maximum(node.slots, group + loads))
        self.work += _LEVEL + loads.size
        order = np.argsort(price, kind="stable")
        empty_tried = False
        for n, f in enumerate(among[order].tolist()):
            if price[order[n]] >= self.limit:
                return
            empty = bool(node.left[f] >= self.problem.experts)
            if not (empty and empty_tried):
                rest = among[order[n + 1 :]]
                yield from self._groups(node, [*members, f], rest[node.able[f, rest]])
            empty_tried = empty_tried or empty


def _least(loads: Ints, count: int) -> Ints:
    """The least pairs that so many experts have in each window: [windows], from [experts, ..]."""
    if count < 1:
        return np.zeros(loads.shape[1], dtype=np.int64)
    least: Ints = np.partition(loads, count - 1, axis=0)[:count].sum(axis=0)
    return least

"""Tabu search towards aimed-at slots: for large layers fitted to few windows.

There the objective says little: only the fullest group of each window counts, and nearly all of the
thousands of swaps leave it as it is. Aims do not share that flatness: every group may run up to so
many pairs of each window, and the price is the overflow squared, summed over groups and windows.
The aims start from the slots of the best lower bound (`companions`), which says which windows must
give way; aims met are lowered by one in a window, aims missed are raised where they overflow most.
"""

from collections.abc import Iterator

import numpy as np

from compiler.grouping.objective import GroupingProblem
from compiler.grouping.watch import Watch
from ir.arrays import Floats, Ints

_EXPERTS = 64  # smaller layers are searched well by swaps alone, and solved exactly
_WINDOWS = 16  # with more the objective is not flat
_ROUNDS = 12
_STEPS = 60  # of a round, times the number of experts
_WORK = 500_000_000  # overflows computed in all; about 12 s on one core
_CROWDED = 4  # overflowing groups looked at in one step
_TENURE = (5, 15)  # steps a moved expert stays, drawn from this half-open range


def worth_aiming(problem: GroupingProblem) -> bool:
    """Whether this search can find what swaps alone do not."""
    large = problem.experts >= _EXPERTS and problem.windows <= _WINDOWS
    plain = problem.parts == 1 and not problem.replicas and not problem.costs.broadcast
    return large and plain


def improve_to_aims(
    problem: GroupingProblem, start: Ints, aims: Floats, goal: int, seed: int, watch: Watch
) -> Ints:
    """Improve `start` [experts] towards `aims` [windows] until `goal` is met or rounds run out.

    The answer is never worse than `start`; the number of steps does not depend on a clock. Ctrl-C
    ends the search with what it has and sets `watch.interrupted`.
    """
    best = start
    try:
        for found, value in _better(problem, start, aims, goal, seed):
            best = found
            watch.better(value)
    except KeyboardInterrupt:
        watch.interrupted = True
    return best


def _better(
    problem: GroupingProblem, start: Ints, aims: Floats, goal: int, seed: int
) -> Iterator[tuple[Ints, int]]:
    """Yield every better grouping [experts] on the way, with its value."""
    random = np.random.default_rng(seed)
    search = _Search(problem, start)
    best, least = int(search.slots.sum()), np.ceil(aims).astype(np.int64)
    limit = least.copy()
    for turn in range(_ROUNDS):
        search.aim_at(limit)
        for step in range(_STEPS * problem.experts):
            if search.overflow <= 0 or search.work > _WORK:
                break
            search.step(step, random)
            value = int(search.slots.sum())
            if value < best:
                best = value
                yield search.group[: problem.experts].copy(), value
        if best <= goal or search.work > _WORK:
            return
        limit = _next(limit, search, turn)


def _next(limit: Ints, search: "_Search", turn: int) -> Ints:
    """Raise an aim that was missed; lower one, each window in turn, where all were met."""
    limit = limit.copy()
    if search.overflow > 0:
        limit[int(np.maximum(search.load - limit, 0).sum(axis=0).argmax())] += 1
        return limit
    limit = np.minimum(limit, search.slots)
    limit[turn % len(limit)] -= 1
    return limit


class _Search:
    """Where the search stands; empty places count as experts, so that they move too.

    group: [places]; load: [groups, windows]; price: [groups].
    """

    def __init__(self, problem: GroupingProblem, start: Ints) -> None:
        places = problem.groups * problem.size
        self.loads = np.zeros((places, problem.windows), dtype=np.int64)
        self.loads[: problem.experts] = problem.loads.T
        gaps = problem.size - np.bincount(start, minlength=problem.groups)
        self.group: Ints = np.concatenate([start, np.repeat(np.arange(problem.groups), gaps)])
        self.load = np.zeros((problem.groups, problem.windows), dtype=np.int64)
        np.add.at(self.load, self.group, self.loads)
        self.work = 0
        self.aim_at(self.slots)

    @property
    def slots(self) -> Ints:
        """Slots of each window now: [windows]."""
        most: Ints = self.load.max(axis=0)
        return most

    @property
    def overflow(self) -> int:
        """Price of all groups."""
        return int(self.price.sum())

    def aim_at(self, limit: Ints) -> None:
        """Set new aims [windows] and forget which experts moved."""
        self.limit = limit
        self.price = self._price(self.load)
        self.least = self.overflow
        self.free_at = np.zeros(len(self.group), dtype=np.int64)

    def _price(self, load: Ints) -> Ints:
        over = np.maximum(load - self.limit, 0)
        price: Ints = (over * over).sum(axis=-1)
        return price

    def step(self, step: int, random: np.random.Generator) -> None:
        """Make the best swap of an expert of some overflowing groups with any other."""
        crowded = np.flatnonzero(self.price > 0)
        if len(crowded) > _CROWDED:
            crowded = random.choice(crowded, _CROWDED, replace=False)
        mine = np.flatnonzero(np.isin(self.group, crowded))
        g, h = self.group[mine], self.group
        moved = self.loads[mine][:, None] - self.loads[None]
        self.work += moved.size
        change = self._price(self.load[g][:, None] - moved) + self._price(self.load[h] + moved)
        change -= self.price[g][:, None] + self.price[h]
        held = (self.free_at[mine] > step)[:, None] | (self.free_at > step)
        held &= change + self.overflow >= self.least
        change[held | (g[:, None] == h)] = np.iinfo(np.int64).max
        pick, j = divmod(int(change.argmin()), len(h))
        if change[pick, j] == np.iinfo(np.int64).max:
            return
        self._swap(int(mine[pick]), j)
        self.free_at[[mine[pick], j]] = step + random.integers(*_TENURE, size=2)
        self.least = min(self.least, self.overflow)

    def _swap(self, i: int, j: int) -> None:
        g, h = int(self.group[i]), int(self.group[j])
        moved = self.loads[i] - self.loads[j]
        self.load[g] -= moved
        self.load[h] += moved
        self.group[i], self.group[j] = h, g
        self.price[[g, h]] = self._price(self.load[[g, h]])

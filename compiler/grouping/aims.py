"""Local search towards aimed-at slots: for large layers fitted to few windows.

There the objective says little: only the fullest group of each window counts, and nearly all of the
thousands of swaps leave it as it is. Aims do not share that flatness: every group may run up to so
many pairs of each window, and the price is the overflow squared, summed over groups and windows.
The aims start from the slots of the best lower bound (`companions`), which says which windows must
give way; aims met are lowered by one in a window, aims missed are raised where they overflow most.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.grouping.objective import GroupingProblem
from compiler.grouping.places import places_of
from compiler.grouping.tabu import BARRED, Limits, best_of, walk
from compiler.grouping.watch import Watch
from ir.arrays import Bools, Floats, Ints

_EXPERTS = 64  # smaller layers are searched well by swaps alone, and solved exactly
_WINDOWS = 16  # with more the objective is not flat
_ROUNDS = 12
_STEPS = 60  # of a round, times the number of experts
WORK = 500_000_000  # overflows computed in all, at most; about 12 s on one core
WORK_PER_SECOND = 20_000_000  # of them, for each second asked for: takes about half of it
_CROWDED = 4  # overflowing groups looked at in one step
_TENURE = (5, 15)  # steps a moved expert stays, drawn from this half-open range


def worth_aiming(problem: GroupingProblem) -> bool:
    """Whether this search can find what swaps alone do not."""
    if problem.counted:  # of 256 experts it took half a minute and found nothing better than swaps
        return False
    large = problem.experts >= _EXPERTS and problem.windows <= _WINDOWS
    plain = problem.parts == 1 and not problem.replicas and not problem.costs.broadcast
    return large and plain


def improve_to_aims(
    problem: GroupingProblem,
    start: Ints,
    aims: Floats,
    goal: int,
    seed: int,
    watch: Watch,
    *,
    work: int = WORK,
) -> Ints:
    """Improve `start` [experts] towards `aims` [windows] until `goal` is met or rounds run out.

    The answer is never worse than `start`. work: overflows computed at most. Better values go
    to `watch`; Ctrl-C and its deadline end the search with what it has.
    """
    return best_of(_better(problem, start, aims, goal, seed, watch, work), start, watch)


def _better(
    problem: GroupingProblem,
    start: Ints,
    aims: Floats,
    goal: int,
    seed: int,
    watch: Watch,
    work: int,
) -> Iterator[tuple[Ints, int]]:
    """Yield every better grouping [experts] on the way, with its value."""
    random = np.random.default_rng(seed)
    limit = np.ceil(aims).astype(np.int64)
    search = AimSearch(problem, start, limit, work)
    steps = _STEPS * problem.experts
    best = int(search.slots.sum())
    for turn in range(_ROUNDS):
        for _ in walk(search, Limits(steps, steps, _TENURE), random):
            value = int(search.slots.sum())
            if value < best:
                best = value
                yield search.places.group[: problem.experts].copy(), value
            if watch.ended:
                return
        if best <= goal or search.work > search.most:
            return
        search.aim_at(_next(search, turn))


def _next(search: "AimSearch", turn: int) -> Ints:
    """Raise an aim that was missed; lower one, each window in turn, where all were met."""
    limit, load = search.limit.copy(), search.places.load
    if search.value > 0:
        limit[int(np.maximum(load - limit, 0).sum(axis=0).argmax())] += 1
        return limit
    limit = np.minimum(limit, search.slots)
    limit[turn % len(limit)] -= 1
    return limit


@dataclass(frozen=True, eq=False)
class Swaps:
    """Each of the places `mine` with each of `every` place: mine x every swaps."""

    mine: Ints
    every: Ints

    def __len__(self) -> int:
        return len(self.mine) * len(self.every)

    def touch(self, things: Bools) -> Bools:
        """Whether each moves any of these places: [swaps]."""
        return (things[self.mine][:, None] | things[self.every]).ravel()


class AimSearch:
    """Where the search stands; `work` counts the overflows computed so far, of `most`.

    limit: aims [windows]; price: overflow squared of each group [groups].
    """

    def __init__(self, problem: GroupingProblem, start: Ints, limit: Ints, most: int) -> None:
        self.places = places_of(problem, start)
        self.things = len(self.places)
        self.work, self.most = 0, most
        self.aim_at(limit)

    @property
    def slots(self) -> Ints:
        """Slots of each window now: [windows]."""
        most: Ints = self.places.load.max(axis=0)
        return most

    @property
    def value(self) -> int:
        """Price of all groups."""
        return int(self.price.sum())

    def aim_at(self, limit: Ints) -> None:
        """Set new aims [windows]."""
        self.limit = limit
        self.price = self._price(self.places.load)

    def _price(self, load: Ints) -> Ints:
        over = np.maximum(load - self.limit, 0)
        price: Ints = (over * over).sum(axis=-1)
        return price

    def moves(self, random: np.random.Generator) -> Swaps:
        """Swaps of an expert of some overflowing groups with any other; none to end."""
        every = np.arange(self.things)
        if self.work > self.most:
            return Swaps(every[:0], every)
        crowded = np.flatnonzero(self.price > 0)
        if len(crowded) > _CROWDED:
            crowded = random.choice(crowded, _CROWDED, replace=False)
        return Swaps(np.flatnonzero(np.isin(self.places.group, crowded)), every)

    def values(self, moves: Swaps) -> Ints:
        """Price of all groups after each swap: [swaps]."""
        mine, load, loads = moves.mine, self.places.load, self.places.loads
        g, h = self.places.group[mine], self.places.group
        moved = loads[mine][:, None] - loads[None]
        self.work += moved.size
        price = self._price(load[g][:, None] - moved) + self._price(load[h] + moved)
        price += self.value - (self.price[g][:, None] + self.price[h])
        price[g[:, None] == h] = BARRED
        return price.ravel()

    def choose(self, moves: Swaps, values: Ints) -> int | None:
        """The first of least value, if any may be made."""
        pick = int(values.argmin())
        return None if values[pick] == BARRED else pick

    def make(self, moves: Swaps, pick: int) -> Ints:
        """Swap two places; return them."""
        nth, j = divmod(pick, len(moves.every))
        i = int(moves.mine[nth])
        pair = self.places.group[[i, j]]
        self.places.swap(i, j)
        self.price[pair] = self._price(self.places.load[pair])
        return np.array([i, j])

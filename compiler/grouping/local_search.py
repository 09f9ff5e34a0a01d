"""Local search over swaps of two experts, on the windowed objective itself.

Every step looks at all swaps that touch a fullest group; of equally good ones it takes that which
leaves the loads most even.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.grouping.objective import GroupingProblem, cost
from compiler.grouping.places import places_of
from compiler.grouping.swap_slots import swap_slots
from compiler.grouping.tabu import Limits, best_of, walk
from compiler.grouping.watch import Watch
from ir.arrays import Bools, Ints

STEPS = 5000
_WORK = 100_000_000  # window loads computed in all; about 1 s on one core for the largest layers
_LOOKED = 30_000_000  # pairs of places looked at in all; less than _WORK for up to 100 places
_BLOCK = 2_000_000  # window loads held at once
_PATIENCE = 4  # steps without a better value, times the number of swaps, that end the search
_TENURE = (5, 10)  # steps a moved expert stays, drawn from this half-open range


def improve(
    problem: GroupingProblem,
    start: Ints,
    *,
    watch: Watch,
    goal: int = 0,
    seed: int = 0,
    steps: int = STEPS,
) -> Ints:
    """Improve `start` [experts] until `goal` is met, nothing helps any more, or steps run out.

    The result is never worse than `start`. Better values go to `watch`; Ctrl-C and its deadline end
    the search with what it has.
    """
    return best_of(_better(problem, start, goal, seed, steps, watch), start, watch)


def _better(
    problem: GroupingProblem, start: Ints, goal: int, seed: int, steps: int, watch: Watch
) -> Iterator[tuple[Ints, int]]:
    """Yield every better grouping [experts] on the way, with its value."""
    search = _Search(problem, start)
    limits = Limits(steps, _PATIENCE * len(search.first), _TENURE)
    for better in walk(search, limits, np.random.default_rng(seed), goal):
        if better:
            yield search.assignment, search.value
        if watch.ended:
            return


@dataclass(frozen=True, eq=False)
class _Swaps:
    """Places that swap, in different groups: [swaps]."""

    first: Ints
    second: Ints

    def __len__(self) -> int:
        return len(self.first)

    def touch(self, things: Bools) -> Bools:
        """Whether each moves any of these places: [swaps]."""
        return things[self.first] | things[self.second]


class _Search:
    """Where the search stands; `work` and `looked` count what was done so far."""

    def __init__(self, problem: GroupingProblem, start: Ints) -> None:
        self.problem = problem
        self.places = places_of(problem, start)
        self.things = len(self.places)
        self.first, self.second = np.triu_indices(self.things, 1)
        self.company = _Company(problem, self.places.group) if problem.costs.broadcast else None
        self.work = self.looked = 0

    @property
    def assignment(self) -> Ints:
        """Group of each expert now: [experts]."""
        return self.places.group[: self.problem.experts].copy()

    @property
    def value(self) -> int:
        """Cost of the grouping now."""
        return cost(self.problem, self.assignment)

    def moves(self, random: np.random.Generator) -> _Swaps:
        """_Swaps that can help, with the fullest group of some window, or all; none to end."""
        group, load = self.places.group, self.places.load
        g, h = group[self.first], group[self.second]
        helps = g != h
        if self.company is None:
            fullest = np.zeros(len(load), dtype=np.bool_)
            fullest[load.argmax(axis=0)] = True
            helps &= fullest[g] | fullest[h]
        some = np.flatnonzero(helps)
        self.work += len(some) * self.problem.windows
        self.looked += len(self.first)
        if self.work > _WORK or self.looked > _LOOKED:
            some = some[:0]
        return _Swaps(self.first[some], self.second[some])

    def values(self, moves: _Swaps) -> Ints:
        """Cost after each swap: [swaps]."""
        i, j = moves.first, moves.second
        at, parts = self.places, self.problem.parts
        value: Ints = self.problem.costs.slot * swap_slots(at.loads, at.load, at.group, i, j, parts)
        if self.company is not None:
            value += self.company.after(i, j, self.places.group)
        return value

    def choose(self, moves: _Swaps, values: Ints) -> int:
        """Of the swaps of least value, that with the least sum of squared loads."""
        best = np.flatnonzero(values == values.min())
        if len(best) == 1 or len(best) * self.problem.windows > _BLOCK:
            return int(best[0])
        group, load, loads = self.places.group, self.places.load, self.places.loads
        i, j = moves.first[best], moves.second[best]
        moved = loads[i] - loads[j]
        # (a - m)^2 + (b + m)^2 - a^2 - b^2 = 2 m (m - a + b)
        squares = (moved * (moved - load[group[i]] + load[group[j]])).sum(axis=1)
        return int(best[squares.argmin()])

    def make(self, moves: _Swaps, pick: int) -> Ints:
        """Swap two places; return them."""
        i, j = int(moves.first[pick]), int(moves.second[pick])
        if self.company is not None:
            self.company.swap(i, j, self.places.group)
        self.places.swap(i, j)
        return np.array([i, j])


class _Company:
    """Cost of broadcasts: all of it now, and of each place's company in each group."""

    def __init__(self, problem: GroupingProblem, group: Ints) -> None:
        spare = len(group) - problem.experts
        self.pairs: Ints = np.pad(problem.pair_costs, (0, spare))
        self.near: Ints = self.pairs @ np.eye(problem.groups, dtype=np.int64)[group]
        self.value = problem.fixed + int(self.near[np.arange(len(group)), group].sum()) // 2

    def after(self, i: Ints, j: Ints, group: Ints) -> Ints:
        """Cost after each swap of places i and j, which lie in different groups: [swaps]."""
        g, h = group[i], group[j]
        change: Ints = self.near[i, h] - self.near[i, g] + self.near[j, g] - self.near[j, h]
        change -= 2 * self.pairs[i, j]  # each leaves its place to the other
        return self.value + change

    def swap(self, i: int, j: int, group: Ints) -> None:
        """Take note of a swap about to be made."""
        self.value = int(self.after(np.array([i]), np.array([j]), group)[0])
        moved = self.pairs[:, j] - self.pairs[:, i]
        self.near[:, group[i]] += moved
        self.near[:, group[j]] -= moved

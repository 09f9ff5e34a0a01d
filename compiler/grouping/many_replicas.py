"""Replicas in large layers, where `replica_search` could afford no steps worth the name.

Its price of a neighbour looks at all unions of replica sets, two to the power of the replicas. Here
the experts with the hottest copies get one more, as in DeepSeek's EPLB but by peaks over the
windows. In each round every copy then has its share of the pairs (`even_split`) and is moved like
an expert of that load by the search of `aims`, which keeps an expert's copies apart. Between rounds
some copies are given up and as many given out anew (large-neighbourhood search, Shaw 1998). An
answer is judged by its exact slots.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compiler.grouping.aims import AimSearch, Swaps
from compiler.grouping.bounds import window_bounds
from compiler.grouping.even_split import even_split
from compiler.grouping.objective import GroupingProblem, cost
from compiler.grouping.replica_search import thinned
from compiler.grouping.tabu import BARRED, Limits, best_of, walk
from compiler.grouping.watch import Watch
from ir.arrays import Bools, Ints

_PEAKS = 4  # power of a load over the bound that tells peaks from many pairs in all
_CROWDED = 4  # groups looked at in one step of the search towards aims
_MOST = 1 << 60
_STEPS, _FEWEST_STEPS = 300, 20  # of a round
_WINDOWS = 24  # that copies are moved on
_TENURE = (5, 10)
_GIVEN_UP = 8  # of the copies, one in so many is given up between rounds
_PER_SECOND = 15_000_000  # numbers computed for each second asked for: takes about half of it

Held = Bools


def give_out(problem: GroupingProblem, held: Held, copies: int) -> Held:
    """`held` [experts, groups] and so many more copies: of the expert with the hottest copies.

    Every copy is taken to run an equal part of its expert's pairs. The hottest are those with the
    largest parts of the bounds in some window; each goes where the loads stay most even.
    """
    held, bounds = held.copy(), np.maximum(window_bounds(problem), 1)[:, None]
    for _ in range(copies):
        each = problem.loads / held.sum(axis=1)  # [windows, experts]
        room = ~held & (held.sum(axis=0) < problem.size)
        if not room.any():
            break
        heat = ((each / bounds) ** _PEAKS).sum(axis=0)
        e = int(np.where(room.any(axis=1), heat, -1.0).argmax())
        number = int(held[e].sum())
        part = each[:, e] * number / (number + 1)
        load = each @ held - np.outer(each[:, e] - part, held[e])  # [windows, groups]
        more = ((2 * load + part[:, None]) * part[:, None] / bounds**2).sum(axis=0)
        held[e, np.where(room[e], more, np.inf).argmin()] = True
    return held


def improve_many(
    problem: GroupingProblem, start: Held, *, watch: Watch, goal: int, seed: int, time_s: float
) -> Held:
    """Improve `start`: bool [experts, groups], as `replica_search.improve_with_replicas` does."""
    return best_of(_better(problem, start, goal, seed, time_s, watch), start, watch)


def _better(
    problem: GroupingProblem, start: Held, goal: int, seed: int, time_s: float, watch: Watch
) -> Iterator[tuple[Held, int]]:
    """Yield every better answer [experts, groups] on the way, with its value."""
    random, some = np.random.default_rng(seed), thinned(problem, _WINDOWS)
    rounds, steps = _affordable(some, time_s)
    best, value = start, _value(problem, start)
    for turn in range(rounds):
        if value <= goal or watch.ended:
            return
        held = _moved(some, _given_anew(some, best, random) if turn else best, steps, random, watch)
        found = _value(problem, held)
        if found < value:
            yield held, found
        if found <= value:
            best, value = held, found


def _affordable(problem: GroupingProblem, time_s: float) -> tuple[int, int]:
    """Rounds, and steps of each, that the time asked for is enough for; counted as work."""
    step = _CROWDED * problem.size * problem.groups * problem.size * problem.windows
    work = int(time_s * _PER_SECOND)
    steps = max(_FEWEST_STEPS, min(_STEPS, work // step))
    return max(1, work // (steps * step)), steps


def _value(problem: GroupingProblem, held: Held) -> int:
    first = held.argmax(axis=1).astype(np.int64)
    more = [(int(e), int(g)) for e, g in np.argwhere(held) if g != first[e]]
    return cost(problem, first, more)


def _given_anew(problem: GroupingProblem, held: Held, random: np.random.Generator) -> Held:
    """Give up some copies, drawn at random, and give out as many."""
    held = held.copy()
    copies = random.permutation(np.argwhere(held))
    left = -(-problem.replicas // _GIVEN_UP)
    for e, g in copies.tolist():
        if left and held[e].sum() > 1:
            held[e, g] = False
            left -= 1
    return give_out(problem, held, problem.experts + problem.replicas - int(held.sum()))


def _moved(
    problem: GroupingProblem, held: Held, steps: int, random: np.random.Generator, watch: Watch
) -> Held:
    """Swap copies for a round, each with the pairs of its share now, towards the bounds."""
    expert, group = np.nonzero(held)
    of_group = [tuple(np.flatnonzero(row).tolist()) for row in held]
    shares = [even_split(load, of_group, problem.groups)[expert, group] for load in problem.loads]
    loads = np.array(shares, dtype=np.int64)  # [windows, copies]
    alone = replace(problem, loads=loads, total=loads.sum(axis=0), replicas=0)
    search = _Apart(alone, group, window_bounds(problem), expert, problem.experts)
    for _ in walk(search, Limits(steps, steps, _TENURE), random):
        if watch.ended:
            break
    return search.held[:-1]


class _Apart(AimSearch):
    """Swaps of copies that leave no two of one expert in one group.

    held: bool [experts + 1, groups]; the last stands for no expert, in empty places.
    """

    def __init__(
        self, problem: GroupingProblem, group: Ints, limit: Ints, expert: Ints, experts: int
    ) -> None:
        super().__init__(problem, group, limit, _MOST)
        self.expert = np.full(self.things, experts)
        self.expert[: len(expert)] = expert
        self.held = np.zeros((experts + 1, problem.groups), dtype=np.bool_)
        self.held[expert, group] = True

    def values(self, moves: Swaps) -> Ints:
        """Price after each swap; those that would put copies together may not be made: [swaps]."""
        values = super().values(moves)
        mine, every = self.expert[moves.mine], self.expert
        g, h = self.places.group[moves.mine], self.places.group
        together = self.held[mine][:, h] | self.held[:, g][every].T
        values[together.ravel()] = BARRED
        return values

    def make(self, moves: Swaps, pick: int) -> Ints:
        """Swap two places; return them."""
        nth, j = divmod(pick, len(moves.every))
        pair = np.array([moves.mine[nth], j])
        experts = self.expert[pair]
        self.held[experts, self.places.group[pair]] = False
        moved = super().make(moves, pick)
        self.held[experts, self.places.group[pair]] = True
        self.held[-1] = False
        return moved

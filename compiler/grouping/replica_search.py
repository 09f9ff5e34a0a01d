"""Local search with replicas: which experts get copies, and which groups hold what.

A step looks at many neighbours at once (swap two copies, move one to a group with room, give one up
for a copy of another expert) and takes the best, priced by the closed form of `split`. The
objective decides which experts get copies: a hot expert that never fills a group is not worth one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from compiler.grouping.objective import GroupingProblem
from compiler.grouping.tabu import Limits, best_of, walk
from compiler.grouping.watch import Watch
from ir.arrays import Bools, Ints, Singles

_STEPS = 1000
_WORK = 300_000_000  # set loads computed in all; about 8 s on one core
_WINDOWS = 96  # windows neighbours are priced on
_PATIENCE = 150  # steps without a better value that end the search
_TENURE = (4, 12)  # steps a moved expert stays, drawn from this half-open range
_EXCHANGES = 150  # exchanges of a copy for another expert's, drawn anew in each step
_BLOCK = 6_000_000  # numbers held at once while neighbours are priced

Held = Bools


@dataclass(frozen=True, eq=False)
class _Moves:
    """Copies taken out and put in: `out` and `into` are [moves, 2, 2] of (expert, group).

    A move that takes or puts only one copy names the expert after the last in the other place.
    """

    out: Ints
    into: Ints

    def __len__(self) -> int:
        return len(self.out)

    def touch(self, things: Bools) -> Bools:
        """Whether each puts in any of these experts: [moves]."""
        return things[self.into[:, 0, 0]] | things[self.into[:, 1, 0]]

    def take(self, which: Ints) -> "_Moves":
        return _Moves(self.out[which], self.into[which])

    def apply(self, held: Held) -> Held:
        """Hold what is held after each move: [moves, experts, groups]."""
        after = np.zeros((len(self), held.shape[0] + 1, held.shape[1]), dtype=np.bool_)
        after[:, :-1] = held
        row = np.arange(len(self))[:, None]
        after[row, self.out[:, :, 0], self.out[:, :, 1]] = False
        after[row, self.into[:, :, 0], self.into[:, :, 1]] = True
        return after[:, :-1]


def improve_with_replicas(
    problem: GroupingProblem,
    start: Held,
    *,
    watch: Watch,
    goal: int = 0,
    seed: int = 0,
    steps: int = _STEPS,
) -> Held:
    """Improve `start`: bool [experts, groups], until `goal` is met or nothing helps any more.

    The answer holds every expert at least once, at most `size` in a group and as many copies in all
    as `start`; it is never worse. Neighbours are priced on some windows where there are many,
    better ones then on all. Better values go to `watch`; Ctrl-C and its deadline end the search
    with what it has.
    """
    return best_of(_better(problem, start, goal, seed, steps, watch), start, watch)


def _better(
    problem: GroupingProblem, start: Held, goal: int, seed: int, steps: int, watch: Watch
) -> Iterator[tuple[Held, int]]:
    """Yield every better answer [experts, groups] on the way, with its value."""
    search, price = _Search(thinned(problem, _WINDOWS), start), Pricing(problem)
    best = int(price(start[None])[0])
    limits = Limits(min(steps, affordable_steps(problem)), _PATIENCE, _TENURE)
    for better in walk(search, limits, np.random.default_rng(seed)):
        if watch.ended:
            return
        if not better:
            continue
        value = int(price(search.held[None])[0])
        if value < best:
            best = value
            yield search.held, value
        if best <= goal:
            return


def thinned(problem: GroupingProblem, most: int) -> GroupingProblem:
    """Leave out windows between, evenly, where there are more: they overlap anyway."""
    length = problem.windows // problem.parts
    kept = min(length, max(1, most // problem.parts))
    picked = np.linspace(0, length - 1, kept).round().astype(np.int64)
    rows = (np.arange(problem.parts)[:, None] * length + picked).ravel()
    return replace(problem, loads=problem.loads[rows])


class _Search:
    """Where the search stands: `held` [experts, groups], on the windows of `problem`."""

    def __init__(self, problem: GroupingProblem, held: Held) -> None:
        self.problem, self.held = problem, held
        self.price = Pricing(problem)
        self.things = problem.experts + 1  # the last stands for no expert

    @property
    def value(self) -> int:
        """Objective now."""
        return int(self.price(self.held[None])[0])

    def moves(self, random: np.random.Generator) -> _Moves:
        """All swaps and moves, and some exchanges."""
        return _neighbours(self.problem, self.held, random)

    def values(self, moves: _Moves) -> Ints:
        """Objective after each move: [moves]."""
        return self.price(moves.apply(self.held))

    def choose(self, moves: _Moves, values: Ints) -> int:
        """The first of least value."""
        return int(values.argmin())

    def make(self, moves: _Moves, pick: int) -> Ints:
        """Make a move; return the experts it moved."""
        self.held = moves.take(np.array([pick])).apply(self.held)[0]
        experts = moves.into[pick, :, 0]
        return experts[experts < self.problem.experts]


def affordable_steps(problem: GroupingProblem) -> int:
    """Steps that the work is enough for."""
    sets = problem.groups + (1 << problem.replicas)
    copies = problem.experts + problem.replicas
    neighbours = copies * (copies - 1) // 2 + _EXCHANGES
    return _WORK // (neighbours * sets * min(problem.windows, _WINDOWS))


def _neighbours(problem: GroupingProblem, held: Held, random: np.random.Generator) -> _Moves:
    """All swaps and moves, and some exchanges."""
    copies = np.argwhere(held)  # [copies, 2] of (expert, group)
    room = np.flatnonzero(held.sum(axis=0) < problem.size)
    i, j = np.triu_indices(len(copies), 1)
    (e, g), (f, h) = copies[i].T, copies[j].T
    fits = (g != h) & ~held[e, h] & ~held[f, g]
    e, g, f, h = e[fits], g[fits], f[fits], h[fits]
    swap = _pairs(e, g, f, h), _pairs(e, h, f, g)
    (e, g), h = np.repeat(copies, len(room), axis=0).T, np.tile(room, len(copies))
    fits = ~held[e, h]
    move = _one(problem, e[fits], g[fits]), _one(problem, e[fits], h[fits])
    exchange = _exchanges(problem, held, room, random)
    out, into = (np.concatenate(side) for side in zip(swap, move, exchange, strict=True))
    return _Moves(out, into)


def _exchanges(
    problem: GroupingProblem, held: Held, room: Ints, random: np.random.Generator
) -> tuple[Ints, Ints]:
    """Give up a copy of a replicated expert for one of another: some, drawn at random."""
    spare = np.argwhere(held & (held.sum(axis=1) > 1)[:, None])
    free = np.argwhere(~held)
    (e, g), (f, h) = np.repeat(spare, len(free), axis=0).T, np.tile(free, (len(spare), 1)).T
    fits = np.flatnonzero((e != f) & ((g == h) | np.isin(h, room)))
    drawn = np.sort(random.permutation(fits)[:_EXCHANGES])
    return _one(problem, e[drawn], g[drawn]), _one(problem, f[drawn], h[drawn])


def _pairs(e: Ints, g: Ints, f: Ints, h: Ints) -> Ints:
    return np.stack([np.stack([e, g], axis=1), np.stack([f, h], axis=1)], axis=1)


def _one(problem: GroupingProblem, e: Ints, g: Ints) -> Ints:
    return _pairs(e, g, np.full_like(e, problem.experts), np.zeros_like(g))


class Pricing:
    """Slots of many candidates at once, by the closed form over all unions of replica sets."""

    def __init__(self, problem: GroupingProblem) -> None:
        self.problem = problem
        self.loads: Singles = problem.loads.T.astype(np.float32)  # [experts, windows]

    def __call__(self, held: Held) -> Ints:
        """Objective of each candidate: [candidates] from held [candidates, experts, groups]."""
        many = held.sum(axis=2) > 1
        copied = int(many.sum(axis=1).max())
        each = (2**copied + held.shape[2]) * self.problem.windows
        block = max(1, _BLOCK // each)
        parts = [
            self._block(held[i : i + block], many[i : i + block], copied)
            for i in range(0, len(held), block)
        ]
        return np.concatenate(parts)

    def _block(self, held: Held, many: Held, copied: int) -> Ints:
        single = (held & ~many[:, :, None]).astype(np.float32).transpose(0, 2, 1)
        alone = single @ self.loads  # [candidates, groups, windows]
        slots = alone.max(axis=1)
        if copied:
            slots = np.maximum(slots, self._unions(held, many, copied, alone))
        per_window = np.ceil(slots).astype(np.int64)
        return self.problem.objective(per_window)

    def _unions(self, held: Held, many: Held, copied: int, alone: Singles) -> Singles:
        """Fullest union of replica sets: [candidates, windows]; unconnected ones do no harm."""
        expert = np.argsort(~many, axis=1, kind="stable")[:, :copied]  # [candidates, copied]
        rows = np.arange(len(held))[:, None]
        real = many[rows, expert]
        where = held[rows, expert] & real[:, :, None]  # [candidates, copied, groups]
        load = np.where(real[:, :, None], self.loads[expert], 0)  # [candidates, copied, windows]
        subset = (np.arange(1, 2**copied)[:, None] >> np.arange(copied)) & 1
        union = (subset[None].astype(np.float32) @ where.astype(np.float32)) > 0
        # an expert is inside where none of its groups lies outside the union
        outside = where.astype(np.float32)[:, None] * ~union[:, :, None]
        inside = (outside.sum(axis=3) == 0) & real[:, None]
        pairs = union.astype(np.float32) @ alone + inside.astype(np.float32) @ load
        size = np.maximum(1, union.sum(axis=2))[:, :, None]
        fullest: Singles = (pairs / size).max(axis=1)
        return fullest


def add_replicas(problem: GroupingProblem, assignment: Ints) -> Held:
    """Give out the replicas one by one, each where it saves most: bool [experts, groups].

    Where several save equally little, the hottest expert and then the group with least load.
    """
    held: Held = np.eye(problem.groups, dtype=np.bool_)[assignment]
    price = Pricing(problem)
    for _ in range(problem.replicas):
        room = held.sum(axis=0) < problem.size
        e, g = np.argwhere(~held & room[None, :]).T
        nothing = np.full_like(e, problem.experts)
        moves = _Moves(_one(problem, nothing, np.zeros_like(g)), _one(problem, e, g))
        value = price(moves.apply(held))
        held = moves.take(np.lexsort((-problem.total[e], value))[:1]).apply(held)[0]
    return held

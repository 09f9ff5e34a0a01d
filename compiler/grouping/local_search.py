"""Tabu search over swaps of two experts (Glover 1989), on the windowed objective itself.

Every step looks at all swaps that touch a fullest group and takes the best one, even where it makes
things worse; of equally good ones that which leaves the loads most even. Experts just moved stay
where they are for a few steps, so that the search leaves local optima. Empty places count as
experts without load, so that a move to a group with room is a swap too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.grouping.objective import GroupingProblem, cost
from compiler.grouping.watch import Watch
from ir.arrays import Ints

_STEPS = 5000
_WORK = 100_000_000  # window loads computed in all; about 1 s on one core for the largest layers
_BLOCK = 2_000_000  # window loads held at once
_PATIENCE = 4  # steps without a better value, times the number of swaps, that end the search
_TENURE = (5, 10)  # steps a moved expert stays, drawn from this half-open range


@dataclass(eq=False)
class _State:
    """Where the search stands: group of each place [places], load: [groups, windows]."""

    group: Ints
    load: Ints


def improve(
    problem: GroupingProblem,
    start: Ints,
    *,
    goal: int = 0,
    seed: int = 0,
    steps: int | None = None,
    watch: Watch | None = None,
) -> Ints:
    """Improve `start` [experts] until `goal` is met, nothing helps any more, or steps run out.

    The number of steps follows from the problem's size, not from a clock, so it repeats exactly.
    The result is never worse than `start`. Better values go to `watch`; with a watch, Ctrl-C ends
    the search with what it has.
    """
    best, watched = start, watch or Watch()
    try:
        for found, value in _better(problem, start, goal, seed, steps):
            best = found
            watched.better(value)
    except KeyboardInterrupt:
        if watch is None:
            raise
        watch.interrupted = True
    return best


def _better(
    problem: GroupingProblem, start: Ints, goal: int, seed: int, steps: int | None
) -> Iterator[tuple[Ints, int]]:
    """Yield every better grouping [experts] on the way, with its value."""
    places = problem.groups * problem.size
    loads = np.zeros((places, problem.windows), dtype=np.int64)
    loads[: problem.experts] = problem.loads.T
    first, second = np.triu_indices(places, 1)
    state = _State(_with_spare(problem, start), np.zeros((problem.groups, problem.windows), int))
    np.add.at(state.load, state.group, loads)
    company = _Company(problem, state.group) if problem.costs.broadcast else None
    best = cost(problem, start)
    free_at = np.zeros(places, dtype=np.int64)
    random = np.random.default_rng(seed)
    last_better = work = 0
    for step in range(_STEPS if steps is None else steps):
        if best <= goal or step - last_better > _PATIENCE * len(first):
            break
        apart = _swaps(state, first, second, every=company is not None)
        work += len(apart) * problem.windows
        if not len(apart) or (steps is None and work > _WORK):
            break
        value = _values(state, loads, first[apart], second[apart], problem.parts)
        value *= problem.costs.slot
        if company is not None:
            value += company.after(first[apart], second[apart], state.group)
        held = np.maximum(free_at[first[apart]], free_at[second[apart]]) > step
        value[held & (value >= best)] = np.iinfo(np.int64).max
        pick = _most_even(state, loads, first[apart], second[apart], value)
        i, j = int(first[apart[pick]]), int(second[apart[pick]])
        if company is not None:
            company.swap(i, j, state.group)
        _swap(state, loads, i, j)
        free_at[[i, j]] = step + random.integers(*_TENURE, size=2)
        if value[pick] < best:
            best, last_better = int(value[pick]), step
            yield state.group[: problem.experts].copy(), best


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


def _swaps(state: _State, first: Ints, second: Ints, *, every: bool = False) -> Ints:
    """Swaps that can help: between two groups, one of them the fullest of some window, or all."""
    g, h = state.group[first], state.group[second]
    if every:
        return np.flatnonzero(g != h)
    fullest = np.zeros(len(state.load), dtype=np.bool_)
    fullest[state.load.argmax(axis=0)] = True
    return np.flatnonzero((g != h) & (fullest[g] | fullest[h]))


def _with_spare(problem: GroupingProblem, start: Ints) -> Ints:
    """Group of every place: the experts' own, then one place for each gap in a group."""
    gaps = problem.size - np.bincount(start, minlength=problem.groups)
    return np.concatenate([start, np.repeat(np.arange(problem.groups), gaps)])


def _values(state: _State, loads: Ints, i: Ints, j: Ints, parts: int = 1) -> Ints:
    """Objective after each swap of places i and j, which lie in different groups: [swaps]."""
    value = np.zeros((len(i), parts), dtype=np.int64)
    length = loads.shape[1] // parts
    block = max(1, _BLOCK // max(1, len(i)))
    for part in range(parts):
        for start in range(part * length, (part + 1) * length, block):
            windows = slice(start, min(start + block, (part + 1) * length))
            others = _others(state.load[:, windows])
            g, h = state.group[i], state.group[j]
            moved = loads[i, windows] - loads[j, windows]
            after = np.maximum(state.load[g, windows] - moved, state.load[h, windows] + moved)
            value[:, part] += np.maximum(after, others[g, h]).sum(axis=1)
    worst: Ints = value.max(axis=1)
    return worst


def _most_even(state: _State, loads: Ints, i: Ints, j: Ints, value: Ints) -> int:
    """Of the swaps of least value, that with the least sum of squared loads."""
    best = np.flatnonzero(value == value.min())
    if len(best) == 1 or len(best) * loads.shape[1] > _BLOCK:
        return int(best[0])
    i, j = i[best], j[best]
    moved = loads[i] - loads[j]
    # (a - m)^2 + (b + m)^2 - a^2 - b^2 = 2 m (m - a + b)
    squares = (moved * (moved - state.load[state.group[i]] + state.load[state.group[j]])).sum(
        axis=1
    )
    return int(best[squares.argmin()])


def _others(load: Ints) -> Ints:
    """Fullest group apart from g and h, from load [groups, windows]: [groups, groups, windows].

    Where g and h are the two fullest it is left 0: whatever they swap, the fuller of them keeps at
    least half of what both hold, which no third group exceeds.
    """
    groups = np.arange(len(load))
    out = np.zeros((len(load), *load.shape), dtype=np.int64)
    fullest = np.argsort(-load, axis=0, kind="stable")[:2]
    for rank in fullest[::-1]:
        free = (rank != groups[:, None, None]) & (rank != groups[None, :, None])
        out = np.where(free, np.take_along_axis(load, rank[None], axis=0), out)
    return out


def _swap(state: _State, loads: Ints, i: int, j: int) -> None:
    g, h = int(state.group[i]), int(state.group[j])
    moved = loads[i] - loads[j]
    state.load[g] -= moved
    state.load[h] += moved
    state.group[i], state.group[j] = h, g

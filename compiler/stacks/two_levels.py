"""The decision in two levels: layers to regions, and in each of them fire groups to stacks.

A small problem is then solved as one by CP-SAT, regions and stacks together; of a larger one each
region for itself, with the PGs that it has. The bound holds for all regions and stacks.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from compiler.options import SolverOptions
from compiler.stacks.bounds import meeting_bound
from compiler.stacks.cp_sat import StackModel, model_terms
from compiler.stacks.fewest import fewest_stacks
from compiler.stacks.parts import Part, spend, starting_parts
from compiler.stacks.pools import PoolAnswer, asked, listed, numbered, searched, solved, value_of
from compiler.stacks.prices import at_prices, trade
from compiler.stacks.problem import Pool, StackProblem
from compiler.stacks.regions import ways
from compiler.stacks.rules import Regions, by_rank
from compiler.stacks.start import size_of
from ir.arrays import Ints

Stacks = list[list[int]]  # rows of candidates

_WHOLE_TERMS = 40_000  # of a model of all candidates
_SOON_TERMS = 3_000  # of one that is solved at once
_LOOKED_PER_S = 5_000_000  # changes looked at for each second of the limit; about a quarter of it
_LAYERS_SHARE = 0.1  # of the time limit
_NEARLY = 0.1  # of the wall limit
_IN_VAIN = 3  # regions that CP-SAT did not better, after which it is not asked any more


@dataclass(frozen=True)
class Found:
    """Stacks of all candidates, and what is known of them.

    bound: no stacks within budget, limit and regions meet less; by_solver: that a solver found.
    """

    stacks: Stacks
    bound: int = 0
    by_solver: bool = False
    deterministic: bool = True


def decide(problem: StackProblem, options: SolverOptions) -> Found:
    """Stacks that meet as little as is found in the time given.

    Raises InfeasibleError where no stacks with so few PGs are found.
    """
    if int(problem.pgs.sum()) <= problem.budget:
        return Found([[row] for row in range(len(problem.candidates))])
    clock = _Clock(options)
    parts = _best_start(problem, options)
    found = Found([stack for part in parts for stack in part.stacks()])
    if sum(part.search.value for part in parts):
        found = _improved(problem, parts, clock)
    repeats = found.deterministic and not clock.nearly_over
    return replace(found, stacks=spread(problem, found.stacks), deterministic=repeats)


def spread(problem: StackProblem, stacks: Stacks) -> Stacks:
    """PGs of their own for what the budget has left: the smallest first, so that most have some."""
    held = [list(stack) for stack in stacks]
    of = {row: stack for stack in held for row in stack}
    pgs = problem.pgs.tolist()
    slack = problem.budget - sum(max(pgs[row] for row in stack) for stack in held)
    for row in sorted(of, key=lambda row: (pgs[row], row)):
        stack = of[row]
        rest = max((pgs[other] for other in stack if other != row), default=0)
        extra = pgs[row] + rest - max(pgs[other] for other in stack)
        if len(stack) > 1 and extra <= slack:
            stack.remove(row)
            of[row] = [row]
            held.append(of[row])
            slack -= extra
    return held


class _Clock:
    """What is left of the wall limit."""

    def __init__(self, options: SolverOptions) -> None:
        self.options, self.begun = options, time.perf_counter()

    @property
    def left_s(self) -> float:
        """Seconds to the wall limit."""
        return self.options.wall_s - (time.perf_counter() - self.begun)

    @property
    def nearly_over(self) -> bool:
        """Whether it may have cut something short."""
        return self.left_s < _NEARLY * self.options.wall_s

    def share(self, share: float) -> SolverOptions | None:
        """Limits of a solve that may take a share of the time; None when the wall limit is over."""
        if self.left_s <= 0:
            return None
        time_s = max(0.01, share * self.options.time_s)
        return replace(self.options, time_s=time_s, wall_s=max(0.01, self.left_s))


def _best_start(problem: StackProblem, options: SolverOptions) -> list[Part]:
    """The best quick stacks of several ways to part the layers."""
    best: list[Part] = []
    value = -1
    a_share = replace(options, time_s=_LAYERS_SHARE * options.time_s)
    for regions in ways(problem, a_share):
        ranked = numbered(by_rank(problem, regions), len(problem.candidates))
        for start in (ranked, None):
            parts = starting_parts(problem, regions, start)
            if sum(part.search.size for part in parts) > problem.budget:
                continue
            spend(parts, problem.budget)
            met = sum(part.search.value for part in parts)
            if value < 0 or met < value:
                best, value = parts, met
            if value == 0:
                return best
    return best or _from_fewest(problem, options)


def _from_fewest(problem: StackProblem, options: SolverOptions) -> list[Part]:
    """Parts as the stacks with the fewest PGs have them, or InfeasibleError."""
    stacks = fewest_stacks(problem, options)
    n = len(problem.candidates)
    regions = _regions_of(problem, stacks)
    parts = starting_parts(problem, regions, numbered(stacks, n))
    spend(parts, problem.budget)
    return parts


def _regions_of(problem: StackProblem, stacks: Stacks) -> Regions:
    """Layers that have stacks in common."""
    home = {layer: {layer} for layer in problem.layers}
    for stack in stacks:
        joined = set().union(*(home[int(problem.layer[row])] for row in stack))
        for layer in joined:
            home[layer] = joined
    return tuple(sorted({tuple(sorted(layers)) for layers in home.values()}))


def _improved(problem: StackProblem, parts: list[Part], clock: _Clock) -> Found:
    """Search in and between regions, then CP-SAT for the whole or for every region.

    Where the whole is soon solved, it is not searched first.
    """
    n = len(problem.candidates)
    terms = _terms(problem)
    trade(parts, problem.budget, _looked(clock))
    if terms > _SOON_TERMS:
        parts = at_prices(parts, problem.budget, looked=_looked(clock), seed=clock.options.seed)
        _search(problem, parts, clock)
    stacks = [stack for part in parts for stack in part.stacks()]
    value = sum(part.search.value for part in parts)
    if not value:
        return Found(stacks)
    if not problem.is_small:
        return _by_region(problem, parts, clock, 0)
    pool = problem.pool(np.arange(n))
    bound = min(value, meeting_bound(pool, problem.budget))
    if bound == value:
        return Found(stacks, bound)
    if terms <= _WHOLE_TERMS:
        return _whole(problem, pool, numbered(stacks, n), bound, clock)
    return _by_region(problem, parts, clock, bound)


def _looked(clock: _Clock) -> int:
    return int(_LOOKED_PER_S * clock.options.time_s)


def _terms(problem: StackProblem) -> int:
    """Terms of a model of all candidates, nearly."""
    n = len(problem.candidates)
    pairs = n * n if problem.regions > 1 else 0
    return model_terms(problem.depth, problem.limit) + pairs * len(problem.layers) // 4


def _search(problem: StackProblem, parts: list[Part], clock: _Clock) -> None:
    """Local search region by region, each with what the ones before have left of the budget."""
    squares = sum(len(part.rows) ** 2 for part in parts)
    slack = problem.budget - sum(part.search.size for part in parts)
    for part in parts:
        if not part.search.value:
            continue
        looked = _looked(clock) * len(part.rows) ** 2 // squares
        cap = part.search.size + slack
        found = searched(
            part.search.pool, part.search.stack, cap, looked=looked, seed=clock.options.seed
        )
        slack += part.search.size
        part.take(found.stack)
        slack -= part.search.size


def _whole(problem: StackProblem, pool: Pool, stack: Ints, bound: int, clock: _Clock) -> Found:
    """All candidates in one model."""
    options = clock.share(1 - _LAYERS_SHARE)
    start = PoolAnswer(stack, value_of(pool, stack))
    rows = np.arange(len(pool))
    if options is None:
        return Found(listed(stack, rows), bound, deterministic=False)
    layer = problem.layer if problem.regions > 1 else None
    model = StackModel(pool, layer, problem.layers_together)
    model.meet_least(max(problem.budget, size_of(pool, stack)))
    answer = asked(model, start, options)
    return Found(listed(answer.stack, rows), max(bound, answer.bound), True, answer.deterministic)


def _by_region(problem: StackProblem, parts: list[Part], clock: _Clock, bound: int) -> Found:
    """A model for each region, those that meet most first, with the PGs left over by the others.

    Where it betters none of the first few, the rest are not asked for.
    """
    slack = problem.budget - sum(part.search.size for part in parts)
    meeting = [part for part in parts if part.search.value]
    deterministic, in_vain = True, 0
    for part in sorted(meeting, key=lambda part: -part.search.value):
        options = clock.share((1 - _LAYERS_SHARE) / len(meeting))
        if options is None or in_vain == _IN_VAIN:
            break
        start = PoolAnswer(part.search.stack, part.search.value)
        answer = solved(part.search.pool, start, part.search.size + slack, options)
        deterministic &= answer.deterministic
        in_vain += answer.value == start.value
        slack += part.search.size
        part.take(answer.stack)
        slack -= part.search.size
    stacks = [stack for part in parts for stack in part.stacks()]
    return Found(stacks, bound, True, deterministic)

"""Small problems against every way to stack them: the value where it is proven, and the bound."""

from collections.abc import Iterator

import numpy as np
import pytest

from compiler.options import SolverOptions
from compiler.stacks import Candidate, choose_stacks
from compiler.stacks.problem import StackProblem
from ir.arrays import Ints
from ir.errors import InfeasibleError
from ir.stacks import Member, Stacking

BIN_PS = 10


def drawn(seed: int) -> StackProblem:
    """Up to seven fire groups of up to four layers; the budget is between half and all PGs."""
    random = np.random.default_rng(seed)
    n, layers = int(random.integers(2, 8)), int(random.integers(1, 5))
    of = sorted(random.integers(layers, size=n).tolist())
    limit = int(random.integers(2, 6))
    pgs = random.integers(1, 5, size=n)
    depth = random.integers(1, min(3, limit) + 1, size=n)
    candidates = tuple(
        Candidate(Member(layer, 0, i), int(pgs[i]), int(depth[i])) for i, layer in enumerate(of)
    )
    busy = random.integers(0, BIN_PS + 1, size=(n, 4)) * (random.random((n, 4)) < 0.8)
    budget = int(random.integers(pgs.sum() // 2, pgs.sum() + 1))
    return StackProblem(
        candidates, busy.astype(np.int64), BIN_PS, limit, budget, int(random.integers(1, 4))
    )


def partitions(things: list[int]) -> Iterator[list[list[int]]]:
    """Every way to part things into stacks."""
    if not things:
        yield []
        return
    first, rest = things[0], things[1:]
    for stacks in partitions(rest):
        yield [[first], *stacks]
        for i in range(len(stacks)):
            yield [*stacks[:i], [first, *stacks[i]], *stacks[i + 1 :]]


def allowed(problem: StackProblem, stacks: list[list[int]]) -> bool:
    """Whether budget, limit and layers in a region are kept."""
    pgs = sum(max(problem.candidates[i].pgs for i in stack) for stack in stacks)
    deep = max(sum(problem.candidates[i].depth for i in stack) for stack in stacks)
    if pgs > problem.budget or deep > problem.limit:
        return False
    regions = [{layer} for layer in problem.layers]
    for stack in stacks:
        joined: set[int] = {problem.candidates[i].member.layer for i in stack}
        for region in [r for r in regions if r & joined]:
            regions.remove(region)
            joined |= region
        regions.append(joined)
    return max(map(len, regions)) <= problem.layers_together


def met(busy: Ints, stacks: list[list[int]]) -> int:
    """Meetings by the definition, bin by bin."""
    total = 0
    for stack in stacks:
        for at, a in enumerate(stack):
            for b in stack[:at]:
                pairs = zip(busy[a].tolist(), busy[b].tolist(), strict=True)
                total += sum(x * y for x, y in pairs) // BIN_PS
    return total


def best(problem: StackProblem) -> int | None:
    every = partitions(list(range(len(problem.candidates))))
    return min((met(problem.busy, s) for s in every if allowed(problem, s)), default=None)


def chosen(problem: StackProblem) -> Stacking:
    return choose_stacks(
        problem.candidates,
        problem.busy,
        BIN_PS,
        limit=problem.limit,
        budget=problem.budget,
        layers_together=problem.layers_together,
        solver="cp-sat",
        limits=SolverOptions(time_s=2.0),
    )


def rows_of(problem: StackProblem, stacking: Stacking) -> list[list[int]]:
    """All stacks, those of one too, as rows."""
    row = {of.member: i for i, of in enumerate(problem.candidates)}
    stacks = [[row.pop(member) for member in stack] for stack in stacking.stacks]
    return [*stacks, *([i] for i in row.values())]


@pytest.mark.parametrize("ten", range(10))
def test_as_good_as_every_way_to_stack_a_hundred_small_problems(ten: int) -> None:
    for seed in range(10 * ten, 10 * ten + 10):
        problem = drawn(seed)
        least = best(problem)
        if least is None:
            with pytest.raises(InfeasibleError):
                chosen(problem)
            continue
        stacking = chosen(problem)
        certificate = stacking.certificate
        assert certificate is not None
        stacks = rows_of(problem, stacking)
        assert allowed(problem, stacks), seed
        assert met(problem.busy, stacks) == certificate.value, seed
        assert certificate.bound <= least, seed
        assert certificate.proven, seed
        assert certificate.value == least, seed

"""Searches and bounds of one pool, against what they say of themselves and every way there is."""

import numpy as np
import pytest

from compiler.options import SolverOptions
from compiler.stacks.bounds import meeting_bound
from compiler.stacks.cp_sat import StackModel
from compiler.stacks.parts import spend, starting_parts
from compiler.stacks.pools import value_of
from compiler.stacks.problem import StackProblem
from compiler.stacks.regions import by_cost, layer_costs, ways
from compiler.stacks.search import Search, improve
from compiler.stacks.start import fewest, fewest_bound, size_of
from tests.compiler.stacks.test_brute_force import BIN_PS, allowed, best, drawn, met, partitions
from tests.compiler.stacks.test_choose import layers_of, one_at_a_time


@pytest.mark.parametrize("seed", range(20))
def test_a_search_counts_right_after_every_change_and_keeps_its_limits(seed: int) -> None:
    random = np.random.default_rng(seed)
    problem = drawn(seed)
    pool = problem.pool(np.arange(len(problem.candidates)))
    start = fewest(pool)
    search = Search(pool, start)
    cap = search.size + int(random.integers(4))
    for _ in range(20):
        search.kick(cap, random)
        assert (search.value, search.size) == (
            value_of(pool, search.stack),
            size_of(pool, search.stack),
        )
        deep = np.bincount(search.stack, weights=pool.depth)
        assert deep.max() <= pool.limit
        assert search.size <= cap
    kicked = search.value
    search.descend(cap)
    assert value_of(pool, search.stack) == search.value <= kicked
    found = improve(pool, start, cap, looked=100_000, seed=0)
    assert value_of(pool, found) <= value_of(pool, start)
    assert size_of(pool, found) <= cap


@pytest.mark.parametrize("ten", range(5))
def test_bounds_and_two_levels_beside_every_way_to_stack(ten: int) -> None:
    for seed in range(100 + 10 * ten, 110 + 10 * ten):
        problem = drawn(seed)
        every = list(partitions(list(range(len(problem.candidates)))))
        rich = StackProblem(
            problem.candidates,
            problem.busy,
            BIN_PS,
            problem.limit,
            int(problem.pgs.sum()),
            problem.layers_together,
        )
        fewest_pgs = min(
            sum(max(problem.pgs[i] for i in stack) for stack in stacks)
            for stacks in every
            if allowed(rich, stacks)
        )
        assert fewest_bound(problem) <= fewest_pgs, seed
        least = best(problem)
        if least is None:
            continue
        pool = problem.pool(np.arange(len(problem.candidates)))
        assert meeting_bound(pool, problem.budget) <= least, seed
        for regions in ways(problem, SolverOptions(time_s=0.1)):
            parts = starting_parts(problem, regions)
            spend(parts, problem.budget)
            stacks = [stack for part in parts for stack in part.stacks()]
            if sum(part.search.size for part in parts) > problem.budget:
                continue
            assert allowed(problem, stacks), seed
            assert met(problem.busy, stacks) == sum(part.search.value for part in parts) >= least


def test_the_price_bound_is_met_where_all_are_alike() -> None:
    # Six that always compute, in stacks of three behind two of 5 PGs: each meets two others in 6
    # bins of 10 ps, 2 x 3 pairs x 60 ps = 360 ps. In pairs (15 PGs) 3 x 60 = 180 ps.
    problem = StackProblem(
        layers_of(6, (5,)), np.full((6, 6), 10, dtype=np.int64), BIN_PS, 3, 10, 6
    )
    pool = problem.pool(np.arange(6))
    assert [meeting_bound(pool, pgs) for pgs in (10, 15, 30)] == [360, 180, 0]


def test_layers_are_parted_by_what_their_matched_fire_groups_meet() -> None:
    # Layers 0 and 1 work at once, and so do 2 and 3, for one bin of 10 ps and two fire groups each.
    busy = np.zeros((4, 2, 2), dtype=np.int64)
    busy[:2, :, 0] = busy[2:, :, 1] = 10
    problem = StackProblem(layers_of(4, (2, 2)), busy.reshape(8, 2), BIN_PS, 2, 8, 2)
    costs = layer_costs(problem)
    assert costs.tolist() == [[0, 20, 0, 0], [20, 0, 0, 0], [0, 0, 0, 20], [0, 0, 20, 0]]
    regions = by_cost(problem, costs, ((0, 1), (2, 3)), SolverOptions(time_s=0.1))
    assert {frozenset(region) for region in regions} in (
        {frozenset({0, 2}), frozenset({1, 3})},
        {frozenset({0, 3}), frozenset({1, 2})},
    )


def test_a_matching_of_two_layers_avoids_meetings_among_equals() -> None:
    # the first fire group of each layer works in the first bin, the second in the second: crossed
    # they never meet, by rank they do
    busy = np.array([[10, 0], [0, 10], [10, 0], [0, 10]])
    problem = StackProblem(layers_of(2, (2, 2)), busy, BIN_PS, 2, 4, 2)
    assert layer_costs(problem)[0, 1] == 0


def test_cp_sat_finds_the_pairs_that_never_meet() -> None:
    # the only stacks with 6 PGs that never meet: each with the one three layers on
    problem = StackProblem(layers_of(6, (2,)), one_at_a_time(6, 1, 3), BIN_PS, 2, 6, 6)
    pool = problem.pool(np.arange(6))
    model = StackModel(pool)
    model.meet_least(6)
    answer = model.solve(SolverOptions(time_s=1.0))
    assert answer.values is not None
    stack = model.stacks(answer.values)
    assert (answer.status, value_of(pool, stack), size_of(pool, stack)) == ("optimal", 0, 6)
    assert stack.tolist() == [0, 1, 2, 0, 1, 2]

"""The bound from one expert's companions: by hand, against brute force, and what it aims at."""

import numpy as np
import pytest

from compiler.grouping.aims import improve_to_aims
from compiler.grouping.bounds import lower_bound, window_aims, window_bounds
from compiler.grouping.companions import companion_bound
from compiler.grouping.objective import GroupingProblem, group_loads, grouping_problem, slots
from compiler.grouping.watch import Watch
from ir.arrays import Ints
from tests.compiler.grouping.test_brute_force import best_by_enumeration, instance


def problem_of(loads: list[list[int]], groups: int, size: int) -> GroupingProblem:
    table = np.array(loads, dtype=np.int64)
    none = np.zeros((table.shape[1], table.shape[1]), dtype=np.int64)
    return GroupingProblem(table, table.sum(axis=0), none, groups, size)


def test_an_expert_hot_in_two_windows_needs_companions_cold_in_both() -> None:
    # Expert 0 runs 10 pairs in both windows. Its two companions are of {1, 2}: 6 pairs in the first
    # window, none in the second, or of {3, 4}: the reverse. A window by itself is met by the cold
    # pair, 10 slots, or the mean of both groups, 13. But two companions run 12 pairs in all
    # whichever they are, so the two windows take 20 + 12 slots.
    problem = problem_of([[10, 6, 6, 0, 0, 3], [10, 0, 0, 6, 6, 3]], groups=2, size=3)
    assert window_bounds(problem).tolist() == [13, 13]  # half of 25 pairs, rounded up
    assert lower_bound(problem) == 32
    assert slots(problem, np.array([0, 0, 1, 0, 1, 1])) == 32  # {0, 1, 3}: 16 pairs in each
    assert window_aims(problem).sum() == pytest.approx(32, abs=0.5)


def test_never_above_the_optimum_and_often_above_the_windows_own_bounds() -> None:
    tighter = 0
    for seed in range(200):
        chosen, spans, size, groups = instance(seed)
        problem = grouping_problem(chosen, spans, size, groups)
        spare = groups * size - problem.experts
        loads, each = np.pad(problem.loads, ((0, 0), (0, spare))), window_bounds(problem)
        bound = companion_bound(problem, loads, each).bound
        assert bound <= best_by_enumeration(chosen, spans, size, groups)
        tighter += bound > each.sum()
    assert tighter >= 20


def large_layer(seed: int) -> GroupingProblem:
    """64 experts, top-4, two windows of another heat each, groups of 8."""
    random = np.random.default_rng(seed)
    heat = random.gumbel(size=64)
    loads = []
    for _ in range(2):
        score = heat + 0.6 * random.normal(size=64) + random.gumbel(size=(256, 64))
        loads.append(np.bincount(np.argsort(-score, axis=1)[:, :4].ravel(), minlength=64))
    return problem_of([row.tolist() for row in loads], groups=8, size=8)


def search(problem: GroupingProblem, start: Ints, seed: int = 0) -> Ints:
    goal = lower_bound(problem)
    return improve_to_aims(problem, start, window_aims(problem), goal, seed, Watch())


@pytest.mark.parametrize("seed", range(4))
def test_aiming_comes_near_the_bound_and_repeats(seed: int) -> None:
    problem = large_layer(seed)
    start = np.arange(64) // 8
    found = search(problem, start)
    assert np.bincount(found, minlength=8).max() <= 8
    assert slots(problem, found) <= slots(problem, start)
    assert slots(problem, found) <= 1.02 * lower_bound(problem)
    assert np.array_equal(found, search(problem, start))


def test_empty_places_move_too() -> None:
    # 3 experts of 4, 3 and 3 pairs in 2 groups of 2: {4} and {3, 3} or {4, 3} and {3}; from all
    # three in a line the best is 6, with expert 0 by itself
    problem = problem_of([[4, 3, 3]], groups=2, size=2)
    found = search(problem, np.array([0, 0, 1]))
    assert group_loads(problem, found).max() == 6


def test_ctrl_c_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = large_layer(0)
    start, watch = np.arange(64) // 8, Watch()
    monkeypatch.setattr(watch, "better", lambda value: (_ for _ in ()).throw(KeyboardInterrupt))
    found = improve_to_aims(problem, start, window_aims(problem), 0, 0, watch)
    assert watch.interrupted
    assert slots(problem, found) < slots(problem, start)

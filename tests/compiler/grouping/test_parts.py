"""The parts of the solvers by themselves, on numbers small enough to check by hand."""

import numpy as np
import pytest

from compiler.grouping.local_search import improve
from compiler.grouping.objective import grouping_problem, slots
from compiler.grouping.rules import group_contiguous, group_lpt, group_sorted
from compiler.grouping.swap_slots import swap_slots
from compiler.grouping.watch import Watch


def column_heights(loads: list[int]) -> np.ndarray:
    """Make [tokens, experts] with loads[e] pairs for expert e."""
    return np.arange(max(loads))[:, None] < np.array(loads)[None, :]


def test_loads_and_total_with_overlapping_windows() -> None:
    # tokens 0..5 use expert 0 0 0 1 1 1; windows 1-4 and 2-5 share tokens 2 and 3; token 0 and 5
    # lie outside both, so the total over the fitted tokens is 2 and 2.
    chosen = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]], dtype=np.bool_)
    problem = grouping_problem(chosen, [(1, 4), (2, 5)], 1)
    assert problem.loads.tolist() == [[2, 1], [1, 2]]
    assert problem.total.tolist() == [2, 2]
    assert slots(problem, np.array([0, 1])) == 4  # max(2, 1) + max(1, 2)


def test_contiguous_sizes_differ_by_at_most_one() -> None:
    problem = grouping_problem(column_heights([1] * 10), [(0, 1)], 4)
    assert group_contiguous(problem).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_lpt_by_hand() -> None:
    # 5 -> first group; 4 -> second; 3 -> second (4 < 5), now 7; 3 -> first, 8; 3 -> second, 10.
    problem = grouping_problem(column_heights([5, 4, 3, 3, 3]), [(0, 5)], 3)
    assert group_lpt(problem).tolist() == [0, 1, 1, 0, 1]


def test_lpt_goes_past_a_full_group() -> None:
    # 9 -> first; 1 -> second; 1 -> second, now full; the last 1 has only the first, though heavier.
    problem = grouping_problem(column_heights([9, 1, 1, 1]), [(0, 9)], 2)
    assert group_lpt(problem).tolist() == [0, 1, 1, 0]


def test_sorted_does_not_leave_a_group_empty() -> None:
    # 5 groups for 8 experts: pairs (hot, cold) with two empty places on the hottest.
    problem = grouping_problem(column_heights([8, 7, 6, 5, 4, 3, 2, 1]), [(0, 8)], 4, groups=5)
    assert group_sorted(problem).tolist() == [0, 1, 2, 3, 4, 4, 3, 2]


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_every_swap_is_priced_right(groups: int) -> None:
    """The search's incremental price of each swap against counting the swapped grouping anew."""
    random = np.random.default_rng(groups)
    loads = random.integers(0, 50, (groups * 2, 7))
    group = random.permutation(np.repeat(np.arange(groups), 2))
    member = np.eye(groups, dtype=np.int64)
    i, j = np.triu_indices(len(group), 1)
    apart = group[i] != group[j]
    i, j = i[apart], j[apart]
    expected = []
    for a, b in zip(i, j, strict=True):
        swapped = group.copy()
        swapped[[a, b]] = group[[b, a]]
        expected.append(int((member[swapped].T @ loads).max(axis=0).sum()))
    load = member[group].T @ loads
    assert swap_slots(loads, load, group, i, j, 1).tolist() == expected
    windows_as_parts = swap_slots(loads, load, group, i, j, 7)
    each = [swap_slots(loads[:, [w]], load[:, [w]], group, i, j, 1) for w in range(7)]
    assert windows_as_parts.tolist() == np.max(each, axis=0).tolist()  # the worst part counts


def test_the_search_stops_at_its_goal() -> None:
    problem = grouping_problem(column_heights([9, 8, 1, 1]), [(0, 9)], 2)
    start = np.array([0, 0, 1, 1])  # 17; the best is 10
    assert improve(problem, start, watch=Watch(), goal=17).tolist() == start.tolist()
    assert slots(problem, improve(problem, start, watch=Watch())) == 10


def test_the_search_uses_empty_places() -> None:
    # 3 experts in 2 groups of 2: a swap of two experts cannot leave {9, 8}; a move can.
    problem = grouping_problem(column_heights([9, 8, 1]), [(0, 9)], 2)
    assert slots(problem, improve(problem, np.array([0, 0, 1]), watch=Watch())) == 9

"""Differencing, matching and co-activation on numbers small enough to check by hand."""

from itertools import pairwise

import numpy as np
import pytest

from compiler.grouping import Calibration, group_layer, score
from compiler.grouping.objective import grouping_problem, slots
from compiler.grouping.rules import group_co_activation, group_karmarkar_karp, group_matching
from compiler.options import GroupingOptions
from ir.errors import InputError


def column_heights(loads: list[int]) -> np.ndarray:
    """Make [tokens, experts] with loads[e] pairs for expert e."""
    return np.arange(max(loads))[:, None] < np.array(loads)[None, :]


def tokens(*experts: tuple[int, ...], of: int) -> np.ndarray:
    chosen = np.zeros((len(experts), of), dtype=np.bool_)
    for t, used in enumerate(experts):
        chosen[t, list(used)] = True
    return chosen


def test_differencing_by_hand() -> None:
    # Runs (8 7)(6 5)(4 1): spreads 1, 1, 3. (4 1) with (8 7): 4 + 7, 1 + 8 = 11, 9, spread 2; with
    # (6 5): 11 + 5, 9 + 6 = 16, 15.
    problem = grouping_problem(column_heights([8, 7, 6, 5, 4, 1]), [(0, 8)], 3)
    assignment = group_karmarkar_karp(problem)
    assert slots(problem, assignment) == 16
    assert np.bincount(assignment).tolist() == [3, 3]


def test_differencing_fills_up_with_empty_places() -> None:
    # 5 experts in 3 pairs: (9 8 7)(2 1 -): 9 + 0, 8 + 1, 7 + 2.
    problem = grouping_problem(column_heights([9, 8, 7, 2, 1]), [(0, 9)], 2)
    assert slots(problem, group_karmarkar_karp(problem)) == 9


def test_matching_is_exact_for_transfers_of_pairs_and_three_experts_a_token() -> None:
    random = np.random.default_rng(0)
    chosen = np.zeros((80, 8), dtype=np.bool_)
    for t in range(80):
        chosen[t, np.argsort(-random.gumbel(size=8) - np.arange(8) * (t % 3) / 4)[:3]] = True
    problem = grouping_problem(chosen, [(0, 80)], 2)
    found = group_layer(Calibration(chosen, [(0, 80)]), 0, 2, GroupingOptions("matching"))
    least = min(transfers(chosen, pairing) for pairing in pairings(list(range(8))))
    assert score(found, chosen, [(0, 80)])[1] == least
    assert np.bincount(group_matching(problem)).tolist() == [2, 2, 2, 2]


def transfers(chosen: np.ndarray, pairs: list[tuple[int, int]]) -> int:
    counts = np.stack([chosen[:, a].astype(int) + chosen[:, b] for a, b in pairs])
    return int(counts.max(axis=0).sum())


def pairings(experts: list[int]) -> list[list[tuple[int, int]]]:
    if not experts:
        return [[]]
    first, *rest = experts
    return [
        [(first, partner), *others]
        for i, partner in enumerate(rest)
        for others in pairings(rest[:i] + rest[i + 1 :])
    ]


def test_matching_gives_an_odd_expert_a_group_of_its_own() -> None:
    # 0-1 and 1-2 fire together, 0-2 never: (0, 2) and 1 alone.
    problem = grouping_problem(tokens((0, 1), (1, 2), of=3), [(0, 2)], 2)
    first, alone, third = group_matching(problem)
    assert first == third != alone


def test_matching_refuses_fours() -> None:
    problem = grouping_problem(np.ones((2, 8), dtype=np.bool_), [(0, 2)], 4)
    with pytest.raises(InputError, match=r"groups of 4, expected pairs \(mux 2\)"):
        group_matching(problem)


def test_co_activation_keeps_apart_what_fires_together() -> None:
    # 0 with 1 and 2 with 3, twice each: heat is equal, so 0 goes first to group 0; 1 never joins 0.
    problem = grouping_problem(tokens((0, 1), (2, 3), (0, 1), (2, 3), of=4), [(0, 4)], 2)
    groups = group_co_activation(problem)
    assert all(groups[a] != groups[b] for a, b in pairwise(range(4)) if a % 2 == 0)


def test_co_activation_prefers_the_lighter_of_two_groups_without_conflict() -> None:
    # Heat 3, 2, 1 one expert a token: 0 and 1 open the groups, 2 goes to the lighter one.
    problem = grouping_problem(tokens((0,), (0,), (0,), (1,), (1,), (2,), of=3), [(0, 6)], 2)
    assert group_co_activation(problem).tolist() == [0, 1, 1]

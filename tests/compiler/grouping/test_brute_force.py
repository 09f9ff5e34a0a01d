"""The exact solver and the bounds against every partition of small layers."""

import numpy as np
import pytest

import compiler.grouping.start as room
from compiler.grouping import Calibration, group_layer
from compiler.grouping.bounds import lower_bound, window_bounds
from compiler.grouping.local_search import improve
from compiler.grouping.objective import (
    grouping_problem,
    slots,
)
from compiler.grouping.rules import group_lpt, group_sorted
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions
from ir.arrays import Span
from tests.compiler.grouping.partitions import partitions

# More groups than the fewest, and sizes that do not divide the experts, are among them.
SHAPES = [(6, 2, 3), (6, 3, 2), (7, 2, 4), (7, 3, 3), (8, 2, 4), (8, 4, 2), (5, 4, 2), (6, 3, 4)]


def test_partitions_are_all_there() -> None:
    # 8 experts in pairs: 7 * 5 * 3 = 105; in two fours: C(8, 4) / 2 = 35.
    assert sum(1 for _ in partitions(8, 2, 4)) == 105
    assert sum(1 for _ in partitions(8, 4, 2)) == 35


def instance(seed: int) -> tuple[np.ndarray, list[tuple[int, int]], int, int]:
    """Make a random layer: chosen [tokens, experts], 1 to 5 windows, size, groups."""
    random = np.random.default_rng(seed)
    experts, size, groups = SHAPES[seed % len(SHAPES)]
    count, length = int(random.integers(1, 6)), int(random.integers(2, 9))
    heat = random.random((count, experts)) ** 2
    chosen = random.random((count, length, experts)) < heat[:, None, :]
    spans = [(w * length, (w + 1) * length) for w in range(count)]
    return chosen.reshape(-1, experts), spans, size, groups


def best_by_enumeration(chosen: np.ndarray, spans: list[Span], size: int, groups: int) -> int:
    loads = np.stack([chosen[a:b].sum(axis=0) for a, b in spans])
    best = None
    for numbers in partitions(loads.shape[1], size, groups):
        member = np.eye(groups, dtype=int)[numbers]
        value = int((loads @ member).max(axis=1).sum())
        best = value if best is None else min(best, value)
    assert best is not None
    return best


@pytest.mark.parametrize("with_local_search", [True, False])
def test_cp_sat_matches_enumeration_on_200(
    with_local_search: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_local_search:  # then CP-SAT itself must find what the baselines miss
        monkeypatch.setattr(room, "improve", lambda _, start, **__: start)
    wrong, improved = [], 0
    for seed in range(200):
        chosen, spans, size, groups = instance(seed)
        best = best_by_enumeration(chosen, spans, size, groups)
        certificate = group_layer(
            Calibration(chosen, spans), 0, size, GroupingOptions("cp-sat", groups=groups)
        ).certificate
        if (certificate.value, certificate.bound) != (best, best):
            wrong.append((seed, best, certificate))
        problem = grouping_problem(chosen, spans, size, groups)
        improved += best < min(slots(problem, f(problem)) for f in (group_lpt, group_sorted))
    assert not wrong
    assert improved > 50  # the instances are not trivial: the baselines miss many


def test_bounds_hold_on_every_instance() -> None:
    """No bound exceeds an optimum: of each window alone, and of all of them together."""
    tight = 0
    for seed in range(200):
        chosen, spans, size, groups = instance(seed)
        problem = grouping_problem(chosen, spans, size, groups)
        for span, bound in zip(spans, window_bounds(problem), strict=True):
            assert bound <= best_by_enumeration(chosen, [span], size, groups), seed
        best = best_by_enumeration(chosen, spans, size, groups)
        assert lower_bound(problem) <= best, seed
        tight += lower_bound(problem) == best
    assert tight > 60


def test_local_search_reaches_most_optima_and_never_loses() -> None:
    reached = 0
    for seed in range(200):
        chosen, spans, size, groups = instance(seed)
        problem = grouping_problem(chosen, spans, size, groups)
        start = group_lpt(problem)
        found = improve(problem, start, watch=Watch(), steps=50)
        assert np.bincount(found, minlength=groups).max() <= size
        assert slots(problem, found) <= slots(problem, start)
        reached += slots(problem, found) == best_by_enumeration(chosen, spans, size, groups)
    assert reached >= 195


@pytest.mark.parametrize("seed", range(20))
def test_sorted_pairs_are_optimal_for_the_total_load(seed: int) -> None:
    """For pairs in one window, hottest with coldest cannot be beaten: an exchange argument."""
    random = np.random.default_rng(seed)
    experts = 6 + seed % 3  # 7 leaves one expert alone: it must be the hottest
    chosen = random.random((40, experts)) < random.random(experts)
    problem = grouping_problem(chosen, [(0, 40)], 2)
    best = best_by_enumeration(chosen, [(0, 40)], 2, problem.groups)
    assert slots(problem, group_sorted(problem)) == best


def test_sorted_is_not_optimal_for_fours() -> None:
    # Totals 9 9 5 5 1 1 1 1: sorted gives {9, 9, 1, 1} = 20, LPT {9, 5, 1, 1} = 16 and 16.
    total = [9, 9, 5, 5, 1, 1, 1, 1]
    chosen = np.arange(9)[:, None] < np.array(total)[None, :]
    problem = grouping_problem(chosen, [(0, 9)], 4)
    assert slots(problem, group_sorted(problem)) == 20
    assert slots(problem, group_lpt(problem)) == 16


def test_sorted_folds_the_cold_end_onto_the_hot_end() -> None:
    # Loads fall with the id, so ranks are ids: (0 1 | 10 11), (2 3 | 8 9), (4 5 | 6 7).
    chosen = np.arange(12)[:, None] >= np.arange(12)[None, :]
    fours = grouping_problem(chosen, [(0, 12)], 4)
    assert group_sorted(fours).tolist() == [0, 0, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0]
    pairs = grouping_problem(chosen, [(0, 12)], 2)
    assert group_sorted(pairs).tolist() == [0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 0]
    threes = grouping_problem(chosen, [(0, 12)], 3)  # two hot, one cold
    assert group_sorted(threes).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3, 2, 1, 0]


def test_partner_bound_beats_the_windows_own() -> None:
    # Window 0: 10 9 3 0, so two of the three hottest share: 9 + 3 = 12 at least; window 1 likewise
    # 9 + 4 = 13. Together 25. But 12 needs (0 1)(2 3) and 13 needs (0 2)(1 3): one of them is
    # missed. Expert 0 with 1: max(12, 10) + max(13, 14) = 26; with 2: 13 + 13 = 26; with 3: 38.
    loads = np.array([[10, 0, 3, 9], [10, 4, 0, 9]])
    chosen = np.concatenate([np.arange(10)[:, None] < row[None, :] for row in loads])
    problem = grouping_problem(chosen, [(0, 10), (10, 20)], 2)
    assert window_bounds(problem).tolist() == [12, 13]
    assert lower_bound(problem) == 26
    assert best_by_enumeration(chosen, [(0, 10), (10, 20)], 2, 2) == 26

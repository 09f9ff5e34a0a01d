"""Calibration windows, and the worst part as objective."""

import numpy as np
import pytest

from compiler.grouping import (
    ROBUST_OBJECTIVE,
    Calibration,
    calibration,
    group_layer,
    robust_calibration,
    score,
)
from compiler.grouping.bounds import lower_bound
from compiler.grouping.objective import grouping_problem, slots
from compiler.options import GroupingOptions, GroupingSolver
from ir.errors import InputError

SEQUENCE = np.repeat(np.arange(6), [3, 5, 2, 4, 6, 4])  # 24 tokens
NAMED = np.eye(24, dtype=np.bool_)  # token t uses expert t alone: rows tell which token they are


def test_windows_overlap_by_three_quarters_and_no_window_spans_two_orders() -> None:
    sample = calibration(NAMED, SEQUENCE, 8, shuffles=2)
    assert sample.chosen.shape == (72, 24)
    assert sample.windows[:5] == [(0, 8), (2, 10), (4, 12), (6, 14), (8, 16)]
    assert len(sample.windows) == 3 * 9
    assert all(a // 24 == (b - 1) // 24 for a, b in sample.windows)


def test_shuffles_keep_sequences_whole_and_every_token() -> None:
    sample = calibration(NAMED, SEQUENCE, 8, shuffles=3, seed=1)
    for n in range(4):
        tokens = sample.chosen[n * 24 : n * 24 + 24].argmax(axis=1)
        assert sorted(tokens.tolist()) == list(range(24))
        of = SEQUENCE[tokens]
        assert np.count_nonzero(np.diff(of)) == 5  # six sequences, each in one piece
        assert all(np.all(np.diff(tokens[of == s]) == 1) for s in range(6))
    assert sample.chosen[:24].argmax(axis=1).tolist() == list(range(24))
    again = calibration(NAMED, SEQUENCE, 8, shuffles=3, seed=1)
    assert (again.chosen == sample.chosen).all()


def test_a_range_without_a_window_is_refused() -> None:
    with pytest.raises(InputError, match="24 tokens, expected at least one window of 25"):
        calibration(NAMED, SEQUENCE, 25)


def test_parts_have_equally_many_windows_from_one_domain_each() -> None:
    # domain 0: 14 tokens, domain 1: 10 tokens; stride 2, windows of 8: 4 and 2 windows
    domain = np.repeat([0, 1], [14, 10])
    sample = robust_calibration(NAMED, SEQUENCE, 8, domain, shuffles=0)
    assert (sample.parts, len(sample.windows)) == (2, 4)
    for n, (a, b) in enumerate(sample.windows):
        tokens = sample.chosen[a:b].argmax(axis=1)
        assert set(domain[tokens].tolist()) == {n // 2}


def test_quarters_of_sequences_where_no_domain_is_known() -> None:
    # sequences (0 1)(2 3)(4)(5): 8, 6, 6 and 4 tokens; windows of 5 leave the last out
    sample = robust_calibration(NAMED, SEQUENCE, 5, shuffles=0)
    assert sample.parts == 3


def test_robust_needs_two_parts() -> None:
    with pytest.raises(InputError, match="1 quarters of at least one window of 8 tokens"):
        robust_calibration(NAMED, SEQUENCE, 8)


def burst(*pairs: tuple[int, ...]) -> np.ndarray:
    """Make one window of 12 tokens with so many pairs of each expert."""
    return np.concatenate([np.arange(12)[:, None] < np.array(load)[None, :] for load in pairs])


def test_the_worst_part_counts_and_not_the_sum() -> None:
    # Pairings of 4 experts, windows A (6 0 0 6) and B (4 4 0 0) x 1 each:
    # (0 1)(2 3): A 6, B 8, sum 14, worst 8; (0 3)(1 2): A 12, B 4, sum 16; (0 2)(1 3): A 6, B 4.
    chosen = burst((6, 0, 0, 6), (4, 4, 0, 0))
    spans = [(0, 12), (12, 24)]
    problem = grouping_problem(chosen, spans, 2, parts=2)
    assert slots(problem, np.array([0, 0, 1, 1])) == 8
    assert slots(problem, np.array([0, 1, 1, 0])) == 12
    assert slots(problem, np.array([0, 1, 0, 1])) == 6 == lower_bound(problem)


@pytest.mark.parametrize("solver", ["local-search", "cp-sat", "highs", "scip"])
def test_robust_and_mean_may_differ(solver: GroupingSolver) -> None:
    # Part 1: three windows; part 2: three windows. Experts 0 and 1 fire together in part 2 only.
    random = np.random.default_rng(8)
    heat = random.random((6, 8)) ** 3
    chosen = np.concatenate([random.random((16, 8)) < row for row in heat])
    spans = [(w * 16, w * 16 + 16) for w in range(6)]
    fit = Calibration(chosen, spans, parts=2)
    found = group_layer(fit, 0, 2, GroupingOptions(solver))
    certificate = found.certificate
    halves = [score(found, chosen, spans[:3])[0], score(found, chosen, spans[3:])[0]]
    assert certificate.objective == ROBUST_OBJECTIVE
    assert certificate.value == max(halves)
    assert certificate.bound <= certificate.value
    if solver != "local-search":
        best = group_layer(fit, 0, 2, GroupingOptions("cp-sat")).certificate
        assert (certificate.value, certificate.bound) == (best.value, best.value)


def test_parts_of_unequal_number_are_refused() -> None:
    with pytest.raises(InputError, match="3 windows in 2 parts"):
        grouping_problem(NAMED, [(0, 2), (2, 4), (4, 6)], 2, parts=2)

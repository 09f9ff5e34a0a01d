"""Tiny windows: brute force against both exact models and every bound."""

import numpy as np
import pytest

from compiler.options import SolverOptions
from compiler.slots import cp_sat_slots, order_slots, patterns
from compiler.slots.bounds import (
    check_table,
    slots_bound,
    transfers_bound,
    transfers_bound_at,
)
from compiler.solver import solve
from ir.schedule import distinct_per_row
from tests.compiler.slots.windows import TINY, counts_of, fewest_transfers, tiny_optimum


def test_brute_force_knows_the_triangle() -> None:
    triangle = counts_of([[1, 1, 0], [1, 0, 1], [0, 1, 1]])
    assert fewest_transfers(triangle, 1) is None
    assert fewest_transfers(triangle, 2) == 4
    assert fewest_transfers(triangle, 3) == 3


@pytest.mark.parametrize("index", range(200))
def test_tiny_windows_against_brute_force(index: int) -> None:
    counts, optimum = TINY[index], tiny_optimum(index)
    exact = order_slots(counts, "cp-sat")
    assert (exact.slots, exact.transfers) == (slots_bound(counts), optimum)
    assert exact.proven
    assert transfers_bound(counts) <= transfers_bound_at(counts, exact.slots) <= optimum
    greedy = order_slots(counts, "min-transfer")
    assert greedy.slots == slots_bound(counts)
    assert greedy.transfers >= optimum >= greedy.transfers_bound
    assert (greedy.status == "optimal (bound)") == (greedy.transfers == greedy.transfers_bound)


@pytest.mark.parametrize("index", range(0, 200, 4))
def test_both_exact_models_agree_with_brute_force(index: int) -> None:
    """From the compact order as the start, which neither model can leave to the greedy's luck."""
    counts, optimum = TINY[index], tiny_optimum(index)
    slots = slots_bound(counts)
    if not slots:
        return
    warm = order_slots(counts, "compact").table
    groups = np.arange(counts.shape[1])
    pattern = patterns.build(counts, slots, groups, warm)
    assert pattern is not None
    answer = patterns.run(pattern, SolverOptions())
    assert answer.values is not None
    table = patterns.table_of(pattern, answer.values, groups, warm.shape)
    assert check_table(table, counts) is None
    assert (distinct_per_row(table), answer.bound) == (optimum, optimum)
    model = cp_sat_slots.build(counts, warm)
    answer = solve(model.model, model.variables, SolverOptions())
    assert answer.values is not None
    table = model.table_of(answer.values)
    assert check_table(table, counts) is None
    assert (distinct_per_row(table), answer.bound) == (optimum, optimum)


@pytest.mark.parametrize("index", range(0, 200, 5))
def test_patterns_on_some_groups_are_a_lower_bound(index: int) -> None:
    counts = TINY[index]
    relaxed = patterns.build(counts, slots_bound(counts), np.arange(counts.shape[1])[:2])
    assert relaxed is not None
    answer = patterns.run(relaxed, SolverOptions())
    assert answer.bound is not None
    assert transfers_bound(counts) <= answer.bound <= tiny_optimum(index)


def test_splits_are_all_ways_to_send_a_token() -> None:
    # Three groups once each: 5 partitions of three things. Group A twice: {A} {A} only.
    assert len(patterns.splits_of((1, 1, 1))) == 5
    assert patterns.splits_of((2,)) == ((1, 1),)
    # A twice and B once: B with one of the As, or apart.
    assert patterns.splits_of((2, 1)) == ((1, 3), (1, 1, 2))
    assert [len(patterns.partitions_of(n)) for n in range(6)] == [1, 1, 2, 5, 15, 52]  # Bell

"""The column-generation bound, its pricing, and the orders found among its columns."""

import math
from itertools import combinations
from random import Random

import numpy as np
import pytest

from compiler.linear import ColumnProgram
from compiler.slots import column_generation, order_slots
from compiler.slots.bounds import check_table, slots_bound, transfers_bound, transfers_bound_at
from compiler.slots.column_generation import column_generation_table
from compiler.slots.columns import column_bound
from compiler.slots.packing import heaviest_packings
from compiler.slots.rules import compact_table
from ir.arrays import Ints
from ir.schedule import distinct_per_row
from tests.compiler.slots.windows import TINY, counts_of, tiny_optimum, window


def heaviest(weights: dict[int, int], within: int) -> int:
    """Try every set of parts."""
    best = 0
    for number in range(len(weights) + 1):
        for parts in combinations(weights, number):
            disjoint = sum(parts) == np.bitwise_or.reduce([0, *parts])
            if disjoint and all(part & ~within == 0 for part in parts):
                best = max(best, sum(weights[part] for part in parts))
    return best


def test_packing_by_hand() -> None:
    # Of {A,B} 5, {B,C} 4, {A} 2, {C} 2: {A,B} and {C} make 7, {A} and {B,C} only 6; without group
    # A it is {B,C} alone, 4; within A and C, 2 + 2.
    packings = heaviest_packings({0b011: 5, 0b110: 4, 0b001: 2, 0b100: 2}, 3)
    assert [int(packings.best[s]) for s in (0b111, 0b110, 0b101)] == [7, 4, 4]
    assert sorted(packings.within(0b111)) == [0b011, 0b100]
    assert packings.within(0b010) == ()


@pytest.mark.parametrize("seed", range(20))
def test_packing_against_all_sets_of_parts(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    weights = {random.randrange(1, 32): random.randrange(-2, 9) for _ in range(8)}
    packings = heaviest_packings(weights, 5)
    for within in range(32):
        assert packings.best[within] == heaviest(weights, within)
        parts = packings.within(within)
        assert sum(weights[part] for part in parts) == packings.best[within]
        assert sum(parts) == np.bitwise_or.reduce([0, *parts])  # disjoint


@pytest.mark.parametrize("index", range(200))
def test_bound_is_below_the_optimum_and_no_weaker_than_ours(index: int) -> None:
    counts, slots = TINY[index], slots_bound(TINY[index])
    if not slots:
        return
    table = order_slots(counts, "compact").table
    groups = np.arange(counts.shape[1])
    found = column_bound(counts, table, groups, 99, 10**6)
    assert found is not None
    assert transfers_bound_at(counts, slots) <= found.bound <= tiny_optimum(index)
    some = column_bound(counts, table, groups[:2], 99, 10**6)
    assert some is not None
    assert transfers_bound(counts) <= some.bound <= tiny_optimum(index)


def test_bound_of_the_triangle() -> None:
    # Tokens {A,B}, {B,C}, {A,C} in two slots: no slot holds two of them, so one is split: 4.
    counts = counts_of([[1, 1, 0], [0, 1, 1], [1, 0, 1]])
    found = column_bound(counts, order_slots(counts, "compact").table, np.arange(3), 99, 10**6)
    assert found is not None
    assert found.bound == 4


def hard_window() -> np.ndarray:
    """16 tokens on 16 groups: min-transfer has 21 transfers and a bound of 19."""
    return window(6, 0.2, 2)[:16]


def test_proves_what_min_transfer_leaves_open() -> None:
    counts = hard_window()
    start = order_slots(counts, "min-transfer")
    order = order_slots(counts, "column-generation")
    assert order.status == "optimal (bound)"
    assert (start.transfers, start.transfers_bound, start.status) == (21, 19, "heuristic")
    assert (order.slots, order.transfers_bound, order.transfers) == (start.slots, 21, 21)


def test_the_same_answer_twice() -> None:
    counts = hard_window()
    one, other = (order_slots(counts, "column-generation", seed=5) for _ in range(2))
    assert np.array_equal(one.table, other.table)
    assert (one.transfers_bound, one.status) == (other.transfers_bound, other.status)


def test_orders_come_from_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the compact order, without the walk: what is gained, the restricted master gains."""

    def compact(counts: Ints, seed: int) -> tuple[Ints, int]:
        return compact_table(counts), transfers_bound(counts)

    monkeypatch.setattr(column_generation, "min_transfer_table", compact)
    monkeypatch.setattr(column_generation, "_repaired", lambda counts, start, seed: start)
    for seed in range(3):
        counts = window(seed, 0.5, 4)[:32]
        found = column_generation_table(counts, 0, 2.0)
        assert check_table(found.table, counts) is None
        assert len(found.table) == slots_bound(counts)
        start = distinct_per_row(compact_table(counts))
        assert found.bound <= found.transfers <= found.bound + 2 < start


def test_a_wrong_price_cannot_make_a_wrong_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds for any prices: those of a broken solver give a weak one, not a false one."""
    random = Random(1)  # noqa: S311
    real = ColumnProgram.solve

    def noisy(self: ColumnProgram) -> tuple[float, list[float]] | None:
        solved = real(self)
        if solved is None:
            return None
        return solved[0] + 5, [dual + random.uniform(-1, 1) for dual in solved[1]]

    monkeypatch.setattr(ColumnProgram, "solve", noisy)
    for index in range(0, 200, 5):
        counts = TINY[index]
        if counts.any():
            table = order_slots(counts, "compact").table
            found = column_bound(counts, table, np.arange(counts.shape[1]), 99, 2000)
            assert found is not None
            assert found.bound <= tiny_optimum(index)


def test_tokens_with_many_experts_are_left_to_min_transfer() -> None:
    # 20 turns of a token on 10 groups: its splits are not listed (there would be billions).
    counts = np.full((6, 10), 2, dtype=np.int64)
    assert column_bound(counts, counts, np.arange(10), 99, 10**6) is None
    order = order_slots(counts, "column-generation")
    assert (order.slots, order.transfers) == (12, 12)


def test_no_time_leaves_the_start() -> None:
    counts = hard_window()
    order = order_slots(counts, "column-generation", time_s=1e-6)
    assert order.slots == order.slots_bound
    assert order.transfers == distinct_per_row(order.table) >= order.transfers_bound


def test_column_program_by_hand() -> None:
    # x + y >= 4 at 2 and 3 each: four x, 8, and a row is worth 2. A third column at 1 makes it 4.
    program = ColumnProgram([(4.0, math.inf)])
    assert program.solve() is None  # no columns yet: infeasible
    program.add(2.0, [(0, 1.0)])
    program.add(3.0, [(0, 1.0)])
    assert_solved(program, 8, [2])
    program.add(1.0, [(0, 1.0)])
    assert_solved(program, 4, [1])


def assert_solved(program: ColumnProgram, value: float, duals: list[float]) -> None:
    solved = program.solve()
    assert solved is not None
    assert solved[0] == pytest.approx(value)
    assert solved[1] == pytest.approx(duals)

"""Repair and the exact models with arrivals, from starts that leave the work to them."""

import numpy as np
import pytest

from compiler.slots import arriving_exact, order_slots
from compiler.slots.arriving_columns import columns_bound
from compiler.slots.arriving_greedy import repaired
from compiler.slots.arriving_rules import compact_from, token_serial_from
from compiler.slots.arriving_windows import windows_repaired
from compiler.slots.limits import Limits
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints
from ir.arrivals import Arrivals
from ir.schedule import distinct_per_row
from tests.compiler.slots.arriving import TINY, optimum
from tests.compiler.slots.windows import counts_of, window


@pytest.mark.parametrize("part", range(5))
def test_cp_sat_finds_the_optimum_from_token_serial(
    monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    def serial(problem: SlotProblem, first: Ints, _seed: int) -> tuple[list[Ints], int]:
        table = token_serial_from(problem.counts, first)
        return [table], problem.transfers_bound_at(len(table))

    monkeypatch.setattr(arriving_exact, "arriving_tables", serial)
    for index in range(part, 100, 5):
        tiny = TINY[index]
        order = order_slots(tiny.counts, "cp-sat", bus=tiny.bus, arrivals=tiny.first)
        assert (order.slots, order.transfers) == optimum(index)
        assert order.proven
        assert (order.slots_bound, order.transfers_bound) == optimum(index)


def crowded() -> tuple[SlotProblem, Ints, Ints]:
    """64 tokens that come four a slot, and their compact order."""
    counts, first = window(2, 0.5, 4)[:64], np.arange(64) // 4
    return SlotProblem(counts, presence=Arrivals(first)), first, compact_from(counts, first)


def test_repair_keeps_arrivals() -> None:
    problem, first, table = crowded()
    better = repaired(problem, first, table, 0, 4000, seed=1)
    assert problem.wrong(better) is None
    assert len(better) == len(table)
    assert distinct_per_row(better) < 0.8 * distinct_per_row(table)


@pytest.mark.parametrize("bus", [None, 4])
def test_windows_keep_arrivals_and_the_bus(bus: int | None) -> None:
    problem, first, table = crowded()
    if bus is not None:  # stretched until the bus carries it: one group after the other
        problem = SlotProblem(problem.counts, Limits(bus), problem.presence)
        table = np.concatenate([np.where(np.arange(8) // 4 == half, table, -1) for half in (0, 1)])
    start = Solved(table, problem.transfers_bound_at(len(table)))
    found = windows_repaired(problem, first, start, 1, 0.5)
    assert problem.wrong(found.table) is None
    assert len(found.table) == len(table)
    assert found.transfers < start.transfers


def test_windows_leave_a_buffer_alone() -> None:
    problem, first, table = crowded()
    held = SlotProblem(problem.counts, Limits(None, 96), problem.presence)
    start = Solved(table, 0)
    assert windows_repaired(held, first, start, 1, 1.0) is start


def test_the_fullest_slots_of_a_window_are_all_tried() -> None:
    # 96 tokens in 48 slots, a stretch of four at a time: of two slots of one stretch, the one whose
    # six busiest groups have the less slack proves nothing, the other one transfer.
    order = order_slots(
        window(8, 0.6, 2)[:96], "column-generation", arrivals=np.arange(96) // 2, time_s=5.0
    )
    assert (order.slots, order.transfers, order.transfers_bound) == (49, 108, 108)
    assert order.status == "optimal (bound)"  # by columns: the last slots were not asked about


def test_no_bound_from_a_slot_on_is_above_brute_force() -> None:
    for index, tiny in enumerate(TINY):
        if tiny.bus is None:
            order = np.argsort(tiny.first, kind="stable")
            counts, first = tiny.counts[order], tiny.first[order]
            problem = SlotProblem(counts, presence=Arrivals(first))
            table = compact_from(counts, first)  # as many slots as the optimum has
            found = columns_bound(problem, first, Solved(table, 0), 1.0)
            assert len(table) == optimum(index)[0]
            assert counts.max(axis=1).sum() <= found <= optimum(index)[1]


def test_a_bound_from_a_slot_on_by_hand() -> None:
    # Two tokens on all three groups, three on two groups each, one on all, three on two each: each
    # three have two slots, so that one of them is split, 9 + 2 transfers.
    whole, three = [1, 1, 1], [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
    counts = counts_of([whole, whole, *three, whole, *three])
    first = np.array([0, 1, 2, 2, 2, 4, 5, 5, 5])
    problem = SlotProblem(counts, presence=Arrivals(first))
    table = compact_from(counts, first)
    assert len(table) == 7
    assert columns_bound(problem, first, Solved(table, 9), 1.0) == 11


@pytest.mark.parametrize("seed", range(6))
def test_no_bound_from_a_slot_on_is_above_an_order(seed: int) -> None:
    # One slot or one token left out of what is bounded proves 27 for seed 0, where 26 are enough.
    counts, first = window(seed, 0.6, 2)[:24], np.arange(24) // 2
    problem = SlotProblem(counts, presence=Arrivals(first))
    table = compact_from(counts, first)
    order = order_slots(counts, "column-generation", arrivals=first, time_s=2.0)
    assert problem.wrong(order.table) is None
    assert order.slots == len(table)
    floor = int(counts.max(axis=1).sum())
    assert floor <= columns_bound(problem, first, Solved(table, floor), 1.0) <= order.transfers

"""Slot orders: what a transfer is, and how turns get their experts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ir.certificate import Certificate
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.schedule import SlotOrder, assign_experts, transfers_by_slot

PAIRS = LayerGrouping(0, ((0, 1), (2, 3)), "test", Certificate("slots", 0, 0, "heuristic"))


def order(*rows: list[int]) -> SlotOrder:
    return SlotOrder("test", np.array(rows, dtype=np.int64), 0, 0, "heuristic")


def test_a_token_used_in_two_slots_is_transferred_twice() -> None:
    assert order([0, 0], [0, 1]).transfers == 3


def test_one_broadcast_serves_all_groups_of_a_slot() -> None:
    assert order([5, 5]).transfers == 1


def test_idle_groups_cost_nothing() -> None:
    assert order([-1, -1], [-1, 2]).transfers == 1


def test_a_kept_input_needs_no_transfer() -> None:
    # token 0 stays in group 0, so slot 1 transfers only token 1
    assert order([0, 2], [0, 1]).transfers_retained == 3
    # but a group that did not have it needs the broadcast
    assert order([0, 2], [0, 0]).transfers_retained == 3


def test_empty_window() -> None:
    empty = SlotOrder("test", np.zeros((0, 2), dtype=np.int64), 0, 0, "heuristic")
    assert (empty.slots, empty.transfers, empty.transfers_retained) == (0, 0, 0)


tables = st.lists(st.lists(st.integers(-1, 3), min_size=2, max_size=2), max_size=6)


@given(tables)
def test_retaining_never_costs_more(rows: list[list[int]]) -> None:
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    made = SlotOrder("test", table, 0, 0, "heuristic")
    assert made.transfers_retained <= made.transfers
    assert made.transfers == sum(len(t) for t in transfers_by_slot(table, retain=False))


def test_experts_of_a_token_run_lowest_id_first() -> None:
    chosen = np.array([[True, True, False, True], [False, True, True, False]])
    pairs = assign_experts(order([0, 0], [1, 1], [0, -1]), PAIRS, chosen)
    got = list(zip(pairs.slot, pairs.group, pairs.token, pairs.expert, strict=True))
    assert got == [(0, 0, 0, 0), (0, 1, 0, 3), (1, 0, 1, 1), (1, 1, 1, 2), (2, 0, 0, 1)]


def test_a_table_that_is_not_of_this_routing_is_refused() -> None:
    chosen = np.array([[True, False, False, False]])
    with pytest.raises(InputError, match="do not match the routing"):
        assign_experts(order([0, 0]), PAIRS, chosen)


def test_every_expert_stands_in_a_group_and_twice_in_none() -> None:
    unknown = Certificate("slots", 0, 0, "heuristic")
    with pytest.raises(InputError, match="each of 0 to 3 at least once"):
        LayerGrouping(3, ((0, 1), (3,)), "test", unknown)
    with pytest.raises(InputError, match="group 1 holds an expert twice"):
        LayerGrouping(3, ((0, 1), (2, 2)), "test", unknown)


def test_a_grouping_with_replicas_has_no_one_group_per_expert() -> None:
    # expert 1 stands in both groups: 3 experts, 4 copies, one of them a replica
    found = LayerGrouping(3, ((0, 1), (1, 2)), "test", Certificate("slots", 0, 0, "heuristic"))
    assert (found.experts, found.replicas) == (3, 1)
    assert found.copies() == ((0,), (0, 1), (1,))
    with pytest.raises(InputError, match="1 replicas, expected every expert in one group"):
        found.group_of()

"""What every policy owes on every window, and what bad input gets."""

import numpy as np
import pytest
from hypothesis import given, settings

from compiler.options import POLICIES
from compiler.slots import LIMITED, count_slots, order_slots
from compiler.slots.bounds import (
    check_table,
    slots_bound,
    transfers_bound,
    transfers_bound_at,
)
from compiler.slots.limits import Limits, check_limits, slots_bound_within
from ir.certificate import Certificate
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.routing import Routing
from ir.schedule import assign_experts
from tests.compiler.slots.windows import PAIRS, WINDOWS, counts_of, worked_example

FULL_SLOTS = ("compact", "reschedule", "min-transfer", "column-generation", "cp-sat")


EDGES = {
    "no tokens": np.zeros((0, 4), dtype=np.int64),
    "no groups": np.zeros((3, 0), dtype=np.int64),
    "no experts used": np.zeros((3, 2), dtype=np.int64),
    "one group": counts_of([[1], [2], [0], [1]]),
    "one expert": counts_of([[1], [1], [1]]),
    "every expert used": np.full((5, 4), 2, dtype=np.int64),  # k = E, two experts per group
    "all tokens to one group": counts_of([[0, 2, 0]] * 6),
    "some tokens dropped": counts_of([[1, 1], [0, 0], [1, 0], [0, 0]]),
    "one token": counts_of([[3, 1, 2]]),
    "group never used": counts_of([[1, 0, 1], [0, 0, 1], [1, 0, 0]]),
    "worked example": worked_example(PAIRS),
}
# Slots and transfers at the optimum: k = E: five tokens, twice each; one token: its fullest group.
EDGE_OPTIMA = {
    "no tokens": (0, 0),
    "no groups": (0, 0),
    "no experts used": (0, 0),
    "one group": (4, 4),
    "one expert": (3, 3),
    "every expert used": (10, 10),
    "all tokens to one group": (12, 12),
    "some tokens dropped": (2, 2),
    "one token": (3, 3),
    "group never used": (2, 3),
    "worked example": (7, 10),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", EDGES)
def test_contract(policy: str, name: str) -> None:
    """What every policy owes: a valid table, true bounds, the same answer twice."""
    counts = EDGES[name]
    order = order_slots(counts, policy, seed=3)
    again = order_slots(counts, policy, seed=3)
    assert check_table(order.table, counts) is None
    assert order.table.dtype == np.int64
    assert order.table.shape == (order.slots, counts.shape[1])
    assert order.slots >= order.slots_bound == slots_bound(counts)
    assert order.transfers >= order.transfers_bound >= transfers_bound(counts)
    assert np.array_equal(order.table, again.table)
    assert (order.status, order.transfers_bound) == (again.status, again.transfers_bound)
    assert (order.policy, order.deterministic) == (policy, True)
    assert order.lockstep == (policy == "token-serial")
    assert count_slots(counts, policy) == order.slots
    if policy in FULL_SLOTS:
        assert order.slots == order.slots_bound
    assert all(np.any(row >= 0) for row in order.table)  # no slot is wasted


@pytest.mark.parametrize("policy", LIMITED)
@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize(("bus", "buffer"), [(1, 1), (1, 2), (2, 2)])
def test_contract_within_limits(policy: str, name: str, bus: int, buffer: int) -> None:
    """The same, and no slot has more transfers or unfinished tokens than it may."""
    counts, limits = EDGES[name], Limits(bus, buffer)
    order = order_slots(counts, policy, bus=bus, buffer=buffer)
    again = order_slots(counts, policy, bus=bus, buffer=buffer)
    assert check_table(order.table, counts) is None
    assert check_limits(order.table, limits) is None
    assert order.slots_bound >= slots_bound_within(counts, limits)
    assert order.slots >= order.slots_bound
    assert order.transfers >= order.transfers_bound >= transfers_bound(counts)
    assert np.array_equal(order.table, again.table)
    if bus == buffer == 1:  # one token after the other: as many slots as transfers, the fewest
        assert order.slots == order.transfers == transfers_bound(counts)


@pytest.mark.parametrize("policy", ["min-transfer", "column-generation", "cp-sat"])
@pytest.mark.parametrize("name", EDGES)
def test_edges_are_solved_to_the_optimum(policy: str, name: str) -> None:
    order = order_slots(EDGES[name], policy)
    assert (order.slots, order.transfers) == EDGE_OPTIMA[name]
    assert order.status == "optimal (bound)"


@settings(max_examples=100, deadline=None)
@given(WINDOWS)
def test_simple_policies_keep_token_order(counts: np.ndarray) -> None:
    for policy in ("token-serial", "token-order", "compact", "reschedule"):
        table = order_slots(counts, policy).table
        for column in table.T:
            assert np.all(np.diff(column[column >= 0]) >= 0)
    serial = order_slots(counts, "token-serial")
    assert serial.slots == serial.transfers == transfers_bound(counts)
    assert np.array_equal(serial.table, order_slots(counts, "token-order").table)
    for policy in ("compact", "reschedule"):
        assert order_slots(counts, policy).slots == slots_bound(counts)


@settings(max_examples=50, deadline=None)
@given(WINDOWS)
def test_order_of_tokens_and_groups_does_not_change_the_bounds(counts: np.ndarray) -> None:
    flipped = counts[::-1, ::-1]
    slots = slots_bound(counts)
    assert slots_bound(flipped) == slots
    assert transfers_bound(flipped) == transfers_bound(counts)
    # More slots never ask for more transfers.
    assert transfers_bound_at(counts, slots + 1) <= transfers_bound_at(counts, slots)


def test_dropped_tokens_of_a_trace_come_out_as_idle() -> None:
    # Token 1 has no expert (-1), token 2 only one: three pairs, two in expert 0's group.
    routing = Routing(
        layer=np.array([0]),
        num_experts=np.array([4]),
        sequence=np.array([0, 0, 0]),
        choices=np.array([[[0, 3], [-1, -1], [1, -1]]], dtype=np.int16),
    )
    grouping = LayerGrouping(
        0, ((0, 1), (2, 3)), "given", Certificate("slots", 2, 2, "optimal (bound)")
    )
    order = order_slots(grouping.counts(routing.matrix(0)), "min-transfer")
    assert (order.slots, order.transfers) == (2, 2)
    assert not np.any(order.table == 1)
    pairs = assign_experts(order, grouping, routing.matrix(0))
    assert sorted(zip(pairs.token.tolist(), pairs.expert.tolist(), strict=True)) == [
        (0, 0),
        (0, 3),
        (2, 1),
    ]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[0, 0], [1, -1]], "token 0 has 1 turns in group 0, expected 2"),
        ([[0, 0], [0, 2]], "a token outside -1 to 1"),
        ([[0], [0]], "shape"),
        ([[0, 0], [0, 1], [0, -1], [1, -1]], "token 0 has 3 turns in group 0"),
    ],
)
def test_tables_that_are_no_order(table: list[list[int]], reason: str) -> None:
    found = check_table(counts_of(table), counts_of([[2, 1], [1, 0]]))
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([1, 2], "1 dimensions, expected 2"),
        ([[0.5]], "float64, expected integers"),
        ([[1, 0], [0, -2]], "token 1, group 1: -2, expected 0 or more"),
    ],
)
def test_counts_that_are_none(counts: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        order_slots(counts, "compact")  # type: ignore[arg-type]


def test_unknown_policy_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"'min-transfers'.*did you mean min-transfer\?"):
        order_slots(counts_of([[1]]), "min-transfers")

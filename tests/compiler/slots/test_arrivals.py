"""Tokens that come one after another: brute force, bounds, and what every policy owes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.options import POLICIES
from compiler.slots import ARRIVING, LIMITED, order_slots
from compiler.slots.arrival_bounds import bus_bound_from, slots_bound_from, transfers_bound_from
from compiler.slots.bounds import check_table, slots_bound, transfers_bound, transfers_bound_at
from compiler.slots.limits import Limits, check_limits
from compiler.slots.problem import SlotProblem
from ir.arrivals import ALL_THERE, AllThere, Arrivals, check_arrivals
from ir.errors import InputError
from tests.compiler.slots.arriving import TINY, Tiny, fewest, optimum
from tests.compiler.slots.windows import PAIRS, WINDOWS, counts_of, window, worked_example

NEVER_IDLE = ("compact", "min-transfer", "column-generation", "cp-sat")
TRIANGLE = counts_of([[1, 1, 0], [1, 0, 1], [0, 1, 1]])


def test_brute_force_knows_the_triangle() -> None:
    # All at once: two slots, and one of the three tokens in both of them. One a slot: no conflict.
    assert fewest(Tiny(TRIANGLE, np.array([1, 1, 1]), None)) == (3, 4)
    assert fewest(Tiny(TRIANGLE, np.array([0, 1, 2]), None)) == (3, 3)
    # A bus of one sends them one by one, the last in slot 1 + 3 - 1.
    assert fewest(Tiny(TRIANGLE, np.array([1, 1, 1]), 1)) == (4, 3)


@pytest.mark.parametrize("index", range(300))
def test_tiny_windows_against_brute_force(index: int) -> None:
    tiny, best = TINY[index], optimum(index)
    exact = order_slots(tiny.counts, "cp-sat", bus=tiny.bus, arrivals=tiny.first)
    assert (exact.slots, exact.transfers) == best
    assert exact.proven
    greedy = order_slots(tiny.counts, "min-transfer", bus=tiny.bus, arrivals=tiny.first)
    assert (greedy.slots, greedy.transfers) >= best
    assert greedy.slots_bound <= best[0]
    if greedy.slots == best[0]:
        assert greedy.transfers_bound <= best[1]
    if tiny.bus is None:
        assert greedy.slots == best[0] == greedy.slots_bound  # never idle: the bound is met


def test_no_bound_is_above_brute_force() -> None:
    raised = 0
    for index, tiny in enumerate(TINY):
        slots, transfers = optimum(index)
        assert slots_bound_from(tiny.counts, tiny.first) <= slots
        bound = transfers_bound_from(tiny.counts, tiny.first, slots)
        assert transfers_bound_at(tiny.counts, slots) <= bound <= transfers
        raised += bound > transfers_bound_at(tiny.counts, slots)
        if tiny.bus is not None:
            assert bus_bound_from(tiny.counts, tiny.first, tiny.bus) <= slots
    assert raised  # arrivals do raise the bound of some


def test_bounds_by_hand() -> None:
    # Group A has two turns from slot 1 on, three in all: max(0 + 3, 1 + 2) = 3. Group B has one,
    # which comes in slot 5: 5 + 1. On a bus of one 0 + 4, 1 + 3 and 5 + 1.
    counts, first = counts_of([[1, 0], [2, 0], [0, 1]]), np.array([0, 1, 5])
    assert slots_bound_from(counts[:, :1], first) == 3
    assert slots_bound_from(counts, first) == bus_bound_from(counts, first, 1) == 6
    # The triangle from slot 1 on, in three slots: three wide transfers wanted, two possible.
    late = np.array([1, 1, 1])
    assert transfers_bound_from(TRIANGLE, late, 3) == 4 > transfers_bound_at(TRIANGLE, 3)
    # A fourth slot has room for the third; so has a first one if a token comes in slot 0.
    assert transfers_bound_from(TRIANGLE, late, 4) == 3
    assert transfers_bound_from(TRIANGLE, np.array([0, 1, 1]), 3) == 3


def test_a_bound_before_a_group_is_full() -> None:
    # The triangle comes in slot 0 and each group has two turns more from slot 2 on: four slots, all
    # full, so the triangle has slots 0 and 1. Later tokens use one group each and need no more.
    later = np.repeat(np.eye(3, dtype=np.int64), 2, axis=0)
    counts = np.concatenate([TRIANGLE, later])
    first = np.array([0, 0, 0, 2, 2, 2, 2, 2, 2])
    assert slots_bound_from(counts, first) == 4
    assert transfers_bound(counts) == transfers_bound_at(counts, 4) == 9
    assert transfers_bound_from(counts, first, 4) == 10
    # One slot more leaves each group one turn for later: two of them make a third wide transfer.
    assert transfers_bound_from(counts, first, 5) == 9
    order = order_slots(counts, "min-transfer", arrivals=first)
    assert (order.slots, order.transfers, order.status) == (4, 10, "optimal (bound)")


@st.composite
def arriving(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    counts = draw(WINDOWS)
    came = st.integers(0, 2 * len(counts))
    return counts, np.array(draw(st.lists(came, min_size=len(counts), max_size=len(counts))), int)


@settings(max_examples=60, deadline=None)
@given(
    arriving(),
    st.sampled_from([p for p in ARRIVING if p != "cp-sat"]),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 5),
)
def test_what_every_policy_owes(
    given_: tuple[np.ndarray, np.ndarray], policy: str, bus: int | None, buffer: int | None
) -> None:
    counts, first = given_
    limits = Limits(bus, buffer) if policy in LIMITED else Limits()
    order = order_slots(counts, policy, bus=limits.bus, buffer=limits.buffer, arrivals=first)
    assert check_table(order.table, counts) is None
    assert check_limits(order.table, limits) is None
    slot, group = np.nonzero(order.table >= 0)
    assert np.all(slot >= first[order.table[slot, group]])
    assert order.slots >= order.slots_bound >= slots_bound(counts)
    assert order.transfers >= order.transfers_bound >= transfers_bound(counts)
    assert not len(order.table) or np.any(order.table[-1] >= 0)  # no slot after the last turn
    assert order.lockstep == (policy == "token-serial")
    if policy in NEVER_IDLE and not limits:
        assert order.slots == order.slots_bound
    again = order_slots(counts, policy, bus=limits.bus, buffer=limits.buffer, arrivals=first)
    assert np.array_equal(order.table, again.table)


@pytest.mark.parametrize("policy", POLICIES)
def test_arrivals_in_slot_0_are_no_arrivals(policy: str) -> None:
    counts = worked_example(PAIRS)
    order = order_slots(counts, policy, arrivals=[0] * 6)
    assert isinstance(order.presence, AllThere)
    assert order.delays is None
    assert np.array_equal(order.table, order_slots(counts, policy).table)


def test_worked_example_with_one_token_a_slot() -> None:
    # Pair (1,2) has turns 1 1 2 2 1 0, so 7, 6, 5, 3, 1, 0 that come in slots 0 to 5 or later:
    # 3 + 3 and 4 + 1 are less than 0 + 7. Pair (3,4) has 1 2 0 1 1 2: 7, 6, 4, 4, 3, 2, and
    # 3 + 4 = 4 + 3 = 5 + 2 = 7.
    counts, first = worked_example(PAIRS), np.arange(6)
    assert slots_bound_from(counts, first) == 7
    order = order_slots(counts, "cp-sat", arrivals=first)
    assert (order.slots, order.slots_bound) == (7, 7)
    assert order.proven
    assert isinstance(order.presence, Arrivals)
    assert str(order.presence) == "these arrivals"
    assert str(ALL_THERE) == "tokens that are all there"


def test_names_of_tokens_do_not_matter() -> None:
    counts = window(1, 0.5, 4)[:64]
    first = np.arange(64) // 2
    order = order_slots(counts, "min-transfer", arrivals=first)
    back = order_slots(counts[::-1], "min-transfer", arrivals=first[::-1])
    assert (order.slots, order.transfers) == (back.slots, back.transfers)


def test_min_transfer_meets_both_bounds_where_there_is_room() -> None:
    for seed in range(4):
        order = order_slots(window(seed, 0.5, 4), "min-transfer", arrivals=np.arange(256))
        assert order.status == "optimal (bound)"


def test_delays_by_hand() -> None:
    # Both come in slot 1. Token 0 is done in slot 2, token 1 in slot 1, but in order in slot 2:
    # (1 + 0) / 2 by themselves, (1 + 1) / 2 in order.
    counts = counts_of([[2, 0], [0, 1]])
    order = order_slots(counts, "compact", arrivals=[1, 1])
    assert order.table.tolist() == [[-1, -1], [0, 1], [0, -1]]
    found = order.delays
    assert found is not None
    assert (found.mean, found.most, found.in_order) == (0.5, 1, 1.0)


def test_a_pair_before_its_token_is_named() -> None:
    table = np.array([[-1, 1], [0, -1]])
    assert check_arrivals(table, Arrivals(np.array([1, 0]))) is None
    wrong = "slot 0, group 1: token 1, which comes in slot 2"
    assert check_arrivals(table, Arrivals(np.array([1, 2]))) == wrong


def test_reschedule_refuses() -> None:
    with pytest.raises(InputError, match="reschedule counts on tokens that are all there"):
        order_slots(counts_of([[1], [1]]), "reschedule", arrivals=[0, 1])


@pytest.mark.parametrize(
    ("arrivals", "message"),
    [
        ([0], "arrivals: 1 tokens, expected 2 as in counts"),
        ([0, -1], "arrivals: token 1: slot -1, expected 0 or more"),
        ([[0, 1]], "arrivals: 2 dimensions, expected 1"),
        ([0.5, 1.0], "arrivals: values of type float64, expected integers"),
    ],
)
def test_arrivals_that_are_none(arrivals: list[object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        order_slots(counts_of([[1], [1]]), "compact", arrivals=arrivals)  # type: ignore[arg-type]


def test_a_problem_needs_an_arrival_of_every_token() -> None:
    with pytest.raises(InputError, match="arrivals: 1 tokens, expected 2"):
        SlotProblem(counts_of([[1], [1]]), presence=Arrivals(np.array([1])))

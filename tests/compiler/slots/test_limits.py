"""Limits on the bus and the token buffer: brute force, bounds, and who refuses them."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.options import POLICIES
from compiler.slots import LIMITED, cp_sat_limited, order_slots
from compiler.slots.bounds import slots_bound, transfers_bound_at
from compiler.slots.limits import Limits, check_limits, residents, slots_bound_within
from compiler.slots.rules import token_serial_table
from ir.arrays import Ints
from ir.errors import InputError
from tests.compiler.slots.windows import (
    PAIRS,
    WINDOWS,
    counts_of,
    window,
    worked_example,
)

LIMITS = ((1, None), (2, None), (None, 1), (None, 2), (2, 2), (1, 2))  # bus, buffer


def tiny_windows(number: int) -> list[np.ndarray]:
    """Windows of 1 to 4 tokens and 1 to 3 groups with at most seven turns."""
    rng = np.random.default_rng(7)
    found: list[np.ndarray] = []
    while len(found) < number:
        counts = rng.choice([0, 1, 1, 2], size=(rng.integers(1, 5), rng.integers(1, 4)))
        if slots_bound(counts) <= 3 and 0 < counts.sum() <= 7:
            found.append(counts)
    return found


TINY = tiny_windows(40)


@cache
def optimum(index: int, bus: int | None, buffer: int | None) -> tuple[int, int]:
    """Fewest slots and then transfers: every way to fill slot after slot, by what is left."""
    counts = TINY[index]
    tokens, groups = counts.shape
    states = {tuple(counts.ravel().tolist()): 0}
    done = (0,) * counts.size
    for slots in range(99):
        if done in states:
            return slots, states[done]
        after: dict[tuple[int, ...], int] = {}
        for left, cost in states.items():
            table = np.array(left).reshape(tokens, groups)
            unfinished = [t for t in range(tokens) if 0 < table[t].sum() < counts[t].sum()]
            for row in product(
                *[[-1, *np.flatnonzero(table[:, g]).tolist()] for g in range(groups)]
            ):
                run = {t for t in row if t >= 0}
                if not run or len(run) > (bus or 99) or len(run | {*unfinished}) > (buffer or 99):
                    continue
                rest = list(left)
                for g, t in enumerate(row):
                    if t >= 0:
                        rest[t * groups + g] -= 1
                key = tuple(rest)
                after[key] = min(after.get(key, 999), cost + len(run))
        states = after
    raise LookupError


@pytest.mark.parametrize(("bus", "buffer"), LIMITS)
@pytest.mark.parametrize("start", ["min-transfer", "token-serial"])
def test_cp_sat_finds_the_optimum_of_brute_force(
    monkeypatch: pytest.MonkeyPatch, start: str, bus: int | None, buffer: int | None
) -> None:
    """From min-transfer's order, and from one that leaves all the work to the solver."""

    def serial(counts: Ints, limits: Limits, seed: int) -> tuple[Ints, int]:
        table = token_serial_table(counts)
        return table, transfers_bound_at(counts, len(table))

    if start == "token-serial":
        monkeypatch.setattr(cp_sat_limited, "limited_table", serial)
    for index in range(0, len(TINY), 2 if start == "token-serial" else 1):
        order = order_slots(TINY[index], "cp-sat", bus=bus, buffer=buffer)
        assert (order.slots, order.transfers) == optimum(index, bus, buffer)
        assert order.proven
        assert (order.slots_bound, order.transfers_bound) == (order.slots, order.transfers)


@pytest.mark.parametrize(("bus", "buffer"), LIMITS)
@pytest.mark.parametrize("policy", ["token-serial", "min-transfer", "online"])
def test_no_bound_is_above_and_no_order_below_brute_force(
    policy: str, bus: int | None, buffer: int | None
) -> None:
    for index, counts in enumerate(TINY):
        best = optimum(index, bus, buffer)
        order = order_slots(counts, policy, bus=bus, buffer=buffer)
        assert (order.slots, order.transfers) >= best
        assert order.slots_bound <= best[0]
        assert order.transfers_bound <= order.transfers
        if order.proven:
            assert (order.slots, order.transfers) == best


def test_worked_example_on_a_narrow_bus() -> None:
    # 10 transfers at least (1 + 2 + 2 + 2 + 1 + 2): ten slots at one each; at two, 5 would carry
    # them, but the busiest pair has 7 turns.
    counts = worked_example(PAIRS)
    assert slots_bound_within(counts, Limits(bus=1)) == 10
    assert slots_bound_within(counts, Limits(bus=2)) == 7
    for policy in ("min-transfer", "cp-sat"):
        for bus, slots in ((1, 10), (2, 7)):
            order = order_slots(counts, policy, bus=bus)
            assert (order.slots, order.transfers, order.slots_bound) == (slots, 10, slots)
            assert order.status == "optimal (bound)"


def test_residents_counts_from_first_to_last_slot() -> None:
    # Token 0 runs in slots 0 and 2 and is held in slot 1, where token 1 comes and goes.
    table = np.array([[0, -1], [-1, 1], [0, 2]])
    assert residents(table).tolist() == [1, 2, 2]
    assert check_limits(table, Limits(buffer=2)) is None
    assert check_limits(table, Limits(buffer=1)) == (
        "slot 1 has 2 unfinished tokens, the buffer holds 1"
    )
    assert check_limits(table, Limits(bus=1)) == "slot 2 has 2 transfers, the bus carries 1"
    assert residents(np.zeros((0, 2), dtype=np.int64)).tolist() == []


@settings(max_examples=60, deadline=None)
@given(
    WINDOWS,
    st.sampled_from([p for p in LIMITED if p != "cp-sat"]),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 5),
)
def test_every_order_keeps_its_limits(
    counts: np.ndarray, policy: str, bus: int | None, buffer: int | None
) -> None:
    limits = Limits(bus, buffer)
    order = order_slots(counts, policy, bus=bus, buffer=buffer)
    assert check_limits(order.table, limits) is None
    assert order.slots >= order.slots_bound == slots_bound_within(counts, limits)
    assert order.transfers >= order.transfers_bound
    assert all(np.any(row >= 0) for row in order.table)  # no slot is wasted


def test_a_bus_of_two_carries_a_window_in_the_fewest_slots() -> None:
    for seed in range(5):
        order = order_slots(window(seed, 0.5, 4), "min-transfer", bus=2)
        assert order.slots == order.slots_bound


def test_wide_limits_change_nothing() -> None:
    counts = window(1, 0.5, 4)
    free = order_slots(counts, "min-transfer")
    assert np.array_equal(order_slots(counts, "min-transfer", bus=8, buffer=256).table, free.table)


@pytest.mark.parametrize("policy", [p for p in POLICIES if p not in LIMITED])
def test_the_others_refuse(policy: str) -> None:
    with pytest.raises(InputError, match=f"{policy} keeps no limit"):
        order_slots(counts_of([[1, 1]]), policy, bus=2)


@pytest.mark.parametrize("limit", ["bus", "buffer"])
def test_a_limit_of_nothing(limit: str) -> None:
    with pytest.raises(InputError, match=f"{limit}: 0, expected at least 1"):
        order_slots(counts_of([[1, 1]]), "min-transfer", **{limit: 0})

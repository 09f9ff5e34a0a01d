"""The sequence of slots: no bursts of transfers, and nothing else about an order changes."""

import numpy as np
import pytest
from hypothesis import given, settings

from compiler.slots import order_slots
from compiler.slots.evened import evened
from compiler.slots.limits import Limits, check_limits, residents
from compiler.slots.min_transfer import min_transfer_table
from ir.schedule import SlotOrder, transfers_by_slot
from tests.compiler.slots.windows import WINDOWS, counts_of, window


def test_by_hand() -> None:
    # Two slots of two transfers and two of one: 1.5 a slot. Sizes 1 and 2 are as far from that:
    # the smaller, and of the two the first, slot 2. Slot 1 keeps its token 2 in group 0 and comes
    # next. 3 transfers of 4.5 are sent: slot 3 of one, though no token stays in its group.
    table = counts_of([[0, 1], [2, 3], [2, -1], [-1, 0]])
    assert evened(table).tolist() == [[2, -1], [2, 3], [-1, 0], [0, 1]]


def test_started_tokens_come_first_where_the_rate_is_the_same() -> None:
    # Slot 0 starts token 0. In the same groups no slot keeps it; slot 2 has one new token (2),
    # slot 1 two.
    table = counts_of([[0, -1, 3], [-1, 1, 2], [2, 0, -1]])
    assert evened(table).tolist() == [[0, -1, 3], [2, 0, -1], [-1, 1, 2]]


def test_nothing_to_do() -> None:
    assert evened(np.zeros((0, 3), dtype=np.int64)).shape == (0, 3)
    assert evened(counts_of([[4, 4, -1]])).tolist() == [[4, 4, -1]]


@settings(max_examples=100, deadline=None)
@given(WINDOWS)
def test_the_same_slots(counts: np.ndarray) -> None:
    table, _ = min_transfer_table(counts)
    assert sorted(evened(table).tolist()) == sorted(table.tolist())


@pytest.mark.parametrize("mux", [2, 4])
def test_fewer_bursts_waiting_tokens_and_loads(mux: int) -> None:
    """Against the sequence in which min-transfer fills the slots, on windows of 256 tokens."""

    def most_in_eight_slots(table: np.ndarray) -> int:
        sizes = np.array([len(set(row) - {-1}) for row in table.tolist()])
        return int(np.convolve(sizes, np.ones(8, dtype=np.int64), "valid").max())

    def loads(table: np.ndarray) -> int:
        return sum(len(tokens) for tokens in transfers_by_slot(table, retain=True))

    for seed in range(5):
        table, _ = min_transfer_table(window(seed, 0.5, mux))
        even = evened(table)
        assert most_in_eight_slots(even) < most_in_eight_slots(table)
        assert residents(even).max() < residents(table).max()
        assert loads(even) <= loads(table)


def test_an_order_within_limits_stays_within_them() -> None:
    """The sequence that min-transfer found counts where the even one overfills the buffer."""

    def ordered(seed: int, buffer: int) -> SlotOrder:
        return order_slots(window(seed, 0.5, 4), "min-transfer", buffer=buffer)

    for seed in range(5):
        for buffer in (4, 16):
            assert check_limits(ordered(seed, buffer).table, Limits(buffer=buffer)) is None

"""The online policy: what it sees, what it holds, and how far it is from offline."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.slots import order_slots
from compiler.slots.bounds import transfers_bound
from compiler.slots.online import online_table
from compiler.slots.pool import Pool, soonest, widest
from ir.errors import InputError
from ir.schedule import SlotOrder
from tests.compiler.slots.windows import WINDOWS, counts_of, window


def cost(order: SlotOrder) -> float:
    return order.slots + 0.1 * order.transfers


def test_one_token_at_a_time_by_hand() -> None:
    # W = 1: token 0 takes two slots (twice group 0), then token 1, then token 2, though token 1
    # could run beside the first turn of token 0. W = 2 does that and sees token 2 then, which has
    # as many transfers left as token 0 but fills both groups: it goes first.
    counts = counts_of([[2, 0], [0, 1], [1, 1]])
    assert online_table(counts, 1, None, 1.0).tolist() == [[0, -1], [0, -1], [-1, 1], [2, 2]]
    assert online_table(counts, 2, None, 1.0).tolist() == [[0, 1], [2, 2], [0, -1]]


def test_the_future_changes_nothing_in_the_past() -> None:
    """Two windows that differ from token 100 on run alike until token 100 comes."""
    counts, other = window(3, 0.5, 4), window(4, 0.5, 4)
    other[:100] = counts[:100]
    one, two = (online_table(c, 16, None, 0.7) for c in (counts, other))
    # Until a slot runs token 100 - 16 or a later one first, at most 16 tokens beyond it have come.
    seen = np.maximum.accumulate(one.max(axis=1))
    safe = int(np.argmax(seen >= 84))
    assert safe > 20
    assert np.array_equal(one[:safe], two[:safe])


@settings(max_examples=80, deadline=None)
@given(WINDOWS, st.integers(1, 9), st.floats(0, 1))
def test_at_most_w_unfinished_tokens_are_seen(counts: np.ndarray, held: int, split: float) -> None:
    """A token runs only while fewer than W of those that came before it are unfinished."""
    table = online_table(counts, held, None, split)
    left = counts.copy()
    for row in table:
        for token in {int(t) for t in row if t >= 0}:
            assert np.count_nonzero(left[:token].any(axis=1)) < held
        for g, token in enumerate(row):
            if token >= 0:
                left[token, g] -= 1
    assert not left.any()


def test_split_shares_trade_transfers_for_slots() -> None:
    # Split 1: only the busiest group splits; 0: no group waits while it has a turn in sight.
    counts = window(0, 0.1, 2)
    never, always = (order_slots(counts, "online", buffer=16, split=s) for s in (1.0, 0.0))
    assert always.slots < never.slots
    assert always.transfers > never.transfers >= transfers_bound(counts)


@pytest.mark.parametrize(("mux", "held", "most"), [(4, 8, 1.12), (4, 16, 1.03), (2, 16, 1.12)])
def test_distance_from_offline(mux: int, held: int, most: float) -> None:
    """Ten synthetic windows of 256 tokens; real routing is burstier and needs 64 and more."""
    windows = [window(seed, 0.5, mux) for seed in range(10)]
    online = sum(cost(order_slots(c, "online", buffer=held)) for c in windows)
    offline = sum(cost(order_slots(c, "min-transfer")) for c in windows)
    assert offline <= online <= most * offline


def test_choices_by_hand() -> None:
    pool = Pool(3)
    for token, row in enumerate([[2, 1, 1], [1, 1, 0], [1, 0, 0]]):
        pool.admit(token, row)
    # Group 0 chooses; groups 1, then 2 are free too. The widest is the first that covers group 1
    # and still may start: tokens 0 and 1 do, but group 1 has the most turns left only of token 1.
    assert widest(pool, 0b111, [0, 1, 2]) == 1
    # Token 0 has two transfers left. Tokens 1 and 2 one each, and end in this slot; token 1 has
    # two turns, all of which it runs: 2 - 2 * 2 = -2 against 1 - 2 * 1 = -1.
    assert soonest(pool, 0b111, [0, 1, 2]) == 1
    # With group 1 taken token 1 would leave a turn: 2 - 2 * 1 = 0, and token 2 comes first.
    assert soonest(pool, 0b111, [0, 2]) == 2


@pytest.mark.parametrize("split", [-0.1, 1.5, float("nan")])
def test_split_is_a_share(split: float) -> None:
    with pytest.raises(InputError, match="split"):
        order_slots(counts_of([[1]]), "online", split=split)

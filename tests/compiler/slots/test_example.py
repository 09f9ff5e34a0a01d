"""The worked example of docs/model.md, section Slots, under every policy; windows by hand."""

from itertools import combinations

import pytest

from compiler.slots import order_slots
from compiler.slots.bounds import (
    slots_bound,
    transfers_bound,
    transfers_bound_at,
)
from compiler.slots.rules import reschedule_table
from tests.compiler.slots.windows import PAIRS, UNSHARED, counts_of, worked_example


@pytest.mark.parametrize(
    ("groups", "policy", "slots", "transfers"),
    [
        # Without sharing c is 0 or 1, so a token takes one slot and one transfer: six of each.
        (UNSHARED, "token-serial", 6, 6),
        # The most a token uses of one pair: 1, 2, 2, 2, 1, 2 experts: ten slots, one token each.
        (PAIRS, "token-serial", 10, 10),
        # Pairs (1,2) and (3,4) have 1+1+2+2+1+0 = 1+2+0+1+1+2 = 7 turns each.
        (PAIRS, "compact", 7, 16),
        (PAIRS, "reschedule", 7, 13),  # the published program's figure; the drawing has 12
        (PAIRS, "min-transfer", 7, 10),
        (PAIRS, "cp-sat", 7, 10),
        # Four slots are enough unshared (experts 5 and 7 have four tokens), with eight transfers.
        (UNSHARED, "cp-sat", 4, 8),
        # The best of all groupings into pairs.
        ([(1, 4), (2, 3), (5, 6), (7, 8)], "cp-sat", 7, 9),
    ],
)
def test_worked_example(
    groups: list[tuple[int, ...]], policy: str, slots: int, transfers: int
) -> None:
    order = order_slots(worked_example(groups), policy)
    assert (order.slots, order.transfers) == (slots, transfers)


@pytest.mark.parametrize("policy", ["min-transfer", "column-generation", "cp-sat"])
def test_worked_example_is_proven(policy: str) -> None:
    order = order_slots(worked_example(PAIRS), policy)
    assert (order.slots_bound, order.transfers_bound) == (7, 10)  # 10 = 1 + 2 + 2 + 2 + 1 + 2
    assert order.status == "optimal (bound)"


def test_worked_example_is_not_proven_where_it_is_not_optimal() -> None:
    assert order_slots(worked_example(PAIRS), "reschedule").status == "heuristic"
    # Token-serial has the fewest transfers, 10, but 10 slots where 7 would do.
    assert order_slots(worked_example(PAIRS), "token-serial").status == "heuristic"


def test_reschedule_of_worked_example_slot_by_slot() -> None:
    # Pair (1,2) is the busiest (the first of two with 7 turns) and runs 1 2 3 3 4 4 5. Pair (5,6)
    # has turns for tokens 1, 3, 4, 5, 6. Turns done up to tokens 1..6 are 1 2 4 6 7 7 against
    # 1 1 2 3 4 5: leads 0 1 2 3 3 2. Token 2 is the first with a lead; 5 of 5 tokens from it on
    # have one, the smallest is 1: one slot of waiting. Leads are then 0 0 1 2 2 1: one more slot
    # before token 3, and 0 0 0 1 1 0 are left, the last one 0: enough.
    table = reschedule_table(worked_example(PAIRS)) + 1  # tokens from 1, idle 0
    assert table[:, 0].tolist() == [1, 2, 3, 3, 4, 4, 5]
    assert table[:, 2].tolist() == [1, 0, 0, 3, 4, 5, 6]


def test_three_tokens_in_a_triangle_need_a_fourth_transfer() -> None:
    # Tokens {A,B}, {A,C}, {B,C}: any two share a group, so no slot holds two whole tokens, and two
    # slots hold three tokens only if one is split. Three transfers would do in three slots.
    triangle = counts_of([[1, 1, 0], [1, 0, 1], [0, 1, 1]])
    assert (transfers_bound(triangle), transfers_bound_at(triangle, 2)) == (3, 4)
    assert transfers_bound_at(triangle, 3) == 3
    for policy in ("min-transfer", "column-generation", "cp-sat"):
        order = order_slots(triangle, policy)
        assert (order.slots, order.transfers, order.status) == (2, 4, "optimal (bound)")


def test_ten_pairs_of_five_groups_need_twelve_transfers() -> None:
    # Every group has 4 turns, so 4 slots. Two pairs at most fit into a slot beside each other: 8 of
    # the 10 tokens whole, the other two split: 8 + 2 * 2 = 12. No three groups show it: they hold
    # 3 of the pairs, and 4 slots take 4. In 5 slots, 5 * 2 = 10 pairs are whole.
    pairs = counts_of([[int(g in pair) for g in range(5)] for pair in combinations(range(5), 2)])
    assert (transfers_bound(pairs), slots_bound(pairs)) == (10, 4)
    assert [transfers_bound_at(pairs, slots) for slots in (4, 5)] == [12, 10]
    order = order_slots(pairs, "min-transfer")
    assert (order.slots, order.transfers, order.status) == (4, 12, "optimal (bound)")

"""Bounds by what the first slots can run, against brute force and by hand."""

import numpy as np
import pytest

from compiler.slots import arriving_heads, order_slots
from compiler.slots.arriving_heads import contents, heads_bound
from compiler.slots.arriving_prices import Prices
from compiler.slots.arriving_rules import compact_from
from compiler.slots.columns import SCALE, ColumnBound
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints
from ir.arrivals import Arrivals
from tests.compiler.slots.arriving import TINY, optimum
from tests.compiler.slots.windows import counts_of, window

FREE = Prices(ColumnBound(0, (), 0, {}, 0))  # a transfer costs 1, and no set is scarce
TRIANGLE = counts_of([[1, 1, 0], [1, 0, 1], [0, 1, 1]])


def started(counts: Ints, first: Ints, bound: int) -> tuple[SlotProblem, Solved]:
    """A problem, and its compact order as the best known."""
    problem = SlotProblem(counts, presence=Arrivals(first))
    return problem, Solved(compact_from(counts, first), bound)


def full_later() -> tuple[Ints, Ints]:
    """The triangle in slots 0 and 1 of four; two turns of each group fill the others."""
    counts = np.concatenate([TRIANGLE, np.repeat(np.eye(3, dtype=np.int64), 2, axis=0)])
    return counts, np.array([0, 0, 0, 2, 2, 2, 2, 2, 2])


def test_contents_by_hand() -> None:
    # Group A runs nothing, token 0 or token 1, B nothing or token 0: six. Of two tokens with equal
    # rows nothing, A, B, both of one, or A of one and B of the other: five.
    assert len(set(contents([(1, 1), (1, 0)], FREE, -9 * SCALE))) == 6
    assert len(set(contents([(1, 1), (1, 1)], FREE, -9 * SCALE))) == 5
    # To take a token apart gains -1, to run it whole 0.
    whole = [(), (((1, 1), 0b11),), (((1, 0), 0b01),)]
    assert sorted(contents([(1, 1), (1, 0)], FREE, 0)) == sorted(whole)
    assert list(contents([(1, 1), (1, 0)], FREE, 1)) == []
    assert list(contents([], FREE, 0)) == [()]


def test_a_bound_that_only_the_first_slots_have() -> None:
    # As if all were there, nine transfers are enough in four slots; the triangle has two, so one of
    # its tokens is split.
    counts, first = full_later()
    problem, start = started(counts, first, 9)
    assert heads_bound(problem, np.zeros(9, dtype=np.int64), start, 1.0) == 9
    assert heads_bound(problem, first, start, 1.0) == 10


def test_a_beginning_with_fewer_transfers_comes_again() -> None:
    # Tokens {A}, {A,B} in slot 0 and {B} in slot 1 of two: {A} and B of {A,B} at first, in two
    # transfers, leave the same turns as {A,B} whole, in one. So do those of C and D: 3 + 3.
    three = [[1, 0], [1, 1], [0, 1]]
    rows = [[*row, 0, 0] for row in three] + [[0, 0, *row] for row in three]
    counts, first = counts_of([rows[i] for i in (0, 1, 3, 4, 2, 5)]), np.array([0, 0, 0, 0, 1, 1])
    problem, start = started(counts, first, 0)
    assert (len(start.table), start.transfers) == (2, 8)
    assert heads_bound(problem, first, start, 1.0) == 6


def test_heads_of_tiny_windows_are_exact() -> None:
    for index in range(0, len(TINY), 3):  # those without a bus
        tiny = TINY[index]
        order = np.argsort(tiny.first, kind="stable")
        counts, first = tiny.counts[order], tiny.first[order]
        problem, start = started(counts, first, 0)
        assert len(start.table) == optimum(index)[0]
        assert heads_bound(problem, first, start, 10.0) == optimum(index)[1]


@pytest.mark.parametrize("seed", range(6))
def test_no_head_is_above_an_order(seed: int) -> None:
    counts, first = window(seed, 0.6, 2)[:24, :8], np.arange(24) // 3
    problem, start = started(counts, first, 0)
    order = order_slots(counts, "column-generation", arrivals=first, time_s=1.0)
    assert order.slots == len(start.table)
    assert heads_bound(problem, first, Solved(order.table, 0), 0.5) <= order.transfers


def test_the_search_gives_up_without_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, first = full_later()
    problem, start = started(counts, first, 9)
    assert heads_bound(problem, first, start, 1e-9) == 9  # no work
    monkeypatch.setattr(arriving_heads, "MOST_CONTENTS", 1)
    assert heads_bound(problem, first, start, 1.0) == 9  # too many ways to go on
    # 20 turns of a token on 10 groups have too many splits for the model.
    large, there = np.full((6, 10), 2, dtype=np.int64), np.zeros(6, dtype=np.int64)
    problem, start = started(large, there, 3)
    assert heads_bound(problem, there, start, 1.0) == 3

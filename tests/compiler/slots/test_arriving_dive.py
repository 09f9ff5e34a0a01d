"""Orders slot by slot at the prices of a bound: gains of a slot, and dives against brute force."""

from collections import Counter
from random import Random

import numpy as np
import pytest

from compiler.slots.arriving_columns import columns_bound
from compiler.slots.arriving_dive import dived, fullest
from compiler.slots.arriving_prices import Prices, parts, without
from compiler.slots.arriving_rules import compact_from
from compiler.slots.columns import SCALE, ColumnBound, bound_from, parts_of
from compiler.slots.limits import Limits
from compiler.slots.patterns import splits_of
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints
from ir.arrivals import Arrivals
from ir.schedule import distinct_per_row
from tests.compiler.slots.arriving import TINY, optimum
from tests.compiler.slots.windows import counts_of, window


def priced(price: dict[int, int], slot: int) -> Prices:
    """Prices in transfers."""
    found = {part: SCALE * of_set for part, of_set in price.items()}
    return Prices(ColumnBound(0, (), 0, found, SCALE * slot))


def test_gains_by_hand() -> None:
    # A set of two of the groups A, B, C is worth one transfer, as of the triangle in two slots.
    prices = priced({0b011: 1, 0b101: 1, 0b110: 1}, 1)
    assert prices.cost((1, 1, 0)) == 2 * SCALE  # whole: 1 + 1; in two: 2
    assert prices.gain((1, 1, 0), 0b011) == SCALE  # two less for one transfer
    assert prices.gain((1, 1, 0), 0b001) == 0  # of two, one is sent and one is left
    # Three tokens cost 6, less two slots at 1: the bound of 4.
    assert prices.bound({(1, 1, 0): 1, (1, 0, 1): 1, (0, 1, 1): 1}, 2) == 4 * SCALE
    assert prices.gain((2, 0, 0), 0b001) == 0  # two transfers, whatever the order
    assert prices.cost((0, 0, 0)) == 0


@pytest.mark.parametrize("seed", range(10))
def test_costs_against_every_split(seed: int) -> None:
    random = Random(seed)  # noqa: S311
    price = {part: random.randrange(3) for part in range(1, 16)}
    prices, row = priced(price, 0), (1, 2, 0, 1)
    assert len(parts(row)) == 7
    splits = splits_of(row)
    assert prices.cost(row) == SCALE * min(sum(1 + price[part] for part in y) for y in splits)
    for part in parts(row):
        assert without(row, part) == tuple(n - (part >> g & 1) for g, n in enumerate(row))
        assert prices.gain(row, part) <= SCALE * price[part]


def test_a_slot_without_gains_runs_whole_tokens_and_groups_without_slack() -> None:
    # Nothing is worth anything. Token 1 fits whole beside token 0, token 2 does not.
    left, none = counts_of([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]]), priced({}, 0)
    assert fullest(left, np.array([1, 1, 1, 1]), none, 3).tolist() == [0, 0, 2, 2]
    assert fullest(left, np.array([9, 9, 9, 0]), none, 3)[3] in (1, 2)
    # A token that is taken apart gains nothing, unless a group has to run.
    wide = counts_of([[1, 1, 0], [0, 1, 1]])
    assert fullest(wide, np.array([5, 5, 9]), none, 3).tolist() == [0, 0, -1]
    assert fullest(wide, np.array([0, 5, 0]), none, 3)[[0, 2]].tolist() == [0, 1]


def test_a_gain_goes_before_whole_tokens() -> None:
    # {A,B} is worth 2: token 0 costs 2 in two transfers, and gains 1 where it is whole. Token 1
    # costs 1 as it is, runs one group more, and gains nothing; C alone of it would lose 2.
    prices, left = priced({0b011: 2}, 1), counts_of([[1, 1, 0], [1, 1, 1]])
    assert prices.gain((1, 1, 0), 0b011) == SCALE
    assert prices.gain((1, 1, 1), 0b111) == 0
    assert prices.gain((1, 1, 1), 0b100) == -2 * SCALE
    assert fullest(left, np.array([5, 5, 5]), prices, 3).tolist() == [0, 0, -1]
    # But where A, B and C have no slack, all three run.
    assert fullest(left, np.array([0, 0, 0]), prices, 3).tolist() == [1, 1, 1]


def started(counts: Ints, first: Ints, bound: int) -> tuple[SlotProblem, Solved]:
    """A problem, and its compact order as the best known."""
    problem = SlotProblem(counts, presence=Arrivals(first))
    return problem, Solved(compact_from(counts, first), bound)


def test_dives_of_tiny_windows_meet_brute_force() -> None:
    better = 0
    for index in range(0, len(TINY), 3):  # those without a bus
        tiny = TINY[index]
        order = np.argsort(tiny.first, kind="stable")
        counts, first = tiny.counts[order], tiny.first[order]
        problem, start = started(counts, first, optimum(index)[1])
        found = dived(problem, first, start, 0, 1.0)
        assert problem.wrong(found.table) is None
        assert (len(found.table), found.transfers) == optimum(index)
        better += found.transfers < start.transfers
    assert better == 33  # in the others the compact order is as good


@pytest.mark.parametrize("seed", range(2))
def test_a_dive_meets_the_bound(seed: int) -> None:
    # The compact order has more than twice as many transfers.
    counts, first = window(seed, 0.5, 4)[:64], np.arange(64) // 4
    problem, start = started(counts, first, 0)
    bound = columns_bound(problem, first, start, 1.0)
    found = dived(problem, first, start, seed, 1.0)
    assert problem.wrong(found.table) is None
    assert (len(found.table), found.transfers) == (len(start.table), bound)
    assert bound < start.transfers / 2
    again = dived(problem, first, start, seed, 1.0)
    assert np.array_equal(found.table, again.table)


def test_prices_of_a_bound_prove_it() -> None:
    counts = window(1, 0.5, 4)[:48]
    table = compact_from(counts, np.zeros(48, dtype=np.int64))
    start = [parts_of(row) for row in table.tolist()]
    found = bound_from(counts, len(table), np.arange(8), start, 10**6, 10**6)
    assert found is not None
    prices = Prices(found)
    total = prices.bound(Counter(tuple(row) for row in counts.tolist()), len(table))
    assert found.bound == -(-total // SCALE) <= distinct_per_row(table)


def test_a_token_without_experts_may_come_after_the_last_slot() -> None:
    counts = counts_of([[1, 1, 0], [1, 0, 1], [0, 1, 1], [0, 0, 0]])
    first = np.array([0, 0, 0, 99])
    problem, start = started(counts, first, 0)
    assert (len(start.table), start.transfers) == (2, 4)  # no better one is there to be found
    assert dived(problem, first, start, 0, 1.0) is start
    # In three slots each token has its own.
    spread = Solved(np.array([[0, -1, -1], [1, 0, 2], [-1, 2, 1]]), 3)
    assert problem.wrong(spread.table) is None
    found = dived(problem, first, spread, 0, 1.0)
    assert problem.wrong(found.table) is None
    assert (len(found.table), found.transfers) == (3, 3)


@pytest.mark.parametrize("limits", [Limits(bus=4), Limits(buffer=64)])
def test_limits_and_no_time_leave_the_order(limits: Limits) -> None:
    counts, first = window(0, 0.5, 4)[:64], np.arange(64) // 4
    problem, start = started(counts, first, 0)
    assert dived(SlotProblem(counts, limits, problem.presence), first, start, 0, 1.0) is start
    assert dived(problem, first, start, 0, 1e-3) is start

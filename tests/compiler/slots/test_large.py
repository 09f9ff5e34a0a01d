"""What windows take that are too large for the models, on small ones: the sizes are set to nothing.

An order keeps its groups' turns, arrivals and the fewest slots; bounds hold, whatever is left out.
"""

import numpy as np
import pytest

from compiler.slots import (
    arriving_exact,
    arriving_tails,
    column_generation,
    columns,
    cp_sat_slots,
    order_slots,
    patterns,
)
from compiler.slots.arriving_rules import token_serial_from
from compiler.slots.bounds import slots_bound, transfers_bound_at
from compiler.slots.limits import Limits
from compiler.slots.patterns import build, splits_by_type, types_of
from compiler.slots.problem import SlotProblem
from compiler.slots.rules import compact_table
from ir.arrays import Ints
from ir.arrivals import Arrivals
from tests.compiler.slots.arriving import TINY as ARRIVING
from tests.compiler.slots.arriving import optimum
from tests.compiler.slots.windows import TINY, counts_of, tiny_optimum

NONE = {  # where each size is told, and its value
    "no exact model": (arriving_exact, "MOST_TURNS", 0),
    "no last slots": (arriving_tails, "MOST_TURNS", 0),
    "no columns": (columns, "MOST_GROUPS", 0),
    "no splits": (columns, "MOST_SPLITS", 0),
    "no order of columns": (patterns, "MOST_SPLITS", 0),
    "one group at a time": (column_generation, "SIZES", (1,)),
    "no model by slots": (cp_sat_slots, "MOST_TURNS", 0),
}


def serial(problem: SlotProblem, first: Ints, _seed: int) -> tuple[list[Ints], int]:
    table = token_serial_from(problem.counts, first)
    return [table], problem.transfers_bound_at(len(table))


def compact(counts: Ints, _seed: int) -> tuple[Ints, int]:
    table = compact_table(counts)
    return table, transfers_bound_at(counts, len(table))


@pytest.fixture(autouse=True)
def _poor_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules whose orders leave work to what comes after them, and no walk that does it."""
    monkeypatch.setattr(arriving_exact, "arriving_tables", serial)
    monkeypatch.setattr(column_generation, "min_transfer_table", compact)
    monkeypatch.setattr(column_generation, "REPAIR_STEPS", 0)
    monkeypatch.setattr(arriving_exact, "STEPS_PER_SLOT", 0)


@pytest.mark.parametrize("size", NONE)
def test_orders_of_tokens_that_come(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*NONE[size])
    for index in range(60, 100):
        tiny = ARRIVING[index]
        order = order_slots(tiny.counts, "cp-sat", bus=tiny.bus, arrivals=tiny.first, time_s=0.2)
        problem = SlotProblem(tiny.counts, Limits(tiny.bus), Arrivals(np.array(tiny.first)))
        assert problem.wrong(order.table) is None
        slots, transfers = optimum(index)
        assert (order.slots, order.transfers) >= (slots, transfers)
        assert order.slots_bound <= slots
        assert order.slots > slots or order.transfers_bound <= transfers


@pytest.mark.parametrize("solver", ["cp-sat", "column-generation"])
@pytest.mark.parametrize("size", [name for name in NONE if "last" not in name])
def test_orders(size: str, solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tokens that are all there: the fewest slots always, transfers not below the fewest."""
    monkeypatch.setattr(*NONE[size])
    for index in range(40, 80):
        order = order_slots(TINY[index], solver, time_s=0.2)
        if not order.slots:
            continue
        assert order.slots == slots_bound(TINY[index])
        assert order.transfers_bound <= tiny_optimum(index) <= order.transfers


def test_models_that_are_too_large_are_none() -> None:
    """Ten turns of a token on three groups have too many splits; nine groups too many partitions.

    A turn on each of three groups is parted in 5 ways, one on each of two in 2: 7 in all.
    """
    groups = np.arange(3)
    assert build(counts_of([[4, 3, 3]]), 10, groups) is None
    assert build(np.ones((1, 9), dtype=np.int64), 9, np.arange(9)) is None
    ones = types_of(np.array([[1, 1, 1], [1, 1, 0]]), groups)
    assert splits_by_type(ones, 7) is not None
    assert splits_by_type(ones, 6) is None

"""Tokens that arrive: exact bounds on the last slots, and the walk that moves whole tokens."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from compiler.options import SolverOptions
from compiler.slots import order_slots
from compiler.slots.arriving_greedy import arriving_tables
from compiler.slots.arriving_rules import compact_from
from compiler.slots.arriving_tails import question, tails_bound
from compiler.slots.arriving_walk import Walk, annealed, walked
from compiler.slots.limits import Limits
from compiler.slots.problem import SlotProblem
from compiler.slots.repair import Slots
from compiler.slots.solved import Solved
from ir.arrivals import Arrivals
from ir.schedule import distinct_per_row
from tests.compiler.slots.arriving import TINY, optimum
from tests.compiler.slots.windows import counts_of, window

TRIANGLE = counts_of([[1, 1, 0], [1, 0, 1], [0, 1, 1]])


def asked(slots: int, more: int, bus: int | None = None) -> str:
    """The answer for the triangle, whose tokens all come in slot 1."""
    return question(TRIANGLE, np.array([1, 1, 1]), slots, more, bus, SolverOptions(time_s=1)).status


def test_questions_by_hand() -> None:
    # Two slots are left of three: one token has to be split. Three of four: each has its own.
    assert asked(3, 0) == "infeasible"
    assert asked(3, 1) in ("optimal", "feasible")
    assert asked(4, 0) in ("optimal", "feasible")
    # Four transfers in slots 1 and 2 need a bus of two.
    assert asked(3, 1, bus=1) == "infeasible"
    assert asked(3, 1, bus=2) in ("optimal", "feasible")


def test_a_tail_is_proven_by_the_solver() -> None:
    # Four slots of a token alone before the triangle, which has slots 5 and 6 of seven.
    counts = np.concatenate([np.repeat([[1, 1, 1]], 5, axis=0), TRIANGLE])
    first = np.array([0, 1, 2, 3, 4, 5, 5, 5])
    problem = SlotProblem(counts, presence=Arrivals(first))
    start = Solved(compact_from(counts, first), bound=8)
    assert (len(start.table), start.transfers) == (7, 9)
    found = tails_bound(problem, first, start, 0, 1.0)
    assert (found.bound, found.solver_bound, found.status(7)) == (8, 9, "optimal (solver)")


@pytest.mark.parametrize("part", range(5))
def test_tails_of_tiny_windows_reach_brute_force(part: int) -> None:
    # A tiny window is a tail itself, so the bound is exact where the slots are the fewest.
    for index in range(part, 300, 5):
        tiny = TINY[index]
        order = np.argsort(tiny.first, kind="stable")
        counts, first = tiny.counts[order], tiny.first[order]
        problem = SlotProblem(counts, Limits(tiny.bus), Arrivals(first))
        tables, _ = arriving_tables(problem, first, 0)
        slots, transfers = optimum(index)
        start = Solved(tables[0], int(counts.max(axis=1).sum()))
        found = tails_bound(problem, first, start, 0, 1.0)
        if len(tables[0]) == slots:
            assert max(found.bound, found.solver_bound) == transfers
        else:  # more slots than needed never need more transfers
            assert found.solver_bound <= transfers


def test_no_walk_beats_a_tail() -> None:
    rng = np.random.default_rng(3)
    raised = 0
    for seed in range(12):
        counts = (rng.random((24, 5)) < 0.55).astype(np.int64)
        first = np.arange(24) // 2
        problem = SlotProblem(counts, presence=Arrivals(first))
        tables, _ = arriving_tables(problem, first, seed)
        start = Solved(tables[0], int(counts.max(axis=1).sum()))
        found = tails_bound(problem, first, start, seed, 0.2)
        raised += found.solver_bound > start.bound
        for table in tables:
            best = walked(problem, first, replace(start, bound=0), table, 3000, seed)
            assert problem.wrong(best.table) is None
            assert best.transfers >= found.solver_bound
    assert raised


@pytest.mark.parametrize("bus", [None, 4])
def test_the_walk_keeps_arrivals_and_the_bus(bus: int | None) -> None:
    counts, first = window(2, 0.5, 4)[:64], np.arange(64) // 4
    table = compact_from(counts, first)
    if bus is not None:  # stretched until the bus carries it: one half of the groups at a time
        table = np.concatenate([np.where(np.arange(8) // 4 == half, table, -1) for half in (0, 1)])
    problem = SlotProblem(counts, Limits(bus), Arrivals(first))
    start = Solved(table, 0)
    found = walked(problem, first, start, table, 8000, 1)
    assert problem.wrong(found.table) is None
    assert len(found.table) == len(table)
    assert found.transfers < 0.8 * start.transfers
    again = walked(problem, first, start, table, 8000, 1)
    assert np.array_equal(found.table, again.table)


def test_the_walk_moves_a_token_to_a_third_slot() -> None:
    # Token 0 uses both groups and is split over slots 0 and 1, with 1 and 2 beside its parts; slot
    # 2 runs 3 and 4. There it takes their places, and each of them one of its own, at no cost.
    table = [[0, 1], [2, 0], [3, 4]]
    rows = [[1, 1], [0, 1], [1, 0], [1, 0], [0, 1]]
    walk = Walk(Slots(table, 5, [0] * 5), [1] * 5, Random(1))  # noqa: S311 - ties, no secrets
    drawn = [walk.moves(0) for _ in range(200)]
    assert [(0, 2, 0b01), (1, 2, 0b10)] in drawn
    slots, random = Slots(table, 5, [0] * 5), Random(1)  # noqa: S311 - ties, no secrets
    found = annealed(slots, [1] * 5, 5, 500, random)
    assert distinct_per_row(np.array(found)) == 5
    assert sorted(t for row in found for t in row) == [0, 0, 1, 2, 3, 4]
    counts = np.array(rows)
    assert SlotProblem(counts).wrong(np.array(found)) is None


def test_a_buffer_that_the_walk_overfills_keeps_the_table() -> None:
    counts, first = window(2, 0.5, 4)[:64], np.arange(64) // 4
    order = order_slots(counts, "min-transfer", buffer=8, arrivals=first)
    held = SlotProblem(counts, Limits(None, 8), Arrivals(first))
    start = Solved(order.table, 0)
    found = walked(held, first, start, order.table, 8000, 1)
    assert held.wrong(found.table) is None

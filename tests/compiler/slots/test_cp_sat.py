"""CP-SAT from a bad start, with wrong answers, and without time."""

import numpy as np
import pytest

from compiler.slots import cp_sat_slots, order_slots, patterns
from compiler.slots.bounds import (
    transfers_bound,
)
from compiler.slots.solved import Solved
from compiler.solver import SolverAnswer
from tests.compiler.slots.windows import PAIRS, counts_of, window, worked_example


def start_at_compact(counts: np.ndarray, seed: int, time_s: float) -> Solved:
    table = order_slots(counts, "compact", seed=seed, time_s=time_s).table
    return Solved(table, transfers_bound(counts))


@pytest.mark.parametrize("turns_per_pattern", [0, 1000])  # the slot-indexed model, `patterns`
def test_cp_sat_improves_a_bad_start(
    monkeypatch: pytest.MonkeyPatch, turns_per_pattern: int
) -> None:
    monkeypatch.setattr(cp_sat_slots, "column_generation_table", start_at_compact)
    monkeypatch.setattr(cp_sat_slots, "TURNS_PER_PATTERN", turns_per_pattern)
    order = order_slots(worked_example(PAIRS), "cp-sat")
    assert (order.slots, order.transfers, order.status) == (7, 10, "optimal (bound)")


@pytest.mark.parametrize(
    "wrong", ["no answer", "all zero", "all one", "too many", "bound too high"]
)
@pytest.mark.parametrize("turns_per_pattern", [0, 1000])
def test_a_wrong_or_missing_answer_leaves_the_start(
    monkeypatch: pytest.MonkeyPatch, wrong: str, turns_per_pattern: int
) -> None:
    def answer(variables: int) -> SolverAnswer:
        if wrong == "no answer":
            return SolverAnswer("none", None, None, 0.0, True)
        number = {"zeros": 0, "ones": 1}.get(wrong, 3)
        bound = 17 if wrong == "bound too high" else 0  # the start has 16 transfers
        return SolverAnswer("optimal", (number,) * variables, bound, 0.0, True)

    monkeypatch.setattr(cp_sat_slots, "column_generation_table", start_at_compact)
    monkeypatch.setattr(cp_sat_slots, "TURNS_PER_PATTERN", turns_per_pattern)
    monkeypatch.setattr(patterns, "solve", lambda model, vs, options: answer(len(vs)))
    monkeypatch.setattr(cp_sat_slots, "solve", lambda model, vs, options: answer(len(vs)))
    order = order_slots(worked_example(PAIRS), "cp-sat")
    compact = order_slots(worked_example(PAIRS), "compact").table
    assert sorted(order.table.tolist()) == sorted(compact.tolist())
    assert (order.transfers_bound, order.status) == (10, "feasible")


def test_cp_sat_beats_the_greedy_where_its_bound_is_not_met() -> None:
    counts = counts_of(
        [
            [0, 0, 1, 1, 2],
            [0, 0, 2, 1, 2],
            [1, 2, 0, 1, 1],
            [2, 0, 1, 2, 0],
            [1, 1, 0, 1, 0],
            [0, 0, 1, 1, 0],
            [0, 0, 0, 1, 1],
            [2, 2, 2, 0, 0],
        ]
    )
    # 2 + 2 + 2 + 2 + 1 + 1 + 1 + 2 = 13, and the fourth group has 8 turns.
    order = order_slots(counts, "cp-sat")
    assert (order.slots, order.transfers, order.status) == (8, 13, "optimal (bound)")


def test_cp_sat_with_no_time_still_gives_a_valid_order() -> None:
    counts = window(4, 0.1, 2)
    order = order_slots(counts, "cp-sat", time_s=1e-6)
    assert order.transfers <= order_slots(counts, "min-transfer").transfers

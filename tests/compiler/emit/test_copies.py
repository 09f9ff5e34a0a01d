"""Copies of dense blocks: area as many times, and as many tokens in an MVM time."""

import numpy as np
import pytest

from backends.simulate import replay
from ir.compiled import Compiled
from ir.program import Opcode
from tests.make import compile_small, small_chip, small_workload

TOKENS = 6
FAST = small_chip(bus={"transfers_per_slot": None}, digital={"dpus": 64})


def mvms(done: Compiled, name: str) -> list[tuple[int, int, str]]:
    """(token, copy, unit) of every first-stage MVM of a dense operator, by token."""
    p = done.program
    node = [op.name for op in done.workload.operators].index(name)
    rows = np.flatnonzero((p.opcode == Opcode.MVM) & (p.node == node))
    return [(int(p.token[r]), int(p.replica[r]), p.units[p.unit[r]].name) for r in rows]


def test_tokens_take_copies_in_turn() -> None:
    done = compile_small(small_workload(layers=1, shared=1), tokens=TOKENS, copies=2)
    replay(done.program, done.chip)
    units = {unit: copy for _, copy, unit in mvms(done, "q0")}
    assert sorted(units.values()) == [0, 1]
    assert [token for token, _, _ in mvms(done, "q0")] == [0, 1, 2, 3, 4, 5]
    assert [copy for _, copy, _ in mvms(done, "q0")] == [0, 1, 0, 1, 0, 1]
    # a shared expert's second stage stays on the copy of its first
    p = done.program
    second = np.flatnonzero((p.opcode == Opcode.MVM) & (p.stage == 1) & (p.expert < 0))
    assert [int(p.replica[r]) for r in second] == [0, 1, 0, 1, 0, 1]


def test_copies_take_peripheral_groups_of_their_own() -> None:
    """Three copies of dense blocks: three times their groups, and the experts' as they were."""
    workload = small_workload(layers=1, shared=1)
    once = compile_small(workload).program.inventory
    thrice = compile_small(workload, copies=3).program.inventory
    assert thrice.dense_pgs == 3 * once.dense_pgs
    assert thrice.dense_crossbars == 3 * once.dense_crossbars
    assert thrice.shared_pgs == 3 * once.shared_pgs
    assert (thrice.expert_pgs, thrice.expert_crossbars) == (once.expert_pgs, once.expert_crossbars)


def test_a_head_for_the_newest_token_stands_once() -> None:
    done = compile_small(small_workload(layers=1, newest=True), decode=2, copies=2)
    assert {copy for _, copy, _ in mvms(done, "head")} == {-1}
    assert {copy for _, copy, _ in mvms(done, "q0")} == {0, 1}
    replay(done.program, done.chip)


@pytest.mark.parametrize(("copies", "turns"), [(1, 6), (2, 3), (3, 2), (4, 2)])
def test_as_many_tokens_in_an_mvm_time(copies: int, turns: int) -> None:
    """Six tokens of 10 ns on q: the busiest copy takes ceil(6 / copies) of them, one by one.

    Nothing else is slower before them: embedding and norm of all six tokens side by side, and a bus
    without a limit.
    """
    workload = small_workload(layers=1)
    p = compile_small(workload, FAST, tokens=TOKENS, copies=copies).program
    node = [op.name for op in workload.operators].index("q0")
    rows = (p.opcode == Opcode.MVM) & (p.node == node)
    assert p.end_ps[rows].max() - p.start_ps[rows].min() == turns * 10_000


def test_copies_without_tokens_of_their_own() -> None:
    """One token on four copies: it takes the first, and the others do nothing."""
    done = compile_small(small_workload(layers=1), tokens=1, copies=4)
    assert [(token, copy) for token, copy, _ in mvms(done, "q0")] == [(0, 0)]

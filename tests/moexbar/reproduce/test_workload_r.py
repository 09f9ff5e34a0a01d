"""Workload R on chip `paper`: its counts by hand, its router, and what a run's steps are."""

import numpy as np
import pytest

from compiler.partition import partition
from ir.activation import usual
from ir.mapping import RoutedOwner
from ir.workload import Dense, MoELayer
from moexbar.chips import load_chip
from moexbar.reproduce.reference import BOTH, GO, KV, NONE
from moexbar.reproduce.run import PROMPT, Run, execute, map_unshared, schedule_by_token
from moexbar.reproduce.workload import EXPERTS, TOP_K, random_experts, workload_r

PAPER = load_chip("paper")


def tiles_of_token() -> tuple[int, int]:
    """(crossbars that a token fires outside the head, adds of their partial sums)."""
    fired = adds = 0
    operators = workload_r().operators
    for block in partition(workload_r(), PAPER):
        op = operators[block.operator]
        if isinstance(op, Dense) and op.newest:
            continue
        if isinstance(block.owner, RoutedOwner) and block.owner.expert >= TOP_K:
            continue  # any four experts: they are alike
        fired += block.tiles
        adds += block.columns * (block.rows - 1)
    return fired, adds


def test_crossbars_and_adds_of_a_token() -> None:
    """256 wide tiles.

    Crossbars: embedding 16, in-projection 16 x 48, out-projection 16 x 16, router 16, four experts
    of 16 x 3 + 3 x 16: 16 + 768 + 256 + 16 + 384 = 1440.
    Adds: a column of r row tiles takes r - 1. In-projection 48 x 15, out-projection 16 x 15, router
    15, four experts of 3 x 15 + 16 x 2: 720 + 240 + 15 + 308 = 1283; none in the embedding.
    """
    assert tiles_of_token() == (1440, 1283)


def test_head_of_32000_words() -> None:
    """125 columns of 16 row tiles: 2000 crossbars and 1875 adds, once in a step."""
    head = [b for b in partition(workload_r(), PAPER) if b.weight.columns == 32_000]
    assert [(b.rows, b.columns) for b in head] == [(16, 125)]


def test_random_experts_are_four_different_ones_and_repeat_by_seed() -> None:
    chosen = random_experts(4000, seed=3)
    assert np.array_equal(chosen.sum(axis=1), np.full(4000, TOP_K))
    assert np.array_equal(chosen, random_experts(4000, seed=3))
    assert not np.array_equal(chosen, random_experts(4000, seed=4))
    # each expert is in 4 of 16 choices: 1000 of 4000 tokens, give or take 5 standard deviations
    spread = 5 * np.sqrt(4000 * 0.25 * 0.75)
    assert np.all(np.abs(chosen.sum(axis=0) - 1000) < spread)


@pytest.mark.parametrize(
    ("caches", "visits"),
    [
        (NONE, 33 + 34),  # every token so far in each pass
        (KV, 33 + 34),  # the reference computes them all, and divides attention by s
        (GO, 2),
        (BOTH, 2),
    ],
    ids=["no cache", "KV only", "GO only", "KV + GO"],
)
def test_generation_alone_runs_the_passes_after_the_prompt(caches: object, visits: int) -> None:
    """Three generated tokens: the prompt's pass gave the first, s = 33 and 34 give the others."""
    run = Run(3, caches, prefill=False)  # type: ignore[arg-type]
    chosen = random_experts(PROMPT + 2, seed=0)
    schedule = schedule_by_token(run, map_unshared(workload_r(), PAPER), PAPER, chosen)
    assert [step.number for step in schedule.steps] == [1, 2]
    assert sum(len(step.rows) for step in schedule.steps) == visits
    # 1440 crossbars a token and 2000 a pass
    ran = execute(run, PAPER)
    assert ran.figures.mvm_count == 1440 * visits + 2 * 2000


def test_experts_start_before_the_router_and_tokens_run_in_order() -> None:
    """Token order: a token's four experts take the slot of its own number, and none waits."""
    mapping = map_unshared(workload_r(), PAPER)
    chosen = random_experts(PROMPT, seed=0)
    schedule = schedule_by_token(Run(1, NONE, prefill=True), mapping, PAPER, chosen)
    (step,) = schedule.steps
    order = step.of(0)
    assert not order.order.lockstep
    assert np.array_equal(order.slot, order.token)
    assert np.array_equal(order.group, order.expert)
    assert len(order.token) == PROMPT * TOP_K
    assert order.order.table.shape == (PROMPT, EXPERTS)


def test_the_layer_has_two_matrices_per_expert_and_its_router_on_crossbars() -> None:
    (moe,) = (op for op in workload_r().operators if isinstance(op, MoELayer))
    assert not moe.gated
    assert moe.activation == usual("relu")
    assert (moe.d_model, moe.d_expert, moe.router.top_k) == (4096, 688, 4)
    assert PAPER.digital.router_on == "crossbar"

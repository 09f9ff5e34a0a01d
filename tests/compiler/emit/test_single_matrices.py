"""Experts of one matrix: one stage, and a curve of the result where the model has one."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from backends.simulate import replay
from ir import timing
from ir.activation import usual
from ir.compiled import Compiled
from ir.errors import CheckError, InputError
from ir.passes import ON_THE_WAY
from ir.program import Opcode
from ir.verify import verify_program
from ir.workload import Expert, MoELayer, Weight, Workload
from moexbar.efficiency.layer import fill_ps
from tests.backends.functional import mutate
from tests.make import compile_small, small_chip, small_workload

TOKENS, K = 5, 2


def single(curve: str = "identity", columns: int = 20, *, bias: bool = False) -> Workload:
    """One layer of four experts of 20 x columns, top-2; the model goes on with the width of 20."""
    workload = small_workload(layers=1)
    experts = tuple(
        Expert(Weight(f"w{e}", 20, columns, bits=8, bias=f"b{e}" if bias else None), None)
        for e in range(4)
    )
    operators = [
        replace(op, experts=experts, activation=usual(curve))  # type: ignore[arg-type]
        if isinstance(op, MoELayer)
        else op
        for op in workload.operators
    ]
    return replace(workload, operators=tuple(operators))


def counted(done: Compiled) -> Counter[str]:
    return Counter(Opcode(int(code)).name for code in done.program.opcode)


@pytest.mark.parametrize("curve", ["identity", "relu"])
@pytest.mark.parametrize("bias", [False, True])
def test_one_stage_a_pair(curve: str, bias: bool) -> None:
    """An MVM, an ACC (20 rows are three tiles) and a STORE a pair; an ACT where there is a curve.

    Beside them five dense products a token. No vector goes to a second stage.
    """
    done = compile_small(single(curve, bias=bias), tokens=TOKENS)
    ops = counted(done)
    assert ops["MVM"] == ops["STORE"] == TOKENS * 5 + TOKENS * K
    assert ops["ACT"] == (TOKENS * K if curve == "relu" else 0)
    assert ops["MUL"] == ops["XFER"] == 0
    replay(done.program, done.chip)


def test_tiles_of_one_stage() -> None:
    """20 x 20 is 3 x 5 tiles of 8 rows and 4 weights: 15 PGs for each of the two groups of two."""
    done = compile_small(single(), tokens=TOKENS)
    inventory = done.program.inventory
    assert (inventory.expert_pgs, inventory.expert_crossbars) == (2 * 15, 4 * 15)
    groups = [u for u in done.program.units if u.kind == "group" and u.name.startswith("group")]
    assert [u.stage for u in groups] == [0, 0]


def test_the_sum_is_as_wide_as_the_results() -> None:
    """30 columns: two of them weighted and added, three operations of 30 values, ACTs of 30."""
    done = compile_small(single("relu", columns=30), tokens=TOKENS)
    p, chip = done.program, done.chip
    of_layer = p.node == [type(op) for op in done.workload.operators].index(MoELayer)
    costs = {code: set(p.energy_fj[of_layer & (p.opcode == code)].tolist()) for code in Opcode}
    assert costs[Opcode.COMBINE] == {3 * timing.add(chip, 30).energy_fj}
    assert costs[Opcode.ACT] == {timing.act(chip, 30, ON_THE_WAY).energy_fj}


def test_a_sum_of_results_before_their_curve_is_found() -> None:
    done = compile_small(single("relu"), tokens=TOKENS)
    p = done.program
    row = int(np.flatnonzero(p.opcode == Opcode.COMBINE)[0])
    acted = next(int(v) for v in p.reads[row] if p.opcode[v] == Opcode.ACT)
    store = int(p.reads[acted][0])
    wrong = mutate.read_instead(p, row, acted, store)
    with pytest.raises(CheckError, match="combine"):
        verify_program(replace(done, program=wrong))


def test_a_lost_curve_is_found() -> None:
    done = compile_small(single("relu"), tokens=TOKENS)
    row = int(np.flatnonzero(done.program.opcode == Opcode.ACT)[0])
    with pytest.raises(CheckError, match="0 ACT instructions follow, expected 1"):
        verify_program(replace(done, program=mutate.drop(done.program, row)))


def test_fill_of_one_stage() -> None:
    """LOAD, sums, STORE and COMBINE, and the ACT of a curve: no way to a second stage."""
    chip = small_chip()
    (plain,), (curved,) = single().moe_layers, single("relu").moe_layers
    jobs = [
        timing.load(chip, 20, 20, timing.square(chip, 2 * 15)),
        timing.accumulate(chip, 3, 5, 4, bias=False),
        timing.store(chip, 20, 20, K, hops=3),  # 2 x 15 PGs on 8 cores: isqrt(7) + 1 = 3 hops
        timing.combine(chip, K, K, 20, 20),
    ]
    least = sum(job.duration_ps for job in jobs)
    assert fill_ps(plain, chip, groups=2) == least
    assert fill_ps(curved, chip, groups=2) == least + chip.digital.relu_ps


def test_a_gate_needs_a_down_matrix() -> None:
    one = Weight("w", 4, 4)
    with pytest.raises(InputError, match="expected both"):
        Expert(one, None, one)

"""Experts that are kept apart: outputs side by side, or an input for each in one broadcast."""

from dataclasses import replace

import numpy as np
import pytest

from backends.simulate import replay
from ir import timing
from ir.compiled import Compiled
from ir.errors import InputError
from ir.program import Opcode
from ir.selection import ByIds, ByLogits
from ir.workload import Apart, Expert, MoELayer, Weight, Workload
from moexbar.efficiency.layer import fill_ps
from tests.make import compile_small, small_chip, small_workload

TOKENS, K = 5, 2


def kept(apart: Apart) -> Workload:
    """One layer of four single matrices 20 x 20, top-2."""
    workload = small_workload(layers=1)
    experts = tuple(Expert(Weight(f"w{e}", 20, 20, bits=8), None) for e in range(4))
    operators = [
        replace(
            op,
            experts=experts,
            apart=apart,
            router=replace(op.router, selection=ByIds("ids", None), projection=None),
        )
        if isinstance(op, MoELayer)
        else op
        for op in workload.operators
    ]
    return replace(workload, operators=tuple(operators))


def of_layer(done: Compiled, code: Opcode, column: str) -> set[int]:
    """What the layer's instructions of a kind have in a column."""
    p = done.program
    layer = [type(op) for op in done.workload.operators].index(MoELayer)
    return set(getattr(p, column)[(p.node == layer) & (p.opcode == code)].tolist())


def test_outputs_are_put_side_by_side_in_one_pass() -> None:
    """Two of 20 values, without weights: 40 values once, not the three operations of a sum."""
    done = compile_small(kept("outputs"), tokens=TOKENS)
    replay(done.program, done.chip)
    assert of_layer(done, Opcode.COMBINE, "energy_fj") == {timing.add(done.chip, 40).energy_fj}
    assert of_layer(done, Opcode.COMBINE, "bytes") == {40}
    assert of_layer(done, Opcode.STORE, "bytes") == of_layer(done, Opcode.LOAD, "bytes") == {20}


def test_inputs_come_in_one_broadcast() -> None:
    """Every group of a token is sent both of its vectors, and has room for two such."""
    done = compile_small(kept("inputs"), tokens=TOKENS)
    replay(done.program, done.chip)
    assert of_layer(done, Opcode.LOAD, "bytes") == {40}
    groups = [u for u in done.program.units if u.name.startswith("group")]
    assert {u.input_bytes for u in groups} == {2 * 40}
    assert of_layer(done, Opcode.COMBINE, "energy_fj") == {3 * timing.add(done.chip, 20).energy_fj}
    mvm = (done.program.opcode == Opcode.MVM) & (done.program.expert >= 0)
    assert np.count_nonzero(mvm) == TOKENS * K


def test_a_choice_that_comes_with_the_inputs_needs_no_products() -> None:
    """Of the router's 20 x 4, whose GATE the first half has paid."""
    assert of_layer(compile_small(kept("outputs"), tokens=TOKENS), Opcode.GATE, "macs") == {80}
    assert of_layer(compile_small(kept("inputs"), tokens=TOKENS), Opcode.GATE, "macs") == {0}


def test_fill_of_outputs_apart() -> None:
    chip = small_chip()
    (summed,), (apart,) = kept("nothing").moe_layers, kept("outputs").moe_layers
    sums = timing.combine(chip, K, K, 20, 20).duration_ps
    once = timing.combine(chip, 1, 0, 40, 20).duration_ps
    assert fill_ps(apart, chip, groups=2) - fill_ps(summed, chip, groups=2) == once - sums


@pytest.mark.parametrize("apart", ["outputs", "inputs"])
def test_what_cannot_be_kept_apart(apart: Apart) -> None:
    """Experts of two stages, and a router that tells no places."""
    (layer,) = kept("nothing").moe_layers
    (stages,) = small_workload(layers=1).moe_layers
    told = replace(stages.router, selection=ByIds("ids", None))
    with pytest.raises(InputError, match=f"{apart} apart, expected experts of one matrix"):
        replace(stages, router=told, apart=apart)
    logits = replace(layer.router, selection=ByLogits("logits"))
    with pytest.raises(InputError, match="a router that tells ids"):
        replace(layer, router=logits, apart=apart)

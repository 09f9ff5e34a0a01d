"""Experts and routers of odd forms: each is read as what it computes, or the note says why not.

In both cases the operators together compute what the model computes.
"""

from functools import partial
from pathlib import Path

import pytest

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import MoELayer
from tests.compiler.frontend import models as m
from tests.compiler.frontend import odd_experts as odd
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.moe.curves import num

NO_CURVE = "the expert's activation of nodes [{}] is no curve that is known: "
REFUSED: dict[str, tuple[m.Ffn, str]] = {
    "three parts of one matrix": (
        odd.between(odd.three_parts, columns=72),
        "3 parts of matrix products meet before the down product",
    ),
    "a part of a part": (
        odd.between(odd.part_of_a_part, columns=96),
        "columns of columns of a matrix are taken (at node 'Slice#",
    ),
    "split by data": (
        odd.between(odd.split_by_data, columns=48),
        "a Split of unknown lengths (at node 'Split#",
    ),
    "cut by data": (
        odd.between(odd.cut_by_data, columns=48),
        "a Slice of unknown length (at node 'Slice#",
    ),
    "added": (
        odd.meeting(lambda g, gate, up: g("Add", m.silu(g, gate), up)),
        "up and gate do not meet in a product (at node 'Add#",
    ),
    "a number added": (
        odd.meeting(lambda g, gate, up: g("Add", g("Mul", m.silu(g, gate), up), num(g, 0.5))),
        "Add follows the product of gate and up (at node 'Add#",
    ),
    "a factor for each column": (
        odd.meeting(lambda g, a, b: g("Mul", g("Mul", a, b), g.weight(g.hidden, scale=1.0))),
        "Mul follows the product of gate and up (at node 'Mul#",
    ),
    "padded": (
        odd.between(partial(odd.padded, cut=24), rows=28),
        "up and gate do not fit the down projection (at node 'MatMul#",
    ),
    "a part, padded": (
        odd.between(odd.padded),
        "columns of a matrix that do not fit the down projection (at node 'MatMul#",
    ),
    "both signs": (
        odd.between(odd.both_signs, columns=12),
        NO_CURVE.format("Relu, Neg") + "Concat reads 2 values of it (at node 'Concat#",
    ),
    "the token's mean": (
        m.dense_masked(expert=odd.with_the_token),
        "is another input of it (at node 'ReduceMean#",
    ),
    "an operator of ONNX Runtime's": (
        odd.between(lambda g, up: g("Trilu", up, domain="com.microsoft")),
        NO_CURVE.format("Trilu") + "com.microsoft.Trilu is not known (at node 'Trilu#",
    ),
    "whole numbers": (
        odd.between(odd.to_whole_numbers),
        NO_CURVE.format("Cast") + "Cast to int64 is not known (at node 'Cast#",
    ),
    "a scale for each column": (
        odd.between(odd.scaled_by_column),
        "DequantizeLinear has a scale for every column (at node 'DequantizeLinear#",
    ),
    "four bits": (odd.between(odd.to_four_bits), "QuantizeLinear to INT4 is not known"),
    "read twice": (odd.read_twice, "no expert's output is weighted once and as it is"),
    "more steps after each than are followed": (
        odd.routed(partial(odd.with_steps, count=20)),
        "no expert's output is weighted once and as it is (at node 'MatMul#",
    ),
    "weighted before down": (
        odd.weighted_before_down,
        "no expert's output is weighted once and as it is",
    ),
    "joined by a matrix": (odd.joined_by_a_matrix, "is not one vector per token (at node 'Concat#"),
    "a gate of one matrix": (
        m.dense_masked(expert=lambda g, x: m.halves(g, m.linear(g, x, g.d, 2 * g.d))),
        "a matrix product leads to no down projection (at node 'MatMul#",
    ),
    "a stack and single ones": (
        odd.stack_and_singles,
        "stacked and single experts in one layer (at node 'TopK#",
    ),
    "element by element": (
        odd.by_elements,
        "a stack of 4 matrices is read by Mul (at node 'Mul#",
    ),
    "not hit": (
        odd.not_hit,
        "4 feed-forward experts, the router has 6 outputs: experts are missing, as in a traced",
    ),
    "traced, of two stacks": (
        odd.traced_stack(other=2),
        "blocks that take one expert each from different stacks (at node 'TopK#",
    ),
    "as many tokens as data say": (
        odd.choice_of(odd.as_many_as_data_say),
        "its capacity does not follow from the number of tokens (at node 'TopK#",
    ),
    "capacity rounded up": (
        odd.choice_of(odd.rounded_up),
        "its capacity is no floor(T * n / d) (at node 'TopK#",
    ),
    "as many experts as data say": (
        m.dense_masked(odd.best_of_data),
        "its choice is not one for each token (at node 'TopK#",
    ),
    "more ids than experts": (odd.by_table(4, 5), "(Gather) stays digital: "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """No layer is made of them; the note names the node, and what is left computes the model."""
    block, words = REFUSED[name]
    path = write(tmp_path, block)
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers == ()
    (suspect,) = workload.suspects
    assert words in workload.notes[0]
    assert suspect.reason in workload.notes[0]
    assert compare(runtime, path, m.token_ids(40), workload=workload) < 1e-5


READ: dict[str, tuple[m.Ffn, str]] = {  # and the activation
    "columns cut on two axes": (odd.routed(), "relu"),
    "reshaped by their own shape": (odd.routed(odd.with_its_own_shape, cut="Gather"), "relu"),
    "many steps after each": (odd.routed(partial(odd.with_steps, count=10)), "relu"),
    "all of a part": (
        odd.between(partial(odd.part_of_a_part, start=0), columns=48),
        "silu",
    ),
    "rows cut, all of them": (
        odd.meeting(lambda g, a, b: g("Mul", m.silu(g, odd.part(g, a, 0, 2**31, 0)), b)),
        "silu",
    ),
    "half of the columns": (
        odd.between(lambda g, up: g("Relu", odd.part(g, up, 0, 24)), columns=48),
        "relu",
    ),
    "both curved, one of them known": (
        odd.meeting(lambda g, a, b: g("Mul", g("Add", a, g("Sin", a)), g("Tanh", b))),
        "composed(tanh | sin, Add)",
    ),
    "no number at 0": (odd.between(lambda g, up: g("Log", g("Mul", up, up))), "composed(Mul, Log)"),
    "weights beside each other": (m.dense_masked(odd.wide_for_a_while), "silu"),
    "by a table, one for each": (odd.by_table(4, 1), "silu"),
}


@pytest.mark.parametrize("name", READ)
def test_read_as_it_is(name: str, tmp_path: Path, runtime: Runtime) -> None:
    block, act = READ[name]
    path = write(tmp_path, block)
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.activation.text, layer.proof, workload.notes) == (act, "run", ())
    assert (len(layer.experts), layer.shared) == (4, ())
    assert compare(runtime, path, m.token_ids(40), workload=workload) < 1e-5


def test_outputs_compared_with_the_number_of_experts(tmp_path: Path, runtime: Runtime) -> None:
    """Of six outputs the last two give nothing, as the graph compares ids with 4."""
    path = write(tmp_path, odd.by_comparison)
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.router.idle, layer.passing, layer.proof) == ((0, 2), (), "run")
    assert compare(runtime, path, m.token_ids(40)) < 1e-5


def test_a_loop_over_three_of_four(tmp_path: Path, runtime: Runtime) -> None:
    """A traced export whose example hit three experts: the note says so."""
    workload = read_model(write(tmp_path, odd.traced_stack(3)), runtime=runtime)
    assert workload.moe_layers == ()
    (suspect,) = workload.suspects
    assert suspect.traced
    assert "loop over the experts that were hit when the model was traced: 3 of 4" in suspect.reason


AFTER: dict[str, tuple[m.Ffn, float, int, bool]] = {  # factor, shared experts, with a gate
    "divided": (lambda g, x: g("Div", m.dense_masked()(g, x), num(g, 4)), 0.25, 0, False),
    "one added": (
        lambda g, x: g("Add", g("Mul", m.dense_masked()(g, x), num(g, 0.5)), num(g, 1)),
        0.5,
        0,
        False,
    ),
    "shared of another curve": (m.dense_masked(shared=m.plain), 1.0, 0, False),
    "shared after five views": (
        m.dense_masked(shared=lambda g, x: views(g, m.gated(g, x))),
        1.0,
        1,
        False,
    ),
    "shared, views, its gate": (
        m.dense_masked(shared=lambda g, x: gate(g, views(g, m.gated(g, x)), x, 1)),
        1.0,
        1,
        True,
    ),
    "shared, a gate by another vector": (
        m.dense_masked(shared=lambda g, x: gate(g, m.gated(g, x), g("Tanh", x), 1)),
        1.0,
        0,
        False,
    ),
    "shared, a gate for each column": (
        m.dense_masked(shared=lambda g, x: gate(g, m.gated(g, x), x, g.d)),
        1.0,
        0,
        False,
    ),
}


def views(g: m.Graph, y: str) -> str:
    for _ in range(5):
        y = g("Identity", y)
    return y


def gate(g: m.Graph, y: str, x: str, columns: int) -> str:
    return g("Mul", y, g("Sigmoid", m.linear(g, x, g.d, columns)))


@pytest.mark.parametrize("name", AFTER)
def test_what_follows_the_sum(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """A factor and shared experts of the same form belong to the layer, anything else does not."""
    block, scale, shared, gated = AFTER[name]
    path = write(tmp_path, block)
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert isinstance(layer, MoELayer)
    assert (layer.scale, len(layer.shared), layer.proof) == (scale, shared, "run")
    assert any(weight is not None for weight in layer.shared_gates) == gated
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_switch_times_a_vector(tmp_path: Path, runtime: Runtime) -> None:
    """What multiplies the sum of unweighted experts is no weight where it has many columns."""
    path = write(tmp_path, odd.unweighted_times_a_vector)
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.router.kind, layer.router.top_k, layer.proof) == ("argmax", 1, "run")
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def write(folder: Path, block: m.Ffn) -> Path:
    """A transformer with this block; opset 21 has integers of 4 bits."""
    return m.transformer(m.Graph(), [block]).model(folder / "m.onnx", m.LOGITS, opset=21)

"""Products of integers: rewritten when a file is opened, dense products on crossbars."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compiler.frontend import read_model
from ir.activation import Composed, rounds
from ir.formula import ITSELF, Formula, Number, Step
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_weight
from ir.semantics import joined
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.integers import DYNAMIC, PRODUCTS, STATIC_EXPERTS, dynamic, gated_by
from tests.compiler.frontend.left_digital import stored_elements

EXPERTS = m.EXPERTS * 3 * m.D * m.HIDDEN


def alone(folder: Path, product: Any, columns: int = 24) -> Path:
    """One product of x [1, tokens, 16]."""
    g = m.Graph()
    g.nodes.append(helper.make_node("Identity", [product(g, "x", m.D, columns)], ["y"]))
    inputs: Any = {"x": (TensorProto.FLOAT, [1, "tokens", m.D])}
    return g.model(folder / "m.onnx", {"y": [1, "tokens", columns]}, inputs)


def run(runtime: Runtime, model: bytes, x: Any) -> Any:
    return runtime.load(model).run({"x": x.astype(np.float32)}, ["y"])["y"]


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_same_numbers_as_the_file(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Whole numbers below 2^24 are exact in 32-bit floats: only scales are rounded otherwise."""
    path = alone(tmp_path, PRODUCTS[name])
    source = open_model(path)
    assert source.rewritten == (name != "QDQ")
    assert not any("Integer" in n.op_type or n.op_type.startswith("QG") for n in source.graph)
    assert len({n.name for n in source.graph}) == len(list(source.graph))
    x = np.random.default_rng(0).standard_normal((1, 9, m.D))
    ours, theirs = run(runtime, with_outputs(source, ["y"]), x), run(runtime, path.read_bytes(), x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_by_hand(tmp_path: Path, runtime: Runtime) -> None:
    """X = (0, 255, 51) is quantised with scale 1 and zero point 0, the matrix has zero point 3.

    0 * (1 - 3) + 255 * (5 - 3) + 51 * (2 - 3) = 459, times 0.5.
    """
    g = m.Graph()
    q, scale, zero = g.many("DynamicQuantizeLinear", "x", outputs=3)
    matrix, zeros = g.constant([[1], [5], [2]], np.int8), g.constant(3, np.int8)
    whole = g("Cast", g("MatMulInteger", q, matrix, zero, zeros), to=TensorProto.FLOAT)
    factor = g("Mul", scale, g.constant(0.5, np.float32))
    g.nodes.append(helper.make_node("Mul", [whole, factor], ["y"]))
    inputs: Any = {"x": (TensorProto.FLOAT, [1, "tokens", 3])}
    path = g.model(tmp_path / "m.onnx", {"y": [1, "tokens", 1]}, inputs)
    source = open_model(path)
    (dense,) = read_model(path, runtime=runtime).dense()
    assert load_weight(source, dense.weight).ravel().tolist() == [-2, 2, -1]
    assert dense.weight.bits == 8
    x: Any = np.array([[[0, 255, 51]]])
    assert run(runtime, with_outputs(source, ["y"]), x).item() == 229.5


@pytest.mark.parametrize("name", DYNAMIC)
def test_experts_with_one_scale_for_all_tokens(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """What an expert is quantised by depends on every token, so it is computed for every token."""
    path = m.write(tmp_path, [m.dense_masked(expert=gated_by(DYNAMIC[name]))])
    workload = read_model(path, runtime=runtime)
    assert not workload.moe_layers
    (note,) = workload.notes
    assert "one scale, so every token goes through every expert" in note
    assert workload.layers == 1  # a scale of all tokens is no attention
    assert workload.account.crossbar == 4 * m.D * m.D + EXPERTS + m.D * (m.VOCAB + m.EXPERTS)
    assert workload.account.elements == stored_elements(path)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-4


def test_experts_with_fixed_scales_are_experts(tmp_path: Path, runtime: Runtime) -> None:
    """Quantising is a part of the activation: of the gate (7 steps and silu), of the product."""
    path = m.write(tmp_path, [STATIC_EXPERTS])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, workload.notes) == ("run", ())
    assert layer.activation.text == "composed(9 operations | x | 7 operations)"
    assert rounds(layer.activation)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_a_product_is_quantised_by_hand() -> None:
    """(2 * 0.3 = 0.6) / 0.25 = 2.4, rounded 2, times 0.25; 9 / 0.25 = 36 is clipped at 31."""
    step = (Step("Div", (0, Number(0.25))), Step("Round", (1,)), Step("Min", (2, Number(31.0))))
    after = Formula((*step, Step("Mul", (3, Number(0.25)))))
    acted, up = np.array([[2.0, 9.0]]), np.array([[0.3, 1.0]])
    assert joined(Composed(ITSELF, ITSELF, after), acted, up).tolist() == [[0.5, 7.75]]
    assert joined(Composed(ITSELF), acted, up).tolist() == [[0.6, 9.0]]


def test_what_stays_as_it_is(tmp_path: Path) -> None:
    """No constant operand; a zero point for every row; opened as the file has it."""
    g = m.Graph()
    q, _, zero = g.many("DynamicQuantizeLinear", "x", outputs=3)
    turned = g("Transpose", q, perm=[0, 2, 1])
    made = g("MatMulInteger", q, turned, zero, zero)
    g.nodes.append(helper.make_node("Cast", [made], ["y"], to=TensorProto.FLOAT))
    inputs: Any = {"x": (TensorProto.FLOAT, [1, "tokens", m.D])}
    path = g.model(tmp_path / "m.onnx", {"y": [1, "tokens", "tokens"]}, inputs)
    assert not open_model(path).rewritten
    path = alone(tmp_path, dynamic)
    kept = open_model(path, as_it_is=True)
    assert not kept.rewritten
    assert "MatMulInteger" in {n.op_type for n in kept.graph}
    model = onnx.load(path)
    product = next(n for n in model.graph.node if n.op_type == "MatMulInteger")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(4, np.uint8), "rows"))
    product.input[2] = "rows"
    onnx.save(model, path)
    assert not open_model(path).rewritten

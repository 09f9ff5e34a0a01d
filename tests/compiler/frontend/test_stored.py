"""Matrices that constant nodes make of what is stored: read, proven, counted and executed."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compiler.frontend import read_model
from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph
from ir.errors import InputError
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.ternary import open_as
from ir.onnxdoor.weights import load_weight, stored_bytes
from ir.ternary import with_ternary_experts
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.left_digital import stored_elements
from tests.compiler.frontend.stored import STORED

ON_CROSSBARS = 4 * m.D * m.D + m.EXPERTS * 3 * m.D * m.HIDDEN + m.D * m.VOCAB


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("block", [m.dense_masked(), m.gather_batched()], ids=["apart", "stack"])
def test_every_form_is_read(name: str, block: m.Ffn, tmp_path: Path, runtime: Runtime) -> None:
    stored, bits = STORED[name]
    path = m.write(tmp_path, [block], stored=stored)
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, workload.notes) == ("run", ())
    assert {e.last.bits for e in layer.experts} == {bits}
    assert len(list(workload.dense())) == 5  # q, k, v, the out-projection and the head
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_scales_are_folded_and_every_number_is_counted_once(
    tmp_path: Path, runtime: Runtime
) -> None:
    """A scale for each 8 x 8 block: D = 16 and HIDDEN = 24 make 2 and 3 blocks, VOCAB = 32 4."""
    path = m.write(tmp_path, [m.dense_masked()], stored=STORED["fp8 blocks"][0])
    account = read_model(path, runtime=runtime).account
    assert account.crossbar == ON_CROSSBARS
    assert account.elements == stored_elements(path)
    scales = 4 * 2 * 2 + m.EXPERTS * 3 * 2 * 3 + 2 * 4  # of the matrices on crossbars
    beside = read_model(m.write(tmp_path, [m.dense_masked()], "plain"), runtime=runtime).account
    shapes = account.folded - beside.folded - scales
    assert 0 < shapes < account.folded  # the router's and the table's scales, shapes of Reshapes


def save(folder: Path, g: m.Graph, out: str) -> Path:
    """A product of x [1, tokens, 16] with the constant `out`."""
    g.nodes.append(helper.make_node("MatMul", ["x", out], ["y"], "product"))
    inputs: Any = {"x": (TensorProto.FLOAT, [1, "tokens", m.D])}
    return g.model(folder / "m.onnx", {"y": [1, "tokens", "columns"]}, inputs, opset=21)


@pytest.mark.parametrize("name", STORED)
def test_numbers_are_those_of_the_runtime(name: str, tmp_path: Path, runtime: Runtime) -> None:
    g = m.Graph(stored=STORED[name][0])
    path = save(tmp_path, g, g.weight(m.D, 24))
    source = open_model(path)
    (dense,) = read_model(path, runtime=runtime).dense()
    eye: Any = np.eye(m.D, dtype=np.float32)
    found = runtime.load(with_outputs(source, ["y"])).run({"x": eye[None]}, ["y"])["y"][0]
    np.testing.assert_allclose(load_weight(source, dense.weight), found, rtol=1e-6)


def test_blocks_by_hand(tmp_path: Path, runtime: Runtime) -> None:
    """1.5 in the second block of rows, whose scale is 0.5: 0.75."""
    g = m.Graph(stored=STORED["fp8 blocks"][0])
    values: Any = np.full((2, 8, 3, 8), 1.5)
    wide = g("Cast", g.constant(values, "float8_e4m3fn"), to=TensorProto.FLOAT)
    scale = np.array([[2.0] * 3, [0.5] * 3]).reshape(2, 1, 3, 1)
    made = g("Mul", wide, g.constant(scale, np.float32))
    path = save(tmp_path, g, g("Reshape", made, g.constant([16, 24])))
    source = open_model(path)
    (dense,) = read_model(path, runtime=runtime).dense()
    assert dense.weight.bits == 8
    assert stored_bytes(source, dense.weight.tensor) == 16 * 24 + 6 * 4 + 2 * 8
    matrix = load_weight(source, dense.weight)
    assert (matrix[:8] == 3).all() and (matrix[8:] == 0.75).all()


def test_a_scaled_matrix_cannot_be_ternary(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked()], stored=STORED["fp8 blocks"][0])
    workload = read_model(path, runtime=runtime)
    with pytest.raises(InputError, match="cannot be made ternary"):
        open_as(path, with_ternary_experts(workload))


def test_a_random_matrix_is_no_constant(tmp_path: Path) -> None:
    g = m.Graph()
    noise = g("RandomNormal", shape=[m.D, 24])
    path = save(tmp_path, g, g("Mul", noise, g.constant(np.ones((m.D, 24)), np.float32)))
    assert Facts.of(Graph.of(open_model(path))).products.by_node == {}


def test_a_stack_that_two_scale_otherwise(tmp_path: Path, runtime: Runtime) -> None:
    """One stored matrix, dequantised twice with scales 0.5 and 0.25: two matrices."""
    g = m.Graph()
    stored = g.constant(np.full((m.D, m.D), 4), np.int8)
    one = g("DequantizeLinear", stored, g.constant(0.5, np.float32))
    two = g("DequantizeLinear", stored, g.constant(0.25, np.float32))
    path = save(tmp_path, g, one)
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("MatMul", ["y", two], ["z"], "second"))
    model.graph.output.append(
        helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, "tokens", m.D])
    )
    onnx.save(model, path)
    source = open_model(path)
    found = [load_weight(source, d.weight)[0, 0] for d in read_model(path, runtime=runtime).dense()]
    assert found == [2.0, 1.0]

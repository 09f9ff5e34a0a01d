"""Packed products run as products of 32-bit floats."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor import unpack
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.packing import Packing, unpack_matrix
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_weight
from ir.workload import Weight
from tests.compiler.frontend import models as m

K, N, BLOCK = 32, 6, 16


def product(folder: Path, *, biased: bool) -> Path:
    """Y = x @ W (+ b), W of 4 bits, of which ONNX Runtime is told to round x to 8 bits."""
    random = np.random.default_rng(0)
    tensors: dict[str, Array] = {
        "q": random.integers(0, 256, (N, K // BLOCK, BLOCK // 2), dtype=np.uint8),
        "s": random.uniform(0.5, 1.5, N * K // BLOCK).astype(np.float32),
    }
    inputs = ["x", "q", "s"]
    if biased:
        tensors["b"] = random.standard_normal(N).astype(np.float32)
        inputs += ["", "", "b"]
    node = helper.make_node(
        "MatMulNBits",
        inputs,
        ["y"],
        "p",
        domain="com.microsoft",
        K=K,
        N=N,
        bits=4,
        block_size=BLOCK,
        accuracy_level=4,
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", K])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", N])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize("biased", [False, True])
def test_product(biased: bool, tmp_path: Path, runtime: Runtime) -> None:
    """Unpacked it is x @ W + b to 1e-6, and not what ONNX Runtime gives with x rounded."""
    source = open_model(product(tmp_path, biased=biased))
    x = np.random.default_rng(1).standard_normal((9, K)).astype(np.float32)
    bias = source.graph.initializers["b"].const_value if biased else None
    wanted = x @ load_weight(source, Weight("q", K, N, 4, transposed=True))
    wanted += 0 if bias is None else bias.numpy()
    own, exact = (
        runtime.load(with_outputs(source, ["y"], unpacked=unpacked)).run({"x": x}, ["y"])["y"]
        for unpacked in (False, True)
    )
    size = np.abs(wanted).max()
    assert np.abs(exact - wanted).max() < 1e-6 * size
    assert 1e-4 * size < np.abs(own - wanted).max() < 0.05 * size


def moe(folder: Path, bits: int, block: int) -> Path:
    """One QMoE layer, alone: y = layer(x), its gates and ups interleaved."""
    g = m.Graph(d=32)
    g.experts, g.top, g.hidden = 5, 2, 16
    out = m.quantised_contract(bits, block)(g, "x")
    return g.model(folder / "m.onnx", {out: ["n", 32]}, {"x": (1, ["n", 32])})


@pytest.mark.parametrize(("bits", "block"), [(4, 0), (4, 16), (8, 0), (8, 16)])
def test_experts(bits: int, block: int, tmp_path: Path, runtime: Runtime) -> None:
    """As ONNX Runtime has it, except by blocks of 8 bits, where it rounds x: 1e-3 and more off."""
    source = open_model(moe(tmp_path, bits, block))
    name = source.graph.outputs[0].name or ""
    x = np.random.default_rng(1).standard_normal((20, 32)).astype(np.float32)
    own, exact = (
        runtime.load(with_outputs(source, [name], unpacked=unpacked)).run({"x": x}, [name])[name]
        for unpacked in (False, True)
    )
    off = np.abs(own - exact).max() / np.abs(exact).max()
    assert off < 1e-5 if (bits, block) != (8, 16) else 1e-3 < off < 0.3


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("g_idx", np.arange(K, dtype=np.int32)),
        ("bits", 3),
    ],
)
def test_what_cannot_be_read_stays(change: str, value: Any, tmp_path: Path) -> None:
    """Columns in another order, or three bits, of which no whole number fills a byte."""
    path = product(tmp_path, biased=False)
    model = onnx.load(path)
    (node,) = model.graph.node
    if change == "g_idx":
        model.graph.initializer.append(numpy_helper.from_array(value, change))
        node.input.extend(["", change])
    else:
        next(a for a in node.attribute if a.name == change).i = value
    onnx.save(model, path)
    assert kinds(open_model(path), unpacked=True) == ["MatMulNBits"]


def kinds(source: Any, *, unpacked: bool) -> list[str]:
    found = onnx.ModelProto.FromString(with_outputs(source, ["y"], unpacked=unpacked))
    return [node.op_type for node in found.graph.node]


def test_one_tensor_with_two_scales_stays(tmp_path: Path) -> None:
    """A weight names its tensor alone, so neither product is read: both would take one's scales."""
    path = product(tmp_path, biased=False)
    model = onnx.load(path)
    first = model.graph.node[0]
    scales = numpy_helper.to_array(model.graph.initializer[1])
    model.graph.initializer.append(numpy_helper.from_array(2 * scales, "s2"))
    other = onnx.NodeProto.FromString(first.SerializeToString())
    other.name, other.input[2], first.output[0], other.output[0] = "p2", "s2", "y1", "y2"
    model.graph.node.append(other)
    model.graph.node.append(helper.make_node("Add", ["y1", "y2"], ["y"]))
    onnx.save(model, path)
    source = open_model(path)
    assert kinds(source, unpacked=True) == ["MatMulNBits", "MatMulNBits", "Add"]
    with pytest.raises(InputError, match="'q': packed in a way that is not read"):
        load_weight(source, Weight("q", K, N, 4, transposed=True))


@pytest.mark.parametrize("bits", [4, 8])
def test_zero_points_packed_along_the_rows(bits: int, tmp_path: Path, runtime: Runtime) -> None:
    """QMoE without blocks has one zero point a row: [experts, rows * bits / 8] bytes."""
    path = moe(tmp_path, bits, 0)
    model = onnx.load(path)
    (node,) = [n for n in model.graph.node if n.op_type == "QMoE"]
    random = np.random.default_rng(2)
    node.input.extend([""] * (11 - len(node.input)))
    for name, rows in (("z1", 32), ("z2", 32)):
        zeros = random.integers(0, 256, (5, rows * bits // 8), dtype=np.uint8)
        model.graph.initializer.append(numpy_helper.from_array(zeros, name))
        node.input.append(name)
    onnx.save(model, path)
    source = open_model(path)
    name = source.graph.outputs[0].name or ""
    x = random.standard_normal((20, 32)).astype(np.float32)
    own, exact = (
        runtime.load(with_outputs(source, [name], unpacked=unpacked)).run({"x": x}, [name])[name]
        for unpacked in (False, True)
    )
    assert np.abs(own - exact).max() < 1e-5 * np.abs(exact).max()


def test_one_tensor_of_two_products(tmp_path: Path, runtime: Runtime) -> None:
    """Tied weights, scaled alike: unpacked once, read twice."""
    path = product(tmp_path, biased=False)
    model = onnx.load(path)
    first = model.graph.node[0]
    other = onnx.NodeProto.FromString(first.SerializeToString())
    other.name, first.output[0], other.output[0] = "p2", "y1", "y2"
    model.graph.node.append(other)
    model.graph.node.append(helper.make_node("Add", ["y1", "y2"], ["y"]))
    onnx.save(model, path)
    source = open_model(path)
    data = with_outputs(source, ["y"], unpacked=True)
    names = [tensor.name for tensor in onnx.ModelProto.FromString(data).graph.initializer]
    assert names == ["q/unpacked"]
    x = np.eye(K, dtype=np.float32)
    wanted = 2 * load_weight(source, Weight("q", K, N, 4, transposed=True))
    np.testing.assert_allclose(runtime.load(data).run({"x": x}, ["y"])["y"], wanted, rtol=1e-6)


def test_too_large_stays_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """32 x 6 weights of 4 bits are 768 bytes in 32."""
    source = open_model(product(tmp_path, biased=False))
    monkeypatch.setattr(unpack, "MAX_BYTES", 768)
    assert kinds(source, unpacked=True) == ["MatMul"]
    monkeypatch.setattr(unpack, "MAX_BYTES", 767)
    assert kinds(source, unpacked=True) == ["MatMulNBits"]
    assert kinds(source, unpacked=False) == ["MatMulNBits"]


def test_a_packed_tensor_that_others_read_as_bytes_stays(tmp_path: Path) -> None:
    """Unpacked it would be there twice, and a weight names its tensor alone."""
    path = product(tmp_path, biased=False)
    model = onnx.load(path)
    model.graph.node[0].output[0] = "z"
    model.graph.node.append(helper.make_node("Cast", ["q"], ["wide"], to=TensorProto.FLOAT))
    model.graph.node.append(helper.make_node("ReduceMax", ["wide"], ["most"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["z", "most"], ["y"]))
    onnx.save(model, path)
    assert "MatMulNBits" in kinds(open_model(path), unpacked=True)


def test_zero_points_that_are_not_packed_by_hand() -> None:
    """Two elements of 4 bits, 1 and 2, minus 0.5, times 2: 1 and 3."""
    how = Packing(bits=4, scales="s", zeros="z", block=2)
    packed, two = np.array([[0x21]], dtype=np.uint8), np.array([2.0])
    assert unpack_matrix(packed, two, np.array([0.5]), 2, how).tolist() == [[1.0, 3.0]]

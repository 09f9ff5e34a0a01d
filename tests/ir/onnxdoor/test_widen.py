"""16-bit floats opened as 32-bit ones: same numbers, same file, no rounding between nodes."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_weight, stored_bytes
from ir.onnxdoor.widen import as_stored
from ir.workload import Weight

KINDS = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def saved(folder: Path, kind: int) -> Path:
    """Y = if go then (x / 3) * 3 else x, as `kind`, with every place where a type may stand."""
    three = numpy_helper.from_array(np.array(3, helper.tensor_dtype_to_np_dtype(kind)), "three")
    zero = helper.make_tensor("zero", kind, [1], [0])
    then = helper.make_graph(
        [helper.make_node("Mul", ["third", "three"], ["product"], name="product")],
        "then",
        [],
        [helper.make_tensor_value_info("product", kind, ["n"])],
    )
    other = helper.make_graph(
        [helper.make_node("Cast", ["x32"], ["back"], name="back", to=kind)],
        "other",
        [],
        [helper.make_tensor_value_info("back", kind, ["n"])],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x32"], ["x"], name="cast", to=kind),
            helper.make_node("Div", ["x", "three"], ["third"], name="div"),
            helper.make_node("If", ["go"], ["out"], name="if", then_branch=then, else_branch=other),
            helper.make_node("Shape", ["x"], ["n"], name="shape"),
            helper.make_node("ConstantOfShape", ["n"], ["zeros"], name="zeros", value=zero),
            helper.make_node("Add", ["out", "zeros"], ["y"], name="add"),
        ],
        "g",
        [
            helper.make_tensor_value_info("x32", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", kind, ["n"])],
        [three],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize("kind", KINDS)
def test_every_value_has_32_bits(kind: int, tmp_path: Path, runtime: Runtime) -> None:
    """X / 3 * 3 is x to 2^-23, where 16 bits would give 11 or 8 of them.

    Attributes, stored tensors, what a subgraph reads and makes, inputs and outputs: one left in 16
    bits would be refused as another type than its neighbours'.
    """
    source = open_model(saved(tmp_path, kind))
    assert source.widened
    x = np.array([1 / 3, 1.1, 7.7], np.float32)
    model = runtime.load(with_outputs(source, ["y"]))
    for go in (True, False):
        y = model.run({"x32": x, "go": np.array(go)}, ["y"])["y"]
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, x, rtol=2e-7)


def test_as_it_is(tmp_path: Path, runtime: Runtime) -> None:
    """Without widening 1.1 is rounded to 11 bits."""
    source = open_model(saved(tmp_path, TensorProto.FLOAT16), as_it_is=True)
    assert not source.widened
    fed = {"x32": np.array([1.1], np.float32), "go": np.array(False)}
    y = runtime.load(with_outputs(source, ["y"])).run(fed, ["y"])["y"]
    assert y.dtype == np.float16
    assert y[0] == np.float16(1.1)


def test_weights_keep_their_size(tmp_path: Path) -> None:
    """Computed with in 32 bits, read and passed on as 16: a part is no larger than the file."""
    w = np.random.default_rng(0).standard_normal((64, 32)).astype(np.float16)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, ["n", 32])],
        [numpy_helper.from_array(w, "w")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, tmp_path / "m.onnx")
    source = open_model(tmp_path / "m.onnx")
    found = load_weight(source, Weight("w", 64, 32, 16))
    assert found.dtype == np.float16
    assert np.array_equal(found, w)
    assert stored_bytes(source, "w") == w.nbytes
    tensor = source.graph.initializers["w"].const_value
    assert tensor is not None
    assert as_stored(tensor).dtype.bitwidth == 16
    assert len(with_outputs(source, ["y"])) < w.nbytes + 500


def test_weights_that_are_cast_stay(tmp_path: Path) -> None:
    """Stored in 16 bits, computed with in 32: there is nothing to widen."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["w"], ["w32"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["x", "w32"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.array([2], np.float16), "w")],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, tmp_path / "m.onnx")
    source = open_model(tmp_path / "m.onnx")
    assert not source.widened
    tensor = source.graph.initializers["w"].const_value
    assert tensor is not None
    assert tensor.dtype.bitwidth == 16


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.FLOAT])
def test_a_tensor_in_an_attribute(kind: int, tmp_path: Path) -> None:
    """ConstantOfShape makes what its attribute's type is: 32 bits, from 16 or as it was."""
    value = helper.make_tensor("v", kind, [1], [0.5])
    graph = helper.make_graph(
        [
            helper.make_node("Shape", ["x"], ["n"]),
            helper.make_node("ConstantOfShape", ["n"], ["y"], value=value),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", kind, ["n"])],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(proto, tmp_path / "m.onnx")
    source = open_model(tmp_path / "m.onnx")
    assert source.widened == (kind == TensorProto.FLOAT16)
    made = source.nodes[1].attributes["value"].as_tensor()
    assert (str(made.dtype), made.numpy().tolist()) == ("FLOAT", [0.5])

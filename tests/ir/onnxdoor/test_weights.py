"""Packed and scaled matrices, dequantised by hand and by ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ir.errors import InputError
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_weight, stored_bytes
from ir.workload import Weight


def save(tmp_path: Path, node: onnx.NodeProto, width: int, **tensors: np.ndarray) -> Path:
    graph = helper.make_graph(
        [node]
        if node.op_type != "DequantizeLinear"
        else [
            node,
            helper.make_node("MatMul", ["x", "w"], ["y"], "product"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def matrix_by_running(path: Path, width: int) -> np.ndarray:
    """The matrix that the model multiplies by: the identity goes in."""
    with Runtime() as runtime:
        model = runtime.load(with_outputs(open_model(path), ["y"]))
        return model.run({"x": np.eye(width, dtype=np.float32)}, ["y"])["y"]


def test_four_bits_by_hand(tmp_path: Path) -> None:
    """K = 16, N = 1, one block: byte 0xF0 holds element 0 = 0 (low) and element 1 = 15 (high).

    w = (q - 8) * 0.5: -4 and 3.5; the other elements are 8, so 0.
    """
    packed = np.full((1, 1, 8), 0x88, dtype=np.uint8)
    packed[0, 0, 0] = 0xF0
    node = helper.make_node(
        "MatMulNBits",
        ["x", "q", "s"],
        ["y"],
        "p",
        domain="com.microsoft",
        K=16,
        N=1,
        bits=4,
        block_size=16,
    )
    path = save(tmp_path, node, 16, q=packed, s=np.array([0.5], dtype=np.float32))
    found = load_weight(open_model(path), Weight("q", 16, 1, bits=4, transposed=True))
    assert found[:, 0].tolist() == [-4.0, 3.5] + [0.0] * 14


def test_four_bits_with_zero_points_as_run(tmp_path: Path) -> None:
    """K = 32 in two blocks of 16, N = 6; zero points packed two to a byte."""
    rng = np.random.default_rng(0)
    node = helper.make_node(
        "MatMulNBits",
        ["x", "q", "s", "z"],
        ["y"],
        "p",
        domain="com.microsoft",
        K=32,
        N=6,
        bits=4,
        block_size=16,
    )
    path = save(
        tmp_path,
        node,
        32,
        q=rng.integers(0, 256, (6, 2, 8), dtype=np.uint8),
        s=rng.uniform(0.5, 1.5, 12).astype(np.float32),
        z=rng.integers(0, 256, 6, dtype=np.uint8),
    )
    found = load_weight(open_model(path), Weight("q", 32, 6, bits=4, transposed=True))
    assert np.allclose(found, matrix_by_running(path, 32), atol=1e-4)


def test_scales_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    """N = 6 rows of two blocks have 12 scales, not 11."""
    node = helper.make_node(
        "MatMulNBits",
        ["x", "q", "s"],
        ["y"],
        "p",
        domain="com.microsoft",
        K=32,
        N=6,
        bits=4,
        block_size=16,
    )
    path = save(
        tmp_path,
        node,
        32,
        q=np.zeros((6, 2, 8), dtype=np.uint8),
        s=np.ones(11, dtype=np.float32),
    )
    found = r"tensor 'q': elements \[6, 2, 8\], scales \[11\] do not fit each other, for 32 rows"
    with pytest.raises(InputError, match=found):
        load_weight(open_model(path), Weight("q", 32, 6, bits=4, transposed=True))
    with pytest.raises(InputError, match=found):
        with_outputs(open_model(path), ["y"], unpacked=True)


def test_scale_per_column_as_run(tmp_path: Path) -> None:
    """DequantizeLinear along axis 1 with zero points: w[:, n] = (q[:, n] - z[n]) * s[n]."""
    rng = np.random.default_rng(0)
    node = helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], "d", axis=1)
    path = save(
        tmp_path,
        node,
        8,
        q=rng.integers(-128, 127, (8, 5), dtype=np.int8),
        s=rng.uniform(0.5, 1.5, 5).astype(np.float32),
        z=rng.integers(-5, 5, 5, dtype=np.int8),
    )
    source = open_model(path)
    assert np.allclose(load_weight(source, Weight("q", 8, 5, bits=8)), matrix_by_running(path, 8))
    assert stored_bytes(source, "q") == 8 * 5


def test_scale_per_block_as_run(tmp_path: Path) -> None:
    """Blocks of 4 along axis 0: rows 0 to 3 have the first scale, 4 to 7 the second."""
    rng = np.random.default_rng(0)
    node = helper.make_node("DequantizeLinear", ["q", "s"], ["w"], "d", axis=0, block_size=4)
    path = save(
        tmp_path,
        node,
        8,
        q=rng.integers(-128, 127, (8, 5), dtype=np.int8),
        s=rng.uniform(0.5, 1.5, (2, 5)).astype(np.float32),
    )
    found = load_weight(open_model(path), Weight("q", 8, 5, bits=8))
    assert np.allclose(found, matrix_by_running(path, 8))


def test_a_matrix_among_axes_of_one(tmp_path: Path) -> None:
    """[1, 2, 1, 3] holds [2, 3]; [2, 2, 3] holds two, and which one a weight has to say."""
    stored = np.arange(6, dtype=np.float32).reshape(1, 2, 1, 3)
    node = helper.make_node("Add", ["x", "w"], ["y"])
    source = open_model(save(tmp_path, node, 3, w=stored))
    assert load_weight(source, Weight("w", 2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    source = open_model(save(tmp_path, node, 3, w=np.stack([stored, stored])))
    with pytest.raises(InputError, match=r"tensor 'w': \[2, 1, 2, 1, 3\], expected 2 axes"):
        load_weight(source, Weight("w", 2, 3))


def test_the_bytes_of_no_tensor(tmp_path: Path) -> None:
    source = open_model(save(tmp_path, helper.make_node("Relu", ["x"], ["y"]), 3, w=np.zeros(2)))
    with pytest.raises(InputError, match="no stored tensor 'v'"):
        stored_bytes(source, "v")


def test_computed_constants_are_held_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of 24 bytes where 40 are held: the first makes room, and is computed again."""
    nodes = [helper.make_node("Neg", ["w"], ["a"]), helper.make_node("Abs", ["w"], ["b"])]
    nodes.append(helper.make_node("Sum", ["x", "a", "b"], ["y"]))
    w = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    path = save(tmp_path, helper.make_node("Relu", ["x"], ["y"]), 3, w=w)
    model = onnx.load(path)
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    source = open_model(path)
    monkeypatch.setattr("ir.onnxdoor.computed.HELD_BYTES", 40)
    for name, wanted in (("a", -w), ("b", w), ("a", -w)):
        assert load_weight(source, Weight(name, 2, 3)).tolist() == wanted.tolist()
        assert list(source.computed) == [name]

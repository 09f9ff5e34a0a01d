"""Which If, Loop and Scan are opened into the main graph, and which stay as they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.hostile.build import FLOAT, INT, N, model, tensor
from tests.ir.onnxdoor.checks.test_control import SELECTED, STORED, graph, loop, scan, when

X = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype=np.float32)


def saved(folder: Path, nodes: Sequence[onnx.NodeProto], **stored: np.ndarray) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model(nodes, STORED | stored).SerializeToString())
    return path


def operators(path: Path) -> set[str]:
    return {node.op_type for node in open_model(path).graph}


def ending(last: onnx.TensorProto) -> onnx.NodeProto:
    """A Loop whose body gives a stored condition: sum @ w as long as that is true."""
    given = [("i", INT), ("on", TensorProto.BOOL), ("sum", FLOAT)]
    body = graph(given, ["last", "made"], N("MatMul", ["sum", "w"], ["made"]))
    body.initializer.append(last)
    return N("Loop", ["rounds", "", "x"], ["y"], "again", body=body)


@pytest.mark.parametrize("go", [True, False])
def test_a_condition_that_a_body_stores(go: bool, tmp_path: Path, runtime: Runtime) -> None:
    """Two rounds of x @ ones [4, 4]: 16 times the sum of a row; one where the first says no."""
    path = saved(tmp_path, [ending(tensor(np.array(go), "last", np.bool_))])
    assert ("Loop" in operators(path)) == (not go)
    found = runtime.load(with_outputs(open_model(path), ["y"])).run({"x": X}, ["y"])["y"]
    factor = 4 if go else 1  # the second round sums four equal numbers
    assert found.tolist() == [[10 * factor] * 4, [26 * factor] * 4]


def test_a_loop_beside_an_operator_of_another_domain(tmp_path: Path) -> None:
    gelu = N("Gelu", ["x"], ["sum"], domain="com.microsoft")
    found = operators(saved(tmp_path, [gelu, loop(["rounds", "", "sum"])]))
    assert {"Gelu", "MatMul"} <= found
    assert "Loop" not in found


@pytest.mark.parametrize("rounds", [0, 1025, [2, 2], []])
def test_rounds_that_are_none_or_too_many_to_unroll(rounds: object, tmp_path: Path) -> None:
    """At most 1024; of two numbers, or none, ONNX Runtime says what it thinks of them."""
    path = saved(tmp_path, [loop(["rounds", "", "x"])], rounds=np.array(rounds))
    assert "Loop" in operators(path)


def test_a_loop_without_a_condition_input(tmp_path: Path, runtime: Runtime) -> None:
    """Only the number of rounds is given, and each stacks x @ w."""
    body = graph([("i", INT), ("on", TensorProto.BOOL)], ["on", "made"])
    path = saved(tmp_path, [N("Loop", ["rounds"], ["y"], "again", body=body)])
    assert "Loop" not in operators(path)
    found = runtime.load(with_outputs(open_model(path), ["y"])).run({"x": X}, ["y"])["y"]
    assert found.tolist() == [[[10] * 4, [26] * 4]] * 2


def test_a_scan_of_nothing_stored(tmp_path: Path) -> None:
    """How many rounds that is no one knows before it runs; nor is a number a list of matrices."""
    body = graph([("row", FLOAT)], ["made"], N("MatMul", ["row", "w"], ["made"]))
    over_x = N("Scan", ["x"], ["y"], "each", body=body, num_scan_inputs=1)
    assert "Scan" in operators(saved(tmp_path, [over_x]))
    over_one = scan(["stack"], num_scan_inputs=1)
    assert "Scan" in operators(saved(tmp_path, [over_one], stack=np.array(1.0)))


def test_a_scan_without_products(tmp_path: Path) -> None:
    body = graph([("matrix", FLOAT)], ["made"], N("Relu", ["matrix"], ["made"]))
    node = N("Scan", ["stack"], ["y"], "each", body=body, num_scan_inputs=1)
    assert "Scan" in operators(saved(tmp_path, [node]))


def test_a_branch_of_no_rows(tmp_path: Path) -> None:
    """Where no token is routed to the expert its If gives an empty array: no other's shape."""
    light = graph([], ["none"], N("Identity", ["empty"], ["none"]))
    light.node.pop()
    light.output[0].name = "empty"
    light.initializer.append(tensor(np.zeros((0, 4)), "empty"))
    assert "If" in operators(saved(tmp_path, [*SELECTED, when("any", else_branch=light)]))


def test_types_that_the_file_declares_are_kept(tmp_path: Path) -> None:
    """Of an output, and of a value between."""
    nodes = [loop(["rounds", "", "x"]), N("Relu", ["y"], ["z"])]
    proto = model(nodes, STORED)
    proto.graph.value_info.append(helper.make_tensor_value_info("y", FLOAT, [2, 4]))
    proto.graph.output[0].name = "z"
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    value = open_model(tmp_path / "model.onnx").values["y"]
    assert (str(value.dtype), str(value.shape)) == ("FLOAT", "[2,4]")

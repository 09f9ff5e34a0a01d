"""If, Loop and Scan whose graphs do not fit them are refused by name, those that do are opened."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ir.errors import InputError
from ir.onnxdoor.load import open_model
from tests.hostile.build import FLOAT, INT, N, model

BOOL = TensorProto.BOOL
STORED = {
    "w": np.ones((4, 4)),
    "stack": np.ones((3, 4, 4)),
    "rounds": np.array(2),
    "one": np.array([1]),
    "zero": np.array(0.0),
}
SELECTED = [
    N("TopK", ["x", "one"], ["best", "which"], axis=1),
    N("ReduceMax", ["best"], ["most"], keepdims=0),
    N("Greater", ["most", "zero"], ["any"]),
]


def graph(
    inputs: Sequence[tuple[str, int]], outputs: Sequence[str], *nodes: onnx.NodeProto
) -> onnx.GraphProto:
    """Those nodes, or made = x @ w."""
    ends = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
    begins = [  # the round and the condition are single
        helper.make_tensor_value_info(name, kind, None if kind == FLOAT else [])
        for name, kind in inputs
    ]
    return helper.make_graph(nodes or [N("MatMul", ["x", "w"], ["made"])], "inner", begins, ends)


PRODUCT = graph([], ["made"])
LIGHT = graph([], ["light"], N("Relu", ["x"], ["light"]))


def when(*inputs: str, **branches: Any) -> onnx.NodeProto:
    return N("If", inputs, ["y"], "choose", then_branch=PRODUCT, **branches)


def loop(inputs: Sequence[str], outputs: Sequence[str] = ("on", "made")) -> onnx.NodeProto:
    """Of a body that takes the round, the condition and one value."""
    given = [("i", INT), ("on", BOOL), ("sum", FLOAT)]
    nodes = N("MatMul", ["sum", "w"], ["made"])
    return N("Loop", inputs, ["y"], "again", body=graph(given, outputs, nodes))


def scan(inputs: Sequence[str], outputs: Sequence[str] = ("made",), **said: Any) -> onnx.NodeProto:
    nodes = N("MatMul", ["x", "matrix"], ["made"])
    return N("Scan", inputs, ["y"], "each", body=graph([("matrix", FLOAT)], outputs, nodes), **said)


WRONG = {
    "node 'choose' (If): else_branch: missing, expected a graph": when("any"),
    "node 'choose' (If): an input is missing": when(else_branch=LIGHT),
    "node 'choose' (If): else_branch: 0 outputs, expected 1": when(
        "any", else_branch=graph([], [])
    ),
    "node 'choose' (If): else_branch: 1 inputs, expected 0": when(
        "any", else_branch=graph([("more", FLOAT)], ["made"])
    ),
    "node 'again' (Loop): an input is missing": loop(["rounds", "", ""]),
    "node 'again' (Loop): body: 3 inputs, expected 2": loop([]),
    "node 'again' (Loop): body: 3 inputs, expected 4": loop(["rounds", "", "x", "x"]),
    "node 'again' (Loop): body: 3 outputs, expected 2": loop(
        ["rounds", "", "x"], ["on", "made", "made"]
    ),
    "node 'again' (Loop): body: missing, expected a graph": N(
        "Loop", ["rounds", "", "x"], ["y"], "again"
    ),
    "node 'each' (Scan): num_scan_inputs: missing, expected 1 to 1, its inputs": scan(["stack"]),
    "node 'each' (Scan): num_scan_inputs: 2, expected 1 to 1, its inputs": scan(
        ["stack"], num_scan_inputs=2
    ),
    "node 'each' (Scan): num_scan_inputs: 0, expected 1 to 1, its inputs": scan(
        ["stack"], num_scan_inputs=0
    ),
    "node 'each' (Scan): body: 0 outputs, expected 1": scan(["stack"], (), num_scan_inputs=1),
    "node 'each' (Scan): body: 1 inputs, expected 2": scan(["x", "stack"], num_scan_inputs=1),
    "node 'each' (Scan): an input is missing": scan(["", "stack"], num_scan_inputs=1),
}
RIGHT = {
    "If": [*SELECTED, when("any", else_branch=LIGHT)],
    "Loop": [loop(["rounds", "", "x"])],
    "Scan": [scan(["stack"], num_scan_inputs=1)],
}


def saved(folder: Path, nodes: Sequence[onnx.NodeProto], **more: Any) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model(nodes, STORED, **more).SerializeToString())
    return path


@pytest.mark.parametrize("says", WRONG)
def test_a_graph_that_does_not_fit_its_node(says: str, tmp_path: Path) -> None:
    nodes = [*(SELECTED if "(If)" in says else ()), WRONG[says]]
    with pytest.raises(InputError) as found:
        open_model(saved(tmp_path, nodes))
    assert found.value.problem == says


@pytest.mark.parametrize("kind", RIGHT)
def test_a_graph_that_fits_is_opened(kind: str, tmp_path: Path) -> None:
    source = open_model(saved(tmp_path, RIGHT[kind]))
    assert source.rewritten
    assert kind not in {node.op_type for node in source.graph}


def test_a_scan_of_opset_8_is_another_operator(tmp_path: Path) -> None:
    """Its first input, here left out, is the lengths of sequences, and a batch is around it all."""
    source = open_model(saved(tmp_path, [scan(["", "stack"], num_scan_inputs=1)], opset=8))
    assert [node.op_type for node in source.graph] == ["Scan"]

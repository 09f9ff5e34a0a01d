"""onnx's own C++ in a child process: what it refuses, and nodes on which it dies."""

import signal
import time
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ir.errors import InputError, RuntimeLostError
from ir.limits import Limits
from ir.onnxdoor.processes import onnx_process
from ir.onnxdoor.processes.child import DiedError
from ir.onnxdoor.processes.onnx_process import OnnxProcess, check_nodes, infer_outputs
from ir.onnxdoor.processes.serving import Message

OPSET = helper.make_opsetid("", 18)
VERSIONS = onnx.ModelProto(opset_import=[OPSET], ir_version=9)
RELU = helper.make_node("Relu", ["x"], ["y"], name="fine")
NO_INPUT = helper.make_node("Relu", [], ["y"], name="bare")
# onnx 1.19 to 1.23 looks for the length of an output that there is none of, and aborts
CRASHING = helper.make_node("Split", ["x"], ["a", "b"], name="cut", num_outputs=1, axis=0)
TYPES = {"x": helper.make_tensor_type_proto(TensorProto.FLOAT, [10, 4])}


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[OnnxProcess]:
    """One of its own for a test."""
    with OnnxProcess(Limits.in_force()) as own:
        monkeypatch.setattr(onnx_process, "_process", lambda limits: own)
        yield own


@pytest.mark.parametrize("at", [0, 1, 2, 4])
def test_the_first_node_that_does_not_fit_is_named(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five nodes in requests of two, a second one that does not fit after it."""
    monkeypatch.setattr(onnx_process, "NODES", 2)
    nodes = [RELU] * 5
    nodes[at:] = [NO_INPUT] * (5 - at)
    told = r"m\.onnx: node 'bare' \(Relu\): Node\(bare\) .* has input size 0 not in range"
    with pytest.raises(InputError, match=told):
        check_nodes(VERSIONS, nodes, "m.onnx")
    check_nodes(VERSIONS, [RELU] * 5, "m.onnx")
    check_nodes(VERSIONS, [], "m.onnx")


def test_large_nodes_are_asked_by_themselves(
    process: OnnxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()
    check = OnnxProcess.check

    def counted(self: OnnxProcess, given: onnx.ModelProto, where: str) -> object:
        asked.append(len(given.graph.node))
        return check(self, given, where)

    monkeypatch.setattr(OnnxProcess, "check", counted)
    monkeypatch.setattr(onnx_process, "BYTES", RELU.ByteSize())
    check_nodes(VERSIONS, [RELU] * 5, "m.onnx")
    assert asked == [2, 2, 1]


def test_outputs_are_inferred() -> None:
    """[10, 4] reshaped to [-1, 8], whose contents are known; nothing where it does not fit."""
    node = helper.make_node("Reshape", ["x", "to"], ["y"], name="r")
    types = TYPES | {"to": helper.make_tensor_type_proto(TensorProto.INT64, [2])}
    for to, shape in (([-1, 8], [5, 8]), ([-1, -1], None)):
        held = [numpy_helper.from_array(np.array(to, np.int64), "to")]
        found = infer_outputs(node, OPSET, types, held, "m.onnx")
        dims = [d.dim_value for d in found["y"].tensor_type.shape.dim] if found else None
        assert dims == shape
    unknown = helper.make_node("Nothing", ["x"], ["y"])
    assert infer_outputs(unknown, OPSET, TYPES, [], "m.onnx") == {}


def test_a_node_that_ends_the_process_is_refused() -> None:
    """The next one is answered."""
    told = r"m\.onnx: node 'cut' \(Split\): onnx's own code ends its process on it, twice"
    with pytest.raises(InputError, match=told):
        infer_outputs(CRASHING, OPSET, TYPES, [], "m.onnx")
    assert infer_outputs(RELU, OPSET, TYPES, [], "m.onnx") == {"y": TYPES["x"]}


def test_a_node_that_ends_the_process_is_found_among_others(
    process: OnnxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is known to do so in a check: one that is made up."""

    def ask(self: OnnxProcess, request: Message, where: str) -> Message:
        nodes = onnx.ModelProto.FromString(request.blob).graph.node
        if any(node.op_type == "Split" for node in nodes):
            raise DiedError(where, "died", "")
        return Message({"node": 0 if nodes[0].name == "bare" else None, "reason": "bare"})

    monkeypatch.setattr(OnnxProcess, "ask", ask)
    with pytest.raises(InputError, match="node 'cut'"):
        check_nodes(VERSIONS, [RELU, CRASHING, NO_INPUT], "m.onnx")
    with pytest.raises(InputError, match="node 'bare'"):
        check_nodes(VERSIONS, [RELU, NO_INPUT, CRASHING], "m.onnx")


def test_one_that_does_not_answer_is_ended_and_the_next_one_does(
    process: OnnxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_seconds", 0.3)
    process._process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    with pytest.raises(RuntimeLostError, match=r"m\.onnx: onnx took over 0\.3 s"):
        check_nodes(VERSIONS, [RELU], "m.onnx")
    assert time.monotonic() - begun < 20
    monkeypatch.setattr(process, "_seconds", 60.0)
    check_nodes(VERSIONS, [RELU], "m.onnx")


def test_each_setting_of_limits_has_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """One begun under tight limits is not left for those who raised them."""
    check_nodes(VERSIONS, [RELU], "m.onnx")
    with monkeypatch.context() as patch, pytest.raises(RuntimeLostError):
        patch.setenv("MOEXBAR_LIMITS", f"child_bytes={16 << 20}")
        check_nodes(VERSIONS, [RELU], "m.onnx")
    check_nodes(VERSIONS, [RELU], "m.onnx")

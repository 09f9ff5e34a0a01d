"""What the child processes answer, asked without a process between."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from ir.onnxdoor.processes.onnx_worker import DONE
from ir.onnxdoor.processes.serving import Message
from ir.onnxdoor.processes.worker import Sessions

OPSET = helper.make_opsetid("", 18)


def held(*nodes: onnx.NodeProto, **inputs: list[int]) -> onnx.ModelProto:
    """Nodes, and the shapes of what they read."""
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in inputs.items()
    ]
    graph = onnx.GraphProto(node=nodes, input=given)
    return onnx.ModelProto(graph=graph, opset_import=[OPSET], ir_version=8)


def test_the_first_node_that_fails_is_told() -> None:
    good, bad = helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Relu", [], ["z"])
    assert DONE["check"](held(good, good)).header == {"node": None}
    told = DONE["check"](held(good, bad)).header
    assert told["node"] == 1
    assert "Relu" in told["reason"]


def test_types_of_what_a_node_makes() -> None:
    """[2, 3] @ [3, 4]; nothing of a product that does not fit."""
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    found = onnx.GraphProto.FromString(DONE["infer"](held(node, a=[2, 3], b=[3, 4])).blob)
    (out,) = found.output
    assert [dim.dim_value for dim in out.type.tensor_type.shape.dim] == [2, 4]
    wrong = onnx.GraphProto.FromString(DONE["infer"](held(node, a=[2, 3], b=[5, 4])).blob)
    assert not wrong.output


def test_a_model_is_held_until_it_is_dropped() -> None:
    """Loaded, run, dropped: 7 is -x of x = -7."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[OPSET], ir_version=8)
    sessions = Sessions(threads=1)
    load = Message({"do": "load", "id": 3, "as_it_is": True}, blob=model.SerializeToString())
    sessions.answer(load)
    run = {"do": "run", "id": 3, "names": ["x"], "outputs": ["y"]}
    (found,) = sessions.answer(Message(run, arrays=[np.array([-7], np.float32)])).arrays
    assert found.tolist() == [7.0]
    drop = Message({"do": "drop", "id": 3})
    sessions.answer(drop)
    sessions.answer(drop)  # once more changes nothing

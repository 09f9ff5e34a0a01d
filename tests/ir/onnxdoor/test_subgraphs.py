"""Nodes with graphs in them: which order they stand in."""

import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper

from ir.onnxdoor.subgraphs import in_order


def graph_of(nodes: list[onnx.NodeProto], inputs: tuple[str, ...] = ("x", "c")) -> onnx_ir.Graph:
    given = [
        helper.make_tensor_value_info(n, TensorProto.BOOL if n == "c" else TensorProto.FLOAT, [2])
        for n in inputs
    ]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [2])
    proto = helper.make_graph(nodes, "g", given, [out])
    return onnx_ir.serde.deserialize_graph(proto)


def relu(source: str, to: str) -> onnx.NodeProto:
    return helper.make_node("Relu", [source], [to])


def branch(*nodes: onnx.NodeProto) -> onnx.GraphProto:
    out = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, [2])
    return helper.make_graph(nodes, nodes[-1].output[0], [], [out])


def either(*nodes: onnx.NodeProto) -> onnx.NodeProto:
    """An If whose first branch are these nodes."""
    other = branch(relu("x", "other"))
    return helper.make_node("If", ["c"], ["out"], then_branch=branch(*nodes), else_branch=other)


@pytest.mark.parametrize(
    ("nodes", "good"),
    [
        ([relu("x", "a"), relu("a", "out")], True),
        ([relu("a", "out"), relu("x", "a")], False),
        ([relu("x", "a"), either(relu("a", "b"), relu("b", "c1"))], True),
        ([either(relu("a", "b")), relu("x", "a")], False),  # a branch reads what is made later
        ([helper.make_node("Clip", ["x", "", "x"], ["out"])], True),  # an input that is left out
    ],
)
def test_order(nodes: list[onnx.NodeProto], good: bool) -> None:
    """A node stands behind what it reads, and so does one in a branch."""
    graph = graph_of(nodes)
    assert in_order(graph) == good
    before = [node.outputs[0].name for node in graph]
    graph.sort()
    assert in_order(graph)
    assert ([node.outputs[0].name for node in graph] == before) == good


def test_order_within_a_branch() -> None:
    """Also where the graph around it is in order."""
    graph = graph_of([either(relu("x", "b"), relu("b", "d"))])
    inner = graph[0].attributes["then_branch"].as_graph()
    inner.extend([first := inner[0]])
    assert first.outputs[0].name == "b"
    assert [node.outputs[0].name for node in inner] == ["d", "b"]
    assert not in_order(graph)

"""Nodes with graphs in them: which order they stand in."""

import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper
from onnx_ir.passes.common import RemoveUnusedNodesPass

from ir.onnxdoor.subgraphs import has_unused, in_order


def graph_of(
    nodes: list[onnx.NodeProto], inputs: tuple[str, ...] = ("x", "c"), held: tuple[str, ...] = ()
) -> onnx_ir.Graph:
    given = [
        helper.make_tensor_value_info(n, TensorProto.BOOL if n == "c" else TensorProto.FLOAT, [2])
        for n in inputs
    ]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [2])
    stored = [helper.make_tensor(n, TensorProto.FLOAT, [2], [1.0, 2.0]) for n in held]
    proto = helper.make_graph(nodes, "g", given, [out], stored)
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


def held_by(graph: onnx_ir.Graph) -> list[object]:
    """What the pass that takes out what is unused may change."""
    return [*graph.initializers, *((n.op_type, len(n.inputs)) for n in graph.all_nodes())]


@pytest.mark.parametrize(
    ("nodes", "held", "unused"),
    [
        ([relu("x", "a"), relu("a", "out")], (), False),
        ([relu("x", "a"), relu("x", "out")], (), True),  # a
        ([helper.make_node("Add", ["x", "w"], ["out"])], ("w",), False),
        ([relu("x", "out")], ("w",), True),  # w
        ([helper.make_node("Clip", ["x", "", "w"], ["out"])], ("w",), False),
        ([helper.make_node("Clip", ["x", "w", ""], ["out"])], ("w",), True),  # its last input
        ([either(relu("x", "a"), relu("a", "b"))], (), False),
        ([either(relu("x", "a"), relu("x", "b"))], (), True),  # a, in a branch
        ([either(helper.make_node("Add", ["x", "w"], ["b"]))], ("w",), False),  # read in a branch
    ],
)
def test_unused(nodes: list[onnx.NodeProto], held: tuple[str, ...], unused: bool) -> None:
    """It is told just where the pass that takes out what is unused finds something."""
    graph = graph_of(nodes, held=held)
    before = held_by(graph)
    assert has_unused(graph) == unused
    RemoveUnusedNodesPass()(onnx_ir.Model(graph, ir_version=10))
    assert (held_by(graph) != before) == unused

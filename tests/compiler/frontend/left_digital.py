"""Blocks of experts in forms that are not read, and what a file stores, counted from its bytes."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from tests.compiler.frontend.models import Graph, dense_masked, gated

PACKED = {  # inputs whose bytes hold several numbers
    "QMoE": ((2, 5, 8, 11, 12, 13), "expert_weight_bits"),
    "MatMulNBits": ((1, 3), "bits"),
}


def in_integers(g: Graph, x: str) -> str:
    """A gated expert of three MatMulInteger whose zero point is computed, so of unknown rank."""

    def product(y: str, rows: int, columns: int) -> str:
        q, scale, zero = g.many("DynamicQuantizeLinear", y, outputs=3)
        values = g.random.integers(-127, 127, (rows, columns))
        matrix = g.constant(values, "int8")
        made = g("MatMulInteger", q, matrix, g("Max", zero, zero))
        factor = g("Mul", scale, g.constant(0.01, "float32"))
        return g("Mul", g("Cast", made, to=TensorProto.FLOAT), factor)

    gate = product(x, g.d, g.hidden)
    hidden = g("Mul", g("Mul", gate, g("Sigmoid", gate)), product(x, g.d, g.hidden))
    return product(hidden, g.hidden, g.d)


def behind_if(g: Graph, x: str) -> str:
    """A gated expert that is computed in the branch of an If; the other gives nothing."""
    inner = Graph(seed=int(g.random.integers(1 << 30)), d=g.d, hidden=g.hidden)
    made = gated(inner, x)
    prefix = f"b{len(g.nodes)}_"
    own = {name for node in inner.nodes for name in node.output}
    own |= {tensor.name for tensor in inner.tensors}
    for node in inner.nodes:
        for names in (node.input, node.output):
            names[:] = [prefix + name if name in own else name for name in names]
    for tensor in inner.tensors:
        tensor.name = prefix + tensor.name
    value = helper.make_tensor_value_info
    yes = helper.make_graph(
        inner.nodes, "yes", [], [value(prefix + made, TensorProto.FLOAT, None)], inner.tensors
    )
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    nothing = helper.make_node("Mul", [x, "zero"], ["nothing"])
    no = helper.make_graph([nothing], "no", [], [value("nothing", TensorProto.FLOAT, None)], [zero])
    some = g("Greater", g("ReduceMax", x, keepdims=0), g.constant(0.0, "float32"))
    return g("If", some, then_branch=yes, else_branch=no)


UNREAD_INTEGERS = dense_masked(expert=in_integers)
UNREAD_BRANCHES = dense_masked(expert=behind_if)


def stored_elements(path: Path) -> int:
    """Numbers in all initialisers and Constant nodes of a file, packed ones one by one."""
    model = onnx.load(path, load_external_data=False)
    bodies = [model.graph.node, *(f.node for f in model.functions)]
    every = [node for body in bodies for node in nodes_in(body)]
    graphs = [model.graph, *(g for node in every for g in graphs_of(node))]
    per_byte: dict[str, int] = {}
    for node in every:
        places, name = PACKED.get(node.op_type, ((), ""))
        bits = next((a.i for a in node.attribute if a.name == name), 4)
        per_byte.update({node.input[p]: 8 // bits for p in places if p < len(node.input)})
    total = 0
    for tensor in (t for graph in graphs for t in graph.initializer):
        is_bytes = tensor.data_type == TensorProto.UINT8
        total += math.prod(tensor.dims) * (per_byte.get(tensor.name, 1) if is_bytes else 1)
    for attribute in (a for n in every if n.op_type == "Constant" for a in n.attribute):
        if attribute.name == "value":
            total += math.prod(attribute.t.dims)
        elif attribute.name in ("value_int", "value_float"):
            total += 1
        else:
            total += len(attribute.ints) + len(attribute.floats)
    return total


def nodes_in(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes of a body and of its subgraphs."""
    for node in nodes:
        yield node
        for graph in graphs_of(node):
            yield from nodes_in(graph.node)


def graphs_of(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs that a node holds."""
    single = [a.g for a in node.attribute if a.HasField("g")]
    return [*single, *(g for a in node.attribute for g in a.graphs)]

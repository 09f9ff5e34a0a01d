"""What the curves among the nodes of a digital operator take, by their kinds."""

from collections.abc import Sequence

from onnx_ir import Node, Value

from compiler.frontend.facts.graph import Graph
from compiler.frontend.moe.formula import curve_named
from ir.passes import ON_THE_WAY, PRODUCT, Passes, of_curve

_HALVES = ("Split", "Slice")


def passes_of_nodes(graph: Graph, nodes: Sequence[Node]) -> Passes:
    """Of an activation between two products: its dearest curve, and a product where it is gated.

    The products and sums beside a curve are those that it is spelt with (a SiLU as Sigmoid and
    Mul): one pass, as for an expert whose activation has a name.
    """
    found = max((_of_kind(kind) for kind in {n.op_type for n in nodes}), default=ON_THE_WAY)
    return found + (PRODUCT if _gated(graph, nodes) else ON_THE_WAY)


def _of_kind(op_type: str) -> Passes:
    return of_curve(curve_named(op_type) or "") or ON_THE_WAY


def _gated(graph: Graph, nodes: Sequence[Node]) -> bool:
    """Whether two vectors meet: values from outside, or the halves of one."""
    inside = {v for n in nodes if n.op_type not in _HALVES for v in n.outputs}
    read: dict[Value, None] = {}
    for node in nodes:
        if node.op_type not in _HALVES:
            read.update(dict.fromkeys(v for v in graph.data_inputs(node) if v not in inside))
    return len(read) > 1

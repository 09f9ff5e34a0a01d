"""The part of a router before its selection: one matrix where it is no more, and its nodes."""

from collections.abc import Sequence

from onnx_ir import Node, Value

from compiler.frontend.facts.constants import weight_of
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.products import Product
from compiler.frontend.moe.anchors import VIEWS, Anchor
from ir.workload import Weight


def projected(
    graph: Graph, products: Sequence[Product], entries: Sequence[Value]
) -> tuple[Weight | None, str, str]:
    """The router's matrix, the value of its product, and what it reads if not the first entry.

    (None, "", "") where they are not all of it: neither a router of two matrices nor one that
    changes what the layer reads first is one product.
    """
    if len(products) != 1 or products[0].flipped:
        return None, "", ""
    start, found = products[0].data, weight_of(products[0].matrix, products[0].bias)
    while start not in entries:
        node = start.producer()
        if node is None or node.op_type not in VIEWS or node.inputs[0] is None:
            return None, "", ""
        start = node.inputs[0]
    if found is None:
        return None, "", ""
    return found, name_of(products[0].out), "" if start is entries[0] else name_of(start)


def upstream(graph: Graph, anchor: Anchor, nodes: Sequence[Node]) -> list[Node]:
    """The layer's nodes that the selection depends on, itself included."""
    inside, found = set(nodes), {anchor.node}
    todo = [anchor.node]
    while todo:
        for value in graph.data_inputs(todo.pop()):
            node = value.producer()
            if node is not None and node in inside and node not in found:
                found.add(node)
                todo.append(node)
    return [n for n in nodes if n in found]

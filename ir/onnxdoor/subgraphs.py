"""What nodes hold: the graphs of If, Loop and Scan, and what these read of those around them."""

from collections.abc import Iterator

import onnx_ir


def every_node(graph: onnx_ir.Graph) -> Iterator[onnx_ir.Node]:
    """The nodes of a graph in order, each followed by those of the graphs that it holds."""
    for node in graph:
        yield node
        for inner in subgraphs(node):
            yield from every_node(inner)


def in_order(graph: onnx_ir.Graph) -> bool:
    """Whether every node, also of the graphs in it, stands behind those whose values it reads."""
    seen: set[onnx_ir.Node] = set()
    for node in every_node(graph):
        for value in node.inputs:
            if value is not None and (maker := value.producer()) and maker not in seen:
                return False
        seen.add(node)
    return True


def has_unused(graph: onnx_ir.Graph) -> bool:
    """Whether nobody reads a stored tensor or an output of a node, or a node's last input is none.

    Most graphs have nothing of the kind, and to tell takes a fifth of taking it out.
    """
    if any(not v.uses() and not v.is_graph_output() for v in graph.initializers.values()):
        return True
    for node in every_node(graph):
        if node.inputs and node.inputs[-1] is None:
            return True
        if any(not v.uses() and not v.is_graph_output() for v in node.outputs):
            return True
    return False


def captured(node: onnx_ir.Node) -> list[onnx_ir.Value]:
    """The values of enclosing graphs that a node's subgraphs read."""
    found: dict[onnx_ir.Value, None] = {}
    for graph in subgraphs(node):
        inner = list(every_node(graph))
        own = {v for n in inner for v in n.outputs} | set(graph.inputs)
        own |= set(graph.initializers.values())
        for n in inner:
            own |= {v for g in subgraphs(n) for v in (*g.inputs, *g.initializers.values())}
        read = [v for n in inner for v in n.inputs] + list(graph.outputs)
        found.update((v, None) for v in read if v is not None and v not in own)
    return list(found)


def subgraphs(node: onnx_ir.Node) -> list[onnx_ir.Graph]:
    """The graphs that a node holds."""
    if not node.attributes:
        return []
    return [
        graph
        for a in node.attributes.values()
        if a.type in (onnx_ir.AttributeType.GRAPH, onnx_ir.AttributeType.GRAPHS)
        for graph in ([a.as_graph()] if a.type == onnx_ir.AttributeType.GRAPH else a.as_graphs())
    ]

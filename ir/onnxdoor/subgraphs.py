"""What nodes hold: the graphs of If, Loop and Scan, and what these read of those around them."""

import onnx_ir


def captured(node: onnx_ir.Node) -> list[onnx_ir.Value]:
    """The values of enclosing graphs that a node's subgraphs read."""
    found: dict[onnx_ir.Value, None] = {}
    for attribute in node.attributes.values():
        if attribute.type == onnx_ir.AttributeType.GRAPH:
            graphs = [attribute.as_graph()]
        elif attribute.type == onnx_ir.AttributeType.GRAPHS:
            graphs = list(attribute.as_graphs())
        else:
            continue
        for graph in graphs:
            inner = list(onnx_ir.traversal.RecursiveGraphIterator(graph))
            own = {v for n in inner for v in n.outputs} | set(graph.inputs)
            own |= set(graph.initializers.values())
            for n in inner:
                own |= {v for g in subgraphs(n) for v in (*g.inputs, *g.initializers.values())}
            read = [v for n in inner for v in n.inputs] + list(graph.outputs)
            found.update((v, None) for v in read if v is not None and v not in own)
    return list(found)


def subgraphs(node: onnx_ir.Node) -> list[onnx_ir.Graph]:
    """The graphs that a node holds."""
    return [
        graph
        for a in node.attributes.values()
        if a.type in (onnx_ir.AttributeType.GRAPH, onnx_ir.AttributeType.GRAPHS)
        for graph in ([a.as_graph()] if a.type == onnx_ir.AttributeType.GRAPH else a.as_graphs())
    ]

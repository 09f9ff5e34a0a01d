"""Every node of the graph in exactly one part: an operator to be, and the nodes it stands for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import weight_of
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.products import Product
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.note import Note
from compiler.frontend.operators.attention import FoundAttention, find_attention
from compiler.frontend.operators.digital import DigitalSet, split_digital
from ir.errors import InputError


@dataclass(eq=False)
class Part:
    """An operator to be: what it is, and the nodes it stands for."""

    found: FoundLayer | FoundAttention | Product | DigitalSet
    nodes: set[Node]


def find_parts(facts: Facts, layers: Sequence[FoundLayer]) -> tuple[list[Part], list[Note]]:
    """Every node in exactly one part; and a note for each reason why products are no operators.

    Constants belong to who first reads them.
    """
    graph = facts.graph
    parts = [Part(layer, _absorbed(graph, layer.nodes)) for layer in layers]
    taken = {n for part in parts for n in part.nodes}
    refused: dict[str, list[Node]] = {}
    for product in facts.products.by_node.values():
        if product.node in taken:
            continue
        reason = not_dense(facts, product)
        if reason:
            refused.setdefault(reason, []).append(product.node)
        else:
            parts.append(Part(product, set(product.nodes)))
            taken.update(product.nodes)
    for attention in find_attention(facts, taken):
        nodes = _absorbed(graph, attention.nodes)
        parts.append(Part(attention, nodes))
        taken.update(nodes)
    left = [n for n in graph.nodes if n not in taken and not _is_constant(graph, n)]
    for found in split_digital(facts, left):
        parts.append(Part(found, set(found.nodes)))
    _attach_constants(graph, parts)
    return parts, _refusals(refused)


def _is_constant(graph: Graph, node: Node) -> bool:
    return graph.constant.issuperset(node.outputs)


def _absorbed(graph: Graph, nodes: Iterable[Node]) -> set[Node]:
    """`nodes` with the shape arithmetic that serves them alone or leads from them back to them."""
    inside = set(nodes)
    todo = [v for n in nodes for v in graph.reads(n)]
    while todo:
        node = todo.pop().producer()
        if node is None or node in inside or graph.is_data(node) or _is_constant(graph, node):
            continue
        shown = any(v.is_graph_output() for v in node.outputs)
        if not shown and all(r in inside for v in node.outputs for r in graph.readers(v)):
            inside.add(node)
            todo.extend(graph.reads(node))
    return inside | _returning(graph, inside)


def _returning(graph: Graph, inside: Collection[Node]) -> set[Node]:
    """The nodes outside that depend on a node inside and are needed by one (through shapes)."""
    first = min(graph.order[node] for node in inside)
    upstream: set[Node] = set()
    todo = [v for n in inside for v in graph.reads(n)]
    while todo:
        node = todo.pop().producer()
        if node is None or node in inside or node in upstream or graph.order[node] < first:
            continue
        upstream.add(node)
        todo.extend(graph.reads(node))
    found: set[Node] = set()
    for node in sorted(upstream, key=graph.order.__getitem__):
        makers = [v.producer() for v in graph.reads(node)]
        if any(m is not None and (m in inside or m in found) for m in makers):
            found.add(node)
    return found


def _refusals(refused: Mapping[str, Sequence[Node]]) -> list[Note]:
    """One note per reason, naming the first node."""
    notes = list[Note]()
    for reason, nodes in refused.items():
        more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
        first = f"node {nodes[0].name!r} ({nodes[0].op_type}){more}"
        notes.append(Note(f"{first} stays digital: {reason}", reason))
    return notes


def not_dense(facts: Facts, product: Product) -> str:
    """Why a product is no crossbar work, '' if it is."""
    token = facts.axes.of(product.data)
    if product.flipped:
        return "the constant matrix is the first operand"
    if product.stacked is not None or product.selected:
        return "several matrices in one product"
    if facts.axes.scope(product.node) != "token" or token is None:
        return "its rows are not one per token"
    if facts.sizes.per_token(product.data) != product.matrix.axes[-2].length:
        return "a token has several rows"
    if weight_of(product.matrix) is None:
        return f"its matrix is not a plain part of {product.matrix.tensor!r}"
    return ""


def _attach_constants(graph: Graph, parts: list[Part]) -> None:
    """Give every node made from initialisers alone to the operator that first reads it."""
    owner = {node: part for part in parts for node in part.nodes}
    for node in reversed(graph.nodes):
        if node in owner:
            continue
        readers = [r for v in node.outputs for r in graph.readers(v) if r in owner]
        if readers:
            part = owner[min(readers, key=graph.order.__getitem__)]
            part.nodes.add(node)
        else:  # a model output that no input influences
            part = Part(DigitalSet("other", [node]), {node})
            parts.append(part)
        owner[node] = part


def in_order(graph: Graph, parts: Sequence[Part]) -> list[Part]:
    """The parts so that each comes after those it reads from; graph order where free.

    Depth first: what a part reads from stands right before it, if it does not stand already.
    """
    owner = {node: part for part in parts for node in part.nodes}
    place = {part: min(graph.order[n] for n in part.nodes) for part in parts}
    starting = sorted(parts, key=place.__getitem__)
    reads: nx.DiGraph[Part] = nx.DiGraph()
    reads.add_nodes_from(starting)
    for part in starting:
        sources = sorted(_sources(graph, owner, part), key=place.__getitem__)
        reads.add_edges_from((part, source) for source in sources)
    if not nx.is_directed_acyclic_graph(reads):
        part = min((reader for reader, _ in nx.find_cycle(reads)), key=place.__getitem__)
        first = min(part.nodes, key=graph.order.__getitem__)
        raise InputError(graph.name, f"operators depend on each other at node {first.name!r}")
    return list(nx.dfs_postorder_nodes(reads))


def _sources(graph: Graph, owner: Mapping[Node, Part], part: Part) -> set[Part]:
    """The parts that make what a part reads."""
    makers = [value.producer() for value in inputs_of(graph, part.nodes)]
    return {owner[maker] for maker in makers if maker is not None} - {part}


def inputs_of(graph: Graph, nodes: Collection[Node]) -> list[Value]:
    """What a set of nodes reads from outside; constants are not inputs."""
    inside = {v for n in nodes for v in n.outputs}
    ordered = sorted(nodes, key=graph.order.__getitem__)
    read = dict.fromkeys(v for n in ordered for v in graph.reads(n))
    return [v for v in read if v not in inside and v not in graph.constant]

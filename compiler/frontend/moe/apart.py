"""Layers that keep a token's experts apart: routed projections of attention (JetMoE's).

One router picks k experts of a token. Each gives a vector that is not summed with the others
(queries), and after what is done with these each reads its own (outputs). Both halves are layers of
single matrices: the first holds the router, the second reads what that selects.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.dominators import computed_from, nodes_between, post_dominators
from compiler.frontend.facts.graph import FOLLOWED, Graph, name_of
from compiler.frontend.facts.products import Product
from compiler.frontend.moe.anchors import VIEWS, Anchor, root
from compiler.frontend.moe.experts import nearest_products
from compiler.frontend.moe.extend import extensions
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.moe.meeting import vector_of
from compiler.frontend.moe.reading import readable
from compiler.frontend.moe.router import describe
from compiler.frontend.moe.unreadable import Unreadable
from ir.errors import InputError
from ir.router import Router
from ir.selection import ByIds
from ir.workload import Apart

Prove = Callable[[Sequence[FoundLayer]], FoundLayer]
_PICKS = ("Gather", "GatherND", "GatherElements")


def halves(facts: Facts, anchor: Anchor, prove: Prove) -> list[FoundLayer]:
    """The layers of one router that are read so: those of outputs first, then those of inputs."""
    if anchor.kind != "best experts" or anchor.node.op_type != "TopK":
        return []
    search = _Search(facts, anchor, prove)
    second = [layer for p in search.second if (layer := search.inputs(p)) is not None]
    first = [layer for p in search.first if (layer := search.outputs(p, second)) is not None]
    found: list[FoundLayer] = []
    for layer in (*first, *second):
        taken = {n for before in found for n in before.nodes}
        lent = _with_shapes(facts.graph, [n for n in layer.nodes if n in taken])
        own = tuple(n for n in layer.nodes if n not in taken)
        names = tuple(dict.fromkeys([*layer.router.nodes, *(n.name or "" for n in lent)]))
        router = replace(layer.router, nodes=names) if lent else layer.router
        found.append(replace(layer, nodes=own, lent=lent, router=router))
    return found


def _with_shapes(graph: Graph, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Nodes in order, with the shape arithmetic that they need."""
    found, todo = set(nodes), [v for n in nodes for v in graph.reads(n)]
    while todo:
        value = todo.pop()
        node = value.producer()
        if node is None or node in found or graph.is_data(node) or value in graph.constant:
            continue
        found.add(node)
        todo.extend(graph.reads(node))
    return tuple(sorted(found, key=graph.order.__getitem__))


class _Search:
    """What one router's selection leads to: products of its own, and products after those."""

    def __init__(self, facts: Facts, anchor: Anchor, prove: Prove) -> None:
        """Find the products that the selection decides over."""
        self.facts, self.anchor, self.prove = facts, anchor, prove
        graph = facts.graph
        self.region = computed_from(graph, anchor.entry)
        inside = [n for n in graph.nodes if any(v in self.region for v in n.outputs)]
        self.alone = computed_from(graph, *anchor.starts)  # made of the selection, nothing else
        near = nearest_products(facts, inside, anchor.products, anchor.starts)
        routed = list(self._routed(inside))
        self.first = [p for p in routed if near.get(p.data, frozenset()) == frozenset()]
        self.second = [p for p in routed if p not in self.first]
        self.readings = self._readings(inside) if routed else []

    def _readings(self, inside: Sequence[Node]) -> list[tuple[Router, ByIds]]:
        """The router by its ids, with each value that may hold the weights."""
        try:
            found = describe(self.facts, self.anchor, inside, (self.anchor.entry,))
        except (Unreadable, InputError):
            return []
        return [(r, r.selection) for r in found if isinstance(r.selection, ByIds)]

    def _routed(self, inside: Sequence[Node]) -> Iterator[Product]:
        """Products of a stack whose matrices or rows the selection picks."""
        for node in inside:
            product = self.facts.products.by_node.get(node)
            if product is None or product.stacked != self.anchor.experts or product.single:
                continue
            by_ids = product.index is not None and product.index in self.alone
            if by_ids or (product.members and self._picked(product.data) is not None):
                yield product

    def _picked(self, value: Value) -> Value | None:
        """The value whose rows are picked by what is made of the selection; None if none are."""
        graph = self.facts.graph
        for _ in range(FOLLOWED):
            node = value.producer()
            if node is None or node.inputs[0] is None or node.inputs[0] not in graph.data:
                break
            if node.op_type in _PICKS and node.inputs[1] in self.alone:
                return node.inputs[0]
            if node.op_type not in (*VIEWS, "Split"):
                break
            value = node.inputs[0]
        return None

    def outputs(self, product: Product, second: Sequence[FoundLayer]) -> FoundLayer | None:
        """A layer whose experts' outputs are not summed; with the weights that `second` reads."""
        graph, anchor = self.facts.graph, self.anchor
        vectors = vector_of(self.facts, self._picked(product.data) or product.data)
        same = root(graph, vectors) is anchor.entry
        entries = (anchor.entry,) if same else (vectors, anchor.entry)
        region = self.region if same else computed_from(graph, *entries)
        routers = [replace(r, selection=ByIds(s.ids, None)) for r, s in self.readings[:1]]
        routers += [router for router, _ in self.readings]
        layers: list[FoundLayer] = []
        for exit_ in self._places_of(product):
            layer = self._read(anchor, "outputs", entries, exit_, region, routers)
            if layer is not None:
                layers.insert(0, layer)
        found = self._proven(layers)
        if found is None:
            return None
        ends = [found.exit, *(v for layer in second for v in layer.beside if v in region)]
        return replace(found, nodes=tuple(nodes_between(graph, entries, ends, region)))

    def _places_of(self, product: Product) -> Iterator[Value]:
        """Values that hold what a product gives, moved by what is made of the selection alone."""
        value = product.out
        for _ in range(FOLLOWED):
            yield value
            readers = [n for n in self.facts.graph.readers(value) if self.facts.graph.is_data(n)]
            if len(readers) != 1 or readers[0] in self.facts.products.by_node:
                return
            others = [v for v in self.facts.graph.data_inputs(readers[0]) if v is not value]
            moved = readers[0].op_type != "Transpose" and len(readers[0].outputs) == 1
            if not moved or any(v not in self.alone for v in others):
                return
            value = readers[0].outputs[0]

    def inputs(self, product: Product) -> FoundLayer | None:
        """A layer whose experts each read a vector of their own."""
        vectors = root(self.facts.graph, self._picked(product.data) or product.data)
        for router, selection in self.readings:
            gates = _named(self.region, selection.gates)
            found = None if gates is None else self._inputs(product, vectors, router, gates)
            if found is not None:
                return found
        return None

    def _inputs(
        self, product: Product, vectors: Value, reading: Router, gates: Value
    ) -> FoundLayer | None:
        graph, ids = self.facts.graph, self.anchor.node.outputs[1]
        router = replace(reading, projection=None, logits="", reads="", nodes=())
        anchor = Anchor("ids", self.anchor.node, ids, (ids,), (), vectors, self.anchor.experts)
        entries = (vectors, ids, gates)
        region = computed_from(graph, *entries)
        for exit_ in post_dominators(graph, region, (product.out,)):
            layer = self._read(anchor, "inputs", entries, exit_, region, [router])
            if layer is None:
                continue
            found = self._proven(extensions(self.facts, region, layer))
            if found is not None:
                return found
        return None

    def _read(
        self,
        anchor: Anchor,
        apart: Apart,
        entries: tuple[Value, ...],
        exit_: Value,
        region: dict[Value, int],
        routers: list[Router],
    ) -> FoundLayer | None:
        """The layer between `entries` and an exit, None where none is read."""
        nodes = nodes_between(self.facts.graph, entries, [exit_], region)
        try:
            return readable(
                self.facts,
                anchor,
                entries,
                exit_,
                nodes,
                single=True,
                apart=apart,
                routers=routers,
            )
        except (Unreadable, InputError):
            return None

    def _proven(self, layers: Sequence[FoundLayer]) -> FoundLayer | None:
        """The one of `layers` that is taken, if any."""
        try:
            return self.prove(layers) if layers else None
        except (Unreadable, InputError):
            return None


def _named(values: dict[Value, int], name: str | None) -> Value | None:
    return next((v for v in values if name_of(v) == name), None)

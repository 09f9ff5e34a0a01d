"""Where a selection meets the token vectors that the experts read.

A router may read another value than its experts do: the vector before their norm, a wider one, that
of the layer before. So the experts' vectors are looked for from the selection on: whatever is made
of the selection alone is followed, until a node brings it together with something else. That is a
token vector, rows of it, or the output of an expert, whose own input is one.
"""

import heapq
from dataclasses import dataclass, replace
from math import prod

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import SHAPE_OPS, Graph
from compiler.frontend.facts.products import Product
from compiler.frontend.moe.anchors import (
    MAX_BETWEEN,
    POINTWISE,
    STEPS,
    VIEWS,
    Anchor,
    router_products,
)

_MOVED = (*VIEWS, "Transpose", "Concat")  # from an expert's product to where it is weighted
_COPIED = (*VIEWS, "Expand", "Tile", "Transpose")  # a token once for each of its experts
_WEIGHTING = ("Mul", "Where", "Einsum", "MatMul")
_LOOKED_UP = ("GatherElements", "GatherND", "ScatterElements")
_ZEROING = frozenset(
    """
    Relu ThresholdedRelu HardSigmoid Clip Max Where TopK ScatterElements ScatterND OneHot Greater
    GreaterOrEqual Less LessOrEqual Equal ArgMax Shrink Trilu Floor Round
    """.split()
)


@dataclass(frozen=True, eq=False)
class Meeting:
    """What a selection meets.

    vectors: the token vectors, each once. downs: the last products of experts that it weights.
    scores: further products that only the router has. times: how often it meets a vector. zeroes:
    whether anything on the way makes exact zeros, without which nothing is selected.
    """

    vectors: tuple[Value, ...]
    downs: tuple[Product, ...]
    scores: tuple[Product, ...]
    times: int
    zeroes: bool

    @property
    def experts(self) -> int:
        """Experts whose outputs are weighted, as far as they were seen."""
        return sum(down.stacked or 1 for down in self.downs)


def meeting(facts: Facts, anchor: Anchor) -> Meeting:
    """What the selection of an anchor meets.

    Nodes are taken in graph order. What is made of the selection alone goes on; what is made of a
    vector it has met does not meet it again.
    """
    return _Walk(facts, anchor).meeting()


class _Walk:
    """One walk from a selection: what is made of it alone, and what of vectors it has met."""

    def __init__(self, facts: Facts, anchor: Anchor) -> None:
        self.facts, self.graph = facts, facts.graph
        self.anchor = anchor
        self.alone = {*anchor.starts, *(p.out for p in anchor.products)}
        self.mixed: set[Value] = set()
        self.vectors: dict[Value, None] = {}
        self.downs: dict[Product, None] = {}
        self.scores: dict[Product, None] = {}
        self.times = 0
        self.zeroes = False

    def meeting(self) -> Meeting:
        """Walk as long as something made of the selection alone is ahead."""
        graph = self.graph
        queued = {graph.order[n] for v in self.alone for n in graph.readers(v)}
        heap, ahead = sorted(queued), set(queued)
        while ahead:
            place = heapq.heappop(heap)
            ahead.discard(place)
            node = graph.nodes[place]
            alone = self._visit(node)
            readers = {graph.order[r] for v in node.outputs for r in graph.readers(v)}
            for reader in readers - queued:
                heapq.heappush(heap, reader)
            queued |= readers
            ahead |= readers if alone else set()
        return Meeting(
            tuple(self.vectors), tuple(self.downs), tuple(self.scores), self.times, self.zeroes
        )

    def _visit(self, node: Node) -> bool:
        """Whether the node's outputs are made of the selection alone."""
        data = self.graph.data_inputs(node)
        if node.op_type in SHAPE_OPS or not data:
            return False
        if not any(v in self.alone for v in data):
            self.mixed.update(node.outputs)
            return False
        others = [v for v in data if v not in self.alone]
        if not others and node in self.facts.products.by_node:  # it is taken for a vector itself
            self.mixed.update(node.outputs)
            return False
        self.zeroes = self.zeroes or node.op_type in _ZEROING
        if all(self._is_score(node, v) for v in others):
            self.alone.update(node.outputs)
            return True
        for value in others:
            if value not in self.mixed and not self._is_score(node, value):
                self._meet(node, value)
        self.mixed.update(node.outputs)
        return False

    def _is_score(self, node: Node, value: Value) -> bool:
        """Whether a value is the router's too: what its ids are looked up in, or multiplied by."""
        if value in self.mixed:
            return False
        products = router_products(self.facts, value)
        small = any(p.columns <= self.anchor.experts for p in products)
        if not small or node in self.facts.products.by_node:
            return False
        if node.op_type not in _LOOKED_UP and not self._alike(node, value):
            return False
        self.scores.update(dict.fromkeys(products))
        return True

    def _alike(self, node: Node, value: Value) -> bool:
        """Whether what a value is combined with is as wide as the result: it is no vector's."""

        def width(v: Value | None) -> int | None:
            return (self.facts.sizes.fixed(v) or (None,))[-1]

        out = width(node.outputs[0])
        mine = [width(v) for v in node.inputs if v in self.alone]
        return out is not None and width(value) in (1, out) and out in mine

    def _meet(self, node: Node, value: Value) -> None:
        """Note the vector that `value` is, or that the expert whose output it is has read."""
        self.times += 1
        product = self.facts.products.by_node.get(node)
        downs = [] if product is not None else self._downs(value)
        weighted = node.op_type in _WEIGHTING
        if product is None and not downs and weighted:  # curves of what single matrices give
            downs = _sources(self.facts, value)
        for down in downs:
            sources = _sources(self.facts, down.data)
            if sources or weighted:
                self.downs[down] = None
                own = [u.data for u in sources] or [down.data]
                self.vectors.update((vector_of(self.facts, v), None) for v in own)
        if not any(down in self.downs for down in downs):
            self.vectors[vector_of(self.facts, value)] = None

    def _downs(self, value: Value) -> list[Product]:
        """The products whose outputs `value` is, moved or joined."""
        found: list[Product] = []
        todo = [value]
        while todo:
            value = todo.pop()
            product = self.facts.products.by_out.get(value)
            node = value.producer()
            if product is not None:
                found.append(product)
            elif node is not None and node.op_type in _MOVED:
                todo.extend(self.graph.data_inputs(node))
        return found


def _sources(facts: Facts, value: Value) -> list[Product]:
    """The products that a value is a curve of, none where it is made of anything else."""
    graph, found = facts.graph, dict[Product, None]()
    todo, seen = [value], {value}
    while todo:
        value = todo.pop()
        product, node = facts.products.by_out.get(value), value.producer()
        if product is not None:
            found[product] = None
            continue
        if node is None or node.op_type not in STEPS or len(seen) > MAX_BETWEEN:
            return []
        fresh = [v for v in graph.data_inputs(node) if v not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    return list(found)


def vector_of(facts: Facts, value: Value) -> Value:
    """The token vectors before they were reshaped, copied for each expert or picked by place."""
    graph = facts.graph
    while True:
        node = value.producer()
        if node is None or node.inputs[0] is None or node.inputs[0] not in graph.data:
            return value
        picked = node.op_type == "Gather" and node.inputs[1] not in graph.data
        if node.op_type not in _COPIED and not picked:
            return value
        if node.op_type == "Transpose" and _is_apart(facts, node.inputs[0]):
            return value
        value = node.inputs[0]


def _is_apart(facts: Facts, value: Value) -> bool:
    """Whether a token's numbers do not stand side by side: heads before tokens."""
    token, shape = facts.axes.of(value), facts.sizes.fixed(value)
    width = facts.sizes.per_token(value)
    if token is None or shape is None or width is None:
        return False
    after = shape[token.axis + 1 :]
    return None not in after and prod(n or 1 for n in after) * token.inner != width


def with_all_products(facts: Facts, anchor: Anchor, met: Meeting) -> Anchor:
    """The anchor with every product of its router: of the selection, and of what it looks up."""
    if anchor.kind not in ("ids", "weights"):
        return anchor
    found = dict.fromkeys([*anchor.products, *_products_before(facts, anchor), *met.scores])
    return replace(anchor, products=tuple(found))


def entries_of(facts: Facts, anchor: Anchor, met: Meeting) -> tuple[Value, ...]:
    """What the layer reads: the experts' vectors, then what the router reads where that is another.

    anchor: with all of its products. What is itself computed from the vectors is the layer's own.
    """
    if len(met.vectors) != 1 or met.vectors[0] is anchor.entry:
        return (anchor.entry,)
    vectors, graph = met.vectors[0], facts.graph
    read = [anchor.products[-1].data] if anchor.kind not in ("ids", "weights") else []
    if not read:
        first = [p for p in anchor.products if not router_products(facts, p.data)]
        read = [*dict.fromkeys(p.data for p in first)]
        if anchor.kind == "ids" and not _products_before(facts, anchor):
            read.insert(0, anchor.entry)
    beside = [_outside(graph, v, vectors) for v in read if not _follows(graph, v, vectors)]
    return (vectors, *dict.fromkeys(beside))


def _products_before(facts: Facts, anchor: Anchor) -> list[Product]:
    """The products that a selection is made of; none where it is made of anything else too."""
    found: dict[Product, None] = {}
    todo, seen = list(anchor.starts), set(anchor.starts)
    while todo:
        value = todo.pop(0)
        product, node = facts.products.by_out.get(value), value.producer()
        if product is not None:
            found[product] = None
            continue
        if node is None or node.op_type not in POINTWISE:
            return []
        fresh = [v for v in facts.graph.data_inputs(node) if v not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    return list(found)


def _follows(graph: Graph, value: Value, entry: Value) -> bool:
    """Whether a value is computed from `entry` alone."""
    return _leaves(graph, value, entry) <= {entry}


def _outside(graph: Graph, value: Value, vectors: Value) -> Value:
    """`value` before its views, but for those that the vectors are made of too.

    A layer would else hold a node between two of its inputs.
    """
    while True:
        node = value.producer()
        if node is None or node.op_type not in VIEWS or node.inputs[0] not in graph.data:
            return value
        if value in _leaves(graph, vectors, value) or node.inputs[0] is None:
            return value
        value = node.inputs[0]


def _leaves(graph: Graph, value: Value, entry: Value) -> set[Value]:
    """What a value is computed from: `entry`, and what is made of other things."""
    first = min((graph.order[n] for n in graph.readers(entry)), default=len(graph.nodes))
    found, seen, todo = set[Value](), {value}, [value]
    while todo:
        value = todo.pop()
        node = value.producer()
        if value is entry or node is None or graph.order[node] < first:
            found.add(value)
            continue
        fresh = [v for v in graph.data_inputs(node) if v not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    return found

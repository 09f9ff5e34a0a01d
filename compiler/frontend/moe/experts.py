"""The feed-forward experts of a region: their matrices, roles, activation and order."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import slice_cuts, weight_of
from compiler.frontend.facts.graph import Graph, axis_attribute
from compiler.frontend.facts.products import Product
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.activation import CURVES, activation_of, clipped_gate
from compiler.frontend.moe.unreadable import Unreadable
from ir.activation import AnyActivation
from ir.workload import Expert, Weight

Nearest = Mapping[Value, frozenset[Product] | None]
MANY = 8  # more nearest products than an expert has matrices: the values of several experts met


@dataclass(frozen=True, eq=False)
class Part:
    """The columns start, start + step, ... of a product's matrices."""

    product: Product
    start: int = 0
    step: int = 1
    length: int | None = None

    def weight(self, index: int | None) -> Weight:
        """The matrix of one expert, by reference; Unreadable if `Weight` cannot say it."""
        view, bias = self.product.one(index)
        if self.length is not None:
            view = view.cut(len(view.axes) - 1, self.start, self.length, self.step)
        weight = weight_of(view, bias)
        if weight is None:
            raise Unreadable(f"matrix {view.tensor!r} is not a plain part of a stored tensor")
        members = self.product.members
        return (
            replace(weight, bias_index=members[index].bias_index)
            if members and index is not None
            else weight
        )


@dataclass(frozen=True, eq=False)
class FeedForward:
    """down(act(...)): `ups` are one or two products, or one that holds gate and up side by side.

    gate: the part that goes through the activation, None without a gate. `stacked`: number of
    experts in the products, None for one.
    """

    up: Part
    gate: Part | None
    down: Product
    ups: tuple[Product, ...]
    activation: AnyActivation
    stacked: int | None

    def experts(self) -> list[Expert]:
        """The experts of these matrices: one, or one per entry of the stack."""
        if self.stacked is None:
            return [self._expert(None)]
        return [self._expert(index) for index in range(self.stacked)]

    def _expert(self, index: int | None) -> Expert:
        return Expert(
            up=self.up.weight(index),
            down=Part(self.down).weight(index),
            gate=None if self.gate is None else self.gate.weight(index),
        )


def nearest_products(
    facts: Facts,
    nodes: Sequence[Node],
    skip: Collection[Product],
    stops: Collection[Value],
) -> dict[Value, frozenset[Product] | None]:
    """For each value of the region, the products it comes from directly; None = more than MANY.

    skip: products that count as nothing (the router's); stops: values taken as coming from none.
    """
    products = facts.products
    found: dict[Value, frozenset[Product] | None] = {}
    for node in nodes:
        product = products.by_node.get(node)
        if product is not None and product not in skip:
            for step in product.nodes:
                found.update((v, frozenset([product])) for v in step.outputs)
            continue
        if node in products.bias_nodes and products.bias_nodes[node] not in skip:
            continue
        sources: set[Product] | None = set()
        for value in facts.graph.data_inputs(node):
            before = frozenset() if value in stops else found.get(value, frozenset())
            if before is None or sources is None or len(sources | before) > MANY:
                sources = None
            else:
                sources |= before
        result = None if sources is None else frozenset(sources)
        found.update((v, frozenset() if v in stops else result) for v in node.outputs)
    return found


def feed_forwards(
    facts: Facts,
    nodes: Sequence[Node],
    skip: Collection[Product],
    stops: Collection[Value],
) -> list[FeedForward]:
    """Every up-activation-down group of the region, in order of its down projection.

    Raises Unreadable where products are chained in another way.
    """
    near = nearest_products(facts, nodes, skip, stops)
    by_node = facts.products.by_node
    inside = [by_node[n] for n in nodes if n in by_node]
    found = []
    used: set[Product] = set()
    for product in inside:
        if product in skip:
            continue
        ups = near.get(product.data, frozenset())
        if ups is None:
            raise Unreadable("a matrix product reads several experts at once", product.node)
        if not ups:
            continue
        deeper = [u for u in ups if near.get(u.data, frozenset())]
        if deeper:
            raise Unreadable("three matrix products follow one another", product.node)
        used.update((*ups, product))
        ordered = sorted(ups, key=lambda p: facts.graph.order[p.node])
        found.append(_feed_forward(facts, near, ordered, product))
    stray = [p for p in inside if p not in used and p not in skip and p.columns > 1]
    if stray:
        raise Unreadable("a matrix product leads to no down projection", stray[0].node)
    return found


def _feed_forward(
    facts: Facts, near: Nearest, ups: Sequence[Product], down: Product
) -> FeedForward:
    if len(ups) > 2 or any(p.flipped for p in (*ups, down)):
        raise Unreadable(f"{len(ups)} matrix products meet before the down projection", down.node)
    counts = {p.stacked for p in (*ups, down)}
    if len(counts) != 1:
        raise Unreadable("stacked and single matrices meet", down.node)
    steps = _between(facts.graph, near, down.data, {u.out for u in ups})
    meeting = _meeting(facts, near, steps, ups)
    sizes = facts.sizes
    rows = down.matrix.axes[-2].length
    if meeting is None:
        if len(ups) != 1 or ups[0].columns != rows:
            raise Unreadable("up and gate do not meet in a product", down.node)
        curve, one = activation_of(sizes, steps), ups[0]
        return FeedForward(Part(one), None, down, tuple(ups), curve, counts.pop())
    curved = [bool(CURVES & {n.op_type for n in side.nodes}) for side in meeting]
    if curved[0] == curved[1]:
        raise Unreadable("cannot tell gate from up", down.node)
    gate_side, up_side = meeting if curved[0] else meeting[::-1]
    gate = _part(sizes, near, ups, gate_side, rows)
    up = _part(sizes, near, ups, up_side, rows)
    both = [n for n in gate_side.nodes if n in up_side.nodes]
    clipped = clipped_gate(sizes, gate_side.nodes, up_side.nodes, both)
    activation = clipped or activation_of(sizes, gate_side.nodes)
    return FeedForward(up, gate, down, tuple(ups), activation, counts.pop())


@dataclass(frozen=True, eq=False)
class _Side:
    """One operand of the Mul where gate and up meet, and the nodes from its product to it."""

    end: Value
    nodes: list[Node]


def _between(graph: Graph, near: Nearest, end: Value, starts: Collection[Value]) -> list[Node]:
    """The data nodes from `starts` to `end`, in order; other sources are not followed."""
    found: set[Node] = set()
    todo = [end]
    while todo:
        value = todo.pop()
        node = value.producer()
        if value in starts or node is None or node in found or near.get(value) == frozenset():
            continue
        if value not in graph.data:
            continue
        found.add(node)
        todo.extend(graph.data_inputs(node))
    return sorted(found, key=graph.order.__getitem__)


def _meeting(
    facts: Facts, near: Nearest, steps: Sequence[Node], ups: Sequence[Product]
) -> tuple[_Side, _Side] | None:
    """The two sides of the Mul where gate meets up, or None if there is no gate."""
    graph, starts = facts.graph, {u.out for u in ups}
    for node in reversed(steps):
        data = graph.data_inputs(node)
        if node.op_type != "Mul" or len(data) != 2:
            continue
        sides = (
            _Side(data[0], _between(graph, near, data[0], starts)),
            _Side(data[1], _between(graph, near, data[1], starts)),
        )
        if len(ups) == 2:
            sources = [near.get(v) or frozenset() for v in data]
            if sources[0] != sources[1] and all(len(s) == 1 for s in sources):
                return sides
            continue
        halves = [_half(facts.sizes, side, ups[0]) for side in sides]
        if None not in halves and halves[0] != halves[1]:
            return sides
    return None


def _half(sizes: Sizes, side: _Side, up: Product) -> tuple[int, int, int] | None:
    """(start, step, length) of the columns of a fused matrix that one side uses, or None."""
    found: set[tuple[int, int, int]] = set()
    reads = {v for n in side.nodes for v in n.inputs if v is not None} | {side.end}
    for node in side.nodes:
        rank = sizes.rank(node.inputs[0]) or 0
        if node.op_type == "Split" and axis_attribute(node, 0, rank) == rank - 1:
            lengths = [(sizes.fixed(v) or (None,))[-1] for v in node.outputs]
            index = [i for i, v in enumerate(node.outputs) if v in reads]
            if None in lengths or len(index) != 1:
                return None
            found.add((sum(n or 0 for n in lengths[: index[0]]), 1, lengths[index[0]] or 0))
        elif node.op_type == "Slice":
            cuts = slice_cuts(sizes, node, rank)
            length = (sizes.fixed(node.outputs[0]) or (None,))[-1]
            if cuts is not None and rank - 1 in cuts and length is not None:
                start, step = cuts[rank - 1]
                found.add((start % up.columns, step, length))
    return found.pop() if len(found) == 1 else None


def _part(sizes: Sizes, near: Nearest, ups: Sequence[Product], side: _Side, rows: int) -> Part:
    """The matrix (or the columns of the fused one) that one side of the meeting comes from."""
    if len(ups) == 1:
        half = _half(sizes, side, ups[0])
        if half is None or half[2] != rows:
            raise Unreadable("gate and up are not halves of one matrix", ups[0].node)
        start, step, length = half
        return Part(ups[0], start, step, length)
    (up,) = near.get(side.end) or frozenset()  # `_meeting` made sure that there is one
    if up.columns != rows:
        raise Unreadable("up and gate do not fit the down projection", up.node)
    return Part(up)

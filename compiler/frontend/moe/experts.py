"""The feed-forward experts of a region: their matrices, roles, activation and order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import weight_of
from compiler.frontend.facts.products import Product
from compiler.frontend.moe.activation import activation_of, gated_activation
from compiler.frontend.moe.hidden import Hidden, Nearest, Side
from compiler.frontend.moe.unreadable import Unreadable
from ir.activation import AnyActivation, Composed
from ir.workload import Expert, Weight

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
    experts in the products, None for one. Of a single matrix, `down` is the only product of `ups`,
    and `curved` what the activation makes of it.
    """

    up: Part
    gate: Part | None
    down: Product
    ups: tuple[Product, ...]
    activation: AnyActivation
    stacked: int | None
    curved: Value | None = None

    @property
    def out(self) -> Value:
        """What the experts give."""
        return self.curved or self.down.out

    @property
    def single(self) -> bool:
        """Whether it is a single matrix."""
        return self.ups == (self.down,)

    def experts(self) -> list[Expert]:
        """The experts of these matrices: one, or one per entry of the stack."""
        return list(self._experts)

    @cached_property
    def _experts(self) -> tuple[Expert, ...]:
        of_stack = [None] if self.stacked is None else range(self.stacked)
        return tuple(self._expert(index) for index in of_stack)

    def _expert(self, index: int | None) -> Expert:
        return Expert(
            up=self.up.weight(index),
            down=None if self.single else Part(self.down).weight(index),
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
    *,
    single: bool = False,
) -> list[FeedForward]:
    """Every up-activation-down group of the region, in order of its down projection.

    single: products that no other follows are experts of one matrix, where the region has no
    others. Raises Unreadable where products are chained in another way.
    """
    near = nearest_products(facts, nodes, skip, stops)
    by_node = facts.products.by_node
    inside = [by_node[n] for n in nodes if n in by_node]
    for node in nodes:
        if node.op_type == "DynamicQuantizeLinear" and near.get(node.outputs[0]):
            raise Unreadable(
                "experts quantise what all tokens give them with one scale, so every token goes "
                "through every expert",
                node,
                final=True,
            )
    found = []
    used: set[Product] = set()
    for product in inside:
        if product in skip:
            continue
        ups = near.get(product.data, frozenset())
        if ups is None:
            reason = "a matrix product reads several experts at once"
            raise Unreadable(reason, product.node, final=True)
        if not ups:
            continue
        deeper = [u for u in ups if near.get(u.data, frozenset())]
        if deeper:
            raise Unreadable("three matrix products follow one another", product.node, final=True)
        used.update((*ups, product))
        ordered = sorted(ups, key=lambda p: facts.graph.order[p.node])
        found.append(_feed_forward(facts, near, ordered, product))
    stray = [p for p in inside if p not in used and p not in skip and p.columns > 1]
    if single and not found and not any(p.flipped for p in stray):
        return [_single(facts, near, nodes, p) for p in stray]
    if stray:
        raise Unreadable("a matrix product leads to no down projection", stray[0].node)
    return found


def _single(facts: Facts, near: Nearest, nodes: Sequence[Node], only: Product) -> FeedForward:
    """A single matrix, and the curve of its results: up to where anything else joins them."""
    end = only.out
    alone = {end}
    for node in nodes:
        data = facts.graph.data_inputs(node)
        if data and all(v in alone for v in data):
            alone.update(node.outputs)
            end = node.outputs[0]
    sides = Hidden(facts, near, (only,)).sides(end)
    if len(sides) != 1 or sides[0].cut is not None:
        raise Unreadable("parts of a matrix's results are taken", only.node)
    curve = activation_of(sides[0].formula)
    return FeedForward(Part(only), None, only, (only,), curve, only.stacked, end)


def _feed_forward(
    facts: Facts, near: Nearest, ups: Sequence[Product], down: Product
) -> FeedForward:
    if len(ups) > 2 or any(p.flipped for p in (*ups, down)):
        raise Unreadable(f"{len(ups)} matrix products meet before the down projection", down.node)
    counts = {p.stacked for p in (*ups, down)}
    if len(counts) != 1:
        raise Unreadable("stacked and single matrices meet", down.node)
    sides, after = Hidden(facts, near, ups).parts(down.data)
    rows = down.matrix.axes[-2].length
    parts = [_part(side, rows) for side in sides]
    if len(sides) == 1:
        curve = activation_of(sides[0].formula)
        return FeedForward(parts[0], None, down, tuple(ups), curve, counts.pop())
    activation, gate = gated_activation((sides[0].formula, sides[1].formula))
    if after.steps:
        activation = Composed(sides[gate].formula, sides[1 - gate].formula, after)
    return FeedForward(parts[1 - gate], parts[gate], down, tuple(ups), activation, counts.pop())


def _part(side: Side, rows: int) -> Part:
    """The matrix (or the columns of a fused one) that one factor of the hidden vector is of."""
    product, cut = side.product, side.cut
    if (product.columns if cut is None else cut.length) != rows:
        words = "up and gate do not fit" if cut is None else "columns of a matrix that do not fit"
        raise Unreadable(f"{words} the down projection", product.node)
    if cut is None:
        return Part(product)
    return Part(product, cut.start, cut.step, cut.length)


def one_by_place(blocks: Sequence[FeedForward]) -> Sequence[FeedForward]:
    """One block for those that gather their matrices from the same stacks: an unrolled top-k.

    Block j serves the j-th of each token's experts; any other blocks are left as they are.
    """
    stacks = {
        (b.activation, b.stacked, *((p.matrix.tensor, p.matrix.axes, p.bias) for p in _products(b)))
        for b in blocks
    }
    picked = all(p.selected and not p.single for b in blocks for p in _products(b))
    return blocks[:1] if picked and len(stacks) == 1 else blocks


def _products(block: FeedForward) -> tuple[Product, ...]:
    return (*block.ups, block.down)

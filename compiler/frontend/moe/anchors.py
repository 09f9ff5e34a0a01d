"""Selections that may be a router: TopK or ArgMax over a small projection of the tokens.

Two more kinds are found from the experts' side, for routers that select in another way: the `ids`
by which matrices are gathered from a stack, and a projection whose outputs are the `weights` of as
many experts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph, axis_attribute
from compiler.frontend.facts.products import Product

MAX_TABLE = 2**26  # numbers of a table: 16 experts for each of four million tokens
VIEWS = ("Reshape", "Cast", "Identity", "Squeeze", "Unsqueeze", "Flatten")
POINTWISE = frozenset(
    """
    Add Sub Mul Div Softmax LogSoftmax Sigmoid Tanh Where Neg Exp Log Reciprocal Clip Pow
    Sqrt Max Min Transpose ReduceMax ReduceSum Abs Greater Less Not TopK ScatterElements
    Expand Relu GatherElements OneHot GreaterOrEqual LessOrEqual Softplus ArgMax Equal
    Squeeze Unsqueeze Reshape Cast Identity Flatten Concat Gather ScatterND Slice Split
    ReduceL1 ReduceL2 CumSum And Or Min
    """.split()
)
CURVES = frozenset(
    """
    Erf Gelu QuickGelu FastGelu BiasGelu Swish HardSwish HardSigmoid Mish Elu Celu Selu LeakyRelu
    PRelu Softsign ThresholdedRelu Sin Cos Shrink Expand Tile Min LessOrEqual And Or Sum
    """.split()
)
STEPS = POINTWISE | CURVES
MAX_BETWEEN = 64  # nodes between two matrices of an expert or a router: more are no curve

Kind = Literal["best experts", "best tokens", "ids", "weights"]


@dataclass(frozen=True, eq=False)
class Anchor:
    """What decides over experts, and where it comes from.

    kind: a token's `best experts`, an expert's `best tokens`, the `ids` of a token's experts
    however they were made, or a token's `weights` of all experts.
    node, source, starts: what selects, what it selects from, and what it gives. products: the
    router's matrices, the last one first; entry: the value they start from, or the ids.
    """

    kind: Kind
    node: Node
    source: Value
    starts: tuple[Value, ...]
    products: tuple[Product, ...]
    entry: Value
    experts: int

    @property
    def expert_choice(self) -> bool:
        """Whether experts choose among tokens."""
        return self.kind == "best tokens"


def find_anchors(facts: Facts) -> list[Anchor]:
    """One anchor per router: of several selections from one projection, the last."""
    by_projection: dict[Node, Anchor] = {}
    for node in facts.graph.nodes:
        if node.op_type in ("TopK", "ArgMax") and facts.graph.is_data(node):
            anchor = _anchor(facts, node)
            if anchor is not None:
                by_projection[anchor.products[0].node] = anchor
    return list(by_projection.values())


def _anchor(facts: Facts, node: Node) -> Anchor | None:
    source, kind = node.inputs[0], facts.sizes.kind(node.inputs[0])
    if source is None or (kind is not None and not kind.is_floating_point()):
        return None
    matrices = router_products(facts, source)
    shape = facts.sizes.fixed(source)
    if not matrices or shape is None:
        return None
    experts = matrices[0].columns
    token, axis = facts.axes.of(source), axis_attribute(node, -1, len(shape))
    by_token = token is not None and token.axis == axis
    if (not by_token and shape[axis] != experts) or (by_token and experts not in shape):
        return None
    choice: Kind = "best tokens" if by_token and node.op_type == "TopK" else "best experts"
    entry = root(facts.graph, matrices[-1].data)
    return Anchor(choice, node, source, tuple(node.outputs), matrices, entry, experts)


def anchors_by_ids(facts: Facts) -> Iterator[Anchor]:
    """One anchor for each value by which matrices are gathered from stacks."""
    seen: set[Value] = set()
    for product in facts.products.by_node.values():
        index = product.index
        if index is None or product.single or not product.stacked:
            continue
        ids = root(facts.graph, index)
        if ids not in seen:
            seen.add(ids)
            node = ids.producer() or product.node
            yield Anchor("ids", node, ids, (ids,), (), ids, product.stacked)


def anchors_by_table(facts: Facts) -> Iterator[Anchor]:
    """One anchor for each value looked up in a stored table of whole numbers from 0 on.

    It has at least so many experts: a number may be in no row.
    """
    for node in facts.graph.nodes:
        experts, ids = _numbers_looked_up(facts, node), node.outputs[0]
        if experts:
            yield Anchor("ids", node, ids, (ids,), (), ids, experts)


def _numbers_looked_up(facts: Facts, node: Node) -> int:
    """How many experts a stored table of their numbers has at least, if a node looks one up."""
    table = node.inputs[0] if node.op_type == "Gather" else None
    if table is None or table.const_value is None or not facts.graph.is_data(node):
        return 0
    kind, size = table.const_value.dtype, table.const_value.size
    if not kind.is_integer() or not 1 < size <= MAX_TABLE:
        return 0
    numbers = table.const_value.numpy()
    return int(numbers.max()) + 1 if numbers.min() >= 0 and numbers.max() > 0 else 0


def anchors_by_weights(facts: Facts) -> Iterator[Anchor]:
    """One anchor for each projection, as if its outputs weighted as many experts."""
    for product in facts.products.by_node.values():
        alone = product.stacked is None and not product.selected and not product.flipped
        if alone and product.columns > 1:
            out, entry = product.out, root(facts.graph, product.data)
            yield Anchor("weights", product.node, out, (out,), (product,), entry, product.columns)


def router_products(facts: Facts, source: Value) -> tuple[Product, ...]:
    """The products a selection's input comes from through pointwise steps, nearest first."""
    found: dict[Product, None] = {}
    todo, seen = [source], {source}
    while todo:
        value = todo.pop(0)
        product = facts.products.by_out.get(value)
        node = value.producer()
        if product is not None:
            found[product] = None
            if len(found) > 2:
                return ()
            deeper = _second_step(facts, product)
            if deeper is not None:
                found[deeper] = None
            continue
        if node is None or node.op_type not in POINTWISE:
            return ()
        for other in facts.graph.data_inputs(node):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    roots = [p for p in found if p.columns == next(iter(found)).columns]
    return tuple(found) if roots else ()


def _second_step(facts: Facts, product: Product) -> Product | None:
    """The first matrix of a two-matrix router (x -> tanh -> logits): nothing else reads it."""
    graph, found = facts.graph, dict[Product, None]()
    todo, seen, between = [product.data], {product.data}, {product.node, *product.nodes}
    while todo:
        value = todo.pop()
        before, node = facts.products.by_out.get(value), value.producer()
        if before is not None:
            found[before] = None
            if len(found) > 1:
                return None
            continue
        if node is None or node.op_type not in STEPS or len(between) > MAX_BETWEEN:
            return None
        between.add(node)
        fresh = [v for v in graph.data_inputs(node) if v not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    if not found:
        return None
    readers = {n for v in seen for n in graph.readers(v) if graph.is_data(n)}
    return next(iter(found)) if readers <= between else None


def root(graph: Graph, value: Value) -> Value:
    """`value` before casts and reshapes."""
    while True:
        node = value.producer()
        if node is None or node.op_type not in VIEWS or node.inputs[0] is None:
            return value
        if node.inputs[0] not in graph.data:
            return value
        value = node.inputs[0]

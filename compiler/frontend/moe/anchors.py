"""Selections that may be a router: TopK or ArgMax over a small projection of the tokens."""

from dataclasses import dataclass

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph, axis_attribute
from compiler.frontend.facts.products import Product

VIEWS = ("Reshape", "Cast", "Identity", "Squeeze", "Unsqueeze", "Flatten")
POINTWISE = frozenset(
    """
    Add Sub Mul Div Softmax LogSoftmax Sigmoid Tanh Where Neg Exp Log Reciprocal Clip Pow
    Sqrt Max Min Transpose ReduceMax ReduceSum Abs Greater Less Not TopK ScatterElements
    Expand Relu GatherElements OneHot GreaterOrEqual LessOrEqual Softplus ArgMax Equal
    Squeeze Unsqueeze Reshape Cast Identity Flatten Concat Gather ScatterND Slice Split
    ReduceL1 ReduceL2
    """.split()
)


@dataclass(frozen=True, eq=False)
class Anchor:
    """A selection: TopK or ArgMax over the outputs of a constant-weight projection.

    source: what is selected from; products: the router's matrices, the last one first; entry: the
    value they start from.
    """

    node: Node
    source: Value
    products: tuple[Product, ...]
    entry: Value
    experts: int
    expert_choice: bool

    @property
    def starts(self) -> tuple[Value, ...]:
        """The selection's outputs."""
        return tuple(self.node.outputs)


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
    entry = root(facts.graph, matrices[-1].data)
    return Anchor(node, source, matrices, entry, experts, by_token and node.op_type == "TopK")


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
    """The first matrix of a two-matrix router (x -> tanh -> logits)."""
    value: Value = product.data
    for _ in range(4):
        node = value.producer()
        if node is None:
            return None
        before = facts.products.by_out.get(value)
        if before is not None:
            return before if before.columns <= 4 * product.columns else None
        inputs = facts.graph.data_inputs(node)
        if node.op_type not in ("Tanh", "Relu", "Sigmoid", *VIEWS) or len(inputs) != 1:
            return None
        value = inputs[0]
    return None


def root(graph: Graph, value: Value) -> Value:
    """`value` before casts and reshapes."""
    while True:
        node = value.producer()
        if node is None or node.op_type not in VIEWS or node.inputs[0] is None:
            return value
        if node.inputs[0] not in graph.data:
            return value
        value = node.inputs[0]

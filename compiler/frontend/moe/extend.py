"""Move a MoE layer's exit on over what still belongs to it: views, a factor, shared experts."""

from collections.abc import Mapping
from dataclasses import replace

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import weight_of
from compiler.frontend.facts.dominators import nodes_between
from compiler.frontend.facts.graph import FOLLOWED, name_of
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import VIEWS, root
from compiler.frontend.moe.experts import feed_forwards
from compiler.frontend.moe.found import FoundLayer
from compiler.frontend.moe.unreadable import Unreadable
from ir.errors import InputError
from ir.selection import ByIds
from ir.workload import Expert, Weight

MAX_SHARED = 8
_ALONE = frozenset((*VIEWS, "Transpose"))  # may follow the sum of the experts
Region = Mapping[Value, int]


def extensions(facts: Facts, region: Region, layer: FoundLayer) -> list[FoundLayer]:
    """`layer` and every layer it becomes when its exit moves on, outermost first."""
    found = [layer]
    while True:
        step = _step(facts, region, found[0])
        if step is None:
            return found
        nodes = nodes_between(facts.graph, step.entries, [step.exit], region)
        found.insert(0, replace(step, nodes=tuple(dict.fromkeys([*layer.nodes, *nodes]))))


def _step(facts: Facts, region: Region, layer: FoundLayer) -> FoundLayer | None:
    """The layer with one more node, or None."""
    graph = facts.graph
    node = graph.content_reader(layer.exit)
    if node is None or node in facts.products.by_node or len(node.outputs) != 1:
        return None
    out = node.outputs[0]
    if out not in region:
        return None
    others = [v for v in graph.data_inputs(node) if v is not layer.exit]
    if not others:
        if node.op_type in _ALONE or _is_one_sum(facts.sizes, node, layer.exit):
            return replace(layer, exit=out)
        factor = _factor(facts.sizes, node, layer.exit)
        if factor is None or layer.shared:
            return None
        return replace(layer, exit=out, scale=layer.scale * factor)
    if node.op_type == "Mul" and len(others) == 1:
        return _probability(facts, layer, others[0], out)
    if node.op_type == "Add" and len(others) == 1:
        return _with_shared(facts, region, layer, others[0], out)
    return None


def _is_one_sum(sizes: Sizes, node: Node, value: Value) -> bool:
    """A sum over an axis of length 1: over the experts of a token that has one."""
    width = sizes.per_token(value)
    after = sizes.per_token(node.outputs[0])
    return node.op_type == "ReduceSum" and width is not None and width == after


def _factor(sizes: Sizes, node: Node, value: Value) -> float | None:
    """The number that a Mul or Div scales `value` by."""
    if node.op_type not in ("Mul", "Div") or (
        node.op_type == "Div" and node.inputs[0] is not value
    ):
        return None
    other = node.inputs[1] if node.inputs[0] is value else node.inputs[0]
    content = sizes.content(other)
    if content is None or content[0].size != 1 or any(c != content[0] for c in content):
        return None
    number = float(content[0].ravel()[0])
    if node.op_type == "Div":
        return 1 / number if number else None
    return number


def _probability(facts: Facts, layer: FoundLayer, other: Value, out: Value) -> FoundLayer | None:
    """A top-1 router's weight that multiplies the sum (Switch)."""
    router = layer.router
    match router.selection:
        case ByIds(ids, gates=None) if router.top_k == 1 and not layer.shared:
            if facts.sizes.per_token(other) != 1:
                return None
            weighted = replace(router, selection=ByIds(ids, name_of(other)))
            return replace(layer, exit=out, router=weighted, routers=())
        case _:
            return None


def _with_shared(
    facts: Facts, region: Region, layer: FoundLayer, other: Value, out: Value
) -> FoundLayer | None:
    """The shared experts whose sum `other` is, added; None where it is something else."""
    if other not in region or root(facts.graph, other) is layer.entry:
        return None
    nodes = nodes_between(facts.graph, layer.entries, [other], region)
    count = sum(n in facts.products.by_node for n in nodes)
    if not 2 <= count <= 4 * MAX_SHARED:
        return None
    try:
        blocks = feed_forwards(facts, nodes, (), ())
        experts = [expert for block in blocks for expert in block.experts()]
        gates = [_gate(facts, layer.entry, block.out) for block in blocks]
    except (Unreadable, InputError):
        return None
    fits = all(b.stacked is None and b.activation == layer.activation for b in blocks)
    fits = fits and all(not b.single for b in blocks) and layer.experts[0].down is not None
    if not blocks or not fits or any(e.last.columns != _width(layer) for e in experts):
        return None
    before = layer.shared_gates or (None,) * len(layer.shared)
    return replace(
        layer,
        exit=out,
        shared=(*layer.shared, *experts),
        shared_gates=(*before, *gates),
    )


def _width(layer: FoundLayer) -> int:
    expert: Expert = layer.experts[0]
    return expert.last.columns


def _gate(facts: Facts, entry: Value, value: Value) -> Weight | None:
    """The matrix [d, 1] of sigmoid(x @ w) that multiplies a shared expert's output, if there is."""
    graph = facts.graph
    for _ in range(FOLLOWED):
        node = graph.content_reader(value)
        if node is None or node.op_type not in (*_ALONE, "Mul"):
            break
        others = [v for v in graph.data_inputs(node) if v is not value]
        if not others:
            value = node.outputs[0]
            continue
        curve = root(graph, others[0]).producer()
        if curve is None or curve.op_type != "Sigmoid" or curve.inputs[0] is None:
            raise Unreadable("a shared expert's factor is no sigmoid of a product", node)
        product = facts.products.by_out.get(root(graph, curve.inputs[0]))
        if (
            product is None
            or product.columns != 1
            or root(graph, product.data) is not root(graph, entry)
        ):
            raise Unreadable("a shared expert's factor is no sigmoid of a product", node)
        return weight_of(product.matrix, product.bias)
    return None

"""What stays digital, cut into operators: embeddings, norms, residual additions, activations.

Every set is closed in one way that keeps the order of operators possible: apart from its last
node, all readers of a node are in the set too.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.axes import Axes
from compiler.frontend.facts.graph import FOLLOWED, SHAPE_OPS, Graph
from compiler.frontend.facts.kinds import NORMS
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import VIEWS
from compiler.frontend.moe.formula import CURVES
from ir.workload import DigitalKind, Scope

_ROOTS = ("Sqrt", "Reciprocal", "Pow", "Add", "Cast", "Identity", "Max", "Clip", "Div")


@dataclass(eq=False)
class DigitalSet:
    """Nodes in graph order that become one Digital operator."""

    kind: DigitalKind
    nodes: list[Node] = field(default_factory=list)


def split_digital(facts: Facts, left: Sequence[Node]) -> list[DigitalSet]:
    """Cut the nodes in `left` (graph order) into operators, each node in exactly one."""
    graph, axes = facts.graph, facts.axes
    free = set(left)
    sets: list[DigitalSet] = []
    owner: dict[Node, DigitalSet] = {}

    def claim(kind: DigitalKind, nodes: Collection[Node]) -> None:
        found = DigitalSet(kind, sorted(nodes, key=graph.order.__getitem__))
        sets.append(found)
        for node in found.nodes:
            owner[node] = found
            free.discard(node)

    _claim_positions(graph, free, claim)
    for node in left:
        if node in free and _is_lookup(graph, node):
            claim("embed", [node])
    for node in left:
        if node in free:
            norm = _norm(graph, node, free)
            if norm:
                claim("norm", norm)
    for node in left:
        if node in free and _is_residual(facts, node):
            claim("add", [node])
    for node in reversed(left):
        if node not in free:
            continue
        target = _sole_owner(graph, owner, node)
        if target is None or axes.scope(node) != axes.scope(target.nodes[-1]):
            claim("other", [node])
        else:
            target.nodes.append(node)
            owner[node] = target
            free.discard(node)
    for found in sets:
        found.nodes.sort(key=graph.order.__getitem__)
        if found.kind == "other":
            found.kind = _kind(graph, found.nodes)
    sets.sort(key=lambda s: graph.order[s.nodes[-1]])
    return sets


def scope_of(axes: Axes, nodes: Sequence[Node]) -> Scope:
    """`sequence` if any node mixes tokens, `constant` if none depends on them, else `token`."""
    scopes = {axes.scope(node) for node in nodes}
    if "sequence" in scopes:
        return "sequence"
    return "token" if "token" in scopes else "constant"


def elements_of(sizes: Sizes, nodes: Sequence[Node], scope: Scope, tokens: int) -> int:
    """Output elements of all nodes but pure views, which move nothing.

    Per token; for a `sequence` scope the average at `tokens` tokens a sequence, rounded up; for a
    `constant` one in all at `tokens` tokens.
    """
    total = 0
    for node in nodes:
        if node.op_type in SHAPE_OPS or (node.op_type in VIEWS and node.op_type != "Cast"):
            continue
        for value in node.outputs:
            if scope == "token":
                total += sizes.per_token(value) or 0
            else:
                total += sizes.at(value, tokens) or 0
    of_all = sizes.counted(tokens) * sizes.batch
    return -(-total // of_all) if scope == "sequence" else total


def _is_lookup(graph: Graph, node: Node) -> bool:
    """Whether a node looks token ids up in a constant table."""
    kinds = ("Gather", "EmbedLayerNormalization")
    return node.op_type in kinds and graph.is_data(node) and node.inputs[0] in graph.constant


def _sole_owner(graph: Graph, owner: dict[Node, DigitalSet], node: Node) -> DigitalSet | None:
    """The one open set that holds every reader of a node, or None."""
    if any(v.is_graph_output() for v in node.outputs):
        return None
    found = None
    for reader in (r for v in node.outputs for r in graph.readers(v)):
        of_reader = owner.get(reader)
        if of_reader is None or (found is not None and of_reader is not found):
            return None
        found = of_reader
    return found if found is not None and found.kind == "other" else None


def _claim_positions(
    graph: Graph, free: Collection[Node], claim: Callable[[DigitalKind, list[Node]], None]
) -> None:
    """Everything that follows from positions, masks and lengths alone: one operator."""
    known = set(graph.constant) | set(graph.inputs)
    nodes = []
    for node in graph.nodes:
        if node not in free or graph.is_data(node):
            continue
        if known.issuperset(graph.reads(node)):
            known.update(node.outputs)
            nodes.append(node)
    if nodes:
        claim("other", nodes)


def _norm(graph: Graph, node: Node, free: Collection[Node]) -> list[Node]:
    """The nodes of a normalisation over the last axis that starts at `node`, or []."""
    if node.op_type in NORMS:
        return [node]
    if node.op_type != "ReduceMean" or node.inputs[0] is None:
        return []
    before = _squared(graph, node.inputs[0])
    nodes = [*before, node]
    joint, value = _follow(graph, node.outputs[0], nodes)
    if joint is not None and joint.op_type == "Sub" and not before:
        squares = [r for r in graph.readers(value) if r.op_type in ("Pow", "Mul")]
        means = [
            r for q in squares for r in graph.readers(q.outputs[0]) if r.op_type == "ReduceMean"
        ]
        if len(means) != 1:
            return []
        nodes += [joint, *[q for q in squares if means[0] in graph.readers(q.outputs[0])], means[0]]
        joint, value = _follow(graph, means[0].outputs[0], nodes)
    if joint is None or joint.op_type not in ("Mul", "Div"):
        return []
    nodes.append(joint)
    while True:  # scale and shift by constant vectors
        after = graph.only_reader(value)
        if after is None or after.op_type not in ("Mul", "Add", "Cast"):
            break
        if len(graph.data_inputs(after)) != 1 or len(after.outputs) != 1:
            break
        nodes.append(after)
        value = after.outputs[0]
    alone = _closed(graph, nodes, value)
    return nodes if alone and all(n in free for n in nodes) else []


def _squared(graph: Graph, value: Value) -> list[Node]:
    """The nodes that square what is averaged; none for a plain mean."""
    node = value.producer()
    nodes: list[Node] = []
    while node is not None and node.op_type == "Cast" and graph.is_data(node):
        nodes.append(node)
        node = graph.data_inputs(node)[0].producer()
    if node is None or node.op_type not in ("Mul", "Pow"):
        return []
    return [*nodes, node] if len(graph.data_inputs(node)) == 1 else []


def _follow(graph: Graph, value: Value, nodes: list[Node]) -> tuple[Node | None, Value]:
    """Follow a statistic (adding its nodes) to where it meets the vector it came from."""
    for _ in range(FOLLOWED):
        node = graph.only_reader(value)
        if node is None or len(node.outputs) != 1:
            break
        inputs = graph.data_inputs(node)
        if len(inputs) == 2:
            return node, node.outputs[0]
        if node.op_type not in _ROOTS:
            break
        nodes.append(node)
        value = node.outputs[0]
    return None, value


def _closed(graph: Graph, nodes: Collection[Node], end: Value) -> bool:
    """Whether only `end` is read outside `nodes`."""
    inside = set(nodes)
    return all(
        v is end or (not v.is_graph_output() and all(r in inside for r in graph.readers(v)))
        for n in inside
        for v in n.outputs
    )


def _is_residual(facts: Facts, node: Node) -> bool:
    """An addition of two token vectors of full width."""
    inputs = facts.graph.data_inputs(node)
    if node.op_type not in ("Add", "Sum") or len(inputs) < 2:
        return False
    width = facts.sizes.per_token(node.outputs[0])
    return width is not None and all(facts.sizes.per_token(v) == width for v in inputs)


def _kind(graph: Graph, nodes: Sequence[Node]) -> DigitalKind:
    kinds = {n.op_type for n in nodes if n.op_type not in VIEWS}
    if not any(graph.is_data(n) for n in nodes):
        return "other"
    if kinds & CURVES and kinds <= CURVES | {"Mul", "Add", "Div", "Pow", "Clip", "Split", "Slice"}:
        return "act"
    if kinds == {"Mul"}:
        return "mul"
    return "add" if kinds == {"Add"} else "other"

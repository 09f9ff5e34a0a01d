"""Router outputs that stand for no expert: they give nothing, or pass the token on.

They are taken for such where the layer has fewer experts than its router has outputs and the graph
shows that this is meant: experts of a stack, tokens weighted as they are, numbers compared with the
number of experts, or outputs picked for which there is no matrix. An export that recorded the
routing of one input lacks experts too, and shows none of these.
"""

from collections.abc import Collection, Sequence

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import VIEWS, Anchor
from compiler.frontend.moe.experts import FeedForward
from compiler.frontend.moe.numbering import picked
from compiler.frontend.moe.unreadable import Unreadable

_BOUNDS = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Clip", "Min", "Max", "Sub")


def passes_on(facts: Facts, vectors: Value, chosen: Collection[Value]) -> bool:
    """Whether token vectors are weighted by the selection without going through a matrix."""
    graph = facts.graph
    for node in graph.nodes:
        if node.op_type not in ("Mul", "Where"):
            continue
        data = graph.data_inputs(node)
        passed = [v for v in data if _is_entry(vectors, v)]
        if passed and any(v in chosen for v in data if v not in passed):
            return True
    return False


def keeps(vectors: Value, nodes: Sequence[Node]) -> bool:
    """Whether a region puts some tokens into its sum as they are, in place of what experts make."""
    for node in nodes:
        into = node.inputs[:1] if node.op_type in ("ScatterND", "ScatterElements") else ()
        among = node.inputs[1:] if node.op_type == "Where" else ()
        times = node.inputs if node.op_type == "Mul" else ()
        if any(v is not None and _is_entry(vectors, v) for v in (*into, *among, *times)):
            return True
    return False


def constant_expert(facts: Facts, nodes: Sequence[Node], width: int) -> Node | None:
    """The node that multiplies a stored vector of `width` by a token's weight, if there is one."""
    for node in nodes:
        if node.op_type != "Mul":
            continue
        data = facts.graph.data_inputs(node)
        stored = [v for v in node.inputs if v is not None and v in facts.graph.constant]
        wide = any((facts.sizes.fixed(v) or (None,))[-1] == width > 1 for v in stored)
        if wide and len(data) == 1 and facts.sizes.per_token(data[0]) == 1:
            return node
    return None


def _is_entry(vectors: Value, value: Value) -> bool:
    """Whether a value is the token vectors or rows of them, or has them joined in."""
    moved = ("Gather", "GatherND", "Expand", "Tile", *VIEWS)
    while value is not vectors:
        node = value.producer()
        if node is not None and node.op_type == "Concat":
            return any(v is not None and _is_entry(vectors, v) for v in node.inputs)
        if node is None or node.op_type not in moved or node.inputs[0] is None:
            return False
        value = node.inputs[0]
    return True


def are_told_apart(
    facts: Facts, nodes: Sequence[Node], chosen: Collection[Value], experts: int, outputs: int
) -> bool:
    """Whether the graph tells the outputs of experts from the others.

    By a comparison of the selected numbers, by a cut through the outputs, or by a constant number
    for each of them.
    """
    graph, sizes = facts.graph, facts.sizes
    numbers: set[int] = set()
    for node in nodes:
        made = [v for v in node.outputs if v in chosen]
        if not made:
            continue
        if _cuts(sizes, node, experts, outputs) or _bounds(graph, sizes, node, experts, outputs):
            return True
        numbers.update(n for n in (picked(sizes, node, v) for v in made) if n is not None)
    return numbers >= set(range(outputs))


def _cuts(sizes: Sizes, node: Node, experts: int, outputs: int) -> bool:
    """Whether a node keeps the experts' part of something that is as wide as the router."""
    shapes = [sizes.fixed(v) or (None,) for v in (node.inputs[0], node.outputs[0])]
    widths = [shape[-1] if shape else None for shape in shapes]
    return node.op_type in ("Slice", "Split") and widths == [outputs, experts]


def _bounds(graph: Graph, sizes: Sizes, node: Node, experts: int, outputs: int) -> bool:
    """Whether a node compares whole numbers with a bound between experts and other outputs."""
    data = graph.data_inputs(node)
    kinds = [sizes.kind(v) for v in data]
    if (
        node.op_type not in _BOUNDS
        or not kinds
        or any(k is None or not k.is_integer() for k in kinds)
    ):
        return False
    limits = {experts - 1, experts, outputs - experts - 1, outputs - experts}
    found = [sizes.numbers(v) for v in node.inputs if v is not None and v not in data]
    return any(n is not None and len(n) == 1 and n[0] in limits for n in found)


def runs(numbers: Sequence[int] | None, experts: int, outputs: int) -> list[tuple[int, int]]:
    """The idle outputs before and after the experts' numbers; both ends where these are unknown."""
    spare = outputs - experts
    if numbers is not None:
        return [(min(numbers), spare - min(numbers))]
    return [(0, spare), (spare, 0)] if spare else [(0, 0)]


def check_meant(
    facts: Facts,
    anchor: Anchor,
    nodes: Sequence[Node],
    routed: Sequence[FeedForward],
    chosen: Collection[Value],
    *,
    passing: bool,
) -> None:
    """Raise Unreadable unless the router's further outputs are meant to be no experts."""
    count, outputs = sum(b.stacked or 1 for b in routed), anchor.experts
    apart = all(b.stacked is None for b in routed)
    meant = passing or not apart or are_told_apart(facts, nodes, chosen, count, outputs)
    if anchor.kind == "best experts" and 1 < count < outputs and meant:
        return
    missing = 1 < count < outputs and apart
    words = _why_missing(routed, chosen) if missing else ""
    raise Unreadable(
        f"{count} feed-forward experts, the router has {outputs} outputs{words}",
        anchor.node,
        traced=missing,
    )


def _why_missing(routed: Sequence[FeedForward], chosen: Collection[Value]) -> str:
    """What may have become of the experts of a router's further outputs."""
    if any(u.data in chosen for b in routed for u in b.ups):
        return (
            ": experts are missing, as in a traced export, which holds only those that its example "
            "input was routed to; export again with a dynamo or optimum exporter"
        )
    return (
        ": experts are missing, and the graph does not show whether the further outputs are meant "
        "to have none, or a traced export left out what its example input was not routed to (then "
        "export again with a dynamo or optimum exporter)"
    )

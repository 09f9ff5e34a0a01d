"""Which router output belongs to which expert, where each expert has matrices of its own.

On the way from the selection to an expert's block stands a constant that says which expert it is:
a column, a row, an entry of a one-hot mask, a number compared with. Walking back from every block
in the same order gives one list of constants per expert; the place where these lists hold each of
0 to E - 1 once is the expert's number.
"""

from collections.abc import Collection, Sequence

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.constants import slice_cuts
from compiler.frontend.facts.graph import FOLLOWED, Graph, axis_attribute
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import VIEWS
from compiler.frontend.moe.experts import FeedForward
from compiler.frontend.moe.found import Evidence

MAX_PICKS = 24


def expert_numbers(
    facts: Facts, blocks: Sequence[FeedForward], chosen: Collection[Value], outputs: int
) -> tuple[list[int] | None, Evidence]:
    """The number of each block's expert, None where the graph does not say; and what it says.

    chosen: the values that depend on the selection; outputs: of the router, of which the experts'
    follow each other.
    """
    places = _joined_at(facts.graph, blocks, outputs)
    if places is not None:
        return places, "numbered"
    found = [_picks(facts, block, chosen) for block in blocks]
    shortest = min(len(picks) for picks in found)
    for place in range(shortest):
        column = [picks[place] for picks in found]
        if _is_run([number for number, _ in column], outputs):
            if any(counted for _, counted in column):
                return None, "hit loop"
            return [number for number, _ in column], "numbered"
    return None, "graph order"


def _is_run(numbers: Sequence[int], outputs: int) -> bool:
    """Whether numbers follow each other, in any order, among 0 to outputs - 1."""
    first = min(numbers)
    whole = sorted(numbers) == list(range(first, first + len(numbers)))
    return whole and first >= 0 and first + len(numbers) <= outputs


def _joined_at(graph: Graph, blocks: Sequence[FeedForward], outputs: int) -> list[int] | None:
    """Each block's place in one Concat of as many values as there are router outputs, or None.

    What is joined is weighted as one value after it, so that places are router outputs.
    """
    places: list[int] = []
    joints: set[Node] = set()
    for block in blocks:
        value, node = block.out, graph.content_reader(block.out)
        while node is not None and node.op_type in VIEWS:
            value, node = node.outputs[0], graph.content_reader(node.outputs[0])
        if node is None or node.op_type != "Concat":
            return None
        joints.add(node)
        places.append(list(node.inputs).index(value))
    alone = len(joints) == 1 and len(next(iter(joints)).inputs) == outputs
    return places if alone and _is_run(places, outputs) else None


def _picks(facts: Facts, block: FeedForward, chosen: Collection[Value]) -> list[tuple[int, bool]]:
    """The constants between a block and the selection, nearest first.

    With each: whether it picks from a list whose length was counted at run time (NonZero).
    """
    graph = facts.graph
    todo = _starts(graph, block, chosen)
    seen = set(todo)
    found: list[tuple[int, bool]] = []
    while todo and len(found) < MAX_PICKS:
        value = todo.pop(0)
        node = value.producer()
        if node is None or value not in chosen:
            continue
        number = picked(facts.sizes, node, value)
        if number is not None:
            found.append((number, _is_counted(graph, node, chosen)))
        fresh = [v for v in graph.data_inputs(node) if v in chosen and v not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    return found


def _starts(graph: Graph, block: FeedForward, chosen: Collection[Value]) -> list[Value]:
    """Where the selection enters a block: its input, or the factor on its output."""
    starts = [u.data for u in block.ups if u.data in chosen]
    value = block.out
    for _ in range(FOLLOWED):
        node = None if starts else graph.content_reader(value)
        if node is None:
            break
        starts = [v for v in graph.data_inputs(node) if v is not value and v in chosen]
        value = node.outputs[0]
    return list(dict.fromkeys(starts))


def _is_counted(graph: Graph, node: Node, chosen: Collection[Value]) -> bool:
    """Whether what a node picks from comes from NonZero."""
    todo, seen = [node], {node}
    while todo:
        for value in graph.data_inputs(todo.pop()):
            maker = value.producer()
            if maker is None or value not in chosen or maker in seen:
                continue
            if maker.op_type == "NonZero":
                return True
            seen.add(maker)
            todo.append(maker)
    return False


def picked(sizes: Sizes, node: Node, value: Value) -> int | None:
    """The single entry that a node picks by a constant, if it does."""
    rank = sizes.rank(node.inputs[0]) or 0
    if node.op_type == "Gather":
        index = sizes.numbers(node.inputs[1])
        return index[0] if index is not None and len(index) == 1 else None
    if node.op_type == "Slice":
        cuts, shape = slice_cuts(sizes, node, rank), sizes.fixed(node.outputs[0])
        if cuts is None or shape is None:
            return None
        ones = [start for axis, (start, _) in cuts.items() if shape[axis] == 1]
        return ones[0] if len(ones) == 1 else None
    if node.op_type == "Split" and len(node.outputs) > 1:
        lengths = sizes.numbers(node.inputs[1]) if len(node.inputs) > 1 else None
        shape, place = sizes.fixed(value), node.outputs.index(value)
        own = shape[axis_attribute(node, 0, rank)] if shape is not None else None
        return place if (lengths[place] if lengths else own) == 1 else None
    if node.op_type == "Equal":
        for other in node.inputs:
            index = sizes.numbers(other)
            if index is not None and len(index) == 1:
                return index[0]
    return None

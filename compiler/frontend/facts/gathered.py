"""Matrices that are gathered from a stack at run time, by ids."""

from onnx_ir import Node, Value

from compiler.frontend.facts.constants import View, matrices_of
from compiler.frontend.facts.graph import Graph, axis_attribute
from compiler.frontend.facts.sizes import Sizes

_TURNS = ("Transpose", "Cast", "Identity")  # between the gathering and the product


def is_single(sizes: Sizes, value: Value) -> bool:
    """Whether what is gathered is one entry of the stack, without its axis."""
    _, node = _turned(value)
    return node is not None and node.op_type == "Gather" and sizes.rank(node.inputs[1]) == 0


def gathered(
    graph: Graph, sizes: Sizes, value: Value, *, turned: bool = False
) -> tuple[View, Value] | None:
    """The constant whose first axis a run-time index picks from, as turned; and that index.

    turned: it is multiplied by with its last two axes exchanged.
    """
    turns, node = _turned(value)
    if node is None or node.op_type not in ("Gather", "GatherND"):
        return None
    table, index = node.inputs[0], node.inputs[1]
    if table not in graph.constant or index is None or index not in graph.data:
        return None
    turned ^= sum(turn.op_type == "Transpose" for turn in turns) % 2 == 1
    view = matrices_of(graph, sizes, table, turned=turned)
    if view is None or len(view.axes) < 2:
        return None
    if node.op_type == "Gather" and axis_attribute(node, 0, len(view.axes)) != 0:
        return None
    picked = sizes.fixed(index)
    if node.op_type == "GatherND" and (picked is None or picked[-1] != 1):
        return None
    for turn in turns:
        if turn.op_type == "Transpose":
            order = list(turn.attributes.get_ints("perm", ()) or ())
            if len(view.axes) != 3 or order[-2:] != [len(order) - 1, len(order) - 2]:
                return None
            view = view.transposed()
    return view, index


def _turned(value: Value) -> tuple[list[Node], Node | None]:
    """What turns a gathered matrix, the last one first, and what it is before that."""
    turns: list[Node] = []
    node = value.producer()
    while node is not None and node.op_type in _TURNS:
        turns.append(node)
        node = node.inputs[0].producer() if node.inputs[0] is not None else None
    return turns, node

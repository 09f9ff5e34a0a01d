"""Selections among experts of two kinds that are not read.

Product keys: experts are single rows of stored tables; those that were selected are multiplied with
the tokens. Experts that select themselves: what each makes of a token is compared, no router is.
"""

from collections.abc import Collection, Iterator

from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import axis_attribute
from compiler.frontend.moe.anchors import POINTWISE, VIEWS
from ir.workload import Suspect

_PRODUCTS = ("MatMul", "Einsum", "Gemm")
_LOOKED_UP = ("Gather", "GatherND", "GatherElements")


def row_selections(facts: Facts, taken: Collection[Node]) -> Iterator[Suspect]:
    """The TopK or ArgMax by whose numbers tokens are multiplied with rows of a stored table.

    The last one before each product. taken: nodes that are explained already.
    """
    found: dict[Node, Node] = {}
    for node in facts.graph.nodes:
        if node.op_type not in ("TopK", "ArgMax") or node in taken or not facts.graph.is_data(node):
            continue
        product = _product_with_rows(facts, node.outputs[-1])
        if product is not None and product not in taken:
            found[product] = node
    for product, node in found.items():
        reason = (
            "it selects rows of a stored table that tokens are multiplied with (at node "
            f"{product.name!r}): experts of single rows are not read"
        )
        yield Suspect(node.name or "", node.op_type, reason)


def own_selections(facts: Facts, taken: Collection[Node]) -> Iterator[Suspect]:
    """The TopK or ArgMax among as many numbers as a stack has matrices that they are computed by.

    taken: nodes that are explained already.
    """
    for node in facts.graph.nodes:
        if node.op_type not in ("TopK", "ArgMax") or node in taken or not facts.graph.is_data(node):
            continue
        shape = facts.sizes.fixed(node.inputs[0])
        count = shape[axis_attribute(node, -1, len(shape))] if shape else None
        made = _made_by_stack(facts, node, count) if count is not None and count > 1 else None
        if made is not None:
            reason = (
                f"it selects by what a stack of {count} matrices makes of a token (at node "
                f"{made.name!r}): experts that select themselves are not read"
            )
            yield Suspect(node.name or "", node.op_type, reason)


def _made_by_stack(facts: Facts, selection: Node, count: int) -> Node | None:
    """The node with a stack of so many matrices that a selection is made from pointwise."""
    graph = facts.graph
    todo, seen = [v for v in selection.inputs[:1] if v is not None], set[Value]()
    while todo:
        value = todo.pop()
        node = value.producer()
        if value in seen or node is None:
            continue
        seen.add(value)
        if node.op_type in POINTWISE:
            todo.extend(graph.data_inputs(node))
            continue
        stored = [facts.sizes.fixed(v) or () for v in node.inputs if v in graph.constant]
        if any(len(shape) == 3 and shape[0] == count for shape in stored):
            return node
    return None


def _product_with_rows(facts: Facts, ids: Value) -> Node | None:
    """The first product of tokens and what is looked up in a stored table by numbers `ids`."""
    graph, numbers, rows = facts.graph, {ids}, set[Value]()
    first = ids.producer()
    for node in graph.nodes[graph.order[first] + 1 :] if first is not None else ():
        data = graph.data_inputs(node)
        if node.op_type in _PRODUCTS and len(data) > 1 and any(v in rows for v in data):
            return node
        if node.op_type in (*VIEWS, "Transpose") and any(v in rows for v in data):
            rows.update(node.outputs)
        elif node.op_type in _LOOKED_UP and any(v in numbers for v in data):
            stored = node.inputs[0] in graph.constant and _is_float(facts, node.outputs[0])
            (rows if stored else numbers).update(node.outputs)
        elif node.op_type in POINTWISE and any(v in numbers for v in data):
            numbers.update(v for v in node.outputs if not _is_float(facts, v))
    return None


def _is_float(facts: Facts, value: Value) -> bool:
    kind = facts.sizes.kind(value)
    return kind is None or kind.is_floating_point()

"""Experts behind an If, or in the body of a Loop or Scan, as nodes of the main graph.

An If that a selection decides (is any token routed to this expert?) becomes both of its branches
and a Where between them: the same values, whatever the branches are. A Loop or Scan of a constant
number of rounds becomes its rounds. Only what holds products by stored matrices is opened so, of an
If in one branch alone; any other stays.
"""

from collections.abc import Sequence

import numpy as np
import onnx_ir
from onnx_ir import Node, Value

from ir.limits import Limits
from ir.onnxdoor.rewriting.instead import STANDARD, Constants, shape_of, stored
from ir.onnxdoor.subgraphs import every_node, subgraphs

MOST_ROUNDS = 1024
_OPENED = ("If", "Loop", "Scan")
_PRODUCTS = frozenset(
    """
    MatMul Gemm Einsum FusedMatMul FusedGemm MatMulInteger MatMulIntegerToFloat QLinearMatMul QGemm
    DynamicQuantizeMatMul MatMulNBits Conv
    """.split()
)
_TURNED = (  # of a Scan: any but zeros is another order than the first entry first
    "scan_input_axes",
    "scan_output_axes",
    "scan_input_directions",
    "scan_output_directions",
)
_SELECTIONS = ("TopK", "ArgMax")
_FROM_SELECTION = frozenset(  # what leads from a selection to whether an expert has tokens
    """
    Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Cast ReduceMax ReduceSum ReduceMin
    ReduceL1 Slice Gather GatherElements ScatterElements ScatterND OneHot NonZero Shape Size Squeeze
    Unsqueeze Reshape Flatten Transpose Split Concat Expand Identity Where Mul Sub Sign Abs
    """.split()
)


def open_branches(graph: onnx_ir.Graph, where: str = "", limits: Limits | None = None) -> bool:
    """Open what can be opened of a graph; whether anything was.

    where: the file. InputError names a loop whose rounds would be more nodes than the limit.
    """
    changed, limits = False, limits or Limits()
    while any(node.op_type in _OPENED for node in graph):
        room = _Room(graph, where, limits)
        opened = [node for node in list(graph) if _open(graph, node, room)]
        if not opened:
            break
        changed = True
        graph.sort()
    return changed


class _Room:
    """Counts the nodes that there will be, and refuses too many of them."""

    def __init__(self, graph: onnx_ir.Graph, where: str, limits: Limits) -> None:
        self._where, self._limits = where, limits
        self._nodes = _size(graph)

    def take(self, node: Node, body: onnx_ir.Graph, rounds: int) -> None:
        """Count so many rounds of a body; InputError names the node."""
        self._nodes += rounds * (_size(body) + 1)
        what = f"node {node.name or node.op_type!r} ({node.op_type}): nodes, its rounds unrolled"
        self._limits.check("nodes", self._nodes, self._where, what)


def _size(graph: onnx_ir.Graph) -> int:
    """Nodes of a graph, those of a loop in it as often as it may be unrolled."""
    total = 0
    for node in graph:
        inside = sum(_size(g) for g in subgraphs(node))
        total += 1 + inside * (_rounds(node) or 1 if node.op_type == "Loop" else 1)
    return total


def _rounds(node: Node) -> int:
    """The rounds of a Loop, where it may be unrolled; else 0."""
    count = stored(node.inputs[0]) if node.inputs else None
    rounds = int(count.item()) if count is not None and count.size == 1 else 0
    return rounds if 0 < rounds <= MOST_ROUNDS else 0


def _open(graph: onnx_ir.Graph, node: Node, room: _Room) -> bool:
    if node.domain not in STANDARD:
        return False
    if node.op_type == "If":
        return _open_if(graph, node)
    if node.op_type == "Loop":
        return _open_loop(graph, node, room)
    return node.op_type == "Scan" and _open_scan(graph, node, room)


def _open_if(graph: onnx_ir.Graph, node: Node) -> bool:
    yes, no = (node.attributes[n].as_graph() for n in ("then_branch", "else_branch"))
    light = [b for b in (yes, no) if not _has_product(b)]
    condition = node.inputs[0]
    if len(light) != 1 or condition is None or not _is_selected(condition):
        return False
    if any(_is_empty(value) for value in light[0].outputs):
        return False
    sides = [_moved(graph, node, b, f"/{n}", []) for n, b in (("then", yes), ("else", no))]
    made = [
        Node("", "Where", [condition, *pair], name=f"{node.name or node.op_type}/where{place}")
        for place, pair in enumerate(zip(*sides, strict=True))
    ]
    _replace(graph, node, made, [where.outputs[0] for where in made])
    return True


def _has_product(body: onnx_ir.Graph) -> bool:
    """Whether a product by a stored matrix is in a branch or body."""
    constants = Constants()
    return any(
        n.op_type in _PRODUCTS and any(v in constants for v in n.inputs) for n in every_node(body)
    )


def _is_empty(value: Value) -> bool:
    """Whether a constant has no elements: the other branch then gives as many rows as it likes."""
    return value.const_value is not None and not value.const_value.size


def _is_selected(condition: Value) -> bool:
    """Whether a condition is made of a selection of experts."""
    todo, seen = [condition], {condition}
    while todo:
        node = todo.pop().producer()
        if node is None:
            continue
        if node.op_type in _SELECTIONS:
            return True
        if node.op_type in _FROM_SELECTION:
            fresh = [v for v in node.inputs if v is not None and v not in seen]
            seen.update(fresh)
            todo.extend(fresh)
    return False


def _open_loop(graph: onnx_ir.Graph, node: Node, room: _Room) -> bool:
    """A Loop over i = 0, 1, ... with values that are carried on and outputs that are stacked."""
    body = node.attributes["body"].as_graph()
    count, given = _rounds(node), stored((*node.inputs, None, None)[1])
    if not count or not _has_loop_product(node, body) or not _goes_on(body, given):
        return False
    carried: list[Value] = [v for v in node.inputs[2:] if v is not None]
    room.take(node, body, count)
    true = _constant(graph, node, "true", np.array(True))
    stacked: list[list[Value]] = []
    for i in range(count):
        number = _constant(graph, node, str(i), np.array(i))
        copy = body.clone(allow_outer_scope_values=True)
        out = _moved(graph, node, copy, f"/{i}", [number, true, *carried])
        carried = out[1 : 1 + len(carried)]
        stacked.append(out[1 + len(carried) :])
    _discard(body)
    _give_stacked(graph, node, carried, stacked)
    return True


def _open_scan(graph: onnx_ir.Graph, node: Node, room: _Room) -> bool:
    """A Scan forward over the entries of stored tensors and of others, stacked along axis 0."""
    body = node.attributes["body"].as_graph()
    scanned = int(node.attributes.get_int("num_scan_inputs", 0) or 0)
    if any(any(node.attributes.get_ints(name, ()) or ()) for name in _TURNED):
        return False
    states = [v for v in node.inputs[:-scanned] if v is not None]
    over = [v for v in node.inputs[-scanned:] if v is not None]
    lengths = [n[0] for v in over if v.is_initializer() and (n := shape_of(v))]
    count = lengths[0] if len(set(lengths)) == 1 else 0
    if not 0 < count <= MOST_ROUNDS or len(node.inputs) != len(body.inputs):
        return False  # of opset 8 a Scan has one input more, and a batch
    if not _has_loop_product(node, body):
        return False
    room.take(node, body, count)
    stacked: list[list[Value]] = []
    for i in range(count):
        index = _constant(graph, node, str(i), np.array(i))
        takes = [
            Node("", "Gather", [v, index], name=f"{node.name}/take{i}.{k}")
            for k, v in enumerate(over)
        ]
        graph.insert_before(node, takes)
        for k, take in enumerate(takes):
            take.outputs[0].name = f"{node.outputs[0].name}/take{i}.{k}"
        copy = body.clone(allow_outer_scope_values=True)
        given = [*states, *(take.outputs[0] for take in takes)]
        out = _moved(graph, node, copy, f"/{i}", given)
        states = out[: len(states)]
        stacked.append(out[len(states) :])
    _discard(body)
    _give_stacked(graph, node, states, stacked)
    return True


def _has_loop_product(node: Node, body: onnx_ir.Graph) -> bool:
    """Whether a round has products, and constant matrices or stacks of them to multiply by."""
    constants, inner = Constants(), list(every_node(body))
    read = [v for n in (node, *inner) for v in n.inputs if v is not None and v in constants]
    matrices = any(v.shape is None or len(v.shape) > 1 for v in read)
    return matrices and any(n.op_type in _PRODUCTS for n in inner)


def _discard(body: onnx_ir.Graph) -> None:
    """Let go of what a body reads that has been copied and is no longer there."""
    for node in every_node(body):
        for place in range(len(node.inputs)):
            node.replace_input_with(place, None)


def _goes_on(body: onnx_ir.Graph, given: object) -> bool:
    """Whether no round ends the loop: its condition is the one that it got, or a stored True."""
    last, first = body.outputs[0], body.inputs[1]
    node = last.producer()
    while node is not None and node.op_type == "Identity" and node.inputs[0] is not None:
        last = node.inputs[0]
        node = last.producer()
    held = stored(last)
    if held is not None:
        return bool(held.all())
    return last is first and (given is None or bool(np.all(np.asarray(given))))


def _give_stacked(
    graph: onnx_ir.Graph,
    node: Node,
    carried: Sequence[Value],
    stacked: Sequence[Sequence[Value]],
) -> None:
    """Replace a loop: what was carried, and what every round gave stacked along a new axis."""
    made: list[Node] = []
    ends = list(carried)
    for place in range(len(stacked[0])):
        axis = _constant(graph, node, f"axis{place}", np.array([0]))
        each = [Node("", "Unsqueeze", [out[place], axis]) for out in stacked]
        joined = onnx_ir.node("Concat", [n.outputs[0] for n in each], {"axis": 0})
        for i, n in enumerate([*each, joined]):
            n.name = f"{node.name or node.op_type}/stack{place}.{i}"
            n.outputs[0].name = f"{node.outputs[0].name}/stack{place}.{i}"
        made += [*each, joined]
        ends.append(joined.outputs[0])
    same = [Node("", "Identity", [v], name=f"{node.name}/out{i}") for i, v in enumerate(ends)]
    _replace(graph, node, [*made, *same], [n.outputs[0] for n in same])


def _constant(graph: onnx_ir.Graph, node: Node, label: str, numbers: object) -> Value:
    name = f"{node.outputs[0].name}/constant/{label}"
    tensor = onnx_ir.Tensor(np.asarray(numbers), name=name)
    value = Value(name=name, const_value=tensor, type=onnx_ir.TensorType(tensor.dtype))
    value.shape = onnx_ir.Shape(tensor.shape)
    graph.register_initializer(value)
    return value


def _moved(
    graph: onnx_ir.Graph, node: Node, body: onnx_ir.Graph, label: str, inputs: Sequence[Value]
) -> list[Value]:
    """Put the nodes of a body before `node`, fed with `inputs`; its outputs there.

    All get names of their own, after the node.
    """
    stem = f"{node.outputs[0].name}{label}"
    outputs = list(body.outputs)
    body.outputs.clear()
    for value, given in zip(body.inputs, inputs, strict=True):
        outputs = [given if out is value else out for out in outputs]
        value.replace_all_uses_with(given)
    held = list(body.initializers.values())
    body.initializers.clear()
    for value in held:
        value.name = f"{stem}/{value.name}"
        graph.register_initializer(value)
    nodes = list(body)
    body.remove(nodes)
    for inner in nodes:
        inner.name = f"{node.name or node.op_type}{label}/{inner.name or inner.op_type}"
        for value in inner.outputs:
            value.name = f"{stem}/{value.name}"
    graph.insert_before(node, nodes)
    return outputs


def _replace(graph: onnx_ir.Graph, node: Node, made: Sequence[Node], ends: Sequence[Value]) -> None:
    """Put nodes in the place of one, whose outputs are then `ends`."""
    before = list(node.outputs)
    graph.insert_before(node, made)
    for old, new in zip(before, ends, strict=True):
        name, old.name = old.name, None
        if old.dtype is not None:
            new.dtype = old.dtype
        new.shape = old.shape or new.shape
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        new.name = name
    graph.remove(node, safe=True)

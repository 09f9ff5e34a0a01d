"""Find attention: two products of activations around a softmax, or one attention operator.

The region reaches back over everything that serves it alone (head splitting, rotary positions,
q and k norms, scaling) to the outputs of the q, k, v projections, and forward over the joining of
the heads to the input of the out-projection.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from onnx_ir import Node, Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import FOLLOWED, SHAPE_OPS, Graph
from compiler.frontend.facts.shape_rules import ELEMENTWISE
from compiler.frontend.facts.sizes import Sizes
from compiler.frontend.moe.anchors import VIEWS

OPERATORS = (
    "Attention",
    "MultiHeadAttention",
    "GroupQueryAttention",
    "SparseAttention",
    "PagedAttention",
    "DecoderMaskedMultiHeadAttention",
)
_SEPARATE = ("Attention", "MultiHeadAttention", "GroupQueryAttention")  # queries, keys, values
_DEPTH = 12
_THROUGH = ELEMENTWISE | {"Slice", "Concat", "Transpose", "Expand", "Tile", *VIEWS}
_AFTER = (*VIEWS, "Transpose")
_COMPARE = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Trilu")
_SMALL_MASK = 1 << 22


@dataclass(frozen=True, eq=False)
class FoundAttention:
    """An attention region; sizes are 0 where they could not be told.

    queries: inputs of which nothing but queries is made, as far as that can be told. defined: it is
    causal as its operator's definition says, and its other nodes keep tokens apart.
    """

    nodes: tuple[Node, ...]
    heads: int
    kv_heads: int
    head_dim: int
    causal: bool
    queries: frozenset[Value] = frozenset()
    defined: bool = False


def find_attention(facts: Facts, taken: Collection[Node]) -> list[FoundAttention]:
    """The attention regions among the nodes that are not `taken`, in graph order."""
    graph = facts.graph
    fixed = {n for p in facts.products.by_node.values() for n in p.nodes} | set(taken)
    found: list[FoundAttention] = []
    used: set[Node] = set()
    for node in graph.nodes:
        if node in fixed or node in used or not graph.is_data(node):
            continue
        if node.op_type in OPERATORS:
            core, sizes_of = [node], _operator_sizes(facts.sizes, node)
            causal = _operator_causal(node)
        elif node.op_type == "Softmax":
            parts = _core(graph, node, fixed)
            if parts is None:
                continue
            core = list(parts)
            sizes_of = _core_sizes(facts, parts[0], parts[-1])
            causal = _is_causal(facts, core[1:-1])
        else:
            continue
        nodes = _grow(graph, core, fixed | used)
        used.update(nodes)
        queries = _queries(graph, core, nodes)
        apart = all(facts.axes.scope(n) != "sequence" for n in nodes if n is not node)
        defined = causal and node.op_type in OPERATORS and apart
        found.append(FoundAttention(tuple(nodes), *sizes_of, causal, queries, defined))
    return found


def _queries(graph: Graph, core: Sequence[Node], nodes: Sequence[Node]) -> frozenset[Value]:
    """Inputs of the region that lead to the queries alone: the first operand of the scores."""
    first = core[0]
    told = first.op_type in ("MatMul", "FusedMatMul") or (
        first.op_type in _SEPARATE
        and len(first.inputs) > 1
        and first.inputs[1] in graph.data  # com.microsoft's Attention has a matrix there
    )
    if not told or first.inputs[0] is None:
        return frozenset()
    inside = set(nodes)
    asks = _reached(graph, [first.inputs[0]], inside)
    others = [v for v in first.inputs[1:] if v is not None]
    others += [v for n in core[1:] for v in graph.reads(n) if v not in first.outputs]
    return frozenset(asks - _reached(graph, others, inside - {first}))


def _reached(graph: Graph, values: Sequence[Value], inside: Collection[Node]) -> set[Value]:
    """Data values from outside that the `values` are made of."""
    todo, seen, found = list(values), set(values), set[Value]()
    while todo:
        value = todo.pop()
        node = value.producer()
        if node is None or node not in inside:
            found.update({value} & graph.data)
            continue
        fresh = [v for v in graph.reads(node) if v not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    return found


def _core(graph: Graph, softmax: Node, fixed: Collection[Node]) -> tuple[Node, ...] | None:
    """Score product, what lies between, softmax, value product; None if this is no attention."""
    between: dict[Node, None] = {}
    scores: dict[Node, None] = {}
    todo = [(v, 0) for v in graph.data_inputs(softmax)]
    while todo:
        value, depth = todo.pop()
        node = value.producer()
        if node is None or node in fixed or node in between:
            continue
        if is_two_sided(graph, node):
            scores[node] = None
        elif depth < _DEPTH and node.op_type in _THROUGH:
            between[node] = None
            todo.extend((v, depth + 1) for v in graph.data_inputs(node))
    values: dict[Node, None] = {}
    seen = {softmax}
    forward = [(softmax, 0)]
    while forward:
        node, depth = forward.pop()
        for reader in {r: None for v in node.outputs for r in graph.readers(v)}:
            if reader in fixed or reader in seen or not graph.is_data(reader):
                continue
            seen.add(reader)
            if is_two_sided(graph, reader):
                values[reader] = None
            elif depth < _DEPTH and reader.op_type in _THROUGH:
                forward.append((reader, depth + 1))
    if len(scores) != 1 or len(values) != 1:
        return None
    return (next(iter(scores)), *between, softmax, next(iter(values)))


def is_two_sided(graph: Graph, node: Node) -> bool:
    """A matrix product of two activations."""
    return node.op_type in ("MatMul", "FusedMatMul", "Einsum") and len(graph.data_inputs(node)) == 2


def _grow(graph: Graph, core: Sequence[Node], fixed: Collection[Node]) -> list[Node]:
    """The core with all nodes that serve it alone, and the joining of the heads."""
    inside = set(core)
    value = core[-1].outputs[0]
    while True:
        node = graph.only_reader(value)
        if node is None or node in fixed or node.op_type not in _AFTER or node in inside:
            break
        inside.add(node)
        value = node.outputs[0]
    todo = [v for n in inside for v in graph.reads(n)]
    while todo:  # a source refused now comes up again with each of its readers that joins
        node = todo.pop().producer()
        if node is None or node in inside or node in fixed:
            continue
        if any(v.is_graph_output() for v in node.outputs):
            continue
        if all(r in inside for v in node.outputs for r in graph.readers(v)):
            inside.add(node)
            todo.extend(graph.reads(node))
    return sorted(inside, key=graph.order.__getitem__)


def _operator_sizes(sizes: Sizes, node: Node) -> tuple[int, int, int]:
    """(heads, kv_heads, head_dim) of an attention operator, from its attributes and shapes."""
    get = node.attributes.get_int
    heads = int(get("num_heads", 0) or get("q_num_heads", 0) or 0)
    kv_heads = int(get("kv_num_heads", 0) or heads)
    query = sizes.fixed(node.inputs[0])
    if query is not None and len(query) == 4:  # [batch, heads, tokens, head_dim]
        key = sizes.fixed(node.inputs[1]) or ()
        heads = heads or query[1] or 0
        kv = (key[1] if len(key) == 4 else 0) or heads
        return heads, kv, query[3] or 0
    out = sizes.fixed(node.outputs[0])
    width = (out[-1] if out else None) or 0
    return heads, kv_heads, width // heads if heads else 0


def _operator_causal(node: Node) -> bool:
    if node.op_type in ("GroupQueryAttention", "SparseAttention", "PagedAttention"):
        return True
    return bool(
        node.attributes.get_int("is_causal", 0) or node.attributes.get_int("unidirectional", 0)
    )


def _core_sizes(facts: Facts, score: Node, value: Node) -> tuple[int, int, int]:
    """(heads, kv_heads, head_dim) from the shapes around the two products."""
    graph, sizes = facts.graph, facts.sizes
    left, out = sizes.fixed(score.inputs[0]), sizes.fixed(score.outputs[0])
    if left is None or out is None or len(out) < 2:
        return 0, 0, 0
    lead = [d for d in out[:-2] if d is not None]
    heads, head_dim = int(np.prod(lead)) if lead else 1, left[-1] or 0
    heads = heads // sizes.batch if heads % sizes.batch == 0 else heads
    source = value.inputs[1]
    width = sizes.per_token(source) if source is not None else None
    least = width
    for _ in range(FOLLOWED):  # before keys and values are repeated for groups of heads
        node = source.producer() if source is not None else None
        if node is None or node.op_type not in (*VIEWS, "Transpose", "Expand", "Tile", "Concat"):
            break
        inputs = graph.data_inputs(node)
        if len(inputs) != 1:
            break
        source = inputs[0]
        width = sizes.per_token(source)
        least = width if least is None else min(least, width or least)
    result = sizes.fixed(value.outputs[0])
    value_dim = (result[-1] if result else None) or head_dim
    kv_heads = least // value_dim if least and value_dim else heads
    return heads, max(1, min(kv_heads, heads)), head_dim


def _is_causal(facts: Facts, between: Sequence[Node]) -> bool:
    """Whether a mask on the scores compares positions, or is a stored lower triangle."""
    masks = [v for n in between for v in n.inputs if v is not None and v not in facts.graph.data]
    return any(_compares(facts, mask) for mask in masks)


def _is_triangle(sizes: Sizes, value: Value) -> bool:
    """A stored [.., T, T] mask whose upper triangle is False or very negative."""
    shape = sizes.fixed(value)
    tensor = value.const_value if value.is_initializer() else None
    if tensor is None or shape is None or len(shape) < 2 or shape[-1] != shape[-2]:
        return False
    if shape[-1] in (None, 1) or tensor.size > _SMALL_MASK:
        return False
    mask = np.asarray(tensor.numpy()).reshape(-1, shape[-1], shape[-1])[0].astype(np.float64)
    upper = np.triu_indices(len(mask), 1)
    if tensor.dtype.is_floating_point():
        return bool(np.all(mask[upper] < -1e4) and np.all(np.diag(mask) > -1e4))
    return bool(np.all(mask[upper] == 0) and np.all(np.diag(mask) != 0))


def _compares(facts: Facts, value: Value) -> bool:
    """Whether a value that the tokens do not influence comes from comparing positions."""
    graph, todo, seen = facts.graph, [value], {value}
    while todo:
        current = todo.pop()
        node = current.producer()
        if current.is_initializer() and _is_triangle(facts.sizes, current):
            return True
        if node is None or node.op_type in SHAPE_OPS:
            continue
        if node.op_type in _COMPARE and all(v not in graph.data for v in node.inputs if v):
            return True
        fresh = [v for v in graph.reads(node) if v not in seen and v not in graph.data]
        seen.update(fresh)
        todo.extend(fresh)
    return False

"""Attention whose projections are routed: experts for queries, values or outputs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import helper

from tests.compiler.frontend import models as m
from tests.compiler.frontend.models import Graph, Positions

Attend = Callable[[Graph, str, Positions], str]  # [1, T, D] from [1, T, D]


def heads_of(g: Graph, x: str, count: int) -> str:
    """[1, count, T, head] of [1, T, count * head]."""
    return g("Transpose", g("Reshape", x, g.constant([0, -1, count, g.head])), perm=[0, 2, 1, 3])


def rotated(g: Graph, x: str, at: Positions) -> str:
    """Heads times a factor for every position, in the place of a rotation."""
    return g("Mul", x, at.cos)


def mixed(g: Graph, q: str, k: str, v: str, at: Positions) -> str:
    """Causal attention of heads [1, heads, T, head], joined: [1, T, heads, head]."""
    scores = g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2]))
    scores = g("Mul", scores, g.constant(g.head**-0.5, np.float32))
    masked = g("Where", at.mask, scores, g.constant(-np.inf, np.float32))
    return g("Transpose", g("MatMul", g("Softmax", masked, axis=-1), v), perm=[0, 2, 1, 3])


def _sigmoid_weights(g: Graph, x: str) -> str:
    """The best two of a sigmoid's scores [1, T, experts], the others 0."""
    scores = g("Sigmoid", m.router_logits(g, x))
    best, ids = g.many("TopK", scores, g.constant([g.top]), outputs=2, axis=-1)
    zeros = g("Expand", g.constant(0.0, np.float32), g("Shape", scores))
    return g("ScatterElements", zeros, ids, best, axis=-1)


def _projected(g: Graph, x: str, by: str, rows: int, columns: int) -> str:
    """The weighted sum of all experts' products in one Einsum; by: what the router reads."""
    stack = g.weight(g.experts, rows, columns, scale=rows**-0.5)
    return g("Einsum", _sigmoid_weights(g, by), x, stack, equation="bte,btd,edf->btf")


def switch_head(g: Graph, x: str, at: Positions) -> str:
    """Experts of values and of outputs, each with a router of its own that reads x."""
    wide = g.heads * g.head
    q, k = (rotated(g, heads_of(g, m.linear(g, x, g.d, wide), g.heads), at) for _ in range(2))
    v = heads_of(g, _projected(g, x, x, g.d, wide), g.heads)
    joined = g("Reshape", mixed(g, q, k, v, at), g.constant([0, -1, wide]))
    return _projected(g, joined, x, wide, g.d)


@dataclass(frozen=True)
class Chosen:
    """The experts of every token [T, k] and their weights.

    order: the pairs sorted by expert; counts: how many each expert has; neither where matrices are
    gathered.
    """

    ids: str
    gates: str
    order: str = ""
    counts: str = ""


def chosen(g: Graph, x: str, how: str, router: m.Router = m.topk_softmax) -> Chosen:
    """Choose for tokens [T, d]. how: `sorted`, `gathered` or `Einsum`."""
    ids, gates = router(g, x)
    if how != "sorted":
        return Chosen(ids, gates)
    shape = g("Concat", g("Shape", x, end=1), g.constant([g.experts]), axis=0)
    ones = g("Expand", g.constant(1), g("Shape", ids))
    hits = g("ScatterElements", g("Expand", g.constant(0), shape), ids, ones, axis=1)
    counts = g("ReduceSum", hits, g.constant([0]), keepdims=0)
    pairs = g("Reshape", ids, g.constant([-1]))
    _, order = g.many("TopK", pairs, g("Shape", pairs), outputs=2, axis=0, largest=0)
    return Chosen(ids, gates, order, counts)


def _each_expert(g: Graph, rows: str, by: Chosen, shape: tuple[int, int]) -> str:
    """Rows sorted by expert, each through its expert's matrix."""
    stack = g.weight(g.experts, *shape[::-1], scale=0.3)
    parts = g.split(rows, by.counts, g.experts)
    own = [g("Gather", stack, g.constant(e), axis=0) for e in range(g.experts)]
    made = [g("Gemm", part, w, transB=1) for part, w in zip(parts, own, strict=True)]
    return g("Concat", *made, axis=0)


def apart(g: Graph, x: str, by: Chosen, how: str, columns: int) -> str:
    """Each expert's product with its token, not summed: [T, k, columns] of x [T, d]."""
    if how == "sorted":
        token = g("Div", by.order, g.constant(g.top))
        made = _each_expert(g, g("Gather", x, token, axis=0), by, (g.d, columns))
        pairs = g("Concat", g("Shape", by.order), g.constant([columns]), axis=0)
        zeros = g("Expand", g.constant(0.0, np.float32), pairs)
        back = g("ScatterND", zeros, g("Unsqueeze", by.order, g.constant([1])), made)
        return g("Reshape", back, g.constant([-1, g.top, columns]))
    stack = g("Gather", g.weight(g.experts, g.d, columns), by.ids)
    if how == "Einsum":
        return g("Einsum", x, stack, equation="td,tkdf->tkf")
    out = g("MatMul", g("Unsqueeze", x, g.constant([1, 2])), stack)
    return g("Squeeze", out, g.constant([2]))


def together(g: Graph, x: str, by: Chosen, how: str, rows: int) -> str:
    """Each expert's product with a vector of its own, weighted, summed: [T, d] of [T, k, rows]."""
    if how == "sorted":
        pairs = g("Reshape", x, g.constant([-1, rows]))
        made = _each_expert(g, g("Gather", pairs, by.order, axis=0), by, (rows, g.d))
        weight = g("Gather", g("Reshape", by.gates, g.constant([-1])), by.order, axis=0)
        out = g("Mul", made, g("Unsqueeze", weight, g.constant([1])))
        token = g("Unsqueeze", g("Div", by.order, g.constant(g.top)), g.constant([1]))
        sums = g("Concat", g("Shape", by.ids, end=1), g.constant([g.d]), axis=0)
        zeros = g("Expand", g.constant(0.0, np.float32), sums)
        return g("ScatterND", zeros, token, out, reduction="add")
    stack = g("Gather", g.weight(g.experts, rows, g.d), by.ids)
    if how == "Einsum":
        out = g("Einsum", x, stack, equation="tkf,tkfd->tkd")
        return g("Einsum", by.gates, out, equation="tk,tkd->td")
    out = g("Squeeze", g("MatMul", g("Unsqueeze", x, g.constant([2])), stack), g.constant([2]))
    weighted = g("Mul", out, g("Unsqueeze", by.gates, g.constant([2])))
    return g("ReduceSum", weighted, g.constant([1]), keepdims=0)


def mixture(how: str) -> Attend:
    """JetMoE: experts of queries and of outputs, chosen once; keys and values are shared."""

    def attend(g: Graph, x: str, at: Positions) -> str:
        tokens, wide = m.flat(g, x), g.heads * g.head
        by = chosen(g, tokens, how)
        q = apart(g, tokens, by, how, wide)
        q = rotated(
            g, heads_of(g, g("Reshape", q, g.constant([1, -1, g.top * wide])), g.top * g.heads), at
        )
        repeats = g.constant([1, g.top, 1, 1])
        k, v = (heads_of(g, m.linear(g, x, g.d, wide), g.heads) for _ in range(2))
        joined = mixed(g, q, g("Tile", rotated(g, k, at), repeats), g("Tile", v, repeats), at)
        parts = g("Reshape", joined, g.constant([-1, g.top, wide]))
        return g("Reshape", together(g, parts, by, how, wide), g("Shape", x))

    return attend


def around(how: str, router: m.Router = m.topk_softmax) -> m.Ffn:
    """The same projections around a softmax over each expert's vector, without attention."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        by = chosen(g, tokens, how, router)
        hidden = g("Softmax", apart(g, tokens, by, how, g.hidden), axis=-1)
        return g("Reshape", together(g, hidden, by, how, g.hidden), g("Shape", x))

    return block


HOWS = ("sorted", "gathered", "Einsum")


def write(folder: Path, attend: Attend, layers: int = 1) -> Path:
    """A decoder of layers of that attention and a feed-forward."""
    g = Graph()
    at = m.positions(g)
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), "input_ids")
    for _ in range(layers):
        x = g("Add", x, attend(g, m.rms_norm(g, x), at))
        x = g("Add", x, m.gated(g, m.rms_norm(g, x)))
    g.nodes.append(
        helper.make_node("MatMul", [m.rms_norm(g, x), g.weight(g.d, g.vocab)], ["logits"])
    )
    return g.model(folder / "m.onnx", m.LOGITS)

"""Attention whose projections are routed: experts for queries, values or outputs."""

from collections.abc import Callable
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

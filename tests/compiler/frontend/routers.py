"""Routers that select in another way than by the best of a projection of what the experts read."""

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from tests.compiler.frontend import models as m
from tests.compiler.frontend.models import Ffn, Graph, Router

Wide = Callable[[Graph, str], str]  # weights [T, EXPERTS] from x [T, D], 0 = not selected


def own_norm(g: Graph, x: str) -> tuple[str, str]:
    """The router has a norm of its own (Gemma 4's): what it reads is made of the layer's input."""
    return m.softmax_topk(g, m.rms_norm(g, x))


def cosine(g: Graph, x: str) -> tuple[str, str]:
    """Cosine router: unit vectors through a small projection, over a temperature."""
    length = g("ReduceL2", x, g.constant([-1]), keepdims=1)
    unit = g("Div", x, g("Max", length, g.constant(1e-6, np.float32)))
    logits = g("Div", m.router_logits(g, unit), g.constant(0.07, np.float32))
    best, ids = g.many(
        "TopK", g("Softmax", logits, axis=-1), g.constant([g.top]), outputs=2, axis=-1
    )
    return ids, best


def unit_columns(g: Graph, x: str) -> tuple[str, str]:
    """Cosine router whose matrix is normalised where it is run: W^T, rows over their lengths."""
    stored = g.weight(g.experts, g.d)
    least = g(
        "Clip", g("ReduceL2", stored, g.constant([1]), keepdims=1), g.constant(1e-6, np.float32)
    )
    rows = g("Div", stored, g("Expand", least, g("Shape", stored)))
    best, ids = g.many(
        "TopK", g("MatMul", x, g("Transpose", rows, perm=[1, 0])), g.constant([g.top]), outputs=2
    )
    return ids, g("Softmax", best, axis=-1)


def looked_up(g: Graph) -> str:
    """The experts of every token [T, top], from a table by its id."""
    first = g.random.integers(g.experts, size=(g.vocab, 1))
    rows = (first + g.random.permutation(g.experts)[: g.top]) % g.experts
    return g("Reshape", g("Gather", g.constant(rows), g.ids), g.constant([-1, g.top]))


def table(g: Graph, x: str) -> tuple[str, str]:
    """Hash layer: a token's experts stand in a table; gates sqrt(softplus(x W)) (DeepSeek-V4)."""
    ids = looked_up(g)
    scores = g("Sqrt", g("Softplus", m.router_logits(g, x)))
    best = g("GatherElements", scores, ids, axis=1)
    return ids, g("Div", best, g("ReduceSum", best, g.constant([-1]), keepdims=1))


def table_alone(g: Graph, x: str) -> tuple[str, str]:
    """Hash layer without scores: every expert of a token has the same gate."""
    ids = looked_up(g)
    ones = g("Cast", g("GreaterOrEqual", ids, g.constant(0)), to=TensorProto.FLOAT)
    return ids, g("Mul", ones, g.constant(1 / g.top, np.float32))


def top_p(g: Graph, x: str) -> tuple[str, str]:
    """As many experts as reach half of the probability: the others of all have a gate of 0."""
    scores = g("Softmax", m.router_logits(g, x), axis=-1)
    best, ids = g.many("TopK", scores, g.constant([g.experts]), outputs=2, axis=-1)
    before = g("Sub", g("CumSum", best, g.constant(1)), best)
    few = g("Less", before, g.constant(0.5, np.float32))
    kept = g("Where", few, best, g.constant(0.0, np.float32))
    return ids, g("Div", kept, g("ReduceSum", kept, g.constant([-1]), keepdims=1))


def two_levels(g: Graph, x: str) -> tuple[str, str]:
    """The best group of two, then the best experts in it: a projection for each."""
    size = g.experts // 2
    share, group = g.many(
        "TopK",
        g("Softmax", m.linear(g, x, g.d, 2), axis=-1),
        g.constant([1]),
        outputs=2,
        axis=-1,
    )
    inside = g("Reshape", m.router_logits(g, x), g.constant([-1, 2, size]))
    pick = g("Expand", g("Unsqueeze", group, g.constant([2])), g.constant([1, 1, size]))
    mine = g("Squeeze", g("GatherElements", inside, pick, axis=1), g.constant([1]))
    best, place = g.many(
        "TopK", g("Softmax", mine, axis=-1), g.constant([g.top]), outputs=2, axis=-1
    )
    ids = g("Add", g("Mul", group, g.constant(size)), place)
    return ids, g("Mul", best, share)


def two_matrices(g: Graph, x: str) -> tuple[str, str]:
    """A router of two matrices with GELU, more than four times as wide inside as it has outputs."""
    hidden = m.erf_gelu(g, m.linear(g, x, g.d, 5 * g.experts))
    scores = g("Softmax", m.linear(g, hidden, 5 * g.experts, g.experts), axis=-1)
    best, ids = g.many("TopK", scores, g.constant([g.top]), outputs=2, axis=-1)
    return ids, best


def cosine_of_few(g: Graph, x: str) -> tuple[str, str]:
    """X-MoE: eight numbers of the token, of length 1, times the experts' vectors."""
    low = m.linear(g, x, g.d, 8)
    length = g("ReduceL2", low, g.constant([-1]), keepdims=1)
    unit = g("Div", low, g("Max", length, g.constant(1e-6, np.float32)))
    scores = g("Softmax", m.linear(g, unit, 8, g.experts), axis=-1)
    best, ids = g.many("TopK", scores, g.constant([g.top]), outputs=2, axis=-1)
    return ids, best


def of_the_mean(g: Graph, x: str) -> str:
    """One choice for the whole sequence, by the mean of its tokens: no token has one of its own."""
    mean = g("ReduceMean", x, g.constant([1]), keepdims=1)
    ids, gates = m.softmax_topk(g, mean)
    zeros = g.constant(np.zeros((1, 1, g.experts)), np.float32)
    combine, total = g("ScatterElements", zeros, ids, gates, axis=-1), ""
    for e in range(g.experts):
        column = g("Slice", combine, g.constant([e]), g.constant([e + 1]), g.constant([2]))
        part = g("Mul", m.gated(g, x), column)
        total = g("Add", total, part) if total else part
    return total


ROUTERS: dict[str, Router] = {
    "a norm of its own": own_norm,
    "cosine": cosine,
    "cosine, matrix normalised": unit_columns,
    "a table": table,
    "a table alone": table_alone,
    "top-p": top_p,
    "two levels": two_levels,
    "two matrices": two_matrices,
    "cosine of few numbers": cosine_of_few,
}


def relu_gates(g: Graph, x: str) -> str:
    """ReMoE: the gates are the positive scores."""
    return g("Relu", m.router_logits(g, x))


def threshold(g: Graph, x: str) -> str:
    """Every expert whose probability is above the mean one."""
    scores = g("Softmax", m.router_logits(g, x), axis=-1)
    high = g("Greater", scores, g.constant(1 / g.experts, np.float32))
    return g("Mul", scores, g("Cast", high, to=TensorProto.FLOAT))


def best_pairs(g: Graph, x: str) -> str:
    """The best (token, expert) pairs of all, `top` for each token in the mean."""
    scores = g("Softmax", m.router_logits(g, x), axis=-1)
    flat = g("Reshape", scores, g.constant([-1]))
    count = g("Mul", g("Shape", x, end=1), g.constant([g.top]))
    best, place = g.many("TopK", flat, count, outputs=2, axis=0)
    zeros = g("Expand", g.constant(0.0, np.float32), g("Shape", flat))
    kept = g("ScatterElements", zeros, place, best, axis=0)
    return g("Reshape", kept, g("Shape", scores))


WIDE: dict[str, Wide] = {
    "relu": relu_gates,
    "threshold": threshold,
    "the best pairs": best_pairs,
}


def weighted(wide: Wide, expert: Ffn = m.gated) -> Ffn:
    """Every expert on every token, times its column of the weights."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        weights, total = wide(g, tokens), ""
        for e in range(g.experts):
            column = g("Gather", weights, g.constant([e]), axis=1)
            part = g("Mul", expert(g, tokens), column)
            total = g("Add", total, part) if total else part
        return g("Reshape", total, g("Shape", x))

    return block


def weighted_stack(wide: Wide) -> Ffn:
    """The same in one product of a stack: td,edf->etf."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        weights = wide(g, tokens)
        hidden = g("Relu", g("MatMul", tokens, g.weight(g.experts, g.d, g.hidden)))
        out = g("MatMul", hidden, g.weight(g.experts, g.hidden, g.d))  # [E, T, D]
        column = g("Unsqueeze", g("Transpose", weights, perm=[1, 0]), g.constant([2]))
        total = g("ReduceSum", g("Mul", out, column), g.constant([0]), keepdims=0)
        return g("Reshape", total, g("Shape", x))

    return block


# What the router reads is another value than what the experts read.


def before_the_norm(make: Callable[[Router], Ffn], router: Router = m.softmax_topk) -> Ffn:
    """The router reads a vector, the experts its norm."""

    def block(g: Graph, x: str) -> str:
        return make(lambda g, _: router(g, m.flat(g, x)))(g, m.rms_norm(g, x))

    return block


def latent(make: Callable[[Router], Ffn], width: int = 8, router: Router = m.softmax_topk) -> Ffn:
    """The experts read and give a narrower vector than the router reads."""

    def block(g: Graph, x: str) -> str:
        own, scored = g.d, router(g, m.flat(g, x))
        narrow = m.linear(g, x, own, width)
        g.d = width
        out = make(lambda g, _: scored)(g, narrow)
        g.d = own
        return m.linear(g, out, width, own)

    return block


def pre_gated(make: Callable[[Router], Ffn], router: Router = m.softmax_topk) -> list[Ffn]:
    """Two layers: the router of the second reads what the first layer read."""
    earlier: list[str] = []

    def first(g: Graph, x: str) -> str:
        earlier.append(x)
        return make(router)(g, x)

    def second(g: Graph, x: str) -> str:
        return make(lambda g, _: router(g, m.flat(g, earlier[-1])))(g, x)

    return [first, second]

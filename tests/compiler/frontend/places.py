"""MoE layers whose experts have so many places: what becomes of the tokens beyond."""

from collections.abc import Callable
from functools import partial

import numpy as np
from onnx import TensorProto

from ir.workload import Dropped
from tests.compiler.frontend import models as m
from tests.compiler.frontend.models import Ffn, Graph


def _best_with_places(g: Graph, tokens: str, most: int) -> tuple[str, str]:
    """Softmax scores [T, E], and int64 [T, E]: 1 for the best expert's first `most` tokens."""
    scores = g("Softmax", m.router_logits(g, tokens), axis=-1)
    hot = g(
        "OneHot",
        g("ArgMax", scores, axis=-1, keepdims=0),
        g.constant(g.experts),
        g.constant([0, 1]),
        axis=-1,
    )
    early = g("LessOrEqual", g("CumSum", hot, g.constant(0)), g.constant(most))
    return scores, g("Mul", hot, g("Cast", early, to=TensorProto.INT64))


def _put(g: Graph, total: str, tokens: str, hot: str, weight: str = "") -> str:
    """`total` with the rows of each expert's tokens replaced by what it makes, times `weight`."""
    for e in range(g.experts):
        mine = g("Transpose", g("NonZero", g("Gather", hot, g.constant(e), axis=1)), perm=[1, 0])
        out = m.plain(g, g("GatherND", tokens, mine))
        out = g("Mul", out, g("GatherND", weight, mine)) if weight else out
        total = g("ScatterND", total, mine, out)
    return total


def _summed(g: Graph, tokens: str, hot: str) -> str:
    """Every expert on every token, times its column of the mask, added up."""
    mask, total = g("Cast", hot, to=TensorProto.FLOAT), ""
    for e in range(g.experts):
        part = g("Mul", m.plain(g, tokens), g("Gather", mask, g.constant([e]), axis=1))
        total = g("Add", total, part) if total else part
    return total


def dropping(g: Graph, x: str, most: int = 20) -> str:
    """Top-1 where an expert takes its first 20 tokens only: the others get nothing from it."""
    tokens = m.flat(g, x)
    _, hot = _best_with_places(g, tokens, most)
    zeros = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
    return g("Reshape", _put(g, zeros, tokens, hot), g("Shape", x))


def put_into_tokens(g: Graph, x: str, most: int = 4, *, inside: bool = False) -> str:
    """Switch as transformers had it: results replace their tokens' rows, the others stay.

    The probability multiplies all rows at the end, or (inside) those of the experts alone.
    """
    tokens = m.flat(g, x)
    scores, hot = _best_with_places(g, tokens, most)
    weight = g("ReduceMax", scores, g.constant([-1]), keepdims=1)
    if inside:
        return g("Reshape", _put(g, tokens, tokens, hot, weight), g("Shape", x))
    return g("Reshape", g("Mul", weight, _put(g, tokens, tokens, hot)), g("Shape", x))


def where_taken(g: Graph, x: str, most: int = 4) -> str:
    """The weighted sum where an expert has the token, the token where none has."""
    tokens = m.flat(g, x)
    scores, hot = _best_with_places(g, tokens, most)
    weighted = g(
        "Mul", g("ReduceMax", scores, g.constant([-1]), keepdims=1), _summed(g, tokens, hot)
    )
    taken = g("Greater", g("ReduceSum", hot, g.constant([1]), keepdims=1), g.constant(0))
    return g("Reshape", g("Where", taken, weighted, tokens), g("Shape", x))


def added_tokens(g: Graph, x: str, most: int = 4) -> str:
    """The weighted sum, plus the tokens times 1 where no expert has them."""
    tokens = m.flat(g, x)
    scores, hot = _best_with_places(g, tokens, most)
    weighted = g(
        "Mul", g("ReduceMax", scores, g.constant([-1]), keepdims=1), _summed(g, tokens, hot)
    )
    left = g("Sub", g.constant(1), g("ReduceSum", hot, g.constant([1]), keepdims=1))
    own = g("Mul", tokens, g("Cast", left, to=TensorProto.FLOAT))
    return g("Reshape", g("Add", weighted, own), g("Shape", x))


def _whole(g: Graph, mine: str) -> str:
    """Each expert on its own part of [E, C, d], its last product joined with the others'."""
    parts = g.split(mine, g.constant([1] * g.experts), g.experts)
    return g("Concat", *[m.gated(g, part) for part in parts], axis=0)


def _stacked(g: Graph, mine: str) -> str:
    """All experts on [E, C, d] in two products with stacks of matrices."""
    up = g("Einsum", mine, g.weight(g.experts, g.d, g.hidden, scale=0.3), equation="ecd,edf->ecf")
    down = g.weight(g.experts, g.hidden, g.d, scale=0.3)
    return g("Einsum", g("Relu", up), down, equation="ecf,efd->ecd")


def gshard(
    g: Graph, x: str, slots: int = 8, *, keeps: bool = False, experts: Ffn = _stacked
) -> str:
    """Two picks and `slots` places an expert: one-hot dispatch and combine tensors, by Einsum.

    The second pick's places follow the first's; a token beyond the places is dropped. keeps: one
    that both picks drop passes its vector on.
    """
    tokens = m.flat(g, x)
    one, none = g.constant([0.0, 1.0], np.float32), g.constant(g.experts)
    scores = g("Softmax", m.router_logits(g, tokens), axis=-1)
    left, taken, combine, total = scores, "", "", ""
    picks = []
    for _ in range(2):
        best, index = g.many("TopK", left, g.constant([1]), outputs=2, axis=-1)
        mask = g("OneHot", g("Squeeze", index, g.constant([1])), none, one, axis=-1)
        left = g("Sub", left, g("Mul", scores, mask))
        place = g("Sub", g("CumSum", mask, g.constant(0)), mask)
        place = g("Add", place, taken) if taken else place
        taken = g("ReduceSum", mask, g.constant([0]), keepdims=1)
        total = g("Add", total, best) if total else best
        picks.append((best, mask, place))
    for best, mask, place in picks:
        free = g("Cast", g("Less", place, g.constant(slots, np.float32)), to=TensorProto.FLOAT)
        weight = g("Mul", g("Div", best, total), g("Mul", mask, free))
        at = g("ReduceSum", g("Mul", place, mask), g.constant([1]), keepdims=0)
        slot = g("OneHot", g("Cast", at, to=TensorProto.INT64), g.constant(slots), one, axis=-1)
        part = g(
            "Mul", g("Unsqueeze", weight, g.constant([2])), g("Unsqueeze", slot, g.constant([1]))
        )
        combine = g("Add", combine, part) if combine else part
    dispatch = g("Cast", g("Greater", combine, g.constant(0.0, np.float32)), to=TensorProto.FLOAT)
    mine = g("Einsum", dispatch, tokens, equation="tec,td->ecd")
    out = experts(g, mine)
    total = g("Einsum", combine, out, equation="tec,ecd->td")
    if keeps:
        weight = g("ReduceSum", combine, g.constant([1, 2]), keepdims=0)
        taken = g("Greater", g("Unsqueeze", weight, g.constant([1])), g.constant(0.0, np.float32))
        total = g("Where", taken, total, tokens)
    return g("Reshape", total, g("Shape", x))


def gshard_whole(g: Graph, x: str) -> str:
    """GShard with modules of two matrices, as DeepSpeed has them, in place of stacks."""
    return gshard(g, x, experts=_whole)


# name: (block, what a token becomes that no expert takes)
PASSING_ON: dict[str, tuple[Callable[..., str], Dropped]] = {
    "put into the tokens, then weighted": (put_into_tokens, "weighted token"),
    "weighted, then put into the tokens": (partial(put_into_tokens, inside=True), "token"),
    "chosen": (where_taken, "token"),
    "added": (added_tokens, "token"),
}

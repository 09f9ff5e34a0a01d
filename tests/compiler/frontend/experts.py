"""MoE layers whose experts are of another kind than one feed-forward for each router output."""

import numpy as np
from onnx import TensorProto

from tests.compiler.frontend import models as m
from tests.compiler.frontend.models import Ffn, Graph


def _best_of_more(g: Graph, x: str, spare: int) -> tuple[str, str]:
    """The best of so many more outputs than there are experts: ids and gates [T, top]."""
    scores = g("Softmax", m.router_logits(g, x, g.experts + spare), axis=-1)
    gates, ids = g.many("TopK", scores, g.constant([g.top]), outputs=2, axis=-1)
    return ids, gates


def _combine(g: Graph, x: str, ids: str, gates: str, outputs: int) -> str:
    """Weights [T, outputs] of all outputs, 0 where not selected."""
    shape = g("Concat", g("Shape", x, end=1), g.constant([outputs]), axis=0)
    zeros = g("Expand", g.constant(0.0, np.float32), shape)
    return g("ScatterElements", zeros, ids, gates, axis=1)


def idle_masked(
    before: int = 0, after: int = 2, passing: tuple[int, ...] = (), expert: Ffn = m.gated
) -> Ffn:
    """Every expert on every token, times its column; of the idle outputs' columns some times x.

    The others' columns times zeros, as a zero expert gives them.
    """

    def block(g: Graph, x: str) -> str:
        tokens, outputs = m.flat(g, x), before + g.experts + after
        ids, gates = _best_of_more(g, tokens, before + after)
        combine = _combine(g, tokens, ids, gates, outputs)
        zeros, total = g("Sub", tokens, tokens), ""
        for e in range(outputs):
            column = g("Slice", combine, g.constant([e]), g.constant([e + 1]), g.constant([1]))
            if before <= e < before + g.experts:
                part = g("Mul", expert(g, tokens), column)
            else:
                part = g("Mul", tokens if e in passing else zeros, column)
            total = g("Add", total, part) if total else part
        return g("Reshape", total, g("Shape", x))

    return block


def identity_masked(after: int = 2) -> Ffn:
    """LongCat: the outputs after the experts' pass the token on."""

    def block(g: Graph, x: str) -> str:
        passing = tuple(range(g.experts, g.experts + after))
        return idle_masked(after=after, passing=passing)(g, x)

    return block


def cut_off(after: int = 2) -> Ffn:
    """The weights of the experts are cut out of those of all outputs; the rest is not used."""

    def block(g: Graph, x: str) -> str:
        tokens, outputs = m.flat(g, x), g.experts + after
        ids, gates = _best_of_more(g, tokens, after)
        combine = _combine(g, tokens, ids, gates, outputs)
        mine = g("Slice", combine, g.constant([0]), g.constant([g.experts]), g.constant([1]))
        total = ""
        for e in range(g.experts):
            column = g("Gather", mine, g.constant([e]), axis=1)
            part = g("Mul", m.gated(g, tokens), column)
            total = g("Add", total, part) if total else part
        return g("Reshape", total, g("Shape", x))

    return block


def idle_gathered(after: int = 2, *, before: int = 0, passing: bool = False) -> Ffn:
    """Matrices are gathered by ids without the idle ones, whose gates are taken as 0.

    passing: each token is added times what its idle outputs weigh.
    """

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = _best_of_more(g, tokens, before + after)
        place = g("Sub", ids, g.constant(before)) if before else ids
        real = g("Less", place, g.constant(g.experts))
        if before:
            real = g("And", real, g("GreaterOrEqual", place, g.constant(0)))
        kept = g("Where", real, gates, g.constant(0.0, np.float32))
        number = g("Where", real, place, g.constant(0))
        rows = g("Unsqueeze", tokens, g.constant([1, 2]))  # [T, 1, 1, D]
        up = g("MatMul", rows, g("Gather", g.weight(g.experts, g.d, 2 * g.hidden), number))
        out = g(
            "MatMul", m.halves(g, up), g("Gather", g.weight(g.experts, g.hidden, g.d), number)
        )  # [T, k, 1, D]
        weighted = g(
            "Mul", g("Squeeze", out, g.constant([2])), g("Unsqueeze", kept, g.constant([2]))
        )
        total = g("ReduceSum", weighted, g.constant([1]), keepdims=0)
        if passing:
            idle = g("Cast", g("Not", real), to=TensorProto.FLOAT)
            own = g("ReduceSum", g("Mul", gates, idle), g.constant([1]), keepdims=1)
            total = g("Add", total, g("Mul", tokens, own))
        return g("Reshape", total, g("Shape", x))

    return block


def idle_per_expert(after: int = 2) -> Ffn:
    """Each expert finds its tokens with NonZero; so does each output that passes them on."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = _best_of_more(g, tokens, after)
        total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
        for e in range(g.experts + after):
            place = g("Transpose", g("NonZero", g("Equal", ids, g.constant(e))), perm=[1, 0])
            token = g("Slice", place, g.constant([0]), g.constant([1]), g.constant([1]))
            mine = g("GatherND", tokens, token)
            weight = g("Unsqueeze", g("GatherND", gates, place), g.constant([-1]))
            part = g("Mul", m.gated(g, mine) if e < g.experts else mine, weight)
            total = g("ScatterND", total, token, part, reduction="add")
        return g("Reshape", total, g("Shape", x))

    return block


def idle_stacked(g: Graph, x: str) -> str:
    """Every expert on every token, and the token twice; all stacked, weighted and summed."""
    tokens = m.flat(g, x)
    ids, gates = _best_of_more(g, tokens, 2)
    combine = _combine(g, tokens, ids, gates, g.experts + 2)
    parts = [m.gated(g, tokens) for _ in range(g.experts)] + [tokens, tokens]
    wide = g("Concat", *(g("Unsqueeze", p, g.constant([1])) for p in parts), axis=1)
    weighted = g("Mul", wide, g("Unsqueeze", combine, g.constant([2])))
    return g("Reshape", g("ReduceSum", weighted, g.constant([1]), keepdims=0), g("Shape", x))


def missing(g: Graph, x: str) -> str:
    """Two of the six experts are absent, as where an export left out what its input did not hit."""
    tokens = m.flat(g, x)
    ids, gates = _best_of_more(g, tokens, 2)
    combine, total = _combine(g, tokens, ids, gates, g.experts + 2), ""
    for e in range(g.experts):
        part = g("Mul", m.gated(g, tokens), g("Gather", combine, g.constant([e]), axis=1))
        total = g("Add", total, part) if total else part
    return g("Reshape", total, g("Shape", x))


IDLE: dict[str, tuple[Ffn, tuple[int, int], tuple[int, ...]]] = {
    # block, idle outputs before and after the four experts', those that pass the token on
    "masked, identity": (identity_masked(), (0, 2), (4, 5)),
    "masked, nothing": (idle_masked(), (0, 2), ()),
    "masked, first": (idle_masked(2, 0, (0, 1)), (2, 0), (0, 1)),
    "masked, on both sides": (idle_masked(1, 2, (5,)), (1, 2), (5,)),
    "masked, one of each": (idle_masked(0, 3, (5, 6)), (0, 3), (5, 6)),
    "masked, cut off": (cut_off(), (0, 2), ()),
    "gathered, nothing": (idle_gathered(), (0, 2), ()),
    "gathered, identity": (idle_gathered(passing=True), (0, 2), (4, 5)),
    "gathered, first": (idle_gathered(0, before=2, passing=True), (2, 0), (0, 1)),
    "per expert, identity": (idle_per_expert(), (0, 2), (4, 5)),
    "outputs stacked, identity": (idle_stacked, (0, 2), (4, 5)),
}


def by_place(router: m.Router = m.softmax_topk, how: str = "Gather") -> Ffn:
    """Unrolled over the k places: the matrices of every token's j-th expert, then the next.

    how: the operator that takes the j-th of ids and gates.
    """

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = router(g, tokens)
        up = g.weight(g.experts, g.d, 2 * g.hidden, scale=0.3)
        down = g.weight(g.experts, g.hidden, g.d, scale=0.3)
        rows, total = g("Unsqueeze", tokens, g.constant([1])), ""

        def places(value: str) -> list[str]:
            if how == "Split":
                return g.split(value, g.constant([1] * g.top), g.top, axis=1)
            return [g("Gather", value, g.constant([j]), axis=1) for j in range(g.top)]

        for one, weight in zip(places(ids), places(gates), strict=True):
            pick = g("Squeeze", one, g.constant([1]))
            both = g("MatMul", rows, g("Gather", up, pick))
            out = g("MatMul", m.halves(g, both), g("Gather", down, pick))
            part = g("Mul", g("Squeeze", out, g.constant([1])), weight)
            total = g("Add", total, part) if total else part
        return g("Reshape", total, g("Shape", x))

    return block

"""MoE layers whose experts are of another kind than one feed-forward for each router output."""

from itertools import cycle

import numpy as np
from onnx import TensorProto

from tests.compiler.frontend import models as m
from tests.compiler.frontend.models import Ffn, Graph


def best_of_more(g: Graph, x: str, spare: int) -> tuple[str, str]:
    """The best of so many more outputs than there are experts: ids and gates [T, top]."""
    scores = g("Softmax", m.router_logits(g, x, g.experts + spare), axis=-1)
    gates, ids = g.many("TopK", scores, g.constant([g.top]), outputs=2, axis=-1)
    return ids, gates


def weights_of_all(g: Graph, x: str, ids: str, gates: str, outputs: int) -> str:
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
        ids, gates = best_of_more(g, tokens, before + after)
        combine = weights_of_all(g, tokens, ids, gates, outputs)
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
        ids, gates = best_of_more(g, tokens, after)
        combine = weights_of_all(g, tokens, ids, gates, outputs)
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
        ids, gates = best_of_more(g, tokens, before + after)
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
        ids, gates = best_of_more(g, tokens, after)
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
    ids, gates = best_of_more(g, tokens, 2)
    combine = weights_of_all(g, tokens, ids, gates, g.experts + 2)
    parts = [m.gated(g, tokens) for _ in range(g.experts)] + [tokens, tokens]
    wide = g("Concat", *(g("Unsqueeze", p, g.constant([1])) for p in parts), axis=1)
    weighted = g("Mul", wide, g("Unsqueeze", combine, g.constant([2])))
    return g("Reshape", g("ReduceSum", weighted, g.constant([1]), keepdims=0), g("Shape", x))


def constant_expert(g: Graph, x: str) -> str:
    """MoE++: one of five outputs of the router stands for an expert that gives a stored vector."""
    tokens = m.flat(g, x)
    ids, gates = best_of_more(g, tokens, 1)
    combine, total = weights_of_all(g, tokens, ids, gates, g.experts + 1), ""
    for e in range(g.experts + 1):
        column = g("Slice", combine, g.constant([e]), g.constant([e + 1]), g.constant([1]))
        made = m.gated(g, tokens) if e < g.experts else g.constant(np.arange(g.d), np.float32)
        part = g("Mul", made, column)
        total = g("Add", total, part) if total else part
    return g("Reshape", total, g("Shape", x))


def missing(g: Graph, x: str) -> str:
    """Two of the six experts are absent, as where an export left out what its input did not hit."""
    tokens = m.flat(g, x)
    ids, gates = best_of_more(g, tokens, 2)
    combine, total = weights_of_all(g, tokens, ids, gates, g.experts + 2), ""
    for e in range(g.experts):
        part = g("Mul", m.gated(g, tokens), g("Gather", combine, g.constant([e]), axis=1))
        total = g("Add", total, part) if total else part
    return g("Reshape", total, g("Shape", x))


def another_width(g: Graph, x: str) -> str:
    """Experts from 16 numbers to 24: LoRA adapters beside the first matrix of a dense layer."""
    tokens = m.flat(g, x)
    combine = weights_of_all(g, tokens, *m.softmax_topk(g, tokens), g.experts)
    total = ""
    for e in range(g.experts):
        made = m.linear(g, g("Relu", m.linear(g, tokens, g.d, 4)), 4, g.hidden)
        part = g("Mul", made, g("Gather", combine, g.constant([e]), axis=1))
        total = g("Add", total, part) if total else part
    hidden = g("Relu", g("Add", m.linear(g, tokens, g.d, g.hidden), total))
    return g("Reshape", m.linear(g, hidden, g.hidden, g.d), g("Shape", x))


def added_first(g: Graph, x: str) -> str:
    """Each expert adds the token to what it makes, and the sum is weighted."""
    return m.dense_masked(expert=lambda g, x: g("Add", x, m.gated(g, x)))(g, x)


def product_keys(g: Graph, x: str) -> str:
    """PEER: 2 of 9 experts of one hidden unit, by the best sums of two of 3 keys each."""
    tokens, numbers, scores = m.flat(g, x), [], []
    for _ in range(2):
        best, ids = g.many("TopK", m.linear(g, tokens, g.d, 3), g.constant([2]), outputs=2, axis=-1)
        scores.append(best)
        numbers.append(ids)
    two, one = g.constant([2]), g.constant([1])
    sums = g("Add", g("Unsqueeze", scores[0], two), g("Unsqueeze", scores[1], one))  # [T, 2, 2]
    rows = g("Mul", g("Unsqueeze", numbers[0], two), g.constant(3))
    places = g("Add", rows, g("Unsqueeze", numbers[1], one))
    shape = g("Concat", g("Shape", tokens, end=1), g.constant([4]), axis=0)  # [T, 4]
    best, at = g.many("TopK", g("Reshape", sums, shape), two, outputs=2, axis=-1)
    chosen = g("GatherElements", g("Reshape", places, shape), at, axis=-1)  # [T, 2]
    ups, downs = (g("Gather", g.weight(9, g.d), chosen) for _ in range(2))  # [T, 2, D]
    hidden = g("Relu", g("MatMul", ups, g("Unsqueeze", tokens, two)))  # [T, 2, 1]
    weighted = g("Mul", hidden, g("Unsqueeze", g("Softmax", best, axis=-1), two))
    made = g("MatMul", g("Transpose", weighted, perm=[0, 2, 1]), downs)
    return g("Reshape", made, g("Shape", x))


def autonomous(g: Graph, x: str) -> str:
    """Autonomy of experts: the two with the longest hidden vectors give their outputs."""
    tokens = m.flat(g, x)
    ups, downs = g.weight(g.experts, g.d, g.hidden), g.weight(g.experts, g.hidden, g.d)
    hidden = g("Einsum", tokens, ups, equation="td,edh->teh")
    length = g("ReduceL2", hidden, g.constant([2]), keepdims=0)
    best, ids = g.many("TopK", length, g.constant([g.top]), outputs=2, axis=-1)
    combine = weights_of_all(g, tokens, ids, g("Softmax", best, axis=-1), g.experts)
    weighted = g("Mul", g("Relu", hidden), g("Unsqueeze", combine, g.constant([2])))
    return g("Reshape", g("Einsum", weighted, downs, equation="teh,ehd->td"), g("Shape", x))


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


# Experts of a single matrix


def one_matrix(act: str = "", width: int = 0, *, bias: bool = False) -> Ffn:
    """A product x W, perhaps with a bias and a curve; width: of the result, 0 = as wide as x."""

    def expert(g: Graph, x: str) -> str:
        columns = width or g.d
        out = m.linear(g, x, g.d, columns)
        if bias:
            out = g("Add", out, g.weight(columns, scale=0.3))
        return m.ACTS[act](g, out) if act else out

    return expert


def single_masked(
    act: str = "", width: int = 0, *, bias: bool = False, router: m.Router = m.softmax_topk
) -> Ffn:
    """Every matrix on every token, times its column of weights; projected back if wider."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = router(g, tokens)
        combine, total = weights_of_all(g, tokens, ids, gates, g.experts), ""
        for e in reversed(range(g.experts)):
            column = g("Slice", combine, g.constant([e]), g.constant([e + 1]), g.constant([1]))
            part = g("Mul", one_matrix(act, width, bias=bias)(g, tokens), column)
            total = g("Add", total, part) if total else part
        if width:
            total = m.linear(g, total, width, g.d)
        return g("Reshape", total, g("Shape", x))

    return block


def single_gathered(act: str = "", *, bias: bool = False, router: m.Router = m.softmax_topk) -> Ffn:
    """Each token's matrices are gathered; one product per pair."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = router(g, tokens)
        rows = g("Unsqueeze", tokens, g.constant([1, 2]))  # [T, 1, 1, D]
        out = g("MatMul", rows, g("Gather", g.weight(g.experts, g.d, g.d), ids))
        out = g("Squeeze", out, g.constant([2]))
        if bias:
            out = g("Add", out, g("Gather", g.weight(g.experts, g.d, scale=0.3), ids))
        out = m.ACTS[act](g, out) if act else out
        weighted = g("Mul", out, g("Unsqueeze", gates, g.constant([2])))
        return g("Reshape", g("ReduceSum", weighted, g.constant([1]), keepdims=0), g("Shape", x))

    return block


def gathered_einsum(
    up: str = "td,tkdf->tkf",
    down: str = "tkf,tkfd->tkd",
    router: m.Router = m.softmax_topk,
    *,
    op: str = "Gather",
    bias: bool = False,
) -> Ffn:
    """Each token's matrices are gathered by ids [T, k] and multiplied by Einsum; up, down: how.

    Letters: t tokens, k places, d and f the widths; weighted and summed by an Einsum too.
    """

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = router(g, tokens)
        index = g("Unsqueeze", ids, g.constant([-1])) if op == "GatherND" else ids

        def product(equation: str, vectors: str, columns: int) -> str:
            left, right = equation.partition("->")[0].split(",")
            own = max(left, right, key=len)
            shape = [g.d if c == "d" else g.hidden for c in own[-2:]]
            stack = g(op, g.weight(g.experts, *shape, scale=0.3), index)
            made = g(
                "Einsum",
                *((stack, vectors) if own == left else (vectors, stack)),
                equation=equation,
            )
            return g("Add", made, g(op, g.weight(g.experts, columns), index)) if bias else made

        out = product(down, m.tanh_gelu(g, product(up, tokens, g.hidden)), g.d)
        last = down.partition("->")[2].replace("...", "t")
        return g("Reshape", g("Einsum", gates, out, equation=f"tk,{last}->td"), g("Shape", x))

    return block


EINSUMS: dict[str, Ffn] = {
    "as torch writes it": gathered_einsum(),
    "by GatherND": gathered_einsum(op="GatherND"),
    "matrices turned": gathered_einsum("td,tkfd->tkf", "tkf,tkdf->tkd"),
    "matrices first": gathered_einsum("tkdf,td->tkf", "tkfd,tkf->tkd"),
    "tokens of any axes": gathered_einsum("...d,...kdf->...kf", "...kf,...kfd->...kd"),
    "places last": gathered_einsum("td,tkdf->tfk", "tfk,tkfd->tdk"),
    "places first": gathered_einsum("td,tkdf->ktf", "ktf,tkfd->ktd"),
    "biases": gathered_einsum(bias=True),
    "sigmoid router": gathered_einsum(router=m.sigmoid_topk),
}


def single_stacked(act: str = "", router: m.Router = m.softmax_topk) -> Ffn:
    """Every token through a stack of matrices in one product."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = router(g, tokens)
        combine = weights_of_all(g, tokens, ids, gates, g.experts)
        out = g("MatMul", tokens, g.weight(g.experts, g.d, g.d))  # [E, T, D]
        out = m.ACTS[act](g, out) if act else out
        column = g("Unsqueeze", g("Transpose", combine, perm=[1, 0]), g.constant([2]))
        total = g("ReduceSum", g("Mul", out, column), g.constant([0]), keepdims=0)
        return g("Reshape", total, g("Shape", x))

    return block


def single_einsum(act: str = "", *, gathered: bool = False) -> Ffn:
    """Vectors, matrices and weights in one Einsum of three operands, or a curve before the sum."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = m.sigmoid_topk(g, tokens)
        stack = g.weight(g.experts, g.d, g.d)
        weights = gates if gathered else weights_of_all(g, tokens, ids, gates, g.experts)
        matrices, letters = (g("Gather", stack, ids), "te") if gathered else (stack, "e")
        if act:
            out = g("Einsum", tokens, matrices, equation=f"td,{letters}df->tef")
            total = g("Einsum", weights, m.ACTS[act](g, out), equation="te,tef->tf")
        else:
            equation = f"te,td,{letters}df->tf"
            total = g("Einsum", weights, tokens, matrices, equation=equation)
        return g("Reshape", total, g("Shape", x))

    return block


def single_per_expert(act: str = "") -> Ffn:
    """Each expert finds its tokens with NonZero."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = m.softmax_topk(g, tokens)
        total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
        for e in range(g.experts):
            place = g("Transpose", g("NonZero", g("Equal", ids, g.constant(e))), perm=[1, 0])
            token = g("Slice", place, g.constant([0]), g.constant([1]), g.constant([1]))
            weight = g("Unsqueeze", g("GatherND", gates, place), g.constant([-1]))
            part = g("Mul", one_matrix(act)(g, g("GatherND", tokens, token)), weight)
            total = g("ScatterND", total, token, part, reduction="add")
        return g("Reshape", total, g("Shape", x))

    return block


def first_alone(g: Graph, x: str) -> str:
    """One expert a token by ArgMax, without a weight: matrices gathered by its number."""
    tokens = m.flat(g, x)
    best = g("ArgMax", m.router_logits(g, tokens), axis=-1, keepdims=0)
    up = g("Gather", g.weight(g.experts, g.d, g.hidden), best)
    hidden = g("Relu", g("MatMul", g("Unsqueeze", tokens, g.constant([1])), up))
    out = g("MatMul", hidden, g("Gather", g.weight(g.experts, g.hidden, g.d), best))
    return g("Reshape", g("Squeeze", out, g.constant([1])), g("Shape", x))


SINGLE: dict[str, tuple[Ffn, str, str]] = {
    # block, form, activation
    "masked": (single_masked(), "dense-masked", "identity"),
    "masked, biases": (single_masked(bias=True), "dense-masked", "identity"),
    "masked, relu": (single_masked("relu", bias=True), "dense-masked", "relu"),
    "masked, silu": (single_masked("silu"), "dense-masked", "silu"),
    "masked, wider": (single_masked(width=40), "dense-masked", "identity"),
    "masked, narrower, gelu": (single_masked("gelu", width=6), "dense-masked", "gelu"),
    "gathered": (single_gathered(), "gather-batched", "identity"),
    "gathered, biases, silu": (single_gathered("silu", bias=True), "gather-batched", "silu"),
    "stacked": (single_stacked(), "dense-batched", "identity"),
    "stacked, tanh": (single_stacked("tanh"), "dense-batched", "tanh"),
    "Einsum": (single_einsum(), "dense-batched", "identity"),
    "Einsum, silu": (single_einsum("silu"), "dense-batched", "silu"),
    "Einsum, gathered": (single_einsum(gathered=True), "gather-batched", "identity"),
    "Einsum, gathered, gelu": (single_einsum("gelu", gathered=True), "gather-batched", "gelu"),
    "per expert": (single_per_expert(), "per-expert-gather", "identity"),
    "per expert, gelu": (single_per_expert("gelu"), "per-expert-gather", "gelu"),
    "sigmoid router": (single_masked(router=m.sigmoid_topk), "dense-masked", "identity"),
}


def low_rank(rank: int = 3, act: str = "") -> Ffn:
    """LoRA experts beside the up projection of a dense feed-forward: d -> rank -> hidden."""

    def block(g: Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = m.softmax_topk(g, tokens)
        combine, total = weights_of_all(g, tokens, ids, gates, g.experts), ""
        for e in range(g.experts):
            narrow = m.linear(g, tokens, g.d, rank)
            narrow = m.ACTS[act](g, narrow) if act else narrow
            part = m.linear(g, narrow, rank, g.hidden)
            part = g("Mul", part, g("Gather", combine, g.constant([e]), axis=1))
            total = g("Add", total, part) if total else part
        hidden = m.silu(g, g("Add", m.linear(g, tokens, g.d, g.hidden), total))
        return g("Reshape", m.linear(g, hidden, g.hidden, g.d), g("Shape", x))

    return block


def by_turns(widths: tuple[int, ...] = (24, 12), expert: Ffn = m.gated) -> Ffn:
    """One expert, of the next of these hidden widths each time it is written."""
    turns = cycle(widths)

    def block(g: Graph, x: str) -> str:
        own, g.hidden = g.hidden, next(turns)
        out = expert(g, x)
        g.hidden = own
        return out

    return block

"""Experts and routers that nobody expects: read with what they have, or refused with a reason."""

from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto

from tests.compiler.frontend import experts as x
from tests.compiler.frontend import models as m
from tests.compiler.frontend.models import Ffn, Graph
from tests.compiler.frontend.moe.curves import num


def part(g: Graph, y: str, start: int, end: int, axis: int = -1) -> str:
    """Entries start to end - 1 of one axis."""
    return g("Slice", y, *(g.constant([n]) for n in (start, end, axis)))


def zero(g: Graph, y: str) -> str:
    """The whole number 0 [1], which no shape tells: the largest of all numbers, times 0."""
    none = g("Mul", g("ReduceMax", y, keepdims=0), num(g, 0))
    return g("Unsqueeze", g("Cast", none, to=TensorProto.INT64), g.constant([0]))


def routed(expert: Ffn = m.plain, order: Sequence[int] = (2, 0, 3, 1), cut: str = "Slice") -> Ffn:
    """Every expert on every token, times its column of the weights; written in that order.

    cut: what takes a column: Slice, of both axes, or Gather.
    """

    def block(g: Graph, y: str) -> str:
        tokens = m.flat(g, y)
        combine, total = x.weights_of_all(g, tokens, *m.softmax_topk(g, tokens), g.experts), ""
        for e in order:
            if cut == "Gather":
                column = g("Gather", combine, g.constant([e]), axis=1)
            else:
                ends = (g.constant([0, e]), g.constant([2**31, e + 1]), g.constant([0, 1]))
                column = g("Slice", combine, *ends)
            weighted = g("Mul", expert(g, tokens), column)
            total = g("Add", total, weighted) if total else weighted
        return g("Reshape", total, g("Shape", y))

    return block


# Hidden vectors: what an expert makes between its matrices


def between(hidden: Callable[[Graph, str], str], *, columns: int = 0, rows: int = 0) -> Ffn:
    """down(hidden(up(x))), columns: of up, rows: of down, if not those of the hidden layer."""

    def expert(g: Graph, y: str) -> str:
        up = m.linear(g, y, g.d, columns or g.hidden)
        return m.linear(g, hidden(g, up), rows or g.hidden, g.d)

    return m.dense_masked(expert=expert)


def meeting(hidden: Callable[[Graph, str, str], str]) -> Ffn:
    """down(hidden(gate(x), up(x)))."""

    def expert(g: Graph, y: str) -> str:
        gate, up = (m.linear(g, y, g.d, g.hidden) for _ in range(2))
        return m.linear(g, hidden(g, gate, up), g.hidden, g.d)

    return m.dense_masked(expert=expert)


def three_parts(g: Graph, up: str) -> str:
    one, two, three = g.many("Split", up, outputs=3, axis=-1, num_outputs=3)
    return g("Mul", g("Mul", m.silu(g, one), two), three)


def part_of_a_part(g: Graph, up: str, start: int = 12) -> str:
    gate, other = g.many("Split", up, outputs=2, axis=-1, num_outputs=2)
    return g("Mul", m.silu(g, part(g, gate, start, start + 24)), part(g, other, 0, 24))


def split_by_data(g: Graph, up: str) -> str:
    lengths = g("Add", zero(g, up), g.constant([g.hidden, g.hidden]))
    gate, other = g.many("Split", up, lengths, outputs=2, axis=-1)
    return g("Mul", m.silu(g, gate), other)


def cut_by_data(g: Graph, up: str) -> str:
    end = g("Add", zero(g, up), g.constant([g.hidden]))
    gate = g("Slice", up, g.constant([0]), end, g.constant([-1]))
    return g("Mul", m.silu(g, gate), part(g, up, g.hidden, 2 * g.hidden))


def padded(g: Graph, up: str, cut: int = 20) -> str:
    return g("Pad", g("Relu", part(g, up, 0, cut)), g.constant([0, 0, 0, 4]))


def both_signs(g: Graph, up: str) -> str:
    """CReLU: relu(x) and relu(-x), side by side."""
    return g("Concat", g("Relu", up), g("Relu", g("Neg", up)), axis=-1)


def with_the_token(g: Graph, y: str) -> str:
    """The mean of the token is added before the curve."""
    mean = g("ReduceMean", y, g.constant([-1]), keepdims=1)
    return m.plain(g, y, lambda g, up: g("Relu", g("Add", up, mean)))


def scaled_by_column(g: Graph, up: str) -> str:
    """Quantised with a scale for each column."""
    scale = g.constant([0.5] * 23 + [0.25], np.float32), g.constant([0] * 24, np.int8)
    return g("DequantizeLinear", g("QuantizeLinear", up, *scale, axis=-1), *scale, axis=-1)


def to_four_bits(g: Graph, up: str) -> str:
    """Quantised to a type whose range is not known here."""
    four = g("QuantizeLinear", up, num(g, 0.5), output_dtype=TensorProto.INT4)
    return g("DequantizeLinear", four, num(g, 0.5))


def to_whole_numbers(g: Graph, up: str) -> str:
    return g("Cast", g("Cast", up, to=TensorProto.INT64), to=TensorProto.FLOAT)


# What follows an expert, and how its token is found


def with_its_own_shape(g: Graph, y: str) -> str:
    """As views are exported: reshaped by its own shape."""
    out = m.plain(g, y)
    return g("Reshape", out, g("Shape", out))


def with_steps(g: Graph, y: str, count: int) -> str:
    """An even number of negations: none at all."""
    out = m.plain(g, y)
    for _ in range(count):
        out = g("Neg", out)
    return out


def read_twice(g: Graph, y: str) -> str:
    """Each expert's output is weighted, and a little of it added as it is."""

    def block(g: Graph, tokens: str, column: str) -> str:
        out = m.plain(g, tokens)
        return g("Add", g("Mul", out, column), g("Mul", out, num(g, 1e-3)))

    return weighted(block)(g, y)


def weighted_before_down(g: Graph, y: str) -> str:
    """The weight of an expert multiplies its hidden vector."""

    def block(g: Graph, tokens: str, column: str) -> str:
        gate, up = (m.linear(g, tokens, g.d, g.hidden) for _ in range(2))
        return m.linear(g, g("Mul", g("Mul", m.silu(g, gate), up), column), g.hidden, g.d)

    return weighted(block)(g, y)


def weighted(expert: Callable[[Graph, str, str], str]) -> Ffn:
    """The sum of what each expert makes of all tokens and its column of the weights."""

    def block(g: Graph, y: str) -> str:
        tokens, total = m.flat(g, y), ""
        combine = x.weights_of_all(g, tokens, *m.softmax_topk(g, tokens), g.experts)
        for e in range(g.experts):
            made = expert(g, tokens, g("Gather", combine, g.constant([e]), axis=1))
            total = g("Add", total, made) if total else made
        return g("Reshape", total, g("Shape", y))

    return block


def joined_by_a_matrix(g: Graph, y: str) -> str:
    """What nine experts make side by side goes through one matrix."""
    g.experts = 9
    tokens = m.flat(g, y)
    combine = x.weights_of_all(g, tokens, *m.softmax_topk(g, tokens), 9)
    columns = [g("Gather", combine, g.constant([e]), axis=1) for e in range(9)]
    wide = g("Concat", *(g("Mul", m.plain(g, tokens), c) for c in columns), axis=-1)
    return g("Reshape", m.linear(g, wide, 9 * g.d, g.d), g("Shape", y))


def stack_and_singles(g: Graph, y: str) -> str:
    """Experts 0 and 1 are a stack, 2 and 3 have matrices of their own."""
    tokens = m.flat(g, y)
    combine = x.weights_of_all(g, tokens, *m.softmax_topk(g, tokens), g.experts)
    up = g("Relu", g("MatMul", tokens, g.weight(2, g.d, g.hidden)))
    out = g("MatMul", up, g.weight(2, g.hidden, g.d))
    first = g("Transpose", part(g, combine, 0, 2), perm=[1, 0])
    total = g("Mul", out, g("Unsqueeze", first, g.constant([2])))
    total = g("ReduceSum", total, g.constant([0]), keepdims=0)
    for e in (2, 3):
        total = g("Add", total, g("Mul", m.plain(g, tokens), part(g, combine, e, e + 1)))
    return g("Reshape", total, g("Shape", y))


def by_elements(g: Graph, y: str) -> str:
    """Products of stacked matrices written as Mul and ReduceSum."""
    tokens, two = m.flat(g, y), g.constant([2])
    combine = x.weights_of_all(g, tokens, *m.softmax_topk(g, tokens), g.experts)

    def product(vectors: str, rows: int, columns: int) -> str:
        each = g("Mul", g("Unsqueeze", vectors, g.constant([3])), g.weight(4, rows, columns))
        return g("ReduceSum", each, two, keepdims=0)  # of [T, E, rows, columns]

    up = g("Relu", product(g("Unsqueeze", tokens, g.constant([1])), g.d, g.hidden))
    out = g("Mul", product(up, g.hidden, g.d), g("Unsqueeze", combine, two))
    return g("Reshape", g("ReduceSum", out, g.constant([1]), keepdims=0), g("Shape", y))


def not_hit(g: Graph, y: str) -> str:
    """Each expert finds its tokens; of six outputs only the first four have one."""
    tokens = m.flat(g, y)
    ids, gates = x.best_of_more(g, tokens, 2)
    total = g("Expand", num(g, 0), g("Shape", tokens))
    for e in range(g.experts):
        place = g("Transpose", g("NonZero", g("Equal", ids, g.constant(e))), perm=[1, 0])
        token = part(g, place, 0, 1, axis=1)
        weight = g("Unsqueeze", g("GatherND", gates, place), g.constant([-1]))
        made = g("Mul", m.gated(g, g("GatherND", tokens, token)), weight)
        total = g("ScatterND", total, token, made, reduction="add")
    return g("Reshape", total, g("Shape", y))


def traced_stack(hit: int = 4, other: int = -1) -> Ffn:
    """A traced loop over `hit` experts whose matrices are picked from a stack.

    other: the one that has a stack of its own for its first matrix.
    """

    def block(g: Graph, y: str) -> str:
        tokens = m.flat(g, y)
        ids, gates = m.softmax_topk(g, tokens)
        hot = g("OneHot", ids, g.constant(g.experts), g.constant([0, 1]), axis=-1)
        mask = g("Transpose", hot, perm=[2, 1, 0])  # [E, k, T]
        count = g("ReduceSum", mask, g.constant([1, 2]), keepdims=0)
        hits = g("Transpose", g("NonZero", g("Greater", count, g.constant(0))), perm=[1, 0])
        up, down = g.weight(g.experts, g.d, g.hidden), g.weight(g.experts, g.hidden, g.d)
        total = g("Expand", num(g, 0), g("Shape", tokens))
        for i, one in enumerate(g.split(hits, g.constant([1] * hit), hit)):
            number = g("Squeeze", one)
            place = g("NonZero", g("Gather", mask, number, axis=0))
            slot, token = (g("Gather", place, g.constant([j])) for j in (0, 1))
            pair = g("Transpose", g("Concat", token, slot, axis=0), perm=[1, 0])
            mine = g("Gather", tokens, g("Squeeze", token, g.constant([0])), axis=0)
            first = g.weight(g.experts, g.d, g.hidden) if i == other else up
            hidden = g("Relu", g("MatMul", mine, g("Gather", first, number, axis=0)))
            out = g("MatMul", hidden, g("Gather", down, number, axis=0))
            made = g("Mul", out, g("Unsqueeze", g("GatherND", gates, pair), g.constant([1])))
            index = g("Transpose", token, perm=[1, 0])
            total = g("ScatterND", total, index, made, reduction="add")
        return g("Reshape", total, g("Shape", y))

    return block


# Routers


def choice_of(capacity: Callable[[Graph, str], str], among: int = -1) -> Ffn:
    """Each expert takes so many [1] of its best tokens.

    among: the axis of the softmax, -1: experts, 0: tokens.
    """

    def block(g: Graph, y: str) -> str:
        tokens = m.flat(g, y)
        scores = g("Softmax", m.router_logits(g, tokens), axis=among)
        scores = g("Transpose", scores, perm=[1, 0])
        gates, ids = g.many("TopK", scores, capacity(g, tokens), outputs=2, axis=-1)
        total = g("Expand", num(g, 0), g("Shape", tokens))
        for e in range(g.experts):
            row, gate = (g("Gather", v, g.constant(e), axis=0) for v in (ids, gates))
            made = m.gated(g, g("Gather", tokens, row, axis=0))
            made = g("Mul", made, g("Unsqueeze", gate, g.constant([1])))
            index = g("Unsqueeze", row, g.constant([1]))
            total = g("ScatterND", total, index, made, reduction="add")
        return g("Reshape", total, g("Shape", y))

    return block


def half_of_them(g: Graph, tokens: str) -> str:
    return g("Div", g("Shape", tokens, end=1), g.constant([2]))


def as_many_as_data_say(g: Graph, tokens: str) -> str:
    return g("Add", zero(g, tokens), g.constant([3]))


def rounded_up(g: Graph, tokens: str) -> str:
    return g("Div", g("Add", g("Shape", tokens, end=1), g.constant([3])), g.constant([4]))


def best_of_data(g: Graph, y: str) -> tuple[str, str]:
    """TopK of a number that only a run tells."""
    scores = g("Softmax", m.router_logits(g, y), axis=-1)
    count = g("Add", zero(g, y), g.constant([2]))
    best, ids = g.many("TopK", scores, count, outputs=2, axis=-1)
    return ids, best


def wide_for_a_while(g: Graph, y: str) -> tuple[str, str]:
    """The weights stand twice beside each other for one step, the softmax over all four."""
    best, ids = g.many("TopK", m.router_logits(g, y), g.constant([2]), outputs=2, axis=-1)
    return ids, part(g, g("Softmax", g("Concat", best, best, axis=-1), axis=-1), 0, 2)


def by_comparison(g: Graph, y: str) -> str:
    """Of six outputs four have an expert; a comparison tells ids of others, whose weight is 0."""
    tokens, total = m.flat(g, y), ""
    ids, gates = x.best_of_more(g, tokens, 2)
    kept = g("Where", g("Less", ids, g.constant(g.experts)), gates, num(g, 0))
    combine = x.weights_of_all(g, tokens, ids, kept, g.experts + 2)
    for e in range(g.experts):
        made = g("Mul", m.gated(g, tokens), g("Gather", combine, g.constant([e]), axis=1))
        total = g("Add", total, made) if total else made
    return g("Reshape", total, g("Shape", y))


def unweighted_times_a_vector(g: Graph, y: str) -> str:
    """One expert a token by ArgMax, whose output is multiplied by a vector of the token's own."""
    tokens = m.flat(g, y)
    best = g("ArgMax", m.router_logits(g, tokens), axis=-1, keepdims=0)
    hot = g("OneHot", best, g.constant(g.experts), g.constant([0, 1]), axis=-1)
    total = g("Expand", num(g, 0), g("Shape", tokens))
    for e in range(g.experts):
        mine = g("Transpose", g("NonZero", g("Gather", hot, g.constant(e), axis=1)), perm=[1, 0])
        total = g("ScatterND", total, mine, m.plain(g, g("GatherND", tokens, mine)))
    return g("Reshape", g("Mul", total, g("Tanh", m.linear(g, tokens, g.d, g.d))), g("Shape", y))


def by_table(experts: int, each: int) -> Ffn:
    """A stored table tells which `each` experts a token id has, without weights."""

    def block(g: Graph, y: str) -> str:
        rows = g("Unsqueeze", m.flat(g, y), g.constant([1, 2]))  # [T, 1, 1, D]
        table = g.constant(g.random.integers(0, experts, (g.vocab, each)))
        ids = g("Reshape", g("Gather", table, g.ids), g.constant([-1, each]))
        up = g("MatMul", rows, g("Gather", g.weight(experts, g.d, 2 * g.hidden), ids))
        out = g("MatMul", m.halves(g, up), g("Gather", g.weight(experts, g.hidden, g.d), ids))
        total = g("ReduceSum", g("Squeeze", out, g.constant([2])), g.constant([1]), keepdims=0)
        return g("Reshape", total, g("Shape", y))

    return block

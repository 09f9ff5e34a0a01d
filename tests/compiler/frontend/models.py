"""Small random models for tests, written node by node with onnx.helper: no exporter needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

D, HEADS, HEAD, HIDDEN, VOCAB = 16, 2, 8, 24, 32
EXPERTS, TOP = 4, 2

Dims = Sequence[int | str]  # of a declared value: numbers, or the names of free axes


@dataclass
class Graph:
    """A graph being written; names are meaningless on purpose (v0, v1, ...).

    The sizes of what is written into it are its own. biased: every dense product has a bias; act:
    of the experts and dense layers, '' = what each of them has by itself; routing: see
    `router_logits`; stored: writes a matrix of these numbers in another form (see `stored`); ids:
    the input of token ids that what is being written works on.
    """

    seed: int = 0
    half: bool = False
    d: int = D
    heads: int = HEADS
    head: int = HEAD
    hidden: int = HIDDEN
    vocab: int = VOCAB
    experts: int = EXPERTS
    top: int = TOP
    biased: bool = False
    act: str = ""
    routing: str = "random"
    stored: "Callable[[Graph, Any], str] | None" = None
    ids: str = "input_ids"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def split(self, x: str, lengths: str, parts: int, axis: int = 0) -> list[str]:
        """`x` in so many parts, one too."""
        return self.many("Split", x, lengths, outputs=parts, axis=axis)

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node of one output; returns its name."""
        return self.many(op, *inputs, outputs=1, **attributes)[0]

    def many(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """A node of so many outputs; returns their names."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        domain = attributes.pop("domain", "")
        self.nodes.append(helper.make_node(op, inputs, names, domain=domain, **attributes))
        return names

    def constant(self, array: Any, kind: Any = np.int64) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(array, dtype=kind), name))
        return name

    def weight(self, *shape: int, scale: float | None = None) -> str:
        size = scale if scale is not None else shape[-2] ** -0.5
        values = self.random.standard_normal(shape) * size
        if self.stored is not None and len(shape) > 1:
            return self.stored(self, values)
        if not self.half:
            return self.constant(values, np.float32)
        return self("Cast", self.constant(values, np.float16), to=TensorProto.FLOAT)

    def model(
        self,
        path: Path,
        outputs: dict[str, Dims],
        inputs: dict[str, tuple[int, Dims]] | None = None,
        opset: int = 0,
    ) -> Path:
        """Save it; opset 0: 18, or 21 where matrices are stored in another form."""
        opset = opset or (21 if self.stored is not None else 18)
        inputs = inputs or {"input_ids": (TensorProto.INT64, [1, "tokens"])}
        graph = helper.make_graph(
            self.nodes,
            "test",
            [helper.make_tensor_value_info(n, k, s) for n, (k, s) in inputs.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
            self.tensors,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
        return path


def linear(g: Graph, x: str, rows: int, columns: int) -> str:
    out = g("MatMul", x, g.weight(rows, columns))
    return g("Add", out, g.weight(columns, scale=0.1)) if g.biased else out


def rms_norm(g: Graph, x: str) -> str:
    mean = g("ReduceMean", g("Mul", x, x), g.constant([-1]), keepdims=1)
    root = g("Sqrt", g("Add", mean, g.constant(1e-5, np.float32)))
    scale = g.constant(1 + 0.1 * g.random.standard_normal(g.d), np.float32)
    return g("Mul", g("Mul", x, g("Reciprocal", root)), scale)


def silu(g: Graph, x: str) -> str:
    return g("Mul", x, g("Sigmoid", x))


def relu(g: Graph, x: str) -> str:
    return g("Relu", x)


def tanh_gelu(g: Graph, x: str) -> str:
    cube = g("Mul", g("Mul", g("Mul", x, x), x), g.constant(0.044715, np.float32))
    inner = g("Mul", g("Add", x, cube), g.constant((2 / np.pi) ** 0.5, np.float32))
    half = g("Mul", x, g.constant(0.5, np.float32))
    return g("Mul", half, g("Add", g("Tanh", inner), g.constant(1.0, np.float32)))


def erf_gelu(g: Graph, x: str) -> str:
    part = g("Erf", g("Div", x, g.constant(2**0.5, np.float32)))
    half = g("Mul", x, g.constant(0.5, np.float32))
    return g("Mul", half, g("Add", part, g.constant(1.0, np.float32)))


Act = Callable[[Graph, str], str]
ACTS: dict[str, Act] = {
    "silu": silu,
    "relu": relu,
    "relu2": lambda g, x: g("Mul", g("Relu", x), g("Relu", x)),
    "gelu": erf_gelu,
    "gelu-tanh": tanh_gelu,
    "quick-gelu": lambda g, x: g(
        "Mul", x, g("Sigmoid", g("Mul", x, g.constant(1.702, np.float32)))
    ),
    "sigmoid": lambda g, x: g("Sigmoid", x),
    "tanh": lambda g, x: g("Tanh", x),
    "mish": lambda g, x: g("Mul", x, g("Tanh", g("Softplus", x))),
}


def gated(g: Graph, x: str, act: Act | None = None) -> str:
    """Written up first, so that the order of nodes does not tell gate from up."""
    made = act or ACTS[g.act or "silu"]
    up = linear(g, x, g.d, g.hidden)
    return linear(g, g("Mul", made(g, linear(g, x, g.d, g.hidden)), up), g.hidden, g.d)


def plain(g: Graph, x: str, act: Act | None = None) -> str:
    made = act or ACTS[g.act or "relu"]
    return linear(g, made(g, linear(g, x, g.d, g.hidden)), g.hidden, g.d)


@dataclass(frozen=True)
class Positions:
    """What every attention layer shares: cos, sin [T, HEAD] and the mask [T, T]."""

    cos: str
    sin: str
    mask: str
    length: str


def positions(g: Graph, ids: str = "input_ids") -> Positions:
    length = g("Squeeze", g("Shape", ids, start=1, end=2))
    place = g("Range", g.constant(0), length, g.constant(1))
    angle = g(
        "Mul",
        g("Unsqueeze", g("Cast", place, to=TensorProto.FLOAT), g.constant([1])),
        g.constant(10000.0 ** (-np.arange(g.head // 2) / (g.head // 2)), np.float32),
    )
    both = g("Concat", angle, angle, axis=-1)
    row = g("Unsqueeze", place, g.constant([0]))
    column = g("Unsqueeze", place, g.constant([1]))
    return Positions(g("Cos", both), g("Sin", both), g("LessOrEqual", row, column), length)


def attention(
    g: Graph,
    x: str,
    at: Positions,
    kv_heads: int | None = None,
    read: tuple[str, Positions] | None = None,
) -> str:
    """read: what keys and values are made of, and where its tokens are, if not x itself."""
    kv, (of, there) = kv_heads or g.heads, read or (x, at)

    def heads(y: str, count: int) -> str:
        split = g("Reshape", y, g.constant([0, -1, count, g.head]))
        return g("Transpose", split, perm=[0, 2, 1, 3])

    def rotate(y: str, at: Positions) -> str:
        low = g("Slice", y, g.constant([0]), g.constant([g.head // 2]), g.constant([3]))
        high = g("Slice", y, g.constant([g.head // 2]), g.constant([g.head]), g.constant([3]))
        turned = g("Concat", g("Neg", high), low, axis=-1)
        return g("Add", g("Mul", y, at.cos), g("Mul", turned, at.sin))

    def repeat(y: str) -> str:
        """Every head once for each query head of its group."""
        if kv == g.heads:
            return y
        length, size = g("Unsqueeze", there.length, g.constant([0])), g.constant([g.head])
        if kv == 1:
            return g("Expand", y, g("Concat", g.constant([1, g.heads]), length, size, axis=0))
        wide = g(
            "Expand",
            g("Unsqueeze", y, g.constant([2])),
            g("Concat", g.constant([1, kv, g.heads // kv]), length, size, axis=0),
        )
        return g("Reshape", wide, g("Concat", g.constant([0, g.heads]), length, size, axis=0))

    q = rotate(heads(linear(g, x, g.d, g.heads * g.head), g.heads), at)
    k = repeat(rotate(heads(linear(g, of, g.d, kv * g.head), kv), there))
    v = repeat(heads(linear(g, of, g.d, kv * g.head), kv))
    scores = g(
        "Mul",
        g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2])),
        g.constant(g.head**-0.5, np.float32),
    )
    low = g.constant(-np.inf, np.float32)
    masked = g("Where", at.mask, scores, low) if at.mask else scores
    mixed = g("MatMul", g("Softmax", masked, axis=-1), v)
    joined = g(
        "Reshape", g("Transpose", mixed, perm=[0, 2, 1, 3]), g.constant([0, -1, g.heads * g.head])
    )
    return linear(g, joined, g.heads * g.head, g.d)


def transformer(
    g: Graph,
    blocks: Sequence[Callable[[Graph, str], str]],
    kv_heads: int | None = None,
    mask: Callable[[Graph], str] | None = None,
) -> Graph:
    """Embedding, then attention and one of `blocks` per layer, final norm and head.

    mask: makes another mask than the lower triangle from positions; '' = none.
    """
    at = positions(g)
    if mask is not None:
        at = replace(at, mask=mask(g))
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), "input_ids")
    for block in blocks:
        x = g("Add", x, attention(g, rms_norm(g, x), at, kv_heads))
        x = g("Add", x, block(g, rms_norm(g, x)))
    g.nodes.append(helper.make_node("MatMul", [rms_norm(g, x), g.weight(g.d, g.vocab)], ["logits"]))
    return g


def router_logits(g: Graph, x: str, outputs: int | None = None) -> str:
    """What a router scores: [.., experts] of x.

    g.routing: random; ties = experts two by two have equal columns; equal = every expert has the
    same score; one = the last expert is far ahead for every token.
    """
    count = outputs or g.experts
    if g.routing == "random":
        return linear(g, x, g.d, count)
    columns = g.random.standard_normal((g.d, count)) * g.d**-0.5
    if g.routing == "ties":
        columns[:, 1::2] = columns[:, : 2 * (count // 2) : 2]
    elif g.routing == "equal":
        columns[:] = 0
    out = g("MatMul", x, g.constant(columns, np.float32))
    ahead = np.where(np.arange(count) == count - 1, 8.0, 0.0)
    return g("Add", out, g.constant(ahead, np.float32)) if g.routing == "one" else out


LOGITS: dict[str, Sequence[int | str]] = {"logits": [1, "tokens", VOCAB]}


# Routers: (ids, gates) [T, TOP] from x [T, D]


def softmax_topk(g: Graph, x: str) -> tuple[str, str]:
    scores = g("Softmax", router_logits(g, x), axis=-1)
    best, ids = g.many("TopK", scores, g.constant([g.top]), outputs=2, axis=-1)
    return ids, g("Div", best, g("ReduceSum", best, g.constant([-1]), keepdims=1))


def topk_softmax(g: Graph, x: str) -> tuple[str, str]:
    best, ids = g.many("TopK", router_logits(g, x), g.constant([g.top]), outputs=2, axis=-1)
    return ids, g("Softmax", best, axis=-1)


def sigmoid_topk(g: Graph, x: str) -> tuple[str, str]:
    """DeepSeek-V3: a bias on the selection only, weights normalised and scaled."""
    scores = g("Sigmoid", router_logits(g, x))
    biased = g("Add", scores, g.weight(g.experts, scale=0.1))
    _, ids = g.many("TopK", biased, g.constant([g.top]), outputs=2, axis=-1)
    best = g("GatherElements", scores, ids, axis=-1)
    total = g(
        "Add", g("ReduceSum", best, g.constant([-1]), keepdims=1), g.constant(1e-20, np.float32)
    )
    return ids, g("Mul", g("Div", best, total), g.constant(2.5, np.float32))


Router = Callable[[Graph, str], tuple[str, str]]
Ffn = Callable[[Graph, str], str]


def flat(g: Graph, x: str) -> str:
    return g("Reshape", x, g.constant([-1, g.d]))


def dense_masked(
    router: Router = softmax_topk,
    expert: Ffn = gated,
    shared: Ffn | None = None,
    order: Sequence[int] | None = None,
) -> Ffn:
    """Every expert on every token, times its column of the combine weights."""

    def block(g: Graph, x: str) -> str:
        tokens = flat(g, x)
        ids, gates = router(g, tokens)
        shape = g("Concat", g("Shape", tokens, end=1), g.constant([g.experts]), axis=0)
        zeros = g("Expand", g.constant(0.0, np.float32), shape)
        combine = g("ScatterElements", zeros, ids, gates, axis=1)
        total = ""
        for e in order or range(g.experts):
            column = g("Slice", combine, g.constant([e]), g.constant([e + 1]), g.constant([1]))
            part = g("Mul", expert(g, tokens), column)
            total = g("Add", total, part) if total else part
        if shared is not None:
            total = g("Add", total, shared(g, tokens))
        return g("Reshape", total, g("Shape", x))

    return block


def gated_shared(g: Graph, x: str) -> str:
    """Qwen2-MoE: the shared expert times a sigmoid of its own."""
    return g("Mul", gated(g, x), g("Sigmoid", linear(g, x, g.d, 1)))


def expert_choice(stacked: bool = False, minimum: int = 0, constant: int = 0) -> Ffn:
    """Each expert takes its floor(TOP * T / EXPERTS) best tokens, computed from the shape.

    constant: so many instead.
    """

    def block(g: Graph, x: str) -> str:
        tokens = flat(g, x)
        count = g("Mul", g("Shape", tokens, end=1), g.constant([g.top]))
        capacity = g("Div", count, g.constant([g.experts]))
        if minimum:
            capacity = g("Max", capacity, g.constant([minimum]))
        if constant:
            capacity = g.constant([constant])
        scores = g("Transpose", g("Softmax", router_logits(g, tokens), axis=-1), perm=[1, 0])
        gates, ids = g.many("TopK", scores, capacity, outputs=2, axis=-1)
        total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
        if stacked:
            chosen = g("Gather", tokens, ids)  # [E, C, D]
            up, gate = g.weight(g.experts, g.d, g.hidden), g.weight(g.experts, g.d, g.hidden)
            hidden = g("Mul", silu(g, g("MatMul", chosen, gate)), g("MatMul", chosen, up))
            out = g("MatMul", hidden, g.weight(g.experts, g.hidden, g.d))
            part = g("Mul", out, g("Unsqueeze", gates, g.constant([-1])))
            index = g("Unsqueeze", ids, g.constant([-1]))
            total = g("ScatterND", total, index, part, reduction="add")
            return g("Reshape", total, g("Shape", x))
        for e in range(g.experts):
            row = g("Gather", ids, g.constant(e), axis=0)
            gate = g("Unsqueeze", g("Gather", gates, g.constant(e), axis=0), g.constant([1]))
            part = g("Mul", gated(g, g("Gather", tokens, row, axis=0)), gate)
            index = g("Unsqueeze", row, g.constant([1]))
            total = g("ScatterND", total, index, part, reduction="add")
        return g("Reshape", total, g("Shape", x))

    return block


def contract(normalise: int = 1, activation: str = "silu") -> Ffn:
    """com.microsoft::MoE with a router in front."""

    def block(g: Graph, x: str) -> str:
        logits = router_logits(g, flat(g, x))
        fc1, fc2 = g.weight(g.experts, g.hidden, g.d), g.weight(g.experts, g.d, g.hidden)
        return g(
            "MoE",
            x,
            logits,
            fc1,
            "",
            fc2,
            domain="com.microsoft",
            k=g.top,
            activation_type=activation,
            normalize_routing_weights=normalise,
        )

    return block


def swiglu_contract(g: Graph, x: str) -> str:
    """com.microsoft::MoE with gate and up interleaved in one tensor, and biases."""
    logits = g("Add", router_logits(g, flat(g, x)), g.weight(g.experts, scale=0.1))
    return g(
        "MoE",
        x,
        logits,
        g.weight(g.experts, 2 * g.hidden, g.d),
        g.weight(g.experts, 2 * g.hidden, scale=0.1),
        g.weight(g.experts, g.d, g.hidden),
        g.weight(g.experts, g.d, scale=0.1),
        domain="com.microsoft",
        k=g.top,
        activation_type="swiglu",
        swiglu_fusion=1,
        activation_alpha=1.0,
        activation_beta=0.0,
        normalize_routing_weights=1,
    )


def halves(g: Graph, both: str) -> str:
    """silu(first half) * second half of the last axis."""
    gate, up = g.many("Split", both, outputs=2, axis=-1, num_outputs=2)
    return g("Mul", silu(g, gate), up)


def interleaved(g: Graph, both: str) -> str:
    """gpt-oss: even columns are the gate, odd ones up; clipped, scaled by 1.702, up + 1."""
    limit, low = g.constant(7.0, np.float32), g.constant(-7.0, np.float32)
    end, axis, two = g.constant([2**62]), g.constant([-1]), g.constant([2])
    gate = g("Clip", g("Slice", both, g.constant([0]), end, axis, two), "", limit)
    up = g("Clip", g("Slice", both, g.constant([1]), end, axis, two), low, limit)
    scaled = g("Sigmoid", g("Mul", gate, g.constant(1.702, np.float32)))
    return g("Mul", g("Add", up, g.constant(1.0, np.float32)), g("Mul", gate, scaled))


def gather_batched(router: Router = softmax_topk, oai: bool = False) -> Ffn:
    """The matrices of each token's experts are gathered; one product per token-expert pair."""

    def block(g: Graph, x: str) -> str:
        tokens = flat(g, x)
        ids, gates = router(g, tokens)
        wide = g("Expand", g("Unsqueeze", tokens, g.constant([1])), g.constant([1, g.top, 1]))
        pairs = g("Reshape", wide, g.constant([-1, g.d]))
        pick = g("Unsqueeze", g("Reshape", ids, g.constant([-1])), g.constant([-1]))
        if oai:  # row vector times [E, D, 2F], biases gathered too
            w13 = g("GatherND", g.weight(g.experts, g.d, 2 * g.hidden, scale=0.5), pick)
            w2 = g("GatherND", g.weight(g.experts, g.hidden, g.d), pick)
            b13 = g("GatherND", g.weight(g.experts, 2 * g.hidden, scale=0.1), pick)
            b2 = g("GatherND", g.weight(g.experts, g.d, scale=0.1), pick)
            both = g("MatMul", g("Unsqueeze", pairs, g.constant([1])), w13)
            hidden = interleaved(g, g("Add", g("Squeeze", both, g.constant([1])), b13))
            out = g("MatMul", g("Unsqueeze", hidden, g.constant([1])), w2)
            out = g("Add", g("Squeeze", out, g.constant([1])), b2)
        else:  # [E, 2F, D] times column vector
            w13 = g("GatherND", g.weight(g.experts, 2 * g.hidden, g.d, scale=0.3), pick)
            w2 = g("GatherND", g.weight(g.experts, g.d, g.hidden, scale=0.3), pick)
            both = g("MatMul", w13, g("Unsqueeze", pairs, g.constant([-1])))
            hidden = halves(g, g("Squeeze", both, g.constant([-1])))
            out = g("MatMul", w2, g("Unsqueeze", hidden, g.constant([-1])))
            out = g("Squeeze", out, g.constant([-1]))
        weight = g("Unsqueeze", g("Reshape", gates, g.constant([-1])), g.constant([-1]))
        parts = g("Reshape", g("Mul", out, weight), g.constant([-1, g.top, g.d]))
        total = g("ReduceSum", parts, g.constant([1]), keepdims=0)
        return g("Reshape", total, g("Shape", x))

    return block


def argmax_twice(g: Graph, x: str) -> tuple[str, str]:
    """PhiMoE: the best expert, then the best of the rest; weights from two softmaxes."""
    logits = router_logits(g, x)
    first = g("ArgMax", logits, axis=-1, keepdims=1)
    one = g("GatherElements", g("Softmax", logits, axis=-1), first, axis=-1)
    low = g("Sub", one, one)
    rest = g("ScatterElements", logits, first, g("Sub", low, g.constant(1e9, np.float32)), axis=-1)
    second = g("ArgMax", rest, axis=-1, keepdims=1)
    two = g("GatherElements", g("Softmax", rest, axis=-1), second, axis=-1)
    return g("Concat", first, second, axis=-1), g("Concat", one, two, axis=-1)


def grouped(g: Graph, x: str, bias: bool = False, apart: bool = False) -> str:
    """Pairs sorted by expert, split at run-time sizes, one product per expert and stage.

    bias: each pair's is gathered by its expert and added to the joined products; apart: a tensor
    for each expert's matrix, the biases still in one.
    """
    tokens = flat(g, x)
    ids, gates = topk_softmax(g, tokens)
    shape = g("Concat", g("Shape", tokens, end=1), g.constant([g.experts]), axis=0)
    ones = g("Expand", g.constant(1), g("Shape", ids))
    hits = g("ScatterElements", g("Expand", g.constant(0), shape), ids, ones, axis=1)
    counts = g("ReduceSum", hits, g.constant([0]), keepdims=0)
    flat_ids = g("Reshape", ids, g.constant([-1]))
    _, order = g.many("TopK", flat_ids, g("Shape", flat_ids), outputs=2, axis=0, largest=0)
    token, mine = g("Div", order, g.constant(g.top)), g("Gather", flat_ids, order)

    def joined(parts: list[str], width: int) -> str:
        out = g("Concat", *parts, axis=0)
        return g("Add", out, g("Gather", g.weight(g.experts, width), mine)) if bias else out

    parts = g.split(g("Gather", tokens, token, axis=0), counts, g.experts)

    def matrices(columns: int, rows: int) -> list[str]:
        if apart:
            return [g.weight(columns, rows, scale=0.3) for _ in range(g.experts)]
        stack = g.weight(g.experts, columns, rows, scale=0.3)
        return [g("Gather", stack, g.constant(e), axis=0) for e in range(g.experts)]

    up = [
        g("Gemm", part, w, transB=1)
        for part, w in zip(parts, matrices(2 * g.hidden, g.d), strict=True)
    ]
    hidden = halves(g, joined(up, 2 * g.hidden))
    parts = g.split(hidden, counts, g.experts)
    down = [
        g("Gemm", part, w, transB=1) for part, w in zip(parts, matrices(g.d, g.hidden), strict=True)
    ]
    weight = g("Gather", g("Reshape", gates, g.constant([-1])), order, axis=0)
    out = g("Mul", joined(down, g.d), g("Unsqueeze", weight, g.constant([1])))
    zeros = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
    total = g("ScatterND", zeros, g("Unsqueeze", token, g.constant([1])), out, reduction="add")
    return g("Reshape", total, g("Shape", x))


def per_expert_gather(g: Graph, x: str, expert: Ffn = gated) -> str:
    """Each expert finds its tokens with NonZero, and adds its outputs to theirs."""
    tokens = flat(g, x)
    ids, gates = softmax_topk(g, tokens)
    total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
    for e in range(g.experts):
        place = g("Transpose", g("NonZero", g("Equal", ids, g.constant(e))), perm=[1, 0])
        token = g("Slice", place, g.constant([0]), g.constant([1]), g.constant([1]))
        mine = g("GatherND", tokens, token)
        weight = g("Unsqueeze", g("GatherND", gates, place), g.constant([-1]))
        part = g("Mul", expert(g, mine), weight)
        total = g("ScatterND", total, token, part, reduction="add")
    return g("Reshape", total, g("Shape", x))


def traced_loop(g: Graph, x: str) -> str:
    """A traced loop over the experts that were hit: block i serves the i-th of them."""
    tokens = flat(g, x)
    ids, gates = softmax_topk(g, tokens)
    hot = g("OneHot", ids, g.constant(g.experts), g.constant([0, 1]), axis=-1)
    mask = g("Transpose", hot, perm=[2, 1, 0])  # [E, k, T]
    count = g("ReduceSum", mask, g.constant([1, 2]), keepdims=0)
    hits = g("Transpose", g("NonZero", g("Greater", count, g.constant(0))), perm=[1, 0])
    parts = g.many("Split", hits, g.constant([1] * g.experts), outputs=g.experts, axis=0)
    total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
    for hit in parts:
        one = g("Gather", mask, g("Squeeze", hit), axis=0)
        place = g("NonZero", one)
        slot, token = g("Gather", place, g.constant(0)), g("Gather", place, g.constant(1))
        pair = g(
            "Concat",
            g("Unsqueeze", token, g.constant([1])),
            g("Unsqueeze", slot, g.constant([1])),
            axis=1,
        )
        weight = g("Unsqueeze", g("GatherND", gates, pair), g.constant([1]))
        part = g("Mul", gated(g, g("Gather", tokens, token, axis=0)), weight)
        index = g("Unsqueeze", token, g.constant([1]))
        total = g("ScatterND", total, index, part, reduction="add")
    return g("Reshape", total, g("Shape", x))


def llama4(g: Graph, x: str) -> str:
    """Top-1; every expert on every token, whose input is scaled by sigmoid(score) or by 0."""
    tokens = flat(g, x)
    logits = router_logits(g, tokens)
    best, ids = g.many("TopK", logits, g.constant([1]), outputs=2, axis=-1)
    low = g("Expand", g.constant(-np.inf, np.float32), g("Shape", logits))
    scores = g("Sigmoid", g("ScatterElements", low, ids, best, axis=1))  # [T, E]
    column = g("Reshape", g("Transpose", scores, perm=[1, 0]), g.constant([-1, 1]))
    tiled = g("Tile", tokens, g.constant([g.experts, 1]))  # [E * T, D]
    scaled = g("Reshape", g("Mul", tiled, column), g.constant([g.experts, -1, g.d]))
    both = g("MatMul", scaled, g.weight(g.experts, g.d, 2 * g.hidden, scale=0.3))
    out = g("MatMul", halves(g, both), g.weight(g.experts, g.hidden, g.d, scale=0.3))
    total = g("ReduceSum", out, g.constant([0]), keepdims=0)
    total = g("Add", gated(g, tokens), total)
    return g("Reshape", total, g("Shape", x))


def switch(g: Graph, x: str) -> str:
    """Top-1 by ArgMax; the probability multiplies the sum of the experts' outputs."""
    tokens = flat(g, x)
    scores = g("Softmax", router_logits(g, tokens), axis=-1)
    hot = g(
        "OneHot",
        g("ArgMax", scores, axis=-1, keepdims=0),
        g.constant(g.experts),
        g.constant([0, 1]),
        axis=-1,
    )
    total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
    for e in range(g.experts):
        mine = g("Transpose", g("NonZero", g("Gather", hot, g.constant(e), axis=1)), perm=[1, 0])
        total = g("ScatterND", total, mine, plain(g, g("GatherND", tokens, mine)))
    weight = g("ReduceMax", scores, g.constant([-1]), keepdims=1)
    return g("Reshape", g("Mul", weight, total), g("Shape", x))


def equal_masks(g: Graph, x: str) -> str:
    """Every expert on every token, times the sum of the weights whose id is the expert's."""
    tokens = flat(g, x)
    ids, gates = topk_softmax(g, tokens)
    total = ""
    for e in range(g.experts):
        hit = g("Cast", g("Equal", ids, g.constant([e])), to=TensorProto.FLOAT)
        weight = g("ReduceSum", g("Mul", gates, hit), g.constant([-1]), keepdims=1)
        part = g("Mul", gated(g, tokens), weight)
        total = g("Add", total, part) if total else part
    return g("Reshape", total, g("Shape", x))


def group_limited(g: Graph, x: str) -> tuple[str, str]:
    """DeepSeek-V3: the best 1 of 2 groups by their 2 best scores, then the best 2 of its experts.

    Three TopKs, of which the last routes.
    """
    scores = g("Sigmoid", router_logits(g, x))
    biased = g("Add", scores, g.weight(g.experts, scale=0.1))
    grouped_scores = g("Reshape", biased, g.constant([-1, 2, g.experts // 2]))
    two, _ = g.many("TopK", grouped_scores, g.constant([2]), outputs=2, axis=-1)
    _, group = g.many(
        "TopK",
        g("ReduceSum", two, g.constant([-1]), keepdims=0),
        g.constant([1]),
        outputs=2,
        axis=-1,
    )
    count = g("Shape", group, end=1)
    zeros = g("Expand", g.constant(0.0, np.float32), g("Concat", count, g.constant([2]), axis=0))
    ones = g("Expand", g.constant(1.0, np.float32), g("Shape", group))
    mask = g("Unsqueeze", g("ScatterElements", zeros, group, ones, axis=1), g.constant([-1]))
    wide = g("Expand", mask, g("Shape", grouped_scores))
    mask = g("Cast", g("Reshape", wide, g.constant([-1, g.experts])), to=TensorProto.BOOL)
    masked = g("Where", mask, biased, g.constant(-np.inf, np.float32))
    _, ids = g.many("TopK", masked, g.constant([g.top]), outputs=2, axis=-1)
    best = g("GatherElements", scores, ids, axis=-1)
    return ids, g("Div", best, g("ReduceSum", best, g.constant([-1]), keepdims=1))


def two_step(g: Graph, x: str) -> tuple[str, str]:
    """LLaMA-MoE: a router of two matrices with tanh between."""
    hidden = g("Tanh", router_logits(g, x))
    best, ids = g.many(
        "TopK", linear(g, hidden, g.experts, g.experts), g.constant([g.top]), outputs=2, axis=-1
    )
    return ids, g("Softmax", best, axis=-1)


def einsum_choice(g: Graph, x: str) -> str:
    """Expert choice by Einsum: one-hot rows pick and return the tokens."""
    tokens = flat(g, x)
    capacity = g(
        "Div", g("Mul", g("Shape", tokens, end=1), g.constant([g.top])), g.constant([g.experts])
    )
    scores = g("Transpose", g("Softmax", router_logits(g, tokens), axis=-1), perm=[1, 0])
    gates, ids = g.many("TopK", scores, capacity, outputs=2, axis=-1)
    one = g.constant([0.0, 1.0], np.float32)
    pick = g("OneHot", ids, g("Shape", tokens, end=1), one, axis=-1)  # [E, C, T]
    mine = g("Einsum", pick, tokens, equation="ect,td->ecd")
    up = g("Einsum", mine, g.weight(g.experts, g.d, g.hidden, scale=0.3), equation="ecd,edf->ecf")
    out = g(
        "Einsum",
        g("Relu", up),
        g.weight(g.experts, g.hidden, g.d, scale=0.3),
        equation="ecf,efd->ecd",
    )
    total = g("Einsum", pick, gates, out, equation="ect,ec,ecd->td")
    return g("Reshape", total, g("Shape", x))


def stacked_outputs(g: Graph, x: str, order: Sequence[int] | None = None) -> str:
    """Every expert on every token; their outputs stacked, weighted, summed along the stack.

    order: in which the experts' nodes are written; the stack is by expert.
    """
    tokens = flat(g, x)
    ids, gates = topk_softmax(g, tokens)
    shape = g("Concat", g("Shape", tokens, end=1), g.constant([g.experts]), axis=0)
    zeros = g("Expand", g.constant(0.0, np.float32), shape)
    combine = g("ScatterElements", zeros, ids, gates, axis=1)
    made = {
        e: g("Unsqueeze", gated(g, tokens), g.constant([-1])) for e in order or range(g.experts)
    }
    parts = [made[e] for e in range(g.experts)]
    weighted = g("Mul", g("Concat", *parts, axis=-1), g("Unsqueeze", combine, g.constant([1])))
    return g("Reshape", g("ReduceSum", weighted, g.constant([-1]), keepdims=0), g("Shape", x))


def traced_stack(g: Graph, x: str) -> str:
    """A traced loop over the experts that were hit, whose matrices are picked from a stack."""
    tokens = flat(g, x)
    ids, gates = softmax_topk(g, tokens)
    hot = g("OneHot", ids, g.constant(g.experts), g.constant([0, 1]), axis=-1)
    mask = g("Transpose", hot, perm=[2, 1, 0])  # [E, k, T]
    count = g("ReduceSum", mask, g.constant([1, 2]), keepdims=0)
    hits = g("Transpose", g("NonZero", g("Greater", count, g.constant(0))), perm=[1, 0])
    w13, w2 = (
        g.weight(g.experts, g.d, 2 * g.hidden, scale=0.3),
        g.weight(g.experts, g.hidden, g.d, scale=0.3),
    )
    total = g("Expand", g.constant(0.0, np.float32), g("Shape", tokens))
    for hit in g.many("Split", hits, g.constant([1] * g.experts), outputs=g.experts, axis=0):
        number = g("Squeeze", hit)
        place = g("NonZero", g("Gather", mask, number, axis=0))
        slot, token = g("Gather", place, g.constant(0)), g("Gather", place, g.constant(1))
        pair = g(
            "Concat",
            g("Unsqueeze", token, g.constant([1])),
            g("Unsqueeze", slot, g.constant([1])),
            axis=1,
        )
        both = g("MatMul", g("Gather", tokens, token, axis=0), g("Gather", w13, number, axis=0))
        out = g("MatMul", halves(g, both), g("Gather", w2, number, axis=0))
        part = g("Mul", out, g("Unsqueeze", g("GatherND", gates, pair), g.constant([1])))
        index = g("Unsqueeze", token, g.constant([1]))
        total = g("ScatterND", total, index, part, reduction="add")
    return g("Reshape", total, g("Shape", x))


def quantised_contract(bits: int, block: int = 0) -> Ffn:
    """com.microsoft::QMoE: swiglu, interleaved, one scale per row or per `block` of K."""

    def block_of(g: Graph, x: str) -> str:
        logits = router_logits(g, flat(g, x))

        def packed(outer: int, inner: int) -> tuple[str, str]:
            data = g.random.integers(0, 256, (g.experts, outer, inner * bits // 8), dtype=np.uint8)
            shape = (g.experts, outer, inner // block) if block else (g.experts, outer)
            scales = g.random.uniform(0.5, 1.5, shape) * 0.5 / 2 ** (bits - 1)
            return g.constant(data, np.uint8), g.constant(scales, np.float32)

        options = {"block_size": block} if block else {}
        fc1, scale1 = packed(2 * g.hidden, g.d)
        fc2, scale2 = packed(g.d, g.hidden)
        return g(
            "QMoE",
            x,
            logits,
            fc1,
            scale1,
            "",
            fc2,
            scale2,
            domain="com.microsoft",
            k=g.top,
            activation_type="swiglu",
            swiglu_fusion=1,
            activation_alpha=1.0,
            activation_beta=0.0,
            normalize_routing_weights=1,
            expert_weight_bits=bits,
            **options,
        )

    return block_of


def write(folder: Path, blocks: Sequence[Ffn], name: str = "model", **options: Any) -> Path:
    """A transformer with these blocks, saved; returns its path."""
    own = {name: options.pop(name) for name in ("half", "stored") if name in options}
    graph = transformer(Graph(**own), blocks, **options)
    return graph.model(folder / f"{name}.onnx", LOGITS)


def in_16_bits(path: Path, half: int = TensorProto.FLOAT16) -> None:
    """The model with every 32-bit float as float16 or bfloat16: weights, casts, declared types."""
    model, single = onnx.load(path), TensorProto.FLOAT
    kind = helper.tensor_dtype_to_np_dtype(half)
    graph = model.graph
    nodes = list(graph.node)
    tensors = [*graph.initializer]
    tensors += [a.t for n in nodes for a in n.attribute if a.type == onnx.AttributeProto.TENSOR]
    for tensor in tensors:
        if tensor.data_type == single:
            array = numpy_helper.to_array(tensor)
            halved = np.clip(array, -65504, 65504).astype(kind)
            tensor.CopyFrom(numpy_helper.from_array(halved, tensor.name))
    for attribute in (a for n in nodes if n.op_type == "Cast" for a in n.attribute):
        if attribute.i == single:
            attribute.i = half
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == single:
            value.type.tensor_type.elem_type = half
    onnx.save(model, path)


def with_past(
    folder: Path, *, kv_heads: int = 1, running_sum: bool = False, pooled: bool = False
) -> Path:
    """com.microsoft::GroupQueryAttention with caches as inputs and outputs, saved.

    running_sum: before it every vector gets the sum of those so far; pooled: the logits are of
    the mean over the tokens.
    """
    g = Graph()
    x = g("Gather", g.weight(VOCAB, D, scale=1.0), "input_ids")
    if running_sum:
        x = g("CumSum", x, g.constant(1))
    packed = linear(g, rms_norm(g, x), D, (2 + 2 * kv_heads) * HEAD)
    total = g("Cast", g("Squeeze", g("Shape", "input_ids", start=1, end=2)), to=TensorProto.INT32)
    last = g("Unsqueeze", g("Sub", total, g.constant(1, np.int32)), g.constant([0]))
    given = [packed, "", "", "past_key", "past_value", last, total]
    made = ["mixed", "present_key", "present_value"]
    kinds: dict[str, Any] = {"domain": "com.microsoft", "num_heads": 2, "kv_num_heads": kv_heads}
    g.nodes.append(helper.make_node("GroupQueryAttention", given, made, **kinds))
    x = g("Add", x, linear(g, "mixed", 2 * HEAD, D))
    x = g("Add", x, dense_masked()(g, rms_norm(g, x)))
    if pooled:
        x = g("ReduceMean", x, g.constant([1]), keepdims=1)
    g.nodes.append(helper.make_node("MatMul", [x, g.weight(D, VOCAB)], ["logits"]))
    past: list[int | str] = [1, kv_heads, "past", HEAD]
    inputs: Any = {"input_ids": (7, [1, "tokens"]), "past_key": (1, past), "past_value": (1, past)}
    logits = {"logits": [1, 1, VOCAB]} if pooled else LOGITS
    outputs = {**logits, "present_key": past, "present_value": past}
    return g.model(folder / "past.onnx", outputs, inputs)


def token_ids(tokens: int = 13, sequences: int = 1, seed: int = 1) -> dict[str, Any]:
    ids = np.random.default_rng(seed).integers(0, VOCAB, (sequences, tokens))
    return {"input_ids": ids.astype(np.int64)}

"""Causal self-attention with rotary positions, plain (grouped queries) or latent."""

from dataclasses import dataclass

import numpy as np

from moexbar.examples.blocks import linear, rms_norm
from moexbar.examples.model_writer import ModelWriter
from moexbar.examples.sizes import LatentAttention, Sizes

HIDDEN = -65504.0  # the lowest float16: a score that softmax turns to 0


@dataclass(frozen=True)
class Positions:
    """Values made once from the token axis: cos, sin [tokens, d], mask [tokens, tokens]."""

    cos: str
    sin: str
    mask: str


def positions(graph: ModelWriter, sizes: Sizes, ids: str) -> Positions:
    """Rotary tables and the causal mask for the number of tokens in `ids`: [batch, tokens]."""
    zero, one = graph.constant(0), graph.constant(1)
    tokens = graph.node("Gather", graph.node("Shape", ids), one)
    index = graph.node("Range", zero, tokens, one)
    row = graph.node("Unsqueeze", index, graph.constant([1]))
    column = graph.node("Unsqueeze", index, graph.constant([0]))
    seen = graph.node("LessOrEqual", column, row)
    mask = graph.node("Where", seen, graph.number(0.0), graph.number(HIDDEN))
    rotary = sizes.latent.rotary if sizes.latent else sizes.head_dim
    frequency = sizes.rope_base ** (-np.arange(0, rotary, 2) / rotary)
    angle = graph.node(
        "Mul", graph.node("Cast", row, to=1), graph.constant(frequency[None], "float32")
    )
    angle = graph.node("Concat", angle, angle, axis=-1)
    kind = 10 if graph.element == "float16" else 1
    cos = graph.node("Cast", graph.node("Cos", angle), to=kind)
    sin = graph.node("Cast", graph.node("Sin", angle), to=kind)
    return Positions(cos, sin, mask)


def attention(graph: ModelWriter, sizes: Sizes, where: Positions, x: str) -> str:
    """Projections, rotary positions, masked softmax, out-projection: [batch, tokens, width]."""
    if sizes.latent:
        q, k, v = _latent(graph, sizes, sizes.latent, where, x)
    else:
        q, k, v = _grouped(graph, sizes, where, x)
    depth = sizes.latent.plain + sizes.latent.rotary if sizes.latent else sizes.head_dim
    value = sizes.latent.value if sizes.latent else sizes.head_dim
    keys = graph.node("Transpose", k, perm=[0, 1, 3, 2])
    scores = graph.node("Mul", graph.node("MatMul", q, keys), graph.number(depth**-0.5))
    weights = graph.node("Softmax", graph.node("Add", scores, where.mask), axis=-1)
    mixed = graph.node("Transpose", graph.node("MatMul", weights, v), perm=[0, 2, 1, 3])
    joined = graph.node("Reshape", mixed, graph.constant([0, 0, sizes.heads * value]))
    rows, bias = sizes.heads * value, "out" in sizes.biases
    return linear(graph, "o_proj", joined, rows, sizes.width, bias=bias)


def _grouped(graph: ModelWriter, sizes: Sizes, where: Positions, x: str) -> tuple[str, str, str]:
    """Queries, keys and values [batch, heads, tokens, head_dim]; kv_heads are repeated."""
    d, bias = sizes.head_dim, "qkv" in sizes.biases
    made = []
    for name, heads in (("q", sizes.heads), ("k", sizes.kv_heads), ("v", sizes.kv_heads)):
        value = linear(graph, f"{name}_proj", x, sizes.width, heads * d, bias=bias)
        if sizes.wide_qk_norm and name != "v":
            value = rms_norm(graph, f"{name}_norm", value, heads * d, sizes.epsilon)
        value = graph.node("Reshape", value, graph.constant([0, 0, heads, d]))
        if sizes.qk_norm and name != "v":
            value = rms_norm(graph, f"{name}_norm", value, d, sizes.epsilon)
        value = graph.node("Transpose", value, perm=[0, 2, 1, 3])
        made.append(value if name == "v" else rotate(graph, where, value, d))
    q, k, v = made
    return q, _repeat(graph, sizes, k), _repeat(graph, sizes, v)


def rotate(graph: ModelWriter, where: Positions, x: str, width: int) -> str:
    """The rotation x cos + rotate_half(x) sin, x: [batch, heads, tokens, width]."""
    half, last = graph.constant([width // 2]), graph.constant([3])
    end = graph.constant([np.iinfo(np.int64).max])
    low = graph.node("Slice", x, graph.constant([0]), half, last)
    high = graph.node("Slice", x, half, end, last)
    turned = graph.node("Concat", graph.node("Neg", high), low, axis=-1)
    plain = graph.node("Mul", x, where.cos)
    return graph.node("Add", plain, graph.node("Mul", turned, where.sin))


def _repeat(graph: ModelWriter, sizes: Sizes, x: str) -> str:
    """Every key (value) head once for each query head of its group."""
    times = sizes.heads // sizes.kv_heads
    if times == 1:
        return x
    split = graph.node("Unsqueeze", x, graph.constant([2]))
    many = graph.node("Expand", split, graph.constant([1, 1, times, 1, 1]))
    tokens = graph.node("Gather", graph.node("Shape", x), graph.constant([2]))
    zero, heads = graph.constant([0]), graph.constant([sizes.heads])
    shape = graph.node("Concat", zero, heads, tokens, graph.constant([sizes.head_dim]), axis=0)
    return graph.node("Reshape", many, shape)


def _latent(
    graph: ModelWriter, sizes: Sizes, latent: LatentAttention, where: Positions, x: str
) -> tuple[str, str, str]:
    """The same from low-rank projections; the rotary part of a key is the same for all heads."""
    q = _latent_queries(graph, sizes, latent, x)
    q_plain, q_rotary = _heads(graph, q, sizes.heads, latent.plain, latent.rotary)
    rank = latent.key_value_rank
    low = linear(graph, "kv_a_proj_with_mqa", x, sizes.width, rank + latent.rotary)
    packed, key = graph.nodes(
        "Split", low, graph.constant([rank, latent.rotary]), outputs=2, axis=-1
    )
    packed = rms_norm(graph, "kv_a_layernorm", packed, rank, sizes.epsilon)
    both = linear(graph, "kv_b_proj", packed, rank, sizes.heads * (latent.plain + latent.value))
    k_plain, v = _heads(graph, both, sizes.heads, latent.plain, latent.value)
    key = graph.node("Unsqueeze", key, graph.constant([1]))
    key = rotate(graph, where, key, latent.rotary)
    key = graph.node("Expand", key, graph.constant([1, sizes.heads, 1, 1]))
    q_rotary = rotate(graph, where, q_rotary, latent.rotary)
    q = graph.node("Concat", q_plain, q_rotary, axis=-1)
    return q, graph.node("Concat", k_plain, key, axis=-1), v


def _latent_queries(graph: ModelWriter, sizes: Sizes, latent: LatentAttention, x: str) -> str:
    """All heads' queries, by two low-rank projections or one of full rank."""
    columns, rank = sizes.heads * (latent.plain + latent.rotary), latent.query_rank
    if rank is None:
        return linear(graph, "q_proj", x, sizes.width, columns)
    q = linear(graph, "q_a_proj", x, sizes.width, rank)
    q = rms_norm(graph, "q_a_layernorm", q, rank, sizes.epsilon)
    return linear(graph, "q_b_proj", q, rank, columns)


def _heads(graph: ModelWriter, x: str, heads: int, first: int, second: int) -> tuple[str, str]:
    """[batch, tokens, heads x (first + second)] as two values [batch, heads, tokens, ...]."""
    split = graph.node("Reshape", x, graph.constant([0, 0, heads, first + second]))
    turned = graph.node("Transpose", split, perm=[0, 2, 1, 3])
    one, two = graph.nodes("Split", turned, graph.constant([first, second]), outputs=2, axis=-1)
    return one, two

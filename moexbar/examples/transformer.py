"""A decoder-only MoE transformer as an ONNX graph, much as torch.onnx exports it."""

import numpy as np

from moexbar.examples.attention import Positions, attention, positions
from moexbar.examples.blocks import feed_forward, norm, plain_linear
from moexbar.examples.experts import moe
from moexbar.examples.model_writer import Element, ModelWriter
from moexbar.examples.sizes import Sizes


def build(name: str, sizes: Sizes, element: Element = "float16") -> ModelWriter:
    """The model input_ids [batch, tokens] -> logits [batch, tokens, vocabulary]."""
    graph = ModelWriter(name, element, bits=sizes.bits if sizes.quantised == "layers" else 16)
    ids = graph.input("input_ids", np.int64, ("batch", "tokens"))
    where = positions(graph, sizes, ids)
    graph.scope = "model."
    table = graph.weight("embed_tokens.weight", sizes.vocabulary, sizes.width)
    x = graph.node("Gather", table, ids)
    for layer in range(sizes.layers):
        x = _layer(graph, sizes, where, layer, x)
    graph.scope = "model."
    x = norm(graph, sizes, "norm", x)
    graph.scope = ""
    logits = _head(graph, sizes, table, x)
    graph.output(logits, "logits", ("batch", "tokens", sizes.vocabulary))
    return graph


def _head(graph: ModelWriter, sizes: Sizes, table: str, x: str) -> str:
    """Logits [batch, tokens, vocabulary] by a matrix of its own or the embedding's table."""
    bias = "head" in sizes.biases
    if not sizes.tied:
        return plain_linear(graph, "lm_head", x, sizes.width, sizes.vocabulary, bias=bias)
    logits = graph.node("MatMul", x, graph.node("Transpose", table, perm=[1, 0]))
    if not bias:
        return logits
    return graph.node("Add", logits, graph.weight("lm_head.bias", sizes.vocabulary))


def _layer(graph: ModelWriter, sizes: Sizes, where: Positions, layer: int, x: str) -> str:
    """Norm, attention, residual; norm, experts (or one feed-forward), residual."""
    scope = graph.scope = f"model.layers.{layer}."
    normed = norm(graph, sizes, "input_layernorm", x)
    graph.scope = f"{scope}self_attn."
    mixed = attention(graph, sizes, where, normed)
    graph.scope = scope
    if sizes.post_norms:
        mixed = norm(graph, sizes, "behind_attention_layernorm", mixed)
    x = graph.node("Add", x, mixed)
    normed = norm(graph, sizes, "post_attention_layernorm", x)
    graph.scope = f"{scope}mlp."
    if layer in sizes.moe_layers:
        y = moe(graph, sizes, normed)
    else:
        y = feed_forward(graph, sizes, normed, sizes.dense_ffn)
    graph.scope = scope
    if sizes.post_norms:
        y = norm(graph, sizes, "behind_mlp_layernorm", y)
    return graph.node("Add", x, y)

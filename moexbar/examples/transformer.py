"""A decoder-only MoE transformer as an ONNX graph, much as torch.onnx exports it."""

import numpy as np

from moexbar.examples.attention import Positions, attention, positions
from moexbar.examples.blocks import feed_forward, linear, rms_norm
from moexbar.examples.catalogue import Sizes
from moexbar.examples.experts import moe
from moexbar.examples.model_writer import Element, ModelWriter


def build(name: str, sizes: Sizes, element: Element = "float16") -> ModelWriter:
    """The model input_ids [batch, tokens] -> logits [batch, tokens, vocabulary]."""
    graph = ModelWriter(name, element)
    ids = graph.input("input_ids", np.int64, ("batch", "tokens"))
    where = positions(graph, sizes, ids)
    graph.scope = "model."
    table = graph.weight("embed_tokens.weight", sizes.vocabulary, sizes.width)
    x = graph.node("Gather", table, ids)
    for layer in range(sizes.layers):
        x = _layer(graph, sizes, where, layer, x)
    graph.scope = "model."
    x = rms_norm(graph, "norm", x, sizes.width, sizes.epsilon)
    graph.scope = ""
    logits = linear(graph, "lm_head", x, sizes.width, sizes.vocabulary)
    graph.output(logits, "logits", ("batch", "tokens", sizes.vocabulary))
    return graph


def _layer(graph: ModelWriter, sizes: Sizes, where: Positions, layer: int, x: str) -> str:
    """Norm, attention, residual; norm, experts (or one feed-forward), residual."""
    scope = graph.scope = f"model.layers.{layer}."
    normed = rms_norm(graph, "input_layernorm", x, sizes.width, sizes.epsilon)
    graph.scope = f"{scope}self_attn."
    mixed = attention(graph, sizes, where, normed)
    graph.scope = scope
    x = graph.node("Add", x, mixed)
    normed = rms_norm(graph, "post_attention_layernorm", x, sizes.width, sizes.epsilon)
    graph.scope = f"{scope}mlp."
    if layer < sizes.dense_layers:
        y = feed_forward(graph, normed, sizes.width, sizes.dense_ffn)
    else:
        y = moe(graph, sizes, normed)
    graph.scope = scope
    return graph.node("Add", x, y)

"""Encoder-decoders, each side a transformer, the decoder with attention over the encoder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnx import helper

from tests.compiler.frontend import models as m

SOURCE, TARGET = "input_ids", "decoder_input_ids"
NAMES = ("source", "target")  # free axes


def encoder_decoder(
    g: m.Graph, source: Sequence[m.Ffn], target: Sequence[m.Ffn], kv_heads: int | None = None
) -> m.Graph:
    """A layer for each block of either side; both end in a norm, the decoder in a head."""
    there = replace(m.positions(g, SOURCE), mask="")
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), SOURCE)
    for block in source:
        x = g("Add", x, m.attention(g, m.rms_norm(g, x), there, kv_heads))
        x = g("Add", x, block(g, m.rms_norm(g, x)))
    read, here = m.rms_norm(g, x), m.positions(g, TARGET)
    g.ids = TARGET
    across = replace(here, mask="")
    y = g("Gather", g.weight(g.vocab, g.d, scale=1.0), TARGET)
    for block in target:
        y = g("Add", y, m.attention(g, m.rms_norm(g, y), here, kv_heads))
        y = g("Add", y, m.attention(g, m.rms_norm(g, y), across, kv_heads, (read, there)))
        y = g("Add", y, block(g, m.rms_norm(g, y)))
    head = [m.rms_norm(g, y), g.weight(g.d, g.vocab)]
    g.nodes.append(helper.make_node("MatMul", head, ["logits"]))
    return g


def write_sides(
    folder: Path,
    source: Sequence[m.Ffn],
    target: Sequence[m.Ffn],
    axes: Sequence[int | str] = NAMES,
    batch: int | str = 1,
) -> Path:
    """The model with those axes of tokens, saved."""
    g = encoder_decoder(m.Graph(), source, target)
    return save(g, folder / "sides.onnx", axes, batch)


def save(g: m.Graph, path: Path, axes: Sequence[int | str], batch: int | str) -> Path:
    """A graph with inputs of both sides, axes of their tokens, and logits of the second."""
    inputs: dict[str, tuple[int, m.Dims]] = {
        SOURCE: (7, [batch, axes[0]]),
        TARGET: (7, [batch, axes[1]]),
    }
    return g.model(path, {"logits": [batch, axes[1], g.vocab]}, inputs)


def ids(source: int, target: int, sequences: int = 1, seed: int = 1) -> dict[str, Any]:
    """Token ids of both sides."""
    first, second = (
        m.token_ids(tokens, sequences, seed=seed + place)["input_ids"]
        for place, tokens in enumerate((source, target))
    )
    return {SOURCE: first, TARGET: second}


def two_sided(folder: Path, source: int | str, target: int | str, *, masked: bool = False) -> Path:
    """A layer of experts on either side; the decoder looks at the mean of the encoder.

    masked: of what an input `attention_mask` shows.
    """
    g = m.Graph()
    table = g.weight(m.VOCAB, m.D, scale=1.0)
    encoded = m.dense_masked()(g, g("Gather", table, SOURCE))
    if masked:
        shown = g("Unsqueeze", g("Cast", "attention_mask", to=1), g.constant([2]))
        encoded = g("Mul", encoded, shown)
    mean = g("ReduceMean", encoded, g.constant([1]), keepdims=1)
    x = g("Add", g("Gather", table, TARGET), mean)
    g("Add", x, m.dense_masked()(g, x))
    g.nodes[-1].output[0] = "y"
    inputs: dict[str, tuple[int, m.Dims]] = {SOURCE: (7, [1, source]), TARGET: (7, [1, target])}
    if masked:
        inputs["attention_mask"] = (7, [1, source])
    return g.model(folder / "m.onnx", {"y": [1, target, m.D]}, inputs)

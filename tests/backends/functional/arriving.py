"""The shipped expert-choice model in plain numpy, with caches, one token at a time.

Written from its description (examples/models/README.md) and the meaning of the caches alone: no
ONNX, no node of the graph, nothing of the package. A token's keys, values, scores and outputs are
computed when it arrives and never again.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from ir.arrays import Floats

HEADS, HEAD, LAYERS, EXPERTS, TOP, MOE = 4, 32, 4, 16, 4, (1, 3)


@dataclass
class State:
    """What a layer keeps: per token a key and a value [heads, head], and scores [experts]."""

    keys: list[Floats] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    scores: list[Floats] = field(default_factory=list)


class Arriving:
    """logits: [256] of each token so far; experts: by MoE layer, the experts' sum of each."""

    def __init__(self, model: Path) -> None:
        tensors = onnx.load(model).graph.initializer
        self._w = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in tensors}
        self._state = [State() for _ in range(LAYERS)]
        self.logits: list[Floats] = []
        self.experts: dict[int, list[Floats]] = {layer: [] for layer in MOE}

    def together(self, ids: list[int]) -> None:
        """The prefill: layer by layer, since each expert chooses among all of its tokens."""
        rows = [self._w["embed.weight"][token] for token in ids]
        for layer in range(LAYERS):
            rows = [x + self._attention(layer, x, place) for place, x in enumerate(rows)]
            normed = [self._norm(f"layers.{layer}.ffn_norm", x) for x in rows]
            if layer not in MOE:
                made = [self._expert(f"layers.{layer}.ffn", x) for x in normed]
            else:
                scores = [self._score(layer, x) for x in normed]
                room = TOP * len(ids) // EXPERTS
                order = np.argsort(-np.array(scores), axis=0, kind="stable")[:room]
                taken = [
                    [e for e in range(EXPERTS) if place in order[:, e]] for place in range(len(ids))
                ]
                parts = zip(normed, scores, taken, strict=True)
                made = [self._mix(layer, x, score, chosen) for x, score, chosen in parts]
            rows = [x + y for x, y in zip(rows, made, strict=True)]
        self.logits += [self._norm("norm", x) @ self._w["head.weight"] for x in rows]

    def arrive(self, token: int) -> None:
        """One more token, against what is kept."""
        place, x = len(self.logits), self._w["embed.weight"][token]
        for layer in range(LAYERS):
            x = x + self._attention(layer, x, place)
            normed = self._norm(f"layers.{layer}.ffn_norm", x)
            if layer not in MOE:
                x = x + self._expert(f"layers.{layer}.ffn", normed)
                continue
            kept, room = np.array(self._state[layer].scores), TOP * (place + 1) // EXPERTS
            mine = self._score(layer, normed)
            chosen = [e for e in range(EXPERTS) if sum(kept[:, e] >= mine[e]) < room]
            x = x + self._mix(layer, normed, mine, chosen)
        self.logits.append(self._norm("norm", x) @ self._w["head.weight"])

    def _norm(self, name: str, x: Floats) -> Floats:
        return np.asarray(x / np.sqrt((x * x).mean() + 1e-5) * self._w[f"{name}.weight"])

    def _attention(self, layer: int, x: Floats, place: int) -> Floats:
        """Of one token to itself and those before it, whose keys and values are kept."""
        state, name = self._state[layer], f"layers.{layer}.attn"
        x = self._norm(f"{name}_norm", x)
        q, k, v = ((x @ self._w[f"{name}.{m}.weight"]).reshape(HEADS, HEAD) for m in "qkv")
        state.keys.append(_turn(k, place))
        state.values.append(v)
        keys, values = np.array(state.keys[: place + 1]), np.array(state.values[: place + 1])
        likeness = np.einsum("hd,thd->ht", _turn(q, place), keys) / np.sqrt(HEAD)
        share = np.exp(likeness - likeness.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        return np.asarray(
            np.einsum("ht,thd->hd", share, values).ravel() @ self._w[f"{name}.o.weight"]
        )

    def _score(self, layer: int, x: Floats) -> Floats:
        logits = x @ self._w[f"layers.{layer}.moe.router.weight"]
        odds = np.exp(logits - logits.max())
        self._state[layer].scores.append(odds / odds.sum())
        return np.asarray(odds / odds.sum())

    def _mix(self, layer: int, x: Floats, scores: Floats, chosen: list[int]) -> Floats:
        out = np.zeros_like(x)
        for e in chosen:
            out += scores[e] * self._expert(f"layers.{layer}.moe.experts.{e}", x)
        self.experts[layer].append(out)
        return out

    def _expert(self, name: str, x: Floats) -> Floats:
        gate, up = x @ self._w[f"{name}.gate.weight"], x @ self._w[f"{name}.up.weight"]
        return np.asarray((gate / (1 + np.exp(-gate)) * up) @ self._w[f"{name}.down.weight"])


def _turn(x: Floats, place: int) -> Floats:
    """Rotary positions: the two halves of a head are the coordinates that turn."""
    angle = place * 10000.0 ** (-np.arange(HEAD // 2) / (HEAD // 2))
    low, high = x[:, : HEAD // 2], x[:, HEAD // 2 :]
    turned = [
        low * np.cos(angle) - high * np.sin(angle),
        high * np.cos(angle) + low * np.sin(angle),
    ]
    return np.concatenate(turned, axis=1)

"""The MoE layer by its definition, in numpy: what a region of an ONNX graph must compute.

out = scale * sum_e gate_e * expert_e(x) + sum_s sigmoid(x @ w_s) * shared_s(x)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, assert_never

import numpy as np

from ir.arrays import Array, Bools, Ints
from ir.selection import ByCapacity, ByCombine, ByIds, ByLogits, ByScoresOfIds
from ir.workload import Clipped, Expert, MoELayer, Router, Weight


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def _erf(x: Array) -> Array:
    flat = [math.erf(v) for v in np.ravel(x).tolist()]
    return np.array(flat, dtype=x.dtype).reshape(x.shape)


NUMBERS: dict[str, tuple[float, ...]] = {  # of the activations that have some, as defined
    "gelu": (math.sqrt(2),),
    "gelu-tanh": (math.sqrt(2 / math.pi), 0.044715),
    "quick-gelu": (1.702,),
}
ACTIVATIONS: dict[str, Callable[[Array, Sequence[float]], Array]] = {  # n: its numbers
    "identity": lambda x, _: x,
    "silu": lambda x, _: x * sigmoid(x),
    "relu": lambda x, _: np.maximum(x, 0),
    "relu2": lambda x, _: np.maximum(x, 0) ** 2,
    "gelu": lambda x, n: 0.5 * x * (1 + _erf(x / n[0])),
    "gelu-tanh": lambda x, n: 0.5 * x * (1 + np.tanh(n[0] * (x + n[1] * x**3))),
    "quick-gelu": lambda x, n: x * sigmoid(n[0] * x),
    "sigmoid": lambda x, _: sigmoid(x),
    "tanh": lambda x, _: np.tanh(x),
    "mish": lambda x, _: x * np.tanh(np.logaddexp(0, x)),
}


def activate(name: str, x: Array) -> Array:
    """An activation by its name, which its numbers follow where they are not those defined.

    A model in 16 bits has them rounded: `quick-gelu(1.703125)`. KeyError for an unknown one.
    """
    kind, _, given = name.partition("(")
    numbers = [float(n) for n in given.rstrip(")").split(",")] if given else NUMBERS.get(kind, ())
    return ACTIVATIONS[kind](x, numbers)


def is_known(activation: str) -> bool:
    """Whether `activate` has it."""
    return activation.partition("(")[0] in ACTIVATIONS


class Matrices(Protocol):
    """Whoever has the weights of a layer."""

    def product(self, x: Array, weight: Weight) -> Array:
        """X [n, rows] @ W (+ bias): [n, columns]."""
        ...


def feed_forward(
    matrices: Matrices, expert: Expert, activation: str, clipped: Clipped | None, x: Array
) -> Array:
    """down(act(gate(x)) * up(x)): [n, d]; without a gate, down(act(up(x)))."""
    up = matrices.product(x, expert.up)
    if expert.gate is None:
        return matrices.product(activate(activation, up), expert.down)
    gate = matrices.product(x, expert.gate)
    if activation == "swiglu-oai":
        how = clipped or Clipped()
        if how.limit is not None:
            gate, up = np.minimum(gate, how.limit), np.clip(up, -how.limit, how.limit)
        hidden = gate * sigmoid(how.alpha * gate) * (up + how.beta)
    else:
        hidden = activate(activation, gate) * up
    return matrices.product(hidden, expert.down)


def combine_weights(router: Router, values: Mapping[str, Array], tokens: int) -> Array:
    """Gate weight of every expert for every token [tokens, experts], 0 where not selected.

    values: those that the router exposes, as arrays.
    """
    shape = (tokens, router.experts)
    out = np.zeros(shape, dtype=np.float32)
    match router.selection:
        case ByIds(name, gates):
            ids = _ids(values[name], tokens)
            ones = np.ones(ids.shape, dtype=np.float32)
            given = ones if gates is None else values[gates].reshape(ids.shape).astype(np.float32)
            np.put_along_axis(out, ids, given, axis=1)
        case ByScoresOfIds(name, scores):
            ids, wide = _ids(values[name], tokens), values[scores].reshape(shape)
            given = np.take_along_axis(wide.astype(np.float32), ids, axis=1)
            np.put_along_axis(out, ids, given, axis=1)
        case ByLogits(name):
            ids, given = from_logits(router, values[name].reshape(shape).astype(np.float32))
            np.put_along_axis(out, ids, given.astype(np.float32), axis=1)
        case ByCombine(combine, gates):
            slots = values[combine].reshape(*shape, -1).astype(np.float32)
            factor = 1 if gates is None else values[gates].reshape(tokens, 1)
            out = np.asarray(slots.sum(axis=2) * factor, dtype=np.float32)
        case ByCapacity(name, capacity):
            wide = values[name].reshape(shape).astype(np.float32)
            best = np.argsort(-wide, axis=0, kind="stable")[: capacity.of(tokens)]
            np.put_along_axis(out, best, np.take_along_axis(wide, best, 0), axis=0)
        case _:
            assert_never(router.selection)
    return out


def picked(router: Router, values: Mapping[str, Array], tokens: int) -> Bools:
    """Experts that every token selects: bool [tokens, experts], those with a weight of 0 included.

    Where only the weights are told, an expert of weight 0 counts as not selected.
    """
    out: Bools = np.zeros((tokens, router.experts), dtype=np.bool_)
    match router.selection:
        case ByIds(name) | ByScoresOfIds(name):
            np.put_along_axis(out, _ids(values[name], tokens), True, axis=1)
        case ByLogits() | ByCombine() | ByCapacity():
            out = combine_weights(router, values, tokens) != 0
        case _:
            assert_never(router.selection)
    return out


def _ids(value: Array, tokens: int) -> Ints:
    return value.reshape(tokens, -1).astype(np.int64)


def from_logits(router: Router, logits: Array) -> tuple[Array, Array]:
    """What a MoE operator does inside: softmax, the k best, renormalise.

    Of experts with equal logits the highest ids, as ONNX Runtime 1.32 selects (a TopK node takes
    the lowest). Ids and gate weights [tokens, k].
    """
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    scores = shifted / shifted.sum(axis=1, keepdims=True)
    best = np.argsort(-logits[:, ::-1], axis=1, kind="stable")[:, : router.top_k]
    ids = logits.shape[1] - 1 - best
    gates = np.take_along_axis(scores, ids, axis=1)
    if router.kind != "softmax-topk":
        gates = gates / gates.sum(axis=1, keepdims=True)
    return ids, gates


def routed_sum(matrices: Matrices, layer: MoELayer, x: Array, combine: Array) -> Array:
    """Scale * sum of the selected experts' outputs times their weights: [tokens, d]."""
    out = np.zeros(x.shape, dtype=np.float32)
    for index, expert in enumerate(layer.experts):
        used = combine[:, index] != 0
        if not used.any():
            continue
        weight, rows = combine[used, index, None], x[used]
        if layer.weight_on == "input":
            rows, weight = rows * weight, np.ones_like(weight)
        part = feed_forward(matrices, expert, layer.activation, layer.clipped, rows)
        out[used] += weight * part
    return out * np.float32(layer.scale)


def shared_sum(matrices: Matrices, layer: MoELayer, x: Array) -> Array:
    """Sum of the shared experts' outputs, each times its own gate: [tokens, d]."""
    out = np.zeros(x.shape, dtype=np.float32)
    for index, expert in enumerate(layer.shared):
        part = feed_forward(matrices, expert, layer.activation, layer.clipped, x)
        gate = layer.shared_gates[index] if index < len(layer.shared_gates) else None
        out += part if gate is None else sigmoid(matrices.product(x, gate)) * part
    return out

"""The MoE layer by its definition, in numpy: what a region of an ONNX graph must compute.

out = scale * (sum_e gate_e * expert_e(x) + own * x) + sum_s sigmoid(x @ w_s) * shared_s(x)

with own the sum of the gates of the router's outputs that pass the token on, and 1 (or its gate)
for a token that no expert takes, where such tokens pass on. Where a layer keeps its k experts
apart, e is at place p of the token: expert_e reads part p of x, or gate_e * expert_e(x) is part p
of out.
"""

from collections.abc import Mapping
from typing import Protocol, assert_never

import numpy as np

from ir.activation import Activation, AnyActivation, Composed
from ir.arrays import Array, Bools, Ints
from ir.curves import curve, evaluate, sigmoid
from ir.formula import Formula
from ir.selection import ByCapacity, ByCombine, ByIds, ByLogits, ByScoresOfIds
from ir.workload import Expert, MoELayer, Router, Weight


def activate(activation: AnyActivation, x: Array) -> Array:
    """The function of what the gate matrix gives (the up matrix, where there is no gate).

    Of `swiglu-oai` the gate's side; `linear` is the other.
    """
    match activation:
        case Activation(kind, numbers):
            return curve(kind, x, numbers)
        case Composed(gate):
            return evaluate(gate, x)
        case _:
            assert_never(activation)


def linear(activation: AnyActivation, up: Array) -> Array:
    """What the up matrix gives, as it is multiplied with the activated gate."""
    match activation:
        case Activation("swiglu-oai", (_, beta, limit)):
            return np.asarray(np.clip(up, -limit, limit) + beta)
        case Composed(up=Formula(steps)) if steps:
            return evaluate(activation.up, up)
        case _:
            return up


def joined(activation: AnyActivation, acted: Array, up: Array) -> Array:
    """What the down matrix multiplies: the activated gate times what `linear` makes of up."""
    product: Array = acted * linear(activation, up)
    match activation:
        case Composed(after=Formula(steps)) if steps:
            return evaluate(activation.after, product)
        case _:
            return product


class Matrices(Protocol):
    """Whoever has the weights of a layer."""

    def product(self, x: Array, weight: Weight) -> Array:
        """X [n, rows] @ W (+ bias): [n, columns]."""
        ...


def feed_forward(matrices: Matrices, expert: Expert, activation: AnyActivation, x: Array) -> Array:
    """down(act(gate(x)) * up(x)): [n, d_out]; without a gate, down(act(up(x))).

    Of a single matrix act(up(x)).
    """
    up = matrices.product(x, expert.up)
    if expert.down is None:
        return activate(activation, up)
    if expert.gate is None:
        return matrices.product(activate(activation, up), expert.down)
    gate = activate(activation, matrices.product(x, expert.gate))
    return matrices.product(joined(activation, gate, up), expert.down)


def combine_weights(router: Router, values: Mapping[str, Array], tokens: int) -> Array:
    """Gate weight of every router output for every token [tokens, outputs], 0 where not selected.

    values: those that the router exposes, as arrays. `of_experts` leaves idle outputs out.
    """
    shape = (tokens, router.outputs)
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
    """Experts that every token selects: bool [tokens, experts]. A weight of exactly 0 is no work.

    So it is where a router takes its experts until they reach a probability, and weights the rest
    with 0.
    """
    return np.asarray(of_experts(router, combine_weights(router, values, tokens)) != 0)


def of_experts(router: Router, combine: Array) -> Array:
    """The weights of experts [tokens, experts] among those of all router outputs."""
    return combine[:, router.idle[0] : router.idle[0] + router.experts]


def own_weight(layer: MoELayer, combine: Array, values: Mapping[str, Array]) -> Array:
    """The weight of the token itself in its sum: [tokens].

    combine: of all router outputs; values: those that the router exposes.
    """
    own = np.asarray(combine[:, list(layer.passing)].sum(axis=1), dtype=np.float32)
    if layer.dropped == "nothing":
        return own
    gate = _gates_apart(layer.router, values) if layer.dropped == "weighted token" else None
    kept = (of_experts(layer.router, combine) != 0).any(axis=1)
    return np.where(kept, own, np.float32(1) if gate is None else gate.reshape(len(own)))


def _gates_apart(router: Router, values: Mapping[str, Array]) -> Array | None:
    """The gates that multiply a token's sum whatever its experts are; None where there are none."""
    match router.selection:
        case ByCombine(gates=str(gates)):
            return values[gates].astype(np.float32)
        case _:
            return None


def places(layer: MoELayer, values: Mapping[str, Array], tokens: int) -> Ints | None:
    """Where every expert stands among a token's k [tokens, experts], -1 = it has it not.

    None for a layer that does not keep them apart.
    """
    match layer.router.selection:
        case ByIds(ids) | ByScoresOfIds(ids) if layer.apart != "nothing":
            found = _ids(values[ids], tokens)
            out = np.full((tokens, layer.router.experts), -1, dtype=np.int64)
            for place in range(found.shape[1]):
                out[np.arange(tokens), found[:, place]] = place
            return out
        case _:
            return None


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


def routed_sum(
    matrices: Matrices,
    layer: MoELayer,
    x: Array,
    combine: Array,
    own: Array | None = None,
    at: Ints | None = None,
) -> Array:
    """Scale * sum of the selected experts' outputs, and of the token, times their weights.

    combine: [tokens, router outputs]; own: `own_weight`, None for 0; at: the experts' `places`,
    where the layer keeps them apart. [tokens, d_out].
    """
    out = np.zeros((len(x), layer.d_out), dtype=np.float32)
    given = x.reshape(len(x), -1, layer.experts[0].up.rows)
    made = out.reshape(len(x), -1, layer.d_result)
    weights = of_experts(layer.router, combine)
    for index, expert in enumerate(layer.experts):
        used = weights[:, index] != 0
        if not used.any():
            continue
        place = np.zeros(int(used.sum()), dtype=np.int64) if at is None else at[used, index]
        read = place if layer.apart == "inputs" else 0
        weight, rows = weights[used, index, None], given[used, read]
        if layer.weight_on == "input":
            rows, weight = rows * weight, np.ones_like(weight)
        part = feed_forward(matrices, expert, layer.activation, rows)
        made[used, place if layer.apart == "outputs" else 0] += weight * part
    if own is not None and layer.adds_tokens:
        out += own[:, None] * x
    return out * np.float32(layer.scale)


def shared_sum(matrices: Matrices, layer: MoELayer, x: Array) -> Array:
    """Sum of the shared experts' outputs, each times its own gate: [tokens, d_out]."""
    out = np.zeros((len(x), layer.d_out), dtype=np.float32)
    for index, expert in enumerate(layer.shared):
        part = feed_forward(matrices, expert, layer.activation, x)
        gate = layer.shared_gates[index] if index < len(layer.shared_gates) else None
        out += part if gate is None else sigmoid(matrices.product(x, gate)) * part
    return out

"""GATE and TOPK: the router's own nodes on each token's vector, and what they select.

How experts choose tokens is in `choice`.

Where a token's selection differs from the program's although its vector differs from ONNX Runtime's
by at most a tenth of the tolerance, two scores are as good as equal: the token then takes the
selection of the model's own vector, and is counted as a near tie.
"""

from collections.abc import Mapping

import numpy as np

from backends.functional.choice import choose_tokens
from backends.functional.machine import Array, Ints, Machine, gather
from ir.errors import InputError
from ir.onnxdoor.canonical import combine_weights, sigmoid
from ir.program import Opcode
from ir.workload import MoELayer, Router


def score(m: Machine, index: int, op: MoELayer, rows: dict[Opcode, Ints]) -> None:
    """GATE: what the router exposes for each token, and the gates of shared experts."""
    ids = rows[Opcode.GATE]
    if m.chip.digital.router_on == "crossbar" and op.router.projection is not None:
        raise InputError(
            op.name, "its router runs on crossbars, which cannot be executed yet",
            "use --set digital.router_on=digital",
        )  # fmt: skip
    feeds = gather(m, op, ids, op.inputs)
    x = np.concatenate([fed[op.inputs[0]].reshape(-1, op.d_model) for fed in feeds])
    token = m.program.token[ids].astype(np.int64)
    order = np.concatenate([run.tokens.ravel() for run in m.runs])
    vectors = np.zeros((m.tokens, op.d_model), dtype=np.float32)
    vectors[order] = x
    arrays = _exposed(m, op, feeds)
    near = _near(m, op, vectors)
    if op.router.capacity is None:
        arrays = _by_the_model(m, index, op, arrays, token[near[token]])
    else:
        arrays["near"] = near
    if op.gated_shared:
        gates = [None if w is None else m.matrices.product(vectors, w) for w in op.shared_gates]
        gates += [None] * (len(op.shared) - len(gates))
        ones = np.ones(m.tokens, dtype=np.float32)
        each = [ones if g is None else sigmoid(g)[:, 0] for g in gates]
        arrays["shared gates"] = np.stack(each, axis=1)
    m.values.put(ids, token, arrays)


def _exposed(m: Machine, op: MoELayer, feeds: list[dict[str, Array]]) -> dict[str, Array]:
    """Scores of an expert-choice router, else selection and weights: [window tokens, experts].

    With them the layer's outputs besides its result (a model may give out its router's logits).
    """
    router = op.router
    names = [n for n in (router.ids, router.gates, router.scores, router.combine) if n]
    names += op.outputs[1:]
    asked = [n for n in dict.fromkeys(names) if n not in op.inputs]
    out: dict[str, Array] = {}
    for fed, run in zip(feeds, m.runs, strict=True):
        values = fed | m.nodes.run(op, fed, asked) if asked else fed
        tokens = run.tokens.ravel()
        found = _per_token(router, values, len(tokens))
        found |= {
            n: values[n].reshape(len(tokens), *(m.row_shape(n) or ())) for n in op.outputs[1:]
        }
        for name, array in found.items():
            full = out.setdefault(name, np.zeros((m.tokens, *array.shape[1:]), dtype=array.dtype))
            full[tokens] = array
    return out


def _per_token(router: Router, values: Mapping[str, Array], tokens: int) -> dict[str, Array]:
    if router.capacity is not None:
        return {"scores": values[router.scores].reshape(tokens, router.experts)}
    weights = combine_weights(router, values, tokens)
    picked = weights != 0
    if router.ids and not router.combine:
        ids = values[router.ids].reshape(tokens, -1).astype(np.int64)
        np.put_along_axis(picked, ids, np.ones(ids.shape, dtype=np.bool_), axis=1)
    return {"picked": picked, "weights": weights}


def _near(m: Machine, op: MoELayer, vectors: Array) -> Array:
    """Tokens whose vector is the model's own up to rounding: bool [window tokens]."""
    name = op.inputs[0]
    own = m.to_rows(name, [found[name] for found in m.whole]) if name in m.whole[0] else None
    if own is None:
        return np.zeros(m.tokens, dtype=np.bool_)
    own = own.reshape(m.tokens, -1).astype(np.float32)
    scale = np.abs(own).max(axis=1, initial=0)
    return np.asarray(np.abs(vectors - own).max(axis=1, initial=0) <= m.tolerance / 10 * scale)


def _told(m: Machine, index: int, op: MoELayer) -> dict[str, Array]:
    """What the router says of the model's own vectors; empty where it has none."""
    if index not in m.told:
        known = op.inputs[0] in m.whole[0]
        feeds = [
            {n: found[n] if n in found else run.feeds[n] for n in op.inputs}
            for found, run in zip(m.whole, m.runs, strict=True)
        ]
        m.told[index] = _exposed(m, op, feeds) if known else {}
    return m.told[index]


def _by_the_model(
    m: Machine, index: int, op: MoELayer, arrays: dict[str, Array], near: Ints
) -> dict[str, Array]:
    """Near ties: what the router says of the model's own vector, where that selects otherwise.

    near: tokens that may be.
    """
    if not len(near):
        return arrays
    theirs = _told(m, index, op)
    tied = near[(arrays["picked"][near] != theirs["picked"][near]).any(axis=1)]
    m.tied |= {(index, token) for token in tied.tolist()}
    for name, array in arrays.items():
        array[tied] = theirs[name][tied]
    return arrays


def choose(m: Machine, index: int, op: MoELayer, ids: Ints) -> Array:
    """TOPK: the experts of each token and their weights: float32 [window tokens, experts].

    Token choice has one TOPK per token; with expert choice each expert takes its best tokens of a
    sequence.
    """
    router, token = op.router, m.program.token[ids].astype(np.int64)
    if router.capacity is not None:
        return choose_tokens(m, index, op, router.capacity, ids, _told(m, index, op).get("scores"))
    weights = np.zeros((m.tokens, router.experts), dtype=np.float32)
    picked = np.zeros(weights.shape, dtype=np.bool_)
    weights[token] = m.values.take(ids, "weights")
    picked[token] = m.values.take(ids, "picked")
    others = {n: m.values.take(ids, n) for n in op.outputs[1:]}
    passed = {f"passed {n}": _spread(m, token, rows) for n, rows in others.items()}
    m.values.put(ids, token, {"selected": picked, "factors": weights, **passed})
    return weights


def _spread(m: Machine, token: Ints, rows: Array) -> Array:
    """Rows of `token` in an array of all window tokens."""
    out = np.zeros((m.tokens, *rows.shape[1:]), dtype=rows.dtype)
    out[token] = rows
    return out

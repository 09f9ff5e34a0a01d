"""GATE and TOPK: the router's own nodes on each token's vector, and what they select.

Where a token's selection differs from the program's although its vector differs from ONNX Runtime's
by at most a tenth of the tolerance, two scores are as good as equal: the token then takes the
selection of the model's own vector, and is counted as a near tie.
"""

from collections.abc import Mapping

import numpy as np

from backends.functional.machine import Array, Ints, Machine, gather
from backends.functional.values import wrong
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
    arrays = _by_the_model(m, op, vectors, arrays, token)
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


def _by_the_model(
    m: Machine, op: MoELayer, vectors: Array, arrays: dict[str, Array], token: Ints
) -> dict[str, Array]:
    """Near ties: what the router says of the model's own vector, where that selects otherwise."""
    name = op.inputs[0]
    if name not in m.whole[0]:
        return arrays
    own = m.to_rows(name, [found[name] for found in m.whole])
    if own is None:
        return arrays
    own = own.reshape(m.tokens, -1).astype(np.float32)
    scale = np.abs(own).max(axis=1, initial=0)
    near = np.abs(vectors - own).max(axis=1, initial=0) <= m.tolerance / 10 * scale
    feeds = [
        {n: m.whole[i][n] if n in m.whole[i] else run.feeds[n] for n in op.inputs}
        for i, run in enumerate(m.runs)
    ]
    theirs = _exposed(m, op, feeds)
    kind = "picked" if "picked" in arrays else "scores"
    tied = near & _selections_differ(m, op, arrays[kind], theirs[kind])
    tied &= np.isin(np.arange(m.tokens), token)
    m.near_ties += int(tied.sum())
    for name, array in arrays.items():
        array[tied] = theirs[name][tied]
    return arrays


def _selections_differ(m: Machine, op: MoELayer, one: Array, other: Array) -> Array:
    """Tokens that two routers' answers send to different experts: bool [window tokens]."""
    if op.router.capacity is None:
        return np.asarray((one != other).any(axis=1))
    out = np.zeros(m.tokens, dtype=np.bool_)
    for seq in np.unique(m.values.sequence).tolist():
        mine = np.flatnonzero(m.values.sequence == seq)
        a, b = (
            combine_weights(op.router, {op.router.scores: s[mine]}, len(mine)) != 0
            for s in (one, other)
        )
        out[mine] = (a != b).any(axis=1)
    return out


def choose(m: Machine, op: MoELayer, ids: Ints) -> Array:
    """TOPK: the experts of each token and their weights: float32 [window tokens, experts].

    Token choice has one TOPK per token; with expert choice each expert takes its best tokens of
    those whose GATEs the sequence's one TOPK reads.
    """
    p, router = m.program, op.router
    weights = np.zeros((m.tokens, router.experts), dtype=np.float32)
    picked = np.zeros(weights.shape, dtype=np.bool_)
    token = p.token[ids].astype(np.int64)
    if router.capacity is None:
        weights[token] = m.values.take(ids, "weights")
        picked[token] = m.values.take(ids, "picked")
    for row in ids.tolist() if router.capacity is not None else []:
        mine = m.so_far(int(p.seq[row]))
        _, read = m.values.edges(np.array([row]))
        read = read[m.values.holds(read, "scores")]
        if not np.array_equal(np.sort(p.token[read]), mine):
            raise wrong(p, row, f"reads the scores of {len(read)} tokens, expected {len(mine)}")
        scores = np.zeros((len(mine), router.experts), dtype=np.float32)
        of = p.token[read].astype(np.int64)
        at = np.searchsorted(mine, of)
        scores[at] = m.values.rows(np.full(len(read), row), read, "scores", of)
        weights[mine] = combine_weights(router, {router.scores: scores}, len(mine))
        picked[mine] = weights[mine] != 0
    others = {n: m.values.take(ids, n) for n in op.outputs[1:] if router.capacity is None}
    passed = {f"passed {n}": _spread(m, token, rows) for n, rows in others.items()}
    m.values.put(ids, token, {"selected": picked, "factors": weights, **passed})
    return weights


def _spread(m: Machine, token: Ints, rows: Array) -> Array:
    """Rows of `token` in an array of all window tokens."""
    out = np.zeros((m.tokens, *rows.shape[1:]), dtype=rows.dtype)
    out[token] = rows
    return out

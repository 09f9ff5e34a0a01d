"""GATE and TOPK: the router's own nodes on each token's vector, and what they select.

How experts choose tokens is in `choice`. Of a router on crossbars the first matrix is a product as
any other; the GATE starts from its logits, so of the router's nodes those after them are run.

Where a token's selection differs from the program's although what the GATE reads (its vector, or
its logits) differs from ONNX Runtime's by at most a tenth of the tolerance, two scores are as good
as equal: the token then takes the selection of the model's own vector, and is counted as a near
tie.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

import numpy as np

from backends.functional.choice import choose_tokens
from backends.functional.machine import TOLERANCE, At, Machine, gather
from backends.functional.names import Inner, Name, Passed
from backends.functional.products import through_bank
from backends.functional.values import Batch
from ir.arrays import Array, Bools, Ints
from ir.curves import sigmoid
from ir.program import Opcode
from ir.selection import ByCapacity, ByCombine, ByIds, ByLogits, ByScoresOfIds
from ir.semantics import combine_weights, of_experts, own_weight, picked, places
from ir.workload import MoELayer


def score(at: At[MoELayer], rows: dict[Opcode, Ints]) -> None:
    """GATE: what the router exposes for each token, and the gates of shared experts."""
    m, op = at.m, at.op
    ids = rows[Opcode.GATE]
    token = m.program.token[ids].astype(np.int64)
    if _on_crossbars(at):
        _project(at, rows)
        feeds, near = _from_logits(at, ids)
    else:
        feeds = _read(at, ids, on_crossbars=False)
        near = _near(_scored(at, feeds), _scored(at, _own_feeds(at)))
    arrays = _exposed(at, feeds)
    if m.fixed:
        arrays, near = {**arrays, **_told(at)}, np.ones_like(near)
    if op.router.capacity is None:
        arrays = _by_the_model(at, arrays, token[near[token]])
    else:
        arrays[Inner.NEAR] = near
    if op.gated_shared:
        vectors = _vectors(at, feeds)
        gates = [None if w is None else m.matrices.product(vectors, w) for w in op.shared_gates]
        gates += [None] * (len(op.shared) - len(gates))
        ones = np.ones(m.tokens, dtype=np.float32)
        each = [ones if g is None else sigmoid(g)[:, 0] for g in gates]
        arrays[Inner.SHARED_GATES] = np.stack(each, axis=1)
    m.values.put(ids, token, Batch(arrays))


def _on_crossbars(at: At[MoELayer]) -> bool:
    """Whether the router's first matrix is on crossbars."""
    placed = at.m.chip.digital.router_on == "crossbar"
    return placed and at.op.router.projection is not None


def _project(at: At[MoELayer], rows: dict[Opcode, Ints]) -> None:
    """LOAD, MVM, ACC and STORE of a router on crossbars: the logits of each token."""
    m, p, mvm = at.m, at.m.program, rows[Opcode.MVM]
    mvm = mvm[p.expert[mvm] < 0]
    held = {u: m.crossbars.on(p.units[u], -1, -1) for u in np.unique(p.unit[mvm]).tolist()}
    dense = [u for u, tiles in held.items() if tiles and tiles[0].block.role == "dense"]
    mvm = mvm[np.isin(p.unit[mvm], dense)]
    loads = np.intersect1d(rows[Opcode.LOAD], m.values.reads(mvm)[1])
    sums = _readers(m, rows[Opcode.ACC], mvm)
    stores = _readers(m, rows[Opcode.STORE], np.concatenate([mvm, sums]))
    own = {Opcode.LOAD: loads, Opcode.MVM: mvm, Opcode.ACC: sums, Opcode.STORE: stores}
    for ids, logits in through_bank(at, at.op.scored, own):
        m.values.put(ids, np.arange(len(ids)), Batch({Inner.LOGITS: logits}))


def _readers(m: Machine, ids: Ints, of: Ints) -> Ints:
    """Those of `ids` that read any of `of`."""
    place, read = m.values.reads(ids)
    return ids[np.unique(place[np.isin(read, of)])]


def _from_logits(at: At[MoELayer], ids: Ints) -> tuple[list[dict[str, Array]], Bools]:
    """What the nodes after the router's matrix read, and the tokens whose logits are the model's.

    Of what the matrix multiplied they use the shape at most.
    """
    m, op = at.m, at.op
    feeds = _read(at, ids, on_crossbars=True)
    logits = np.zeros((m.tokens, op.router.outputs), dtype=np.float32)
    logits[m.program.token[ids]] = m.values.take(ids, Inner.LOGITS)
    name, theirs = op.router.logits, np.zeros_like(logits)
    every = zip(feeds, _own_feeds(at), m.whole, m.runs_of(op.side), strict=True)
    for fed, given, found, run in every:
        if name not in found:  # what the model's own product gives
            found[name] = m.nodes.run(op, given, [name])[name]
        tokens, own = run.tokens.ravel(), found[name]
        theirs[tokens] = own.reshape(len(tokens), -1)
        fed[name] = logits[tokens].astype(own.dtype).reshape(own.shape)
    return feeds, _near(logits, theirs)


def _read(at: At[MoELayer], ids: Ints, *, on_crossbars: bool) -> list[dict[str, Array]]:
    """The layer's inputs as its GATEs read them; those that they do not read are zeros."""
    feeds = gather(at.m, ids, at.op.gate_inputs(on_crossbars=on_crossbars))
    for fed, given in zip(feeds, _own_feeds(at), strict=True):
        for name in at.op.inputs:
            fed.setdefault(name, np.zeros_like(given[name]))
    return feeds


def _scored(at: At[MoELayer], feeds: Sequence[Mapping[str, Array]]) -> Array:
    """What the router scores of every token: float32 [window tokens, width]."""
    width = at.op.scored_width
    out = np.zeros((at.m.tokens, width), dtype=np.float32)
    for fed, run in zip(feeds, at.m.runs_of(at.op.side), strict=True):
        out[run.tokens.ravel()] = fed[at.op.scored].reshape(-1, width)
    return out


def _exposed(at: At[MoELayer], feeds: list[dict[str, Array]]) -> dict[Name, Array]:
    """Scores of an expert-choice router, else selection and weights: [window tokens, experts].

    With them the layer's outputs besides its result (a model may give out its router's logits).
    """
    m, op, router = at.m, at.op, at.op.router
    names = dict.fromkeys([*router.exposed, *op.outputs[1:]])
    asked = [n for n in names if n not in feeds[0]]
    out: dict[Name, Array] = {}
    for fed, run in zip(feeds, m.runs_of(op.side), strict=True):
        values = fed | m.nodes.run(op, fed, asked) if asked else fed
        tokens = run.tokens.ravel()
        found = _per_token(op, values, len(tokens))
        for n in op.outputs[1:]:
            found[n] = values[n].reshape(len(tokens), *(m.row_shape(n) or ()))
        for name, array in found.items():
            full = out.setdefault(name, np.zeros((m.tokens, *array.shape[1:]), dtype=array.dtype))
            full[tokens] = array
    return out


def _per_token(op: MoELayer, values: Mapping[str, Array], tokens: int) -> dict[Name, Array]:
    router = op.router
    match router.selection:
        case ByCapacity(scores):
            return {Inner.SCORES: values[scores].reshape(tokens, router.experts)}
        case ByIds() | ByScoresOfIds() | ByLogits() | ByCombine():
            combine = combine_weights(router, values, tokens)
            found: dict[Name, Array] = {
                Inner.PICKED: picked(router, values, tokens),
                Inner.WEIGHTS: of_experts(router, combine),
            }
            at = places(op, values, tokens)
            if at is not None:
                found[Inner.PLACES] = at
            if op.adds_tokens:
                found[Inner.OWN_WEIGHT] = own_weight(op, combine, values)
            return found
        case _:
            assert_never(router.selection)


def _vectors(at: At[MoELayer], feeds: Sequence[Mapping[str, Array]]) -> Array:
    """The layer's input of every token: float32 [window tokens, d_model]."""
    d_model = at.op.d_model
    out = np.zeros((at.m.tokens, d_model), dtype=np.float32)
    for fed, run in zip(feeds, at.m.runs_of(at.op.side), strict=True):
        out[run.tokens.ravel()] = fed[at.op.inputs[0]].reshape(-1, d_model)
    return out


def _near(ours: Array, theirs: Array) -> Bools:
    """Tokens whose row is the model's own up to rounding: bool [window tokens]."""
    scale = np.abs(theirs).max(axis=1, initial=0)
    return np.asarray(np.abs(ours - theirs).max(axis=1, initial=0) <= TOLERANCE / 10 * scale)


def _own_feeds(at: At[MoELayer]) -> list[dict[str, Array]]:
    """The layer's inputs as the model has them, for each run."""
    return [{name: found[name] for name in at.op.inputs} for found in at.m.whole]


def _told(at: At[MoELayer]) -> dict[Name, Array]:
    """What the router says of the model's own vectors."""
    if at.index not in at.m.told:
        at.m.told[at.index] = _exposed(at, _own_feeds(at))
    return at.m.told[at.index]


def _by_the_model(at: At[MoELayer], arrays: dict[Name, Array], near: Ints) -> dict[Name, Array]:
    """Near ties: what the router says of the model's own vector, where that selects otherwise.

    Or where it gives the same experts other weights: a router of two picks (PhiMoE) weights the
    first pick unlike the second. near: tokens that may be.
    """
    if not len(near):
        return arrays
    theirs = _told(at)
    other = arrays[Inner.PICKED][near] != theirs[Inner.PICKED][near]
    other |= np.abs(arrays[Inner.WEIGHTS][near] - theirs[Inner.WEIGHTS][near]) > TOLERANCE
    if Inner.PLACES in arrays:
        other |= arrays[Inner.PLACES][near] != theirs[Inner.PLACES][near]
    tied = near[other.any(axis=1)]
    at.m.tied |= {(at.index, token) for token in tied.tolist()}
    for name, array in arrays.items():
        array[tied] = theirs[name][tied]
    return arrays


def choose(at: At[MoELayer], ids: Ints) -> None:
    """TOPK: the experts of each token and their weights.

    Token choice has one TOPK per token; with expert choice each expert takes its best tokens of a
    sequence.
    """
    m, router = at.m, at.op.router
    token = m.program.token[ids].astype(np.int64)
    if router.capacity is not None:
        choose_tokens(at, router.capacity, ids, _told(at)[Inner.SCORES])
        return
    weights = np.zeros((m.tokens, router.experts), dtype=np.float32)
    selected = np.zeros(weights.shape, dtype=np.bool_)
    weights[token] = m.values.take(ids, Inner.WEIGHTS)
    selected[token] = m.values.take(ids, Inner.PICKED)
    arrays: dict[Name, Array] = {Inner.SELECTED: selected, Inner.FACTORS: weights}
    if at.op.apart != "nothing":
        arrays[Inner.PLACES] = _spread(m, token, m.values.take(ids, Inner.PLACES))
    if at.op.adds_tokens:
        arrays[Inner.OWN_FACTOR] = _spread(m, token, m.values.take(ids, Inner.OWN_WEIGHT))
    for name in at.op.outputs[1:]:
        arrays[Passed(name)] = _spread(m, token, m.values.take(ids, name))
    m.values.put(ids, token, Batch(arrays))


def _spread(m: Machine, token: Ints, rows: Array) -> Array:
    """Rows of `token` in an array of all window tokens."""
    out = np.zeros((m.tokens, *rows.shape[1:]), dtype=rows.dtype)
    out[token] = rows
    return out

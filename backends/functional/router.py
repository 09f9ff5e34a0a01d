"""GATE and TOPK: the router's own nodes on each token's vector, and what they select.

How experts choose tokens is in `choice`. Of a router on crossbars the first matrix is a product as
any other; the GATE starts from its logits, so of the router's nodes those after them are run.

Where a token's selection differs from the program's although what the GATE reads (its vector, or
its logits) differs from ONNX Runtime's by at most a tenth of the tolerance, two scores are as good
as equal: the token then takes the selection of the model's own vector, and is counted as a near
tie. So does one whose program's selection is another that rounding may give (`ties`): it takes
that.
"""

import numpy as np

from backends.functional.choice import choose_tokens
from backends.functional.exposed import (
    entry_vectors,
    exposed,
    gate_feeds,
    near_rows,
    on_crossbars,
    own_feeds,
    own_logits,
    scored_vectors,
    told_of_own,
)
from backends.functional.machine import TOLERANCE, At, Machine
from backends.functional.names import Inner, Name, Passed
from backends.functional.products import through_bank
from backends.functional.ties import Ran, leaning, ran_by
from backends.functional.values import Batch
from ir.arrays import Array, Bools, Ints
from ir.curves import sigmoid
from ir.program import Opcode
from ir.workload import MoELayer


def score(at: At[MoELayer], rows: dict[Opcode, Ints]) -> None:
    """GATE: what the router exposes for each token, and the gates of shared experts."""
    m, op = at.m, at.op
    ids = rows[Opcode.GATE]
    token = m.program.token[ids].astype(np.int64)
    if on_crossbars(at):
        _project(at, rows)
        feeds, near = _from_logits(at, ids)
    else:
        feeds = gate_feeds(at, ids, on_crossbars=False)
        near = near_rows(scored_vectors(at, feeds), scored_vectors(at, own_feeds(at)))
    arrays = exposed(at, feeds)
    if m.fixed:
        own = {name: array.copy() for name, array in told_of_own(at).items()}
        arrays, near = {**arrays, **own}, np.ones_like(near)
    if op.router.capacity is None:
        arrays = _by_the_model(at, arrays, token[near[token]])
        _as_run(at, arrays, near, ran_by(at, rows[Opcode.COMBINE]))
    else:
        arrays[Inner.NEAR] = near
    if op.gated_shared:
        vectors = entry_vectors(at, feeds)
        gates = [None if w is None else m.matrices.product(vectors, w) for w in op.shared_gates]
        gates += [None] * (len(op.shared) - len(gates))
        ones = np.ones(m.tokens, dtype=np.float32)
        each = [ones if g is None else sigmoid(g)[:, 0] for g in gates]
        arrays[Inner.SHARED_GATES] = np.stack(each, axis=1)
    m.values.put(ids, token, Batch(arrays))


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
    feeds = gate_feeds(at, ids, on_crossbars=True)
    logits = np.zeros((m.tokens, op.router.outputs), dtype=np.float32)
    logits[m.program.token[ids]] = m.values.take(ids, Inner.LOGITS)
    theirs = np.zeros_like(logits)
    for fed, own, run in zip(feeds, own_logits(at), m.runs_of(op.side), strict=True):
        tokens = run.tokens.ravel()
        theirs[tokens] = own.reshape(len(tokens), -1)
        fed[op.router.logits] = logits[tokens].astype(own.dtype).reshape(own.shape)
    return feeds, near_rows(logits, theirs)


def _by_the_model(at: At[MoELayer], arrays: dict[Name, Array], near: Ints) -> dict[Name, Array]:
    """Near ties: what the router says of the model's own vector, where that selects otherwise.

    Or where it gives the same experts other weights: a router of two picks (PhiMoE) weights the
    first pick unlike the second. near: tokens that may be.
    """
    if not len(near):
        return arrays
    theirs = told_of_own(at)
    other = arrays[Inner.PICKED][near] != theirs[Inner.PICKED][near]
    other |= np.abs(arrays[Inner.WEIGHTS][near] - theirs[Inner.WEIGHTS][near]) > TOLERANCE
    if Inner.PLACES in arrays:
        other |= arrays[Inner.PLACES][near] != theirs[Inner.PLACES][near]
    tied = near[other.any(axis=1)]
    at.m.tied |= {(at.index, token) for token in tied.tolist()}
    for name, array in arrays.items():
        array[tied] = theirs[name][tied]
    return arrays


def _as_run(at: At[MoELayer], arrays: dict[Name, Array], near: Bools, ran: Ran) -> None:
    """Tokens that the program sends elsewhere take that, where rounding may select it (`ties`)."""
    asked = near & ran.tokens & (arrays[Inner.PICKED] != ran.experts).any(axis=1)
    leant = leaning(at, ran) if asked.any() else None
    if leant is None:
        return
    tied = asked & (leant[Inner.PICKED] == ran.experts).all(axis=1)
    at.m.tied |= {(at.index, token) for token in np.flatnonzero(tied).tolist()}
    for name, array in arrays.items():
        array[tied] = leant[name][tied]


def choose(at: At[MoELayer], ids: Ints, combines: Ints) -> None:
    """TOPK: the experts of each token and their weights; combines: the step's COMBINEs.

    Token choice has one TOPK per token; with expert choice each expert takes its best tokens of a
    sequence.
    """
    m, router = at.m, at.op.router
    token = m.program.token[ids].astype(np.int64)
    if router.capacity is not None:
        choose_tokens(at, router.capacity, ids, combines)
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

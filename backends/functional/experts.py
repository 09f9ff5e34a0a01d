"""A MoE layer: the experts' two stages and the gate-weighted sum of what they give."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from backends.functional.blame import wrong_logits
from backends.functional.follow import follow
from backends.functional.machine import TOLERANCE, At, Machine
from backends.functional.names import Inner, Moved, Name, Passed
from backends.functional.products import (
    add_up,
    by_batch,
    load,
    multiply,
    named,
    shared_of,
    take_sums,
    vectors_of,
)
from backends.functional.rounding import as_the_experts_round, note_halves
from backends.functional.router import choose, score
from backends.functional.values import Batch, wrong
from ir.arrays import Array, Bools, Ints
from ir.errors import CheckError
from ir.mapping import Role
from ir.program import Opcode
from ir.semantics import activate, feed_forward, joined
from ir.workload import MoELayer


def run_moe(at: At[MoELayer], rows: dict[Opcode, Ints]) -> None:
    """GATE, TOPK, LOAD, both stages (or the one of single matrices), COMBINE."""
    m, op = at.m, at.op
    for code in (Opcode.GATE, Opcode.TOPK, Opcode.COMBINE):
        if not len(rows[code]):
            raise CheckError("execution", op.name, f"no {code.name} among its instructions")
    score(at, rows)
    choose(at, rows[Opcode.TOPK], rows[Opcode.COMBINE])
    load(m, op.inputs[0], without_values(m, rows[Opcode.LOAD]))
    stage = m.program.stage
    first, second = (rows[Opcode.MVM][stage[rows[Opcode.MVM]] == s] for s in (0, 1))
    first = without_values(m, first)
    multiply(at, first, _parts(at, first, rows[Opcode.TOPK]))
    add_up(m, _readable(m, rows[Opcode.ACC], stage=0))
    if not op.single:
        _activate(at, rows)
    for mine, _ in by_batch(m, second):
        multiply(at, mine)
    add_up(m, _readable(m, rows[Opcode.ACC], stage=1))
    last: Role = "up" if op.single else "down"
    for mine, read in by_batch(m, without_values(m, rows[Opcode.STORE])):
        result = named(m, take_sums(m, mine, read), last, mine)
        m.values.put(mine, np.arange(len(mine)), Batch({Inner.RESULT: result}))
    for mine, read in by_batch(m, without_values(m, rows[Opcode.ACT])):
        result = activate(op.activation, m.values.take(mine, Inner.RESULT))
        m.values.put(mine, np.arange(len(mine)), Batch({Inner.RESULT: result}))
        m.job[mine] = m.job[read]
    _run_digital(at, rows[Opcode.DIGITAL])
    _combine(at, rows[Opcode.COMBINE])


def _run_digital(at: At[MoELayer], ids: Ints) -> None:
    """Experts on digital units: all of one at once, from the matrices as they are stored."""
    m, op = at.m, at.op
    for expert in np.unique(m.program.expert[ids]).tolist():
        mine = ids[m.program.expert[ids] == expert]
        vectors = vectors_of(m, op.inputs[0], mine)
        result = feed_forward(m.matrices, op.experts[expert], op.activation, vectors)
        m.values.put(mine, np.arange(len(mine)), Batch({Inner.RESULT: result}))


def _parts(at: At[MoELayer], ids: Ints, topk: Ints) -> tuple[Ints, int] | None:
    """Which part of its token's vector each MVM's expert reads, where they do not read it all."""
    m, op = at.m, at.op
    if op.apart != "inputs" or not len(ids):
        return None
    places = m.values.of(int(topk[0])).arrays[Inner.PLACES]
    found = places[m.program.token[ids], m.program.expert[ids]]
    odd = np.flatnonzero(found < 0)
    if len(odd):
        raise wrong(m.program, int(ids[odd[0]]), "multiplies for a token without its expert")
    return found, op.places


def without_values(m: Machine, ids: Ints) -> Ints:
    """Those that have not been carried out yet (a router on crossbars goes first)."""
    return ids[m.values.batch[ids] < 0]


def _readable(m: Machine, ids: Ints, *, stage: int) -> Ints:
    return without_values(m, ids[m.program.stage[ids] == stage])


def _activate(at: At[MoELayer], rows: dict[Opcode, Ints]) -> None:
    """XFER out of the group, ACT, MUL where gated, XFER into the second stage's input buffer.

    A MUL that reads a TOPK multiplies the sums by its gate, where a model puts that on the input.
    """
    m, op, p = at.m, at.op, at.m.program
    moved = without_values(m, rows[Opcode.XFER])
    fills = np.diff(p.dst.offsets)[moved] > 0
    for mine, read in by_batch(m, moved[~fills]):
        sums = take_sums(m, mine, read)
        m.values.put(mine, np.arange(len(mine)), Batch({Moved(r): s for r, s in sums.items()}))
    scale = rows[Opcode.MUL][_reads_gates(m, rows[Opcode.MUL])]
    for mine, read in by_batch(m, scale):
        gates = m.values.take(mine, Inner.FACTORS)[np.arange(len(mine)), p.expert[mine]]
        names = [Moved("up"), Moved("gate")] if op.gated else [Moved("up")]
        scaled = Batch({name: gates[:, None] * m.values.take(mine, name) for name in names})
        m.values.put(mine, np.arange(len(mine)), scaled)
        m.job[mine] = m.job[read]
    for mine, read in by_batch(m, rows[Opcode.ACT]):  # a shared expert may be gated alone
        gated = Moved("gate") in m.values.of(read[0]).arrays
        source, made = (Moved("gate"), Inner.ACTED) if gated else (Moved("up"), Inner.HIDDEN)
        given = m.values.take(mine, source)
        acted = activate(op.activation, given)
        note_halves(at, mine, given, partial(activate, op.activation))
        m.values.put(mine, np.arange(len(mine)), Batch({made: acted}))
        m.job[mine] = m.job[read]
    for mine, read in by_batch(m, np.setdiff1d(rows[Opcode.MUL], scale)):
        acted, up = m.values.take(mine, Inner.ACTED), m.values.take(mine, Moved("up"))
        hidden = joined(op.activation, acted, up)
        note_halves(at, mine, acted, partial(joined, op.activation, up=up))
        note_halves(at, mine, up, partial(joined, op.activation, acted))
        m.values.put(mine, np.arange(len(mine)), Batch({Inner.HIDDEN: hidden}))
        m.job[mine] = m.job[read]
    for mine, read in by_batch(m, moved[fills]):
        vectors = m.values.take(mine, Inner.HIDDEN)
        m.values.put(mine, np.arange(len(mine)), Batch({Inner.VECTOR: vectors}))
        m.job[mine] = m.job[read]


def _reads_gates(m: Machine, ids: Ints) -> Bools:
    place, read = m.values.reads(ids)
    return np.isin(np.arange(len(ids)), place[m.values.holds(read, Inner.FACTORS)])


def _combine(at: At[MoELayer], ids: Ints) -> None:
    """The layer's sum: scale * sum of weight * expert output, plus the shared experts'.

    Or each weight * expert output in its expert's place, where a layer keeps them apart.

    The weight is the one that the TOPK read gives to the STORE's expert; the TOPK must have
    selected exactly the experts read, except those of weight 0.
    """
    m, op, p = at.m, at.op, at.m.program
    picked, weights = m.values.take(ids, Inner.SELECTED), m.values.take(ids, Inner.FACTORS)
    place, read = m.values.edges(ids)
    stores = m.values.holds(read, Inner.RESULT)
    place, read = place[stores], read[stores]
    expert, readers = p.expert[read].astype(np.int64), ids[place]
    result = m.values.rows(readers, read, Inner.RESULT, p.token[readers].astype(np.int64))
    out = np.zeros((len(ids), op.d_out), dtype=np.float32)
    made = out.reshape(len(ids), -1, op.d_result)
    routed = expert >= 0
    odd = np.flatnonzero(expert >= op.router.experts)
    if len(odd):
        raise wrong(p, int(read[odd[0]]), f"is of expert {expert[odd[0]]}, the layer has fewer")
    ran = np.zeros(picked.shape, dtype=np.bool_)
    ran[place[routed], expert[routed]] = True
    _check_selection(at, ids, ran, picked, weights)
    factor = np.ones(int(routed.sum()), dtype=np.float32)
    if op.weight_on == "output":
        factor = weights[place[routed], expert[routed]]
    side = np.zeros(int(routed.sum()), dtype=np.int64)
    if op.apart == "outputs":
        side = m.values.take(ids, Inner.PLACES)[place[routed], expert[routed]]
    if routed.any():
        np.add.at(made, (place[routed], side), factor[:, None] * result[routed])
    if op.adds_tokens:
        _pass_on(at, ids, out)
    out *= np.float32(op.scale)
    if op.shared or (~routed).any():
        factor = _shared_factor(at, ids, place[~routed], read[~routed])
        np.add.at(out, place[~routed], factor[:, None] * result[~routed])
    as_the_experts_round(at, ids, out, TOLERANCE)
    shape = m.row_shape(op.outputs[0])
    given = out.astype(m.whole[0][op.outputs[0]].dtype).reshape(len(ids), *(shape or (-1,)))
    _leave_hidden(at, ids, given)
    follow(at, ids, given)
    results: dict[Name, Array] = {op.outputs[0]: given}
    for name in op.outputs[1:]:
        results[name] = m.values.take(ids, Passed(name))
    m.values.put(ids, np.arange(len(ids)), Batch(results))
    at.record(ids)


def _leave_hidden(at: At[MoELayer], ids: Ints, made: Array) -> None:
    """Tokens that the attention mask hides have the model's own rows: nobody looks at them."""
    m, name = at.m, at.op.outputs[0]
    token = m.program.token[ids].astype(np.int64)
    hidden = m.hidden(at.op.side)[token]
    rows = m.to_rows(name, [found[name] for found in m.whole]) if hidden.any() else None
    if rows is not None:
        made[hidden] = rows[token[hidden]].reshape(-1, *made.shape[1:])


def _pass_on(at: At[MoELayer], ids: Ints, out: Array) -> None:
    """Add to the sums `out` the tokens that pass themselves on, each times its weight."""
    weight = at.m.values.take(ids, Inner.OWN_FACTOR)
    own = np.flatnonzero((weight != 0) & ~at.m.hidden(at.op.side)[at.m.program.token[ids]])
    if len(own):
        out[own] += weight[own, None] * vectors_of(at.m, at.op.inputs[0], ids[own])


def _shared_factor(at: At[MoELayer], ids: Ints, place: Ints, read: Ints) -> Array:
    """Gate of the shared expert that each STORE comes from; every one must be there once."""
    m, op, p = at.m, at.op, at.m.program
    units = p.unit[m.job[read]]
    shared = np.zeros(len(read), dtype=np.int64)
    for unit in np.unique(units).tolist():
        mine = np.flatnonzero(units == unit)
        shared[mine] = shared_of(m, int(read[mine[0]]))
    count = np.zeros((len(ids), len(op.shared)), dtype=np.int64)
    np.add.at(count, (place, shared), 1)
    if np.any(count != 1):
        reader, which = (int(n) for n in np.argwhere(count != 1)[0])
        problem = f"reads {count[reader, which]} results of shared expert {which}, expected 1"
        raise wrong(p, int(ids[reader]), problem)
    if not op.gated_shared:
        return np.ones(len(read), dtype=np.float32)
    return m.values.take(ids, Inner.SHARED_GATES)[place, shared]


def _check_selection(
    at: At[MoELayer], ids: Ints, ran: Bools, picked: Bools, weights: Array
) -> None:
    """Every token's experts are those its router selects."""
    m, op = at.m, at.op
    differs = (ran & ~picked) | (picked & ~ran & (weights != 0))
    differs[m.hidden(op.side)[m.program.token[ids].astype(np.int64)]] = False
    odd = np.flatnonzero(differs.any(axis=1))
    if not len(odd):
        return
    row = int(ids[odd[0]])
    product = wrong_logits(at, row)
    if product >= 0:
        raise wrong(m.program, product, "gives its router wrong logits")
    if m.traced is not None:
        tokens = m.program.token[ids[odd]].astype(np.int64)
        m.traced.refuse_other(op.layer, tokens, ran[odd], picked[odd])
    found, wanted = (_names(np.flatnonzero(mask[odd[0]])) for mask in (ran, picked))
    problem = f"sums experts {found}, where the router of layer {op.layer} selects {wanted}"
    raise wrong(m.program, row, problem)


def _names(experts: npt.NDArray[Any]) -> str:
    return ", ".join(str(e) for e in experts.tolist()) or "none"

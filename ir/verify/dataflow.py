"""Invariants of the model's computation: every operator works on its own inputs, and no other."""

from typing import assert_never

import numpy as np

from ir.arrays import Bools, Ints
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, int64
from ir.verify.moves import Parts, Reads, moved_from, odd_read, parts_of
from ir.verify.operators import check_operators, results
from ir.verify.roles import Form, Role
from ir.verify.routing import top_k_rows
from ir.workload import Attention, Dense, Digital, MoELayer

SAMPLED = "sampled"  # every model input waits for the same choice


def check_inputs(case: ProgramCase) -> Fault | None:
    """Every operator reads the producers of its inputs for its tokens, and nothing else.

    What another region made for several tokens it reads by all of their MOVEs.
    """
    made, parts = results(case), parts_of(case)
    entry = (case.role == Role.RESULT) | (case.role == Role.GATE) | (case.role == Role.LOAD)
    expected = [_entry_reads(parts, made, i) for i in range(len(case.workload.operators))]
    expected.append(_load_reads(parts, made))
    routing = (case.role[case.reader] == Role.LOAD) & (case.role[case.read] == Role.TOPK)
    keep = entry[case.reader] & ~routing
    fault = odd_read(parts, keep, expected, ", expected its operator's inputs")
    if fault is not None:
        return fault
    top = top_k_rows(case)[case.program.node, case.visit]
    wrong = routing & (top[case.reader] != case.read)
    at = first(wrong)
    if at is not None:
        return Fault(case.program.name(int(case.reader[at])), "waits for another token's routing")
    return case.fault(_first_users(case) != case.program.node, "is not of the first that uses it")


def _first_users(case: ProgramCase) -> Ints:
    """Operator of each row; of a LOAD the first whose products use it, as several may."""
    out = int64(case.program.node)
    uses = case.role[case.reader] == Role.MVM0  # of a LOAD each: the check `mvm-input`
    load = case.read[uses]
    out[load] = len(case.form)
    np.minimum.at(out, load, case.program.node[case.reader[uses]])
    return out


def _entry_reads(parts: Parts, made: Ints, index: int) -> Reads:
    """What one digital, attention or GATE operator's instructions read."""
    case, out = parts.case, Reads(parts)
    op, visit = case.workload.operators[index], np.arange(len(case.visits))
    if case.form[index] == Form.DENSE:
        return out
    readers, inputs = made[index], op.inputs
    streamed = case.streams.of[index] >= 0
    if case.form[index] == Form.SEQUENCE:
        readers = np.where(streamed, readers, _of_passes(case, np.where(streamed, -1, readers)))
    if case.form[index] == Form.MOE:
        readers = _gates(case, index)
        scores = np.flatnonzero((case.role == Role.STORE) & case.of_router)
        scores = scores[case.program.node[scores] == index]
        out.add("", readers[case.visit[scores]], scores, case.visit[scores])
        inputs = case.moe[index].gate_inputs(on_crossbars=len(scores) > 0)
    for name in inputs:
        maker = case.maker.get(name)
        if name in case.workload.inputs and case.form[index] != Form.CONSTANT:
            out.add(SAMPLED, readers, _sampled_before(case), visit)
        fixed = maker is not None and case.form[maker] == Form.CONSTANT
        if maker is None or (case.form[index] == Form.CONSTANT and not fixed):
            continue  # a model input; or a constant that takes no more than a shape
        source = made[maker]
        if case.form[index] == Form.MOE and name == op.inputs[0]:
            source = np.where(case.visits.runs, source, _cached_inputs(case, index))
        out.add(name, readers, source, visit)
    match op:
        case Attention():
            _add_chain(out, made, index, op)
            kept = (case.role == Role.KEYS_RD) & (case.program.node == index)
            for row in np.flatnonzero(kept).tolist():
                mine = np.flatnonzero(case.visits.of_pass == case.of_pass[row])
                out.add("", readers[mine], np.full(len(mine), row), mine)
        case Dense() | Digital() | MoELayer():
            pass
        case _:
            assert_never(op)
    return out


def _add_chain(out: Reads, made: Ints, index: int, op: Attention) -> None:
    """What the jobs of a stream read beside their own tokens': see `streams`."""
    case = out.parts.case
    streams, visits = case.streams, case.visits
    jobs = np.flatnonzero(streams.mine & (case.program.node == index))
    if not len(jobs):
        return
    out.add("", jobs, streams.before[jobs], case.visit[jobs])
    chain = streams.chain[index]
    final = np.full(visits.passes, -1, dtype=np.int64)
    np.maximum.at(final, chain[case.visit[jobs]], case.visit[jobs])
    last = np.where(streams.of[index] >= 0, streams.of[index, final[chain]], -1)
    for name in op.kept:
        maker = case.maker.get(name)
        if maker is not None:
            out.add(name, last, made[maker], np.arange(len(visits)))
        else:  # a model input
            out.add(SAMPLED, last, _sampled_before(case), np.arange(len(visits)))


def _of_passes(case: ProgramCase, made: Ints) -> Ints:
    """A whole sequence's row for every visit of its pass, of whichever side: [visits].

    made: its row for each visit of its own side.
    """
    visits = case.visits
    out = np.full(visits.passes, -1, dtype=np.int64)
    np.maximum.at(out, visits.of_pass, made)
    return np.where(visits.runs, out[visits.of_pass], -1)


def _sampled_before(case: ProgramCase) -> Ints:
    """SAMPLE that each visit's model inputs wait for, of the step before: [visits], -1 = none."""
    before = case.visits.of_pass - len(case.visits.sequence_ids)
    out: Ints = np.where(before >= 0, samples(case)[np.maximum(before, 0)], -1)
    return out


def samples(case: ProgramCase) -> Ints:
    """SAMPLE of each pass, -1 = none: [passes]."""
    out = np.full(case.visits.passes, -1, dtype=np.int64)
    rows = np.flatnonzero(case.role == Role.SAMPLE)
    out[case.of_pass[rows]] = rows
    return out


def _cached_inputs(case: ProgramCase, index: int) -> Ints:
    """KV_RD of a MoE layer's earlier inputs for each visit that is scored and does not run."""
    visits, out = case.visits, np.full(len(case.visits), -1, dtype=np.int64)
    for row in np.flatnonzero((case.role == Role.INPUTS_RD) & (case.program.node == index)):
        out[(visits.of_pass == case.of_pass[row]) & ~visits.runs] = row
    return out


def _gates(case: ProgramCase, index: int) -> Ints:
    """GATE of each visit of a MoE operator: [visits], -1 = none."""
    out = np.full(len(case.visits), -1, dtype=np.int64)
    gates = np.flatnonzero((case.role == Role.GATE) & (case.program.node == index))
    out[case.visit[gates]] = gates
    return out


def _load_reads(parts: Parts, made: Ints) -> Reads:
    """What the LOADs read: the input of every product that uses them.

    A model input waits for the choice of its token.
    """
    case, out = parts.case, Reads(parts)
    p = case.program
    makers = np.full((2, len(p.nodes)), -1, dtype=np.int64)  # of an operator's matrices, a router's
    entered = np.zeros(makers.shape, dtype=np.bool_)
    for index, op in enumerate(case.workload.operators):
        if case.form[index] in (Form.DENSE, Form.MOE):
            names = op.inputs[0], case.moe[index].scored if index in case.moe else ""
            makers[:, index] = [case.maker.get(name, -1) for name in names]
            entered[:, index] = [name in case.workload.inputs for name in names]
    uses = case.role[case.reader] == Role.MVM0  # of a LOAD each: the check `mvm-input`
    load, mvm = case.read[uses], case.reader[uses]
    of_router = case.of_router[mvm].astype(np.int64)
    maker = makers[of_router, p.node[mvm]]
    source: Ints = np.where(maker >= 0, made[maker, case.visit[mvm]], -1)
    chosen = entered[of_router, p.node[mvm]]
    source[chosen] = _sampled_before(case)[case.visit[mvm[chosen]]]
    for index in case.moe:
        old = (p.node[mvm] == index) & ~case.visits.runs[case.visit[mvm]]
        source[old] = _cached_inputs(case, index)[case.visit[mvm[old]]]
    out.add("", load, source, case.visit[mvm])
    return out


def check_regions(case: ProgramCase) -> Fault | None:
    """A value used in another region was moved there over the mesh; constants are everywhere."""
    p = case.program
    fixed = case.row_form[case.read] == Form.CONSTANT
    elsewhere = (p.layer[case.reader] != p.layer[case.read]) & ~fixed
    move = case.role == Role.MOVE
    at = first(elsewhere & ~move[case.reader])
    if at is not None:
        name = p.name(int(case.read[at]))
        return Fault(p.name(int(case.reader[at])), f"reads {name}, which was not moved here")
    odd = move & (np.diff(p.reads.offsets) != 1)
    if fault := case.fault(odd, "moves more or less than one value"):
        return fault
    unit_layer = np.array([u.layer for u in p.units], dtype=np.int64)[p.unit]
    wrong = move[case.reader] & (unit_layer[case.reader] != p.layer[case.read])
    sampled = case.role[moved_from(case)[case.read]] == Role.SAMPLE  # `inputs` says for whom
    alone = (p.token[case.read] >= 0) & ~case.streams.mine[case.read]
    other = alone & (case.visit[case.read] != case.visit[case.reader])
    wrong |= move[case.reader] & other & ~sampled
    at = first(wrong)
    if at is not None:
        return Fault(p.name(int(case.reader[at])), "moves a value of another region or token")
    turn = case.step * len(p.nodes) + p.node  # in which operators are carried out
    wrong = move[case.reader] & (turn[case.reader] <= turn[case.read])
    wrong |= move[case.read] & (turn[case.reader] < turn[case.read])
    at = first(wrong)
    if at is not None:
        name = p.name(int(case.read[at]))
        return Fault(p.name(int(case.reader[at])), f"is of an operator before that of {name}")
    at = first(_of_another_token(case))
    if at is None:
        return None
    name = p.name(int(case.read[at]))
    return Fault(p.name(int(case.reader[at])), f"reads {name}, the vector of another token")


def _of_another_token(case: ProgramCase) -> Bools:
    """Entries of `reads` by which what is of one token takes another's part of a value of several.

    A sequence's result and a stream's job are of several; a MOVE takes the part of its own token.
    """
    p, visits, streams = case.program, case.visits, case.streams
    several = (p.token < 0) | streams.mine
    source = moved_from(case)[case.read]
    moved = (case.role[case.read] == Role.MOVE) & several[source]
    one = (p.token[case.reader] >= 0) & ~streams.mine[case.reader]
    wrong: Bools = moved & one & (case.visit[case.read] != case.visit[case.reader])
    moves = (case.role[case.reader] == Role.MOVE) & several[source]
    of_stream: Bools = streams.of[p.node[source], case.visit[case.reader]] == source
    of_pass: Bools = visits.of_pass[case.visit[case.reader]] == case.of_pass[source]
    job: Bools = streams.mine[source]
    found: Bools = wrong | (moves & ~(of_stream | (~job & of_pass)))
    return found


def check_combine(case: ProgramCase) -> Fault | None:
    """COMBINE reads its token's top-k and the STOREs of exactly its experts; TOPK reads GATEs.

    Where shared experts have gates, COMBINE reads its token's GATE too, and the token where that
    passes itself on. A digital expert reads its token and that token's top-k.
    """
    p, made, parts = case.program, results(case), parts_of(case)
    top, visit, out = top_k_rows(case), np.arange(len(case.visits)), Reads(parts)
    combine = np.full(top.shape, -1, dtype=np.int64)
    at = np.flatnonzero(case.role == Role.COMBINE)
    combine[p.node[at], case.visit[at]] = at
    last = (case.role == Role.ACT) & case.of_curved
    last |= (case.role == Role.STORE) & ~case.of_curved
    last |= case.role == Role.EXPERT
    stores = np.flatnonzero(last & ~case.of_router)  # of a dense product there is no COMBINE
    out.add("", combine[p.node[stores], case.visit[stores]], stores, case.visit[stores])
    for index, op in case.moe.items():
        gates = _gates(case, index)
        out.add("", combine[index], top[index], visit)
        if any(op.shared_gates):  # numbers for shared experts come with the scores
            out.add("", combine[index], gates, visit)
        out.add("", top[index], gates, visit)
        vectors = _vectors(case, made, index)
        out.add("", combine[index], np.where(case.passing[index], vectors, -1), visit)
        digital = np.flatnonzero((case.role == Role.EXPERT) & (p.node == index))
        for source in (top[index], vectors):
            out.add("", digital, source[case.visit[digital]], case.visit[digital])
    kept = np.flatnonzero(case.role == Role.SCORES_RD)
    out.add("", _top_of_pass(case)[p.node[kept], case.of_pass[kept]], kept, case.visit[kept])
    joins = np.isin(case.role, (Role.COMBINE, Role.TOPK, Role.EXPERT))
    return odd_read(parts, joins[case.reader], [out])


def _vectors(case: ProgramCase, made: Ints, index: int) -> Ints:
    """Who made the vector that each visit's experts read: [visits], -1 where nobody had to."""
    maker = case.maker.get(case.moe[index].inputs[0])
    return _sampled_before(case) if maker is None else np.asarray(made[maker])


def _top_of_pass(case: ProgramCase) -> Ints:
    """TOPK of each pass, where one is of all its tokens: [operators, passes], -1 = none."""
    p = case.program
    out = np.full((len(p.nodes), case.visits.passes), -1, dtype=np.int64)
    rows = np.flatnonzero(case.role == Role.TOPK)
    out[p.node[rows], case.of_pass[rows]] = rows
    return out


DATAFLOW_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("operators", "every operator is done for every token", check_operators),
    Check("inputs", "operators read the producers of their inputs", check_inputs),
    Check("moved", "values reach another region over the mesh", check_regions),
    Check("combine", "COMBINE reads exactly its token's experts", check_combine),
)

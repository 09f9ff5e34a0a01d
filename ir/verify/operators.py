"""Invariants of completeness: every operator is done, once for each token, sequence or in all."""

import numpy as np

from ir.arrays import Bools, Ints
from ir.verify.case import ProgramCase
from ir.verify.check import Fault, first, int64
from ir.verify.roles import Form, Role


def results(case: ProgramCase) -> Ints:
    """Row with each operator's result for each visit: int64 [operators, visits], -1 = none."""
    p, visits = case.program, case.visits
    out = np.full((len(p.nodes), len(visits)), -1, dtype=np.int64)
    result = case.role == Role.RESULT
    result |= (case.role == Role.STORE) & (case.row_form == Form.DENSE)
    result |= case.role == Role.COMBINE
    for row in np.flatnonzero(result & (p.token < 0)):
        of_all = case.row_form[row] == Form.CONSTANT
        mine = (visits.of_pass == case.of_pass[row]) & visits.runs & case.of_side[p.node[row]]
        out[p.node[row], of_all | mine] = row
    for row in np.flatnonzero(case.role == Role.OUTPUTS_RD):  # of the new token a COMBINE, below
        out[p.node[row], (visits.of_pass == case.of_pass[row]) & visits.runs] = row
    rows = np.flatnonzero(result & (case.visit >= 0) & ~case.streams.mine)
    out[p.node[rows], case.visit[rows]] = rows
    return np.where(case.streams.of >= 0, case.streams.of, out)


def check_operators(case: ProgramCase) -> Fault | None:
    """Every operator is done once: per token, per sequence or in all, as its form says."""
    p, operators = case.program, len(case.program.nodes)
    once = np.zeros(operators, dtype=np.bool_)
    for role, forms in (
        (Role.RESULT, (Form.TOKEN, Form.SEQUENCE, Form.CONSTANT)),
        (Role.MVM0, (Form.DENSE,)),
        (Role.STORE, (Form.DENSE,)),
        (Role.GATE, (Form.MOE,)),
        (Role.TOPK, (Form.MOE,)),
        (Role.COMBINE, (Form.MOE,)),
    ):
        mine = (case.role == role) & np.isin(case.row_form, forms)
        once = np.isin(case.form, forms)
        for per, mask, expected, place in (
            ("token", mine & (p.token >= 0), _per_visit(case, role), case.visit),
            ("sequence", mine & (p.token < 0), _per_pass(case), case.of_pass),
        ):
            size = expected.shape[1]
            rows = np.flatnonzero(mask & ~case.streams.mine)
            key = int64(p.node)[rows] * size + place[rows]
            count = np.bincount(key, minlength=operators * size).reshape(operators, size)
            whole = _per_sequence(case, role)
            wanted = once & (whole if per == "sequence" else ~whole)
            expected = expected & wanted[:, None]
            if per == "sequence":
                expected = expected & ~_streamed(case)
            at = first((count != expected).ravel())
            if at is not None:
                op, which = divmod(at, size)
                problem = (
                    f"{count[op, which]} {role.name} instructions for {_which(case, per, which)}"
                )
                name = case.workload.operators[op].name
                return Fault(f"operator {name}", f"{problem}, expected {int(expected[op, which])}")
    return _check_chains(case)


def _streamed(case: ProgramCase) -> Bools:
    """Passes of each operator that have jobs of a stream: [operators, passes]."""
    out = np.zeros((len(case.form), case.visits.passes), dtype=np.bool_)
    jobs = np.flatnonzero(case.streams.mine)
    out[case.program.node[jobs], case.of_pass[jobs]] = True
    return out


def _check_chains(case: ProgramCase) -> Fault | None:
    """The jobs of a streamed pass are for each of its tokens; each names the last it is for.

    Where keys and values stay in a region's buffer every pass is streamed.
    """
    p, streams, visits = case.program, case.streams, case.visits
    wanted = _streamed(case)[:, visits.of_pass] | case.kept_in_buffers[:, None]
    lost = wanted & visits.runs & case.of_side & (streams.of < 0)
    at = first(lost.ravel())
    if at is not None:
        op, visit = divmod(at, len(visits))
        name = case.workload.operators[op].name
        return Fault(f"operator {name}", f"no job is for token {visits.token[visit]}")
    jobs = np.flatnonzero(streams.mine)
    at = first(streams.of[p.node[jobs], case.visit[jobs]] != jobs)
    if at is None:
        return None
    return Fault(p.name(int(jobs[at])), "names a token that it is not for, or that another job is")


def _per_visit(case: ProgramCase, role: Role) -> Bools:
    """Visits that an instruction of this role is for, per operator: [operators, visits]."""
    visits = case.visits
    if role in (Role.GATE, Role.TOPK):
        return visits.scored & case.of_side
    if role == Role.COMBINE:
        return case.done_for & visits.scored
    return case.done_for


def _per_pass(case: ProgramCase) -> Bools:
    """Passes that a whole sequence's operator is done in; a constant in the first: [op, passes]."""
    out = np.ones((len(case.form), case.visits.passes), dtype=np.bool_)
    out[case.form == Form.CONSTANT, 1:] = False
    return out


def _which(case: ProgramCase, per: str, which: int) -> str:
    """A visit or a pass in words."""
    visits = case.visits
    if per == "token":
        where = f"token {visits.token[which]}"
        step = int(visits.step[which])
    else:
        step, place = divmod(which, len(visits.sequence_ids))
        where = f"sequence {visits.sequence_ids[place]}"
    return where if len(visits.numbers) == 1 else f"{where} in step {visits.numbers[step]}"


def _per_sequence(case: ProgramCase, role: Role) -> Bools:
    """Whether instructions of this role stand for whole sequences (or for all): [operators]."""
    if role == Role.RESULT:
        return np.isin(case.form, [Form.SEQUENCE, Form.CONSTANT])
    out = np.zeros(len(case.form), dtype=np.bool_)
    if role == Role.TOPK:
        out[[i for i, op in case.moe.items() if op.router.capacity is not None]] = True
    return out

"""Invariants of the model's computation: every operator done for every token, on its own inputs."""

import numpy as np

from ir.verify.case import ProgramCase, int64
from ir.verify.check import Bools, Check, Fault, Ints, first, first_difference
from ir.verify.roles import Form, Role
from ir.verify.routing import top_k_rows


def results(case: ProgramCase) -> Ints:
    """Row with each operator's result for each token: int64 [operators, tokens], -1 = none."""
    p = case.program
    out = np.full((len(p.nodes), case.tokens), -1, dtype=np.int64)
    result = case.role == Role.RESULT
    result |= (case.role == Role.STORE) & (case.row_form == Form.DENSE)
    result |= case.role == Role.COMBINE
    for row in np.flatnonzero(result & (p.token < 0)):
        of_all = case.row_form[row] == Form.CONSTANT
        out[p.node[row], of_all | (case.schedule.sequence == p.seq[row])] = row
    rows = np.flatnonzero(result & (p.token >= 0))
    out[p.node[rows], p.token[rows]] = rows
    return out


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
        for per, mask, size, place in (
            ("token", mine & (p.token >= 0), case.tokens, p.token),
            ("sequence", mine & (p.token < 0), len(case.sequence_ids), case.sequence_index),
        ):
            rows = np.flatnonzero(mask)
            key = int64(p.node)[rows] * size + place[rows]
            count = np.bincount(key, minlength=operators * size).reshape(operators, size)
            whole = _per_sequence(case, role)
            wanted = once[:, None] & (whole if per == "sequence" else ~whole)[:, None]
            expected = np.broadcast_to(wanted, count.shape).copy()
            if per == "sequence":
                constant = case.form == Form.CONSTANT
                count[constant, 0] = count[constant].sum(axis=1)
                count[constant, 1:], expected[constant, 1:] = 0, False
            at = first((count != expected).ravel())
            if at is not None:
                op, which = divmod(at, size)
                problem = f"{count[op, which]} {role.name} instructions for {per} {which}"
                name = case.workload.operators[op].name
                return Fault(f"operator {name}", f"{problem}, expected {int(expected[op, which])}")
    return None


def _per_sequence(case: ProgramCase, role: Role) -> Bools:
    """Whether instructions of this role stand for whole sequences (or for all): [operators]."""
    if role == Role.RESULT:
        return np.isin(case.form, [Form.SEQUENCE, Form.CONSTANT])
    out = np.zeros(len(case.form), dtype=np.bool_)
    if role == Role.TOPK:
        out[[i for i, op in case.moe.items() if op.router.capacity is not None]] = True
    return out


def moved_from(case: ProgramCase) -> Ints:
    """The row that made the value: for a MOVE the one it moves, through others, else itself."""
    source: Ints = np.arange(len(case.program))
    moves = np.flatnonzero((case.role == Role.MOVE) & (np.diff(case.program.reads.offsets) == 1))
    source[moves] = case.read[case.program.reads.offsets[moves]]
    for _ in range(len(case.workload.operators)):
        again = source[source]
        if np.array_equal(again, source):
            break
        source = again
    return source


def check_inputs(case: ProgramCase) -> Fault | None:
    """Every operator reads the producers of its inputs for its tokens, and nothing else."""
    made, rows = results(case), len(case.program)
    entry = (case.role == Role.RESULT) | (case.role == Role.GATE) | (case.role == Role.LOAD)
    expected = [_entry_edges(case, made, i) for i in range(len(case.workload.operators))]
    expected.append(_load_edges(case, made))
    routing = (case.role[case.reader] == Role.LOAD) & (case.role[case.read] == Role.TOPK)
    keep = entry[case.reader] & ~routing
    found = case.reader[keep] * rows + moved_from(case)[case.read[keep]]
    odd = first_difference(found, np.concatenate(expected))
    if odd is not None:
        (reader, source), missing = divmod(odd[0], rows), odd[1]
        problem = f"{'does not read' if missing else 'reads'} {case.program.name(source)}"
        return Fault(case.program.name(reader), f"{problem}, expected its operator's inputs")
    top = top_k_rows(case)[case.program.node, case.program.token]
    wrong = routing & (top[case.reader] != case.read)
    at = first(wrong)
    if at is not None:
        return Fault(case.program.name(int(case.reader[at])), "waits for another token's routing")
    return None


def _entry_edges(case: ProgramCase, made: Ints, index: int) -> Ints:
    """Keys reader * rows + source of one digital, attention or GATE operator's reads."""
    op, rows = case.workload.operators[index], len(case.program)
    if case.form[index] == Form.DENSE:
        return np.zeros(0, dtype=np.int64)
    readers, inputs = made[index], op.inputs
    keys = [np.zeros(0, dtype=np.int64)]
    if case.form[index] == Form.MOE:
        readers = _gates(case)[index]
        scores = np.flatnonzero((case.role == Role.STORE) & case.of_router)
        scores = scores[case.program.node[scores] == index]
        keys.append(readers[case.program.token[scores]] * rows + scores)
        if len(scores) and not any(case.moe[index].shared_gates):
            inputs = inputs[1:]  # it takes the product, not the vector
    for name in inputs:
        maker = case.maker.get(name)
        fixed = maker is not None and case.form[maker] == Form.CONSTANT
        if maker is None or (case.form[index] == Form.CONSTANT and not fixed):
            continue  # a model input; or a constant that takes no more than a shape
        both = (readers >= 0) & (made[maker] >= 0)
        keys.append(readers[both] * rows + made[maker][both])
    return np.concatenate(keys)


def _gates(case: ProgramCase) -> dict[int, Ints]:
    """GATE of each token, by MoE operator."""
    out = {index: np.full(case.tokens, -1, dtype=np.int64) for index in case.moe}
    for row in np.flatnonzero(case.role == Role.GATE):
        out[int(case.program.node[row])][case.program.token[row]] = row
    return out


def _load_edges(case: ProgramCase, made: Ints) -> Ints:
    """Keys of what the LOADs read: the input of every product that uses them."""
    p = case.program
    makers = np.full(len(p.nodes), -1, dtype=np.int64)
    for index, op in enumerate(case.workload.operators):
        if case.form[index] in (Form.DENSE, Form.MOE):
            makers[index] = case.maker.get(op.inputs[0], -1)
    uses = (case.role[case.read] == Role.LOAD) & (case.role[case.reader] == Role.MVM0)
    load, mvm = case.read[uses], case.reader[uses]
    maker = makers[p.node[mvm]]
    source: Ints = np.where(maker >= 0, made[maker, p.token[mvm]], -1)
    edges: Ints = load * len(p) + source
    return edges[source >= 0]


def check_regions(case: ProgramCase) -> Fault | None:
    """A value used in another region was moved there over the mesh; constants are everywhere."""
    p = case.program
    fixed = (case.role == Role.RESULT) & (case.row_form == Form.CONSTANT)
    elsewhere = (p.layer[case.reader] != p.layer[case.read]) & ~fixed[case.read]
    move = case.role == Role.MOVE
    at = first(elsewhere & ~move[case.reader])
    if at is not None:
        name = p.name(int(case.read[at]))
        return Fault(p.name(int(case.reader[at])), f"reads {name}, which was not moved here")
    fault = case.fault(move & (np.diff(p.reads.offsets) != 1), "moves more or less than one value")
    unit_layer = np.array([u.layer for u in p.units], dtype=np.int64)[p.unit]
    wrong = move[case.reader] & (unit_layer[case.reader] != p.layer[case.read])
    token = p.token[case.read]
    wrong |= move[case.reader] & (token >= 0) & (token != p.token[case.reader])
    at = first(wrong)
    if fault is not None or at is None:
        return fault
    return Fault(p.name(int(case.reader[at])), "moves a value of another region or token")


def check_combine(case: ProgramCase) -> Fault | None:
    """COMBINE reads its token's top-k and the STOREs of exactly its experts; TOPK reads GATEs.

    Where shared experts have gates, COMBINE reads its token's GATE too.
    """
    p, rows = case.program, len(case.program)
    moe, top = list(case.moe), top_k_rows(case)
    combine, gates = np.full(top.shape, -1, dtype=np.int64), _gates(case)
    at = np.flatnonzero(case.role == Role.COMBINE)
    combine[p.node[at], p.token[at]] = at
    experts = (case.role == Role.STORE) & (case.row_form == Form.MOE) & ~case.of_router
    stores = np.flatnonzero(experts)
    expected = [combine[p.node[stores], p.token[stores]] * rows + stores]
    for index in moe:
        expected.append(combine[index] * rows + top[index])
        if any(case.moe[index].shared_gates):  # numbers for shared experts come with the scores
            expected.append(combine[index] * rows + gates[index])
        expected.append(top[index] * rows + gates[index])
    joins = (case.role == Role.COMBINE) | (case.role == Role.TOPK)
    mine = joins[case.reader]
    found = case.reader[mine] * rows + case.read[mine]
    wanted = np.concatenate(expected)
    odd = first_difference(found, wanted[wanted >= 0])
    if odd is None:
        return None
    problem = f"{'does not read' if odd[1] else 'reads'} {p.name(odd[0] % rows)}"
    return Fault(p.name(odd[0] // rows), problem)


DATAFLOW_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("operators", "every operator is done for every token", check_operators),
    Check("inputs", "operators read the producers of their inputs", check_inputs),
    Check("moved", "values reach another region over the mesh", check_regions),
    Check("combine", "COMBINE reads exactly its token's experts", check_combine),
)

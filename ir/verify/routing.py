"""Invariants of routing: every chosen pair once, in its group, in the schedule's order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints
from ir.mapping import LayerGrouping
from ir.schedule import PairOrder
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, first_difference, first_repeat
from ir.verify.copies import copy_of
from ir.verify.roles import Role
from ir.verify.visits import check_steps
from ir.workload import MoELayer


@dataclass(frozen=True, eq=False)
class Turns:
    """One MoE layer's slot orders, step after step, in visits.

    visit, expert, replica, group, slot: [turns]; table: visits, [slots of all steps, groups];
    base: slots before each step, [steps]. The `slot` of an instruction counts from its own step's.
    """

    index: int
    op: MoELayer
    grouping: LayerGrouping
    visit: Ints
    expert: Ints
    group: Ints
    slot: Ints
    table: Ints
    base: Ints
    lockstep: Bools
    picked: Bools


def layers(case: ProgramCase) -> Iterator[Turns]:
    """The turns of every MoE layer; only after `check_schedule` has passed."""
    visits = case.visits
    for index, op in case.moe.items():
        grouping = _grouping(case, index)
        orders = [step.of(op.layer) for step in case.schedule.steps]
        slots = [order.order.slots for order in orders]
        base = np.cumsum([0, *slots])[:-1]
        columns = [
            (visits.table[at, o.token], o.expert, o.group, base[at] + o.slot)
            for at, o in enumerate(orders)
        ]
        visit, expert, group, slot = (np.concatenate(part) for part in zip(*columns, strict=True))
        tables = [
            np.where(o.order.table >= 0, visits.table[at, o.order.table], -1)
            for at, o in enumerate(orders)
        ]
        lockstep = np.array([o.order.lockstep for o in orders], dtype=np.bool_)
        yield Turns(
            index,
            op,
            grouping,
            visit,
            expert,
            group,
            slot,
            np.concatenate(tables),
            base,
            lockstep,
            grouping.on_crossbars(case.picked(op.layer)),
        )


def _grouping(case: ProgramCase, index: int) -> LayerGrouping:
    """The groups of the experts that MoE operator `index` works on."""
    layer = case.workload.operators[int(case.holder[index])].layer
    return case.mapping.grouping.of(layer)


def check_schedule(case: ProgramCase) -> Fault | None:
    """The slot orders are of this window and give each pair that runs one turn in its group."""
    fault = check_steps(case.visits)
    if fault is not None:
        return fault
    wanted = sorted(op.layer for op in case.moe.values())
    if sorted(case.chosen) != wanted:
        return Fault("routing", f"of layers {sorted(case.chosen)}, expected {wanted}")
    for step in case.schedule.steps:
        found = sorted(order.layer for order in step.layers)
        if found != wanted:
            return Fault("schedule", f"of layers {found}, expected {wanted}")
    for index, op in case.moe.items():
        shape = (case.schedule.tokens, op.router.experts)
        if case.chosen[op.layer].shape != shape:
            found_shape = case.chosen[op.layer].shape
            return Fault(f"routing of layer {op.layer}", f"{found_shape}, expected {shape}")
        if fault := _check_passed(case, op):
            return fault
        away = case.chosen[op.layer][case.visits.token].any(axis=1) & ~case.visits.of_side[op.side]
        if away.any():
            token = case.visits.token[first(away)]
            return Fault(f"routing of layer {op.layer}", f"of token {token}, which it has not")
        for at, step in enumerate(case.schedule.steps):
            fault = _check_order(case, index, at, step.of(op.layer))
            if fault is not None:
                return fault
    return None


def _check_passed(case: ProgramCase, op: MoELayer) -> Fault | None:
    """A layer that adds tokens themselves to their sums says of each token whether it does."""
    found = case.compiled.passed.get(op.layer)
    shape, wanted = None if found is None else found.shape, (case.schedule.tokens,)
    if not op.adds_tokens or shape == wanted:
        return None
    return Fault(f"tokens passed on by layer {op.layer}", f"{shape}, expected {wanted}")


def _check_order(case: ProgramCase, index: int, at: int, order: PairOrder) -> Fault | None:
    """The order of the layer of operator `index` in step `at`."""
    op, grouping, number = case.moe[index], _grouping(case, index), int(case.visits.numbers[at])
    name = f"slot order of layer {op.layer}" + f" in step {number}" * (number > 0)
    shape = (case.schedule.tokens, op.router.experts)
    columns = (order.token, order.expert, order.group, order.slot)
    limits = (*shape, len(grouping.groups), order.order.slots)
    for column, limit in zip(columns, limits, strict=True):
        if column.shape != order.token.shape or np.any((column < 0) | (column >= limit)):
            return Fault(name, f"a column of {column.shape} goes beyond 0 to {limit - 1}")
    picked = np.zeros(shape, dtype=np.bool_)
    mine = case.visits.step == at
    picked[case.visits.token[mine]] = case.picked(op.layer)[mine]
    placed = grouping.on_crossbars(picked)
    if not np.array_equal(order.digital, np.argwhere(picked & ~placed)):
        return Fault(name, "its digital pairs are not those of its digital experts")
    pair = order.token * shape[1] + order.expert
    odd = first_difference(pair, np.flatnonzero(placed))
    key = first_repeat(pair) if odd is None else odd[0]
    if key is not None:
        problem = "more than one turn" if odd is None else "a turn" if not odd[1] else "no turn"
        token, expert = divmod(key, shape[1])
        return Fault(name, f"token {token} expert {expert} has {problem}")
    held = grouping.copy_in()[order.expert, order.group]
    wrong = first(held < 0)
    if wrong is not None:
        return Fault(name, f"expert {order.expert[wrong]} runs in group {order.group[wrong]}")
    if not np.array_equal(order.replica, held):
        return Fault(name, "its replicas are not those of its groups")
    table = np.full((order.order.slots, len(grouping.groups)), -1, dtype=np.int64)
    table[order.slot, order.group] = order.token
    turns = int((table >= 0).sum())
    if turns != len(pair) or not np.array_equal(table, order.order.table):
        return Fault(name, "its turns are not those of its table")
    return None


def check_pairs(case: ProgramCase) -> Fault | None:
    """Every chosen token-expert pair runs once in each stage, and no other pair does.

    A digital expert has no stages: one instruction is all of it.
    """
    p = case.program
    rows = np.flatnonzero(case.routed)
    for turns in layers(case):
        op = turns.op
        here = rows[p.node[rows] == turns.index]
        pair = case.visit[here] * op.router.experts + p.expert[here]
        for stage in (0,) if op.single else (0, 1):
            found = pair[p.stage[here] == stage]
            odd = first_difference(found, np.flatnonzero(turns.picked))
            key = first_repeat(found) if odd is None else odd[0]
            if key is None:
                continue
            visit, expert = divmod(key, op.router.experts)
            problem = "runs twice" if odd is None else "never runs" if odd[1] else "was not chosen"
            culprit = f"layer {op.layer} {token_of(case, visit)} expert {expert}"
            return Fault(culprit, f"{problem} (stage {stage})")
    return _check_digital_pairs(case)


def _check_digital_pairs(case: ProgramCase) -> Fault | None:
    p = case.program
    for index, op in case.moe.items():
        here = np.flatnonzero((case.role == Role.EXPERT) & (p.node == index))
        found = case.visit[here] * op.router.experts + p.expert[here]
        picked = case.picked(op.layer)
        wanted = np.flatnonzero(picked & ~_grouping(case, index).on_crossbars(picked))
        odd = first_difference(found, wanted)
        key = first_repeat(found) if odd is None else odd[0]
        if key is not None:
            visit, expert = divmod(key, op.router.experts)
            problem = (
                "runs twice" if odd is None else "never runs" if odd[1] else "has no such part"
            )
            culprit = f"layer {op.layer} {token_of(case, visit)} digital expert {expert}"
            return Fault(culprit, problem)
    return None


def check_expert_group(case: ProgramCase) -> Fault | None:
    """Both stages of a pair run on the PGs of the group, and the replica in it, of its turn.

    What is no routed expert's names the copy that it runs on, where there are several.
    """
    p = case.program
    group = np.array([u.group for u in p.units], dtype=np.int64)[p.unit]
    wrong, copy = np.zeros(len(p), dtype=np.bool_), np.full(len(p), -1, dtype=np.int64)
    rows = np.flatnonzero(case.routed)
    for turns in layers(case):
        here = rows[p.node[rows] == turns.index]
        meant = _of_turn(case, turns, turns.group, here)
        wrong[here] = meant != group[here]
        copy[here] = turns.grouping.copy_in()[p.expert[here], meant]
    wrong |= case.routed & ~case.unit_routed[p.unit]
    fault = case.fault(wrong, "runs on another group than its turn's, which holds its expert")
    alone = np.where(case.root >= 0, copy_of(case)[p.unit[case.root]], -1)
    copy = np.where(p.expert >= 0, copy[case.root], alone)
    return fault or case.fault(p.replica != copy, "is of another replica than its turn's")


def check_slot_order(case: ProgramCase) -> Fault | None:
    """Within a group, a layer's first-stage MVMs of a step start in the order of their slots.

    Layers that share the group each have slots of their own. A sequence may go on to its next
    step while another is in the step before.
    """
    p = case.program
    rows = np.flatnonzero(case.routed)
    slot, before = np.full(len(p), -1, dtype=np.int64), np.zeros(len(p), dtype=np.int64)
    for turns in layers(case):
        here = rows[p.node[rows] == turns.index]
        slot[here] = _of_turn(case, turns, turns.slot, here)
        before[here] = turns.base[case.step[here]]
    wrong = case.routed & (p.slot != slot - before)
    if fault := case.fault(wrong, "carries another slot than its turn's"):
        return fault
    rows = rows[case.role[rows] == Role.MVM0]
    rows = rows[np.lexsort((p.start_ps[rows], case.step[rows], p.node[rows], p.unit[rows]))]
    one, other = rows[:-1], rows[1:]
    together = (p.unit[one] == p.unit[other]) & (p.node[one] == p.node[other])
    together &= case.step[one] == case.step[other]
    at = first(together & (slot[other] <= slot[one]))
    if at is None:
        return None
    earlier = f"{p.name(int(one[at]))} of slot {p.slot[one[at]]}"
    return Fault(p.name(int(other[at])), f"of slot {p.slot[other[at]]} starts after {earlier}")


def check_lockstep(case: ProgramCase) -> Fault | None:
    """In a lockstep layer a slot starts when the first stages of all before it have ended.

    Slots are numbered step by step: a sequence may go on while another is in the step before.
    Layers on the same experts are all in lockstep or none, each with slots of its own.
    """
    p = case.program
    serial, free = set[int](), set[int]()
    for turns in layers(case):
        (serial if turns.lockstep.any() else free).add(int(case.region[turns.index]))
    if set(p.lockstep) != serial or serial & free:
        return Fault("lockstep", f"layers {sorted(p.lockstep)}, expected {sorted(serial - free)}")
    rows = np.flatnonzero(case.routed & (case.role == Role.MVM0))
    for turns in layers(case):
        here = rows[p.node[rows] == turns.index]
        here = here[turns.lockstep[case.step[here]]]
        for step in np.unique(case.step[here]).tolist():
            mine = here[case.step[here] == step]
            slots, place = np.unique(p.slot[mine], return_inverse=True)
            ended = np.zeros(len(slots) + 1, dtype=np.int64)
            np.maximum.at(ended, place + 1, case.end[mine])
            ended = np.maximum.accumulate(ended)
            at = first(p.start_ps[mine] < ended[place])
            if at is not None:
                slot, when = slots[place[at]], ended[place[at]]
                problem = f"starts before slot {slot} may, which is at {when} ps"
                return Fault(p.name(int(mine[at])), problem)
    return None


def check_router_first(case: ProgramCase) -> Fault | None:
    """Where the chip waits for its router, an expert starts after its token's top-k."""
    if not case.chip.digital.experts_wait_for_router:
        return None
    routed = case.routed & (case.role == Role.MVM0)
    row = top_k_rows(case)[case.program.node, case.visit]
    early = (row >= 0) & (case.program.start_ps < case.end[row])
    return case.fault(routed & early, "starts before its token is routed")


def top_k_rows(case: ProgramCase) -> Ints:
    """TOPK of each visit: int64 [operators, visits], -1 where there is none."""
    p, visits = case.program, case.visits
    out = np.full((len(p.nodes), len(visits)), -1, dtype=np.int64)
    for row in np.flatnonzero((case.role == Role.TOPK) & (p.token < 0)):
        out[p.node[row], (visits.of_pass == case.of_pass[row]) & visits.scored] = row
    rows = np.flatnonzero((case.role == Role.TOPK) & (case.visit >= 0))
    out[p.node[rows], case.visit[rows]] = rows
    return out


def _of_turn(case: ProgramCase, turns: Turns, values: Ints, rows: Ints) -> Ints:
    """`values` [turns] of the turn that each of `rows` belongs to, -1 where there is none."""
    turn = np.full((len(case.visits), turns.op.router.experts), -1, dtype=np.int64)
    turn[turns.visit, turns.expert] = values
    return turn[case.visit[rows], case.program.expert[rows]]


def token_of(case: ProgramCase, visit: int) -> str:
    """A visit in words."""
    step = int(case.visits.numbers[case.visits.step[visit]])
    return f"token {case.visits.token[visit]}" + f" in step {step}" * (step > 0)


ROUTING_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("schedule", "slot orders give each chosen pair one turn", check_schedule, gate=True),
    Check("pairs-once", "every chosen pair runs once per stage", check_pairs),
    Check("expert-group", "experts run on the group and replica of their turn", check_expert_group),
    Check("slot-order", "groups run their turns in slot order", check_slot_order),
    Check("lockstep", "lockstep slots wait for each other", check_lockstep),
    Check("router-first", "experts wait for their router", check_router_first),
)

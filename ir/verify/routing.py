"""Invariants of routing: every chosen pair once, in its group, in the schedule's order."""

from collections.abc import Iterator

import numpy as np

from ir.mapping import LayerGrouping
from ir.schedule import PairOrder
from ir.verify.case import ProgramCase, int64
from ir.verify.check import Bools, Check, Fault, Ints, first, first_difference, first_repeat
from ir.verify.roles import Role
from ir.workload import MoELayer


def layers(case: ProgramCase) -> Iterator[tuple[int, MoELayer, LayerGrouping, PairOrder, Bools]]:
    """(operator, layer, grouping, order, chosen) of every MoE layer."""
    for index, op in case.moe.items():
        yield (
            index, op, case.mapping.grouping.of(op.layer), case.schedule.of(op.layer),
            case.chosen[op.layer],
        )  # fmt: skip


def check_schedule(case: ProgramCase) -> Fault | None:
    """The slot orders are of this window, and give each chosen pair one turn in its own group."""
    wanted = sorted(op.layer for op in case.moe.values())
    for name, found in (
        ("schedule", sorted(order.layer for order in case.schedule.layers)),
        ("routing", sorted(case.chosen)),
    ):
        if found != wanted:
            return Fault(name, f"of layers {found}, expected {wanted}")
    for _, op, grouping, order, chosen in layers(case):
        name = f"slot order of layer {op.layer}"
        shape = (case.tokens, op.router.experts)
        if (len(chosen), chosen.size) != (shape[0], shape[0] * shape[1]):
            return Fault(f"routing of layer {op.layer}", f"{len(chosen)} tokens, expected {shape}")
        columns = (order.token, order.expert, order.group, order.slot)
        limits = (*shape, len(grouping.groups), order.order.slots)
        for column, limit in zip(columns, limits, strict=True):
            if column.shape != order.token.shape or np.any((column < 0) | (column >= limit)):
                return Fault(name, f"a column of {column.shape} goes beyond 0 to {limit - 1}")
        pair = order.token * shape[1] + order.expert
        odd = first_difference(pair, np.flatnonzero(chosen))
        key = first_repeat(pair) if odd is None else odd[0]
        if key is not None:
            problem = "more than one turn" if odd is None else "a turn" if not odd[1] else "no turn"
            token, expert = divmod(key, shape[1])
            return Fault(name, f"token {token} expert {expert} has {problem}")
        held = grouping.copy_in()[order.expert, order.group]
        at = first(held < 0)
        if at is not None:
            return Fault(name, f"expert {order.expert[at]} runs in group {order.group[at]}")
        if not np.array_equal(order.replica, held):
            return Fault(name, "its replicas are not those of its groups")
        table = np.full((order.order.slots, len(grouping.groups)), -1, dtype=np.int64)
        table[order.slot, order.group] = order.token
        turns = int((table >= 0).sum())
        if turns != len(pair) or not np.array_equal(table, order.order.table):
            return Fault(name, "its turns are not those of its table")
    return None


def check_pairs(case: ProgramCase) -> Fault | None:
    """Every chosen token-expert pair runs once in each stage, and no other pair does."""
    p = case.program
    rows = np.flatnonzero(case.routed)
    for index, op, _, _, chosen in layers(case):
        here = rows[p.node[rows] == index]
        pair = int64(p.token)[here] * op.router.experts + p.expert[here]
        for stage in (0, 1):
            found = pair[p.stage[here] == stage]
            odd = first_difference(found, np.flatnonzero(chosen))
            key = first_repeat(found) if odd is None else odd[0]
            if key is None:
                continue
            token, expert = divmod(key, op.router.experts)
            problem = "runs twice" if odd is None else "never runs" if odd[1] else "was not chosen"
            culprit = f"layer {op.layer} token {token} expert {expert}"
            return Fault(culprit, f"{problem} (stage {stage})")
    return None


def check_expert_group(case: ProgramCase) -> Fault | None:
    """Both stages of a pair run on the PGs of the group, and the replica in it, of its turn."""
    p = case.program
    group = np.array([u.group for u in p.units], dtype=np.int64)[p.unit]
    wrong, copy = np.zeros(len(p), dtype=np.bool_), np.full(len(p), -1, dtype=np.int64)
    rows = np.flatnonzero(case.routed)
    for index, op, grouping, order, _ in layers(case):
        here = rows[p.node[rows] == index]
        turn = np.full((case.tokens, op.router.experts), -1, dtype=np.int64)
        turn[order.token, order.expert] = order.group
        meant = turn[p.token[here], p.expert[here]]
        wrong[here] = meant != group[here]
        copy[here] = grouping.copy_in()[p.expert[here], meant]
    wrong |= case.routed & ~case.unit_routed[p.unit]
    fault = case.fault(wrong, "runs on another group than its turn's, which holds its expert")
    copy = np.where(p.expert >= 0, copy[case.root], -1)
    return fault or case.fault(p.replica != copy, "is of another replica than its turn's")


def check_slot_order(case: ProgramCase) -> Fault | None:
    """Within a group, first-stage MVMs start in the order of their slots."""
    p = case.program
    rows = np.flatnonzero(case.routed)
    slot = np.full(len(p), -1, dtype=np.int64)
    for index, op, _, order, _ in layers(case):
        here = rows[p.node[rows] == index]
        turn = np.full((case.tokens, op.router.experts), -1, dtype=np.int64)
        turn[order.token, order.expert] = order.slot
        slot[here] = turn[p.token[here], p.expert[here]]
    fault = case.fault(case.routed & (p.slot != slot), "carries another slot than its turn's")
    rows = rows[case.role[rows] == Role.MVM0]
    rows = rows[np.lexsort((p.start_ps[rows], p.unit[rows]))]
    one, other = rows[:-1], rows[1:]
    at = first((p.unit[one] == p.unit[other]) & (slot[other] <= slot[one]))
    if fault is not None or at is None:
        return fault
    before = f"{p.name(int(one[at]))} of slot {slot[one[at]]}"
    return Fault(p.name(int(other[at])), f"of slot {slot[other[at]]} starts after {before}")


def check_lockstep(case: ProgramCase) -> Fault | None:
    """In a lockstep layer a slot starts when the first stages of all slots before have ended."""
    p = case.program
    serial = {op.layer for _, op, _, order, _ in layers(case) if order.order.lockstep}
    if set(p.lockstep) != serial:
        return Fault("lockstep", f"layers {sorted(p.lockstep)}, expected {sorted(serial)}")
    rows = np.flatnonzero(case.routed & (case.role == Role.MVM0))
    for index, _, _, order, _ in layers(case):
        here = rows[p.node[rows] == index]
        slot = p.slot[here]
        if not order.order.lockstep or not len(here) or slot.min() < 0:
            continue
        ended = np.zeros(int(slot.max()) + 2, dtype=np.int64)
        np.maximum.at(ended, slot + 1, case.end[here])
        ended = np.maximum.accumulate(ended)
        at = first(p.start_ps[here] < ended[slot])
        if at is not None:
            problem = f"starts before slot {slot[at] - 1} has ended at {ended[slot[at]]} ps"
            return Fault(p.name(int(here[at])), problem)
    return None


def check_router_first(case: ProgramCase) -> Fault | None:
    """Where the chip waits for its router, an expert starts after its token's top-k."""
    if not case.chip.digital.experts_wait_for_router:
        return None
    routed = case.routed & (case.role == Role.MVM0)
    known = np.full((len(case.program.nodes), case.tokens), -1, dtype=np.int64)
    row = top_k_rows(case)
    known[row >= 0] = case.end[row[row >= 0]]
    wait = known[case.program.node, case.program.token]
    return case.fault(routed & (case.program.start_ps < wait), "starts before its token is routed")


def top_k_rows(case: ProgramCase) -> Ints:
    """TOPK of each token: int64 [operators, tokens], -1 where there is none."""
    p = case.program
    out = np.full((len(p.nodes), case.tokens), -1, dtype=np.int64)
    for row in np.flatnonzero((case.role == Role.TOPK) & (p.token < 0)):
        out[p.node[row], case.schedule.sequence == p.seq[row]] = row
    rows = np.flatnonzero((case.role == Role.TOPK) & (p.token >= 0))
    out[p.node[rows], p.token[rows]] = rows
    return out


def check_transfers(case: ProgramCase) -> Fault | None:
    """Every transfer of the slot table is one LOAD, in its slot, to the groups that need it.

    A group that ran the token in the slot before needs none where chip.pg.retain_input.
    """
    p = case.program
    rows = np.flatnonzero(case.role == Role.LOAD)
    group = np.array([u.group for u in p.units], dtype=np.int64)
    routed = case.unit_routed[p.dst.values] & (case.role[p.dst.rows()] == Role.LOAD)
    to, into = p.dst.rows()[routed], p.dst.values[routed]
    for index, op, grouping, order, _ in layers(case):
        table, groups = order.order.table, len(grouping.groups)
        needs = table >= 0
        if case.chip.pg.retain_input:
            needs[1:] &= table[1:] != table[:-1]
        slot, place = np.nonzero(needs)
        expected = (slot * case.tokens + table[slot, place]) * groups + place
        here = p.node[to] == index
        row = to[here]
        found = (int64(p.slot)[row] * case.tokens + p.token[row]) * groups
        found += group[into[here]]
        odd = first_difference(found, expected)
        if odd is not None:
            transfer, column = divmod(odd[0], groups)
            problem = "is not loaded" if odd[1] else "is loaded without need"
            slot_of, token = divmod(transfer, case.tokens)
            culprit = f"layer {op.layer} slot {slot_of} token {token}"
            return Fault(culprit, f"{problem} (group {column})")
        count = len(np.unique(expected // groups))
        loads = rows[(p.node[rows] == index) & (p.slot[rows] >= 0)]
        if len(loads) != count:
            return Fault(f"layer {op.layer}", f"{len(loads)} transfers, expected {count}")
    return None


ROUTING_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("schedule", "slot orders give each chosen pair one turn", check_schedule, gate=True),
    Check("pairs-once", "every chosen pair runs once per stage", check_pairs),
    Check("expert-group", "experts run on the group and replica of their turn", check_expert_group),
    Check("slot-order", "groups run their turns in slot order", check_slot_order),
    Check("lockstep", "lockstep slots wait for each other", check_lockstep),
    Check("router-first", "experts wait for their router", check_router_first),
    Check("transfers", "LOADs are the transfers of the slot table", check_transfers),
)

"""Invariants of transfers: what goes over the buses is what the slot tables ask for."""

import numpy as np

from ir.arrays import Ints
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first_difference, int64
from ir.verify.roles import Role
from ir.verify.routing import Turns, layers, token_of


def check_transfers(case: ProgramCase) -> Fault | None:
    """Every transfer of the slot table is one LOAD, in its slot, to the groups that need it.

    On each die that has any of these groups.
    A group that ran the token in the slot before needs none where chip.pg.retain_input.
    """
    p, visits = case.program, len(case.visits)
    rows = np.flatnonzero(case.role == Role.LOAD)
    group = np.array([u.group for u in p.units], dtype=np.int64)
    routed = case.unit_routed[p.dst.values] & (case.role[p.dst.rows()] == Role.LOAD)
    to, into = p.dst.rows()[routed], p.dst.values[routed]
    for turns in layers(case):
        table, groups = turns.table, len(turns.grouping.groups)
        needs = table >= 0
        if case.chip.pg.retain_input:
            needs[1:] &= table[1:] != table[:-1]
        slot, place = np.nonzero(needs)
        expected = (slot * visits + table[slot, place]) * groups + place
        here = p.node[to] == turns.index
        row = to[here]
        at = int64(p.slot)[row] + turns.base[case.step[row]]
        found = (at * visits + case.visit[row]) * groups + group[into[here]]
        odd = first_difference(found, expected)
        if odd is not None:
            transfer, column = divmod(odd[0], groups)
            problem = "is not loaded" if odd[1] else "is loaded without need"
            slot_of, visit = divmod(transfer, visits)
            slot_of -= turns.base[case.visits.step[visit]]
            culprit = f"layer {turns.op.layer} slot {slot_of} {token_of(case, visit)}"
            return Fault(culprit, f"{problem} (group {column})")
        die = _die_of_groups(case, turns)
        count = len(np.unique(expected // groups * (int(die.max()) + 1) + die[place]))
        loads = rows[(p.node[rows] == turns.index) & (p.slot[rows] >= 0)]
        if len(loads) != count:
            return Fault(f"layer {turns.op.layer}", f"{len(loads)} transfers, expected {count}")
    return None


def _die_of_groups(case: ProgramCase, turns: Turns) -> Ints:
    """The die of each group's first stage: [groups]."""
    out = np.zeros(len(turns.grouping.groups), dtype=np.int64)
    for g in case.fire_groups:
        if (g.layer, g.stage) == (turns.grouping.layer, 0) and g.group >= 0:
            out[g.group] = case.mapping.placement.die_of(g.first_pg)
    return out


TRANSFER_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("transfers", "LOADs are the transfers of the slot table", check_transfers),
)

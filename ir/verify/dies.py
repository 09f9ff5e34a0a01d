"""Invariants of dies: what is read is on the reader's die, and links carry what has to cross."""

import numpy as np

from ir.arrays import Ints
from ir.crossings import brought, die_of, is_crossing
from ir.links import routing_values
from ir.timing import SAMPLE_VALUES
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, int64
from ir.verify.moves import moved_from
from ir.verify.roles import KIND, Form, Role


def check_links(case: ProgramCase) -> Fault | None:
    """One unit for each link of the topology and each direction; units are on the mapping's dies.

    That regions' units are on their dies is said by the check `units`.
    """
    links = [unit for unit in case.program.units if unit.kind == "d2d"]
    found = sorted((unit.die, unit.to) for unit in links)
    wanted = list(case.mapping.placement.topology.links)
    if found != wanted:
        return Fault("d2d units", f"links {found}, expected {wanted}")
    fires: list[int] = case.unit_fire.tolist()
    for unit, fire in zip(case.program.units, fires, strict=True):
        if fire < 0:
            continue
        die = case.mapping.placement.die_of(case.fire_groups[fire].first_pg)
        if unit.die != die:
            return Fault(unit.name, f"on die {unit.die}, expected {die}, where its PGs are")
    return None


def check_places(case: ProgramCase) -> Fault | None:
    """What an instruction reads is on its own die; constants and memory are everywhere."""
    p = case.whole
    here = np.array([unit.die for unit in p.units], dtype=np.int64)[p.unit]
    of_memory = case.kind == KIND["dram"]
    reader, read = p.reads.rows(), p.reads.values
    place = die_of(p)
    fixed = (case.role == Role.RESULT) & (case.row_form == Form.CONSTANT)
    free = of_memory[reader] | of_memory[read] | fixed[read]
    at = first(~free & (place[read] != here[reader]))
    if at is not None:
        one, other = int(reader[at]), int(read[at])
        problem = f"on die {here[one]} reads {p.name(other)}, which is on die {place[other]}"
        return Fault(p.name(one), problem)
    die = np.array([unit.die for unit in p.units], dtype=np.int64)
    rows, to = p.dst.rows(), p.dst.values
    at = first(die[to] != here[rows])
    if at is None:
        return None
    name = p.units[int(to[at])].name
    return Fault(p.name(int(rows[at])), f"on die {here[rows[at]]} goes to {name} on {die[to[at]]}")


def check_crossings(case: ProgramCase) -> Fault | None:
    """A CROSS brings one token's value, over each link once, and somebody uses it."""
    p = case.whole
    crossing = is_crossing(p)
    if not np.any(crossing):
        return None
    fault = case.fault(
        crossing & (np.diff(p.reads.offsets) != 1), "brings more or less than one value"
    )
    source = brought(p)
    fault = fault or case.fault(crossing[source], "brings what no instruction makes")
    if fault is not None:
        return fault
    rows = np.flatnonzero(crossing)
    alone = (p.token[source] >= 0) & ~case.streams.mine[source]
    sampled = case.role[source] == Role.SAMPLE
    sampled |= (case.role[source] == Role.MOVE) & (p.layer[source] != p.layer)
    differs = alone & ~sampled & (p.token != p.token[source])
    fault = case.fault(differs, "brings the value of another token")
    used = np.zeros(len(p), dtype=np.bool_)
    used[p.reads.values] = True
    outputs = set(case.workload.outputs)
    given = [not outputs.isdisjoint(op.outputs) for op in case.workload.operators]
    used |= np.array(given, dtype=np.bool_)[p.node[source]]
    fault = fault or case.fault(crossing & ~used, "brings a value that nothing there reads")
    named = int64(p.node) == p.node[source]
    reader, read = p.reads.rows(), p.reads.values
    np.logical_or.at(named, read, p.node[reader] == p.node[read])
    problem = "is of an operator that neither makes nor reads what it brings"
    fault = fault or case.fault(~named, problem)
    if fault is not None:
        return fault
    key = np.stack([source[rows], int64(p.layer)[rows], p.token[rows], int64(p.unit)[rows]], axis=1)
    _, first_at, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
    again = first(first_at[which.ravel()] != np.arange(len(rows)))
    if again is None:
        return None
    other = p.name(int(rows[first_at[which.ravel()[again]]]))
    return Fault(p.name(int(rows[again])), f"brings once more what {other} brings")


def values_across(case: ProgramCase) -> Ints:
    """Numbers in the vector that each CROSS brings, 0 of other rows: int64 [rows]."""
    p = case.whole
    source = brought(p)
    rows = np.flatnonzero(is_crossing(p))
    out = np.zeros(len(p), dtype=np.int64)
    width = np.array([op.width for op in case.workload.operators], dtype=np.int64)
    routing = np.zeros(len(width), dtype=np.int64)
    inputs = width.copy()
    for index, op in case.moe.items():
        routing[index], inputs[index] = routing_values(op, case.chip), op.d_model
    made = source[rows]
    through = moved_from(case)[made]  # a MOVE brings what another region's operator made
    role, node = case.role[through], p.node[through]
    of_job = case.job_class[through]
    hidden = np.array([*(c.hidden for c in case.jobs.classes), 0], dtype=np.int64)[of_job]
    results = np.array([*(c.results for c in case.jobs.classes), 0], dtype=np.int64)[of_job]
    values = width[node]
    values = np.where(np.isin(role, (Role.ACT, Role.MUL)), hidden, values)
    values = np.where(role == Role.STORE, results, values)
    values = np.where(role == Role.TOPK, routing[node], values)
    values = np.where(role == Role.INPUTS_RD, inputs[node], values)
    out[rows] = np.where(role == Role.SAMPLE, SAMPLE_VALUES, values)
    return out


LINK_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("links", "units are on the dies of the mapping, links its own", check_links, gate=True),
    Check("on-die", "what is read is on the reader's die", check_places),
    Check("crossings", "links carry one value each, once, to somebody", check_crossings),
)

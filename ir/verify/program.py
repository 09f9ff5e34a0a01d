"""Invariants of the program's columns: numbers in range, units legal, values in order."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ir.links import bus_width, return_lanes, sent_width
from ir.program import Opcode
from ir.units import attention_units, digital_units, operators_of, operators_with
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, first_repeat
from ir.verify.roles import (
    CHAIN,
    KIND,
    READS_OF_CACHES,
    WRITES_OF_CACHES,
    Form,
    Role,
    without_place,
)
from ir.verify.sites import sites_of
from ir.verify.visits import check_shapes

Column = npt.NDArray[np.integer[Any]]
Pool = tuple[str, int, int]  # kind, layer, die

# Kinds of unit that may run each opcode; ACC depends on the chip.
LEGAL: dict[Opcode, tuple[str, ...]] = {
    Opcode.EMBED: ("dpu",),
    Opcode.LOAD: ("bus",),
    Opcode.MVM: ("group",),
    Opcode.ACC: ("acc", "dpu"),
    Opcode.ACT: ("dpu",),
    Opcode.MUL: ("dpu",),
    Opcode.ADD: ("dpu",),
    Opcode.NORM: ("dpu",),
    Opcode.GATE: ("dpu",),
    Opcode.TOPK: ("dpu",),
    Opcode.ATTN: ("mha",),
    Opcode.COMBINE: ("dpu",),
    Opcode.STORE: ("return",),
    Opcode.XFER: ("link", "mesh"),
    Opcode.KV_RD: ("dram",),
    Opcode.KV_WR: ("dram",),
    Opcode.GO_RD: ("dram",),
    Opcode.GO_WR: ("dram",),
    Opcode.SAMPLE: ("dpu",),
    Opcode.DIGITAL: ("dpu",),
    Opcode.CROSS: ("d2d",),
}


def check_columns(case: ProgramCase) -> Fault | None:
    """Every number points into its table; list columns are well formed; times are not negative."""
    p, rows = case.whole, len(case.whole)
    if fault := check_shapes(case.schedule):
        return fault
    if p.nodes != tuple(op.nodes for op in case.workload.operators):
        return Fault("nodes", "not the node names of the workload's operators in order")
    for name, lists, size in (("reads", p.reads, rows), ("dst", p.dst, len(p.units))):
        grows = lists.offsets[0] == 0 and lists.offsets[-1] == len(lists.values)
        if not grows or np.any(np.diff(lists.offsets) < 0):
            return Fault(f"column {name}", "offsets do not rise from 0 to the number of values")
        at = first((lists.values < 0) | (lists.values >= size))
        if at is not None:
            row = int(np.searchsorted(lists.offsets, at, side="right")) - 1
            return Fault(f"#{row} {name}", f"{lists.values[at]}, expected 0 to {size - 1}")
    limits: dict[str, tuple[Column, int, int | None]] = {
        "opcode": (p.opcode, 0, max(Opcode)),
        "token": (p.token, -1, case.schedule.tokens - 1),
        "stage": (p.stage, -1, 1),
        "unit": (p.unit, 0, len(p.units) - 1),
        "src": (p.src, -1, len(p.units) - 1),
        "node": (p.node, 0, len(p.nodes) - 1),
        "buffer": (p.buffer, -1, len(p.buffers) - 1),
        "start_ps": (p.start_ps, 0, None),
        "busy_ps": (p.busy_ps, 0, None),
        "duration_ps": (p.duration_ps, 0, None),
    }
    for name, (column, low, high) in limits.items():
        at = first((column < low) | (column > (np.inf if high is None else high)))
        if at is not None:
            expected = f"at least {low}" if high is None else f"{low} to {high}"
            return Fault(f"#{at} {name}", f"{column[at]}, expected {expected}")
    return None


def check_labels(case: ProgramCase) -> Fault | None:
    """Layer, sequence, token and expert fit the operator; the opcode has a place in it."""
    p = case.program
    fault = case.fault(case.role == Role.NONE, "has no place in its operator")
    fault = fault or case.fault(p.layer != case.region[p.node], "not in the layer of its operator")
    whole = (case.role == Role.RESULT) & (case.row_form == Form.SEQUENCE) & ~case.streams.mine
    choice = [i for i, op in case.moe.items() if op.router.capacity is not None]
    whole |= (case.role == Role.TOPK) & np.isin(p.node, choice)
    whole |= np.isin(case.role, READS_OF_CACHES + WRITES_OF_CACHES)
    constant = case.row_form == Form.CONSTANT
    wrong = (p.token < 0) != (whole | constant)
    fault = fault or case.fault(wrong, "has a token where none belongs, or lacks one")
    of_token = case.schedule.sequence[np.maximum(p.token, 0)]
    wrong = (p.token >= 0) & (p.seq != of_token)
    wrong |= whole & ~np.isin(p.seq, case.visits.sequence_ids)
    wrong |= constant & (p.seq != -1)
    fault = fault or case.fault(wrong, "names another sequence than its token's")
    experts = np.zeros(len(p.nodes), dtype=np.int64)
    for index, op in case.moe.items():
        experts[index] = op.router.experts
    of_job = np.isin(case.role, (*CHAIN, Role.MVM0, Role.EXPERT))
    wrong = (p.expert < -1) | (p.expert >= np.where(of_job, experts[p.node], 0))
    fault = fault or case.fault(wrong, "names an expert that has no part in it")
    wrong = ~np.isin(p.step, case.visits.numbers)
    fault = fault or case.fault(wrong, "is of a step that the schedule does not have")
    wrong = (p.token >= 0) & (case.visit < 0)
    return fault or case.fault(wrong, "names a token that its step does not work on")


def check_stages(case: ProgramCase) -> Fault | None:
    """Stage and slot stand where they apply: stages on jobs, slots on routed jobs and transfers."""
    p, stage = case.program, np.full(len(case.program), -1, dtype=np.int64)
    first_stage = (
        Role.LOAD,
        Role.MVM0,
        Role.ACC0,
        Role.OUT,
        Role.SCALE,
        Role.ACT,
        Role.MUL,
    )
    stage[np.isin(case.role, first_stage)] = 0
    stage[np.isin(case.role, (Role.IN, Role.MVM1, Role.ACC1))] = 1
    two = np.array([*(bool(job.second) for job in case.jobs.classes), False], dtype=np.bool_)
    store = case.role == Role.STORE
    stage[store] = two[case.job_class[store]]
    fault = case.fault(p.stage != stage, "names a stage that it is not of")
    routed = np.isin(case.role, (*CHAIN, Role.MVM0)) & (p.expert >= 0)
    slot = np.where(routed, p.slot[case.root], -1)
    wrong = (p.slot != slot) & (case.role != Role.LOAD)  # `transfers` looks at those of LOADs
    fault = fault or case.fault(wrong, "names a slot that its job does not run in")
    dense = (case.role == Role.LOAD) & (case.row_form == Form.DENSE)
    wrong = (p.slot < -1) | (dense & (p.slot != -1))
    fault = fault or case.fault(wrong, "names a slot where none applies")
    return fault or case.fault((p.buffer < 0) & (p.offset != -1), "has an offset but no buffer")


def check_units(case: ProgramCase) -> Fault | None:
    """One group unit per fire group with its PGs, one bus and link set per region, chip's pools."""
    found: set[int] = set()
    fires: list[int] = case.unit_fire.tolist()
    for unit in case.program.units:
        if unit.kind not in KIND:
            return Fault(unit.name, f"kind {unit.kind!r}, expected one of {', '.join(KIND)}")
        if odd := without_place(unit):
            return Fault(unit.name, f"has {', '.join(odd)}, which a {unit.kind} unit has not")
    for unit, fire in zip(case.program.units, fires, strict=True):
        if unit.kind in ("group", "acc", "link") and fire < 0:
            return Fault(unit.name, "serves no group of the mapping")
        if unit.kind != "group":
            continue
        group = case.fire_groups[fire]
        if fire in found:
            return Fault(unit.name, "drives PGs that another unit drives")
        found.add(fire)
        sent = sent_width(case.workload.operators[group.operator], group.stage, group.rows)
        entries = -(-sent * case.chip.mvm.input_bits // 8) * case.chip.pg.input_buffers
        wanted = group.first_pg, group.pgs, entries
        if (unit.first_pg, unit.pgs, unit.input_bytes) != wanted:
            expected = "{1} PGs from {0} on, {2} bytes of input buffer".format(*wanted)
            return Fault(unit.name, f"{unit}, expected {expected}")
    if len(found) < len(case.fire_groups):
        missing = case.fire_groups[min(set(range(len(case.fire_groups))) - found)]
        return Fault(f"PG {missing.first_pg}", f"{missing} has no unit")
    return _check_unit_counts(case)


def _check_unit_counts(case: ProgramCase) -> Fault | None:
    units = case.program.units
    names = [unit.name for unit in units]
    if len(set(names)) < len(names):
        return Fault(next(n for n in names if names.count(n) > 1), "names two units")
    sites = sites_of(case.mapping)
    homes = [(layer, die) for layer, die, home in sites if home]
    every = [(layer, die) for layer, die, _ in sites]
    for kind, wanted in (("bus", every), ("return", every), ("mesh", homes)):
        found = sorted((unit.layer, unit.die) for unit in units if unit.kind == kind)
        if found != sorted(wanted):
            problem = f"of layers and dies {found}, expected {sorted(wanted)}"
            return Fault(f"{kind} units", problem)
    if fault := _check_links(case):
        return fault
    for kind in ("acc", "link"):
        keys = [(u.layer, u.stage, u.group) for u in units if u.kind == kind]
        if len(set(keys)) < len(keys):
            return Fault(f"{kind} units", "two of them serve one group")
    expected = _dpus(case, sites) | _attention(case, homes) | {("dram", -1, 0): (1, 1)}
    pools: dict[Pool, tuple[int, int]] = {}
    for unit in units:
        if unit.kind in ("dpu", "mha", "dram"):
            key = unit.kind, unit.layer, unit.die
            jobs, together = pools.get(key, (0, 0))
            pools[key] = jobs + 1, together + unit.units
    for kind, layer, die in expected | pools:
        found_pool, size = pools.get((kind, layer, die)), expected.get((kind, layer, die))
        if found_pool != size:
            where = f"{kind} units" + (f" of layer {layer}" if layer >= 0 else "")
            where += f" on die {die}" if die else ""
            return Fault(where, f"{_jobs(found_pool)}, expected {_jobs(size)}")
    return None


def _check_links(case: ProgramCase) -> Fault | None:
    """Buses and return links say the sizes that follow from workload, chip and placement."""
    for unit in case.program.units:
        expected = 0, 0, 0, 0
        if unit.kind in ("bus", "return"):
            region = case.mapping.placement.region(unit.layer, unit.die)
            width, lanes = bus_width(case.workload, unit.layer), 0
            cores = (region.width, region.height) if unit.kind == "bus" else (0, 0)
            if unit.kind == "return":
                lanes = return_lanes(case.workload, unit.layer, case.chip)
            expected = width, lanes, *cores
        found = unit.width, unit.lanes, unit.columns, unit.rows
        if found != expected:
            wanted = "width {}, {} lanes, {} x {} cores".format(*expected)
            return Fault(unit.name, f"{unit}, expected {wanted}")
    return None


def _jobs(pool: tuple[int, int] | None) -> str:
    """`4`, or `16 for 1 job at a time` where several share one."""
    jobs, units = pool or (0, 0)
    return f"{units}" if jobs == units else f"{units} for {jobs} job at a time"


def _dpus(case: ProgramCase, sites: list[tuple[int, int, bool]]) -> dict[Pool, tuple[int, int]]:
    """Digital units by region, or the chip's: (jobs at a time, units).

    On other dies than its home a region has them for what works on the matrices that are there.
    """
    if case.chip.digital.shares_dpus:
        return {("dpu", -1, 0): (case.chip.digital.dpus, case.chip.digital.dpus)}
    pgs: dict[tuple[int, int], int] = {}
    held: dict[tuple[int, int], set[int]] = {}
    for g in case.fire_groups:
        where = g.layer, case.mapping.placement.die_of(g.first_pg)
        pgs[where] = pgs.get(where, 0) + g.pgs
        held.setdefault(where, set()).add(g.operator)
    out: dict[Pool, tuple[int, int]] = {}
    for layer, die, home in sites:
        here = operators_of(case.workload, layer)
        if not home:
            here = operators_with(case.workload, held[layer, die])
        copies = case.mapping.dense_copies
        count = digital_units(here, pgs[layer, die], case.chip, copies)
        out["dpu", layer, die] = count, count
    return out


def _attention(case: ProgramCase, homes: list[tuple[int, int]]) -> dict[Pool, tuple[int, int]]:
    """Attention units by region, all of them for one job, or the chip's with one job each."""
    if case.chip.digital.shares_mha_units:
        return {("mha", -1, 0): (case.chip.digital.mha_units, case.chip.digital.mha_units)}
    window = case.schedule.longest_prefill, case.chip, case.mapping.dense_copies
    counts = {site: attention_units(case.workload, site[0], *window) for site in homes or [(0, 0)]}
    return {("mha", *site): (1, count) for site, count in counts.items() if count}


def check_opcode_unit(case: ProgramCase) -> Fault | None:
    """Every instruction runs on a unit of a kind that can, of its own layer and stage."""
    p = case.program
    legal = np.zeros((max(Opcode) + 1, len(KIND)), dtype=np.bool_)
    for opcode, kinds in LEGAL.items():
        legal[opcode, [KIND[kind] for kind in kinds]] = True
    legal[Opcode.ACC] = False
    legal[Opcode.ACC, KIND["dpu" if case.chip.accumulate.where == "dpu" else "acc"]] = True
    fault = case.fault(~legal[case.opcode, case.kind], "runs on a unit that cannot do it")
    layer = np.array([u.layer for u in p.units], dtype=np.int64)[p.unit]
    stage = np.array([u.stage for u in p.units], dtype=np.int64)[p.unit]
    wrong = (layer >= 0) & (layer != p.layer) & (case.kind != KIND["mesh"])
    wrong |= (stage >= 0) & (stage != p.stage)
    fault = fault or case.fault(wrong, "runs on a unit of another layer or stage")
    operator = case.fire_operator[p.unit]
    return fault or case.fault(
        (operator >= 0) & (operator != case.lender),
        "runs on PGs of another operator",
    )


def check_destinations(case: ProgramCase) -> Fault | None:
    """LOAD and the XFER to a second stage go to group units of their own region, others nowhere."""
    dst = case.program.dst
    rows, to = dst.rows(), dst.values
    fills = (case.role == Role.LOAD) | (case.role == Role.IN)
    odd = fills != (np.diff(dst.offsets) > 0)
    if fault := case.fault(odd, "has destinations wrongly, or lacks them"):
        return fault
    layer = np.array([u.layer for u in case.program.units], dtype=np.int64)
    stage = np.array([u.stage for u in case.program.units], dtype=np.int64)
    wrong = (case.unit_kind[to] != KIND["group"]) | (layer[to] != case.program.layer[rows])
    wrong |= stage[to] != case.program.stage[rows]
    own = case.unit_fire[to] == case.unit_fire[case.program.unit[rows]]
    wrong |= (case.role[rows] == Role.IN) & ~own
    at = first(wrong)
    if at is not None:
        name = case.program.units[int(to[at])].name
        return Fault(case.program.name(int(rows[at])), f"goes to {name}, not a group it may fill")
    key = first_repeat(rows * len(case.program.units) + to)
    if key is None:
        return None
    return Fault(case.program.name(key // len(case.program.units)), "goes to one group twice")


def check_written_once(case: ProgramCase) -> Fault | None:
    """A value is written by the instruction whose id it carries, and read by later ids only."""
    p, writes = case.whole, case.whole.writes
    reader, read = p.reads.rows(), p.reads.values
    at = first(read >= reader)
    if at is not None:
        name = p.name(int(read[at]))
        return Fault(p.name(int(reader[at])), f"reads {name}, whose id is no lower")
    own = np.arange(len(writes))
    fault = case.fault((writes != own) & (writes != -1), "writes a value that is not its own")
    silent = np.zeros(len(writes), dtype=np.bool_)
    silent[read] = writes[read] < 0
    return fault or case.fault(silent, "is read but writes no value")


def check_read_after_write(case: ProgramCase) -> Fault | None:
    """A reader starts when all its values are there: start(reader) >= end(writer)."""
    p = case.whole
    readers, read = p.reads.rows(), p.reads.values
    at = first(p.start_ps[readers] < case.end[read])
    if at is None:
        return None
    reader, writer = int(readers[at]), int(read[at])
    start, end = case.program.start_ps[reader], case.end[writer]
    problem = f"starts at {start} ps, before {case.program.name(writer)} ends at {end} ps"
    return Fault(case.program.name(reader), problem)


STRUCTURE_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("columns", "every number points into its table", check_columns, gate=True),
    Check("units", "units are those of the mapping and the chip", check_units, gate=True),
    Check("labels", "layer, token and expert fit the operator", check_labels, gate=True),
    Check("stages", "stages and slots stand where they apply", check_stages),
    Check("opcode-unit", "units can do what they are given", check_opcode_unit),
    Check("destinations", "vectors go to input buffers of their stage", check_destinations),
    Check("written-once", "every value is written once", check_written_once),
    Check("read-after-write", "nothing is read before it is there", check_read_after_write),
)

"""Invariants of crossbar jobs: each has all its instructions, in one chain, on its own group."""

import numpy as np

from ir.arrays import Ints
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, first_repeat
from ir.verify.copies import copy_of
from ir.verify.roles import CHAIN, Role
from ir.verify.routing import top_k_rows


def check_mvm_input(case: ProgramCase) -> Fault | None:
    """Every MVM reads one vector of its token that went to its group; every vector sent is used."""
    p = case.program
    mvm = case.is_mvm
    odd = mvm & (np.diff(p.reads.offsets) != 1)
    if fault := case.fault(odd, "reads more or less than one vector"):
        return fault
    uses = mvm[case.reader]
    reader, read = case.reader[uses], case.read[uses]
    wanted = np.where(case.role[reader] == Role.MVM0, Role.LOAD, Role.IN)
    wrong = (case.role[read] != wanted) | (case.visit[read] != case.visit[reader])
    units = len(p.units)
    sent = p.dst.rows() * units + p.dst.values
    used = read * units + p.unit[reader]
    wrong |= ~np.isin(used, sent)
    at = first(wrong)
    if at is not None:
        name = p.name(int(read[at]))
        return Fault(p.name(int(reader[at])), f"reads {name}, which did not bring its token here")
    at = first(~np.isin(sent, used))
    if at is None:
        return None
    unit = p.units[int(p.dst.values[at])].name
    return Fault(p.name(int(p.dst.rows()[at])), f"goes to {unit}, which does not use it")


def check_jobs(case: ProgramCase) -> Fault | None:
    """Every crossbar job has each of its instructions once, on its own group's units."""
    p, root = case.program, case.root
    chain = np.isin(case.role, CHAIN)
    known = np.isin(case.role, (*CHAIN, Role.MVM0))
    fault = case.fault(known & (case.job_class < 0), "leads back to no MVM of an expert or matrix")
    differs = (
        (p.node != p.node[root]) | (case.visit != case.visit[root]) | (p.expert != p.expert[root])
    )
    fault = fault or case.fault(chain & differs, "continues a job of another token or expert")
    unit = p.unit
    stray = case.unit_class[unit] != case.unit_class[unit[root]]
    local = case.unit_fire[unit] >= 0
    source = np.where(case.role == Role.OUT, unit[root], -1)
    fault = fault or case.fault(p.src != source, "comes from another unit than its job's group")
    group = np.array([u.group for u in p.units], dtype=np.int64)[unit]
    stray |= case.unit_routed[unit] & (group != group[root])
    copy = copy_of(case)
    stray |= copy[unit] != copy[unit[root]]
    fault = fault or case.fault(local & stray, "runs on the units of another group than its job's")
    if fault is not None:
        return fault
    roots = np.flatnonzero(case.role == Role.MVM0)
    wanted = _job_sizes(case)[case.job_class[roots]]
    rows = np.flatnonzero(chain)
    of_job = np.searchsorted(roots, root[rows])
    key = of_job * len(CHAIN) + np.searchsorted(np.array(CHAIN), case.role[rows])
    count = np.bincount(key, minlength=wanted.size).reshape(wanted.shape)
    at = first((count != wanted).ravel())
    if at is None:
        return None
    job, part = divmod(at, len(CHAIN))
    problem = f"{count[job, part]} {CHAIN[part].name} instructions follow, expected"
    return Fault(p.name(int(roots[job])), f"{problem} {wanted[job, part]}")


def _job_sizes(case: ProgramCase) -> Ints:
    """Instructions of each role of CHAIN in each job class: int64 [classes, len(CHAIN)]."""
    out = np.zeros((len(case.jobs.classes), len(CHAIN)), dtype=np.int64)
    for row, job in zip(out, case.jobs.classes, strict=True):
        two = int(bool(job.second))
        row[:] = (
            job.sums(0, case.chip),
            two,
            job.scaled,
            two or job.curved,
            two * job.gated,
            two,
            two,
            job.sums(1, case.chip),
            1,
        )
    return out


def check_job_reads(case: ProgramCase) -> Fault | None:
    """Each instruction of a job reads what comes before it in the same job, all of it, once.

    A gate of an expert's input comes from the token's own TOPK.
    """
    p, rows = case.program, len(case.program)
    chain = np.isin(case.role, CHAIN) & (case.job_class >= 0)
    mine = chain[case.reader]
    reader, read = case.reader[mine], case.read[mine]
    roles = len(Role)
    legal = np.zeros((len(case.jobs.classes), roles, roles), dtype=np.bool_)
    reads = np.zeros((len(case.jobs.classes), roles), dtype=np.int64)
    for index in range(len(case.jobs.classes)):
        for role, sources in _reads(case, index).items():
            legal[index, role, list(sources)], reads[index, role] = True, sum(sources.values())
    wrong = ~legal[case.job_class[reader], case.role[reader], case.role[read]]
    chosen = case.role[read] == Role.TOPK
    own = top_k_rows(case)[p.node[reader], case.visit[reader]] == read
    wrong |= (chosen & ~own) | (~chosen & (case.root[reader] != case.root[read]))
    at = first(wrong)
    if at is not None:
        name = p.name(int(read[at]))
        return Fault(p.name(int(reader[at])), f"reads {name}, not what comes before it in its job")
    key = first_repeat(reader * rows + read)
    if key is not None:
        return Fault(p.name(key // rows), "reads one value twice")
    wanted = reads[case.job_class, case.role]
    wrong = chain & (np.diff(p.reads.offsets) != wanted)
    return case.fault(wrong, "reads too few or too many values")


def _reads(case: ProgramCase, index: int) -> dict[Role, dict[Role, int]]:
    """What each instruction of a job of this class reads: how many of which role."""
    job = case.jobs.classes[index]
    moved = Role.SCALE if job.scaled else Role.OUT
    return {
        Role.ACC0: {Role.MVM0: 1},
        Role.OUT: dict([_sum_source(case, index, 0)]),
        Role.SCALE: {Role.OUT: 1, Role.TOPK: 1},
        Role.ACT: {Role.STORE if job.curved else moved: 1},
        Role.MUL: {Role.ACT: 1, moved: 1},
        Role.IN: {Role.MUL if job.gated else Role.ACT: 1},
        Role.MVM1: {Role.IN: 1},
        Role.ACC1: {Role.MVM1: 1},
        Role.STORE: dict([_sum_source(case, index, 1 if job.second else 0)]),
    }


def _sum_source(case: ProgramCase, index: int, stage: int) -> tuple[Role, int]:
    """Who holds a stage's finished sums, and in how many instructions."""
    sums = case.jobs.classes[index].sums(stage, case.chip)
    if not sums:
        return (Role.MVM1 if stage else Role.MVM0), 1
    return (Role.ACC1 if stage else Role.ACC0), sums


JOB_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("mvm-input", "MVMs read vectors that went to their group", check_mvm_input),
    Check("jobs", "crossbar jobs have all their instructions", check_jobs),
    Check("job-reads", "a job's instructions read each other in order", check_job_reads),
)

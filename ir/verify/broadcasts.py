"""Invariants of broadcasts: a vector goes over a region's bus once for all that multiply it."""

import numpy as np

from ir.arrays import Ints
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first, int64
from ir.verify.roles import Role


def check_broadcasts(case: ProgramCase) -> Fault | None:
    """A LOAD brings one value, and what brings it to matrices that are always on is one LOAD.

    All dense products, routers and shared experts of a region on one die that read a value of a
    token share it. Of a matrix that multiplies it n times there are n. Transfers, which carry a
    slot, are those of the slot table: the check `transfers`.
    """
    p = case.program
    uses = case.role[case.reader] == Role.MVM0  # of a LOAD each: the check `mvm-input`
    load, mvm = case.read[uses], case.reader[uses]
    value = _multiplied(case)[case.of_router[mvm].astype(np.int64), p.node[mvm]]
    lowest, highest = np.full(len(p), len(case.maker) + len(p.nodes)), np.full(len(p), -1)
    np.minimum.at(lowest, load, value)
    np.maximum.at(highest, load, value)
    fault = case.fault(lowest < highest, "brings two values at once")
    if fault is not None:
        return fault
    plain = p.slot[load] < 0
    load, mvm = load[plain], mvm[plain]
    die = np.array([unit.die for unit in p.units], dtype=np.int64)[p.unit[load]]
    what = [highest[load], int64(p.layer)[load], die, case.visit[load], p.bytes[load]]
    kinds, kind = np.unique(np.stack(what, axis=1), axis=0, return_inverse=True)
    kind = kind.ravel()
    found = np.bincount(np.unique(np.stack([kind, load]), axis=1)[0], minlength=len(kinds))
    at_unit, times = np.unique(np.stack([kind, int64(p.unit)[mvm]]), axis=1, return_counts=True)
    needed = np.zeros(len(kinds), dtype=np.int64)
    np.maximum.at(needed, at_unit[0], times)
    at = first(found > needed)
    if at is None:
        return None
    row = int(load[kind == at].max())
    problem = f"is one of {found[at]} broadcasts of its value, expected {needed[at]}"
    return Fault(p.name(row), problem)


def _multiplied(case: ProgramCase) -> Ints:
    """A number for the value that each operator's matrices multiply, and its router's.

    int64 [2, operators]; equal where the value is.
    """
    numbers: dict[str, int] = {}
    out = np.zeros((2, len(case.workload.operators)), dtype=np.int64)
    for index, op in enumerate(case.workload.operators):
        names = (op.inputs or ("",))[0], ""
        if index in case.moe:
            names = names[0], case.moe[index].scored
        out[:, index] = [numbers.setdefault(name, len(numbers)) for name in names]
    return out


BROADCAST_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("broadcasts", "a vector is broadcast once to all that multiply it", check_broadcasts),
)

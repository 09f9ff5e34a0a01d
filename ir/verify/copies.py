"""Invariants of copies: the tokens of a step take the copies of a dense matrix in turn."""

from collections import Counter

import numpy as np

from ir.arrays import Bools, Ints
from ir.mapping import owner_columns
from ir.verify.case import ProgramCase
from ir.verify.check import Check, Fault, first
from ir.verify.matrices import first_copy
from ir.verify.roles import Role


def copies_there(case: ProgramCase) -> Ints:
    """Copies of the matrix that each unit serves, 0 for routed experts and others: [units]."""
    groups = case.fire_groups
    alike = [(g.operator, g.stage, first_copy(g.owner)) for g in groups]
    count = Counter(alike)
    every = [count[of] if g.group < 0 else 0 for g, of in zip(groups, alike, strict=True)]
    return np.array([*every, 0], dtype=np.int64)[case.unit_fire]


def copy_of(case: ProgramCase) -> Ints:
    """Which of several copies of a dense matrix each unit serves, else -1: [units]."""
    number = [owner_columns(g.owner)[1] for g in case.fire_groups]
    served = np.array([*number, -1], dtype=np.int64)[case.unit_fire]
    return np.where(copies_there(case) > 1, served, -1)


def check_copies(case: ProgramCase) -> Fault | None:
    """The n-th token of a step that a product takes runs on copy n mod copies, in both stages.

    That a product stays on one copy from its first MVM to its STORE is said by the check `jobs`.
    """
    p, copies = case.program, copies_there(case)
    rows = np.flatnonzero((case.role == Role.MVM0) & (copies[p.unit] > 1))
    key = np.stack([p.token[rows], case.job_class[rows], case.step[rows]])
    order = np.lexsort(key)
    rows, (_, job, step) = rows[order], key[:, order]
    place = _place_in_run((np.diff(job) != 0) | (np.diff(step) != 0))
    unit = p.unit[rows]
    expected, found = place % copies[unit], copy_of(case)[unit]
    at = first(found != expected)
    if at is None:
        return None
    problem = f"runs on copy {found[at]}, expected {expected[at]}: tokens go in turn"
    return Fault(p.name(int(rows[at])), problem)


def _place_in_run(ends: Bools) -> Ints:
    """How many come before each in its run: [n + 1]; ends: [n] whether the next run begins."""
    number = np.arange(len(ends) + 1)
    begins = np.concatenate([[0], np.where(ends, number[1:], 0)])
    out: Ints = number - np.maximum.accumulate(begins)
    return out


COPY_CHECKS: tuple[Check[ProgramCase], ...] = (
    Check("copies", "tokens take the copies of a dense matrix in turn", check_copies),
)

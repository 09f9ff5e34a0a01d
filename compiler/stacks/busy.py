"""When each fire group computes, in bins of time, as a timed program says."""

from collections.abc import Sequence

import numpy as np

from ir.arrays import Ints
from ir.errors import InputError
from ir.program import Opcode, Program
from ir.stacks import Member


def busy_table(program: Program, members: Sequence[Member], bin_ps: int) -> Ints:
    """Picoseconds of each bin in which each fire group's MVMs keep it busy: int64 [members, bins].

    Bins of `bin_ps` from 0 to the program's end, at least one. An MVM counts for the fire group of
    its unit from its start on for its busy time, split over bins to the picosecond; those of fire
    groups that are no `members` are left out. Raises InputError for bins without length.
    """
    if bin_ps < 1:
        raise InputError("stacks", f"bin_ps: {bin_ps}, expected at least 1")
    row_of = {member: row for row, member in enumerate(members)}
    named = (Member(unit.layer, unit.stage, unit.group) for unit in program.units)
    of_unit = np.array([row_of.get(member, -1) for member in named], dtype=np.int64)
    mvms = np.flatnonzero(program.opcode == Opcode.MVM)
    row = of_unit[program.unit[mvms]]
    mvms, row = mvms[row >= 0], row[row >= 0]
    bins = max(1, -(-program.makespan_ps // bin_ps))
    start = program.start_ps[mvms]
    return _binned(row, start, start + program.busy_ps[mvms], (len(members), bins), bin_ps)


def _binned(row: Ints, start: Ints, end: Ints, shape: tuple[int, int], bin_ps: int) -> Ints:
    """Intervals [start, end) of each row, by the time that they have in each bin.

    What an interval has of bins up to its end, less what it has of those up to its start: both
    change in one bin and stay full or empty in the others.
    """
    step = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)  # change of full bins, from one on
    part = np.zeros(shape, dtype=np.int64)
    for time, sign in ((end, 1), (start, -1)):
        at, within = np.divmod(time, bin_ps)
        inside = at < shape[1]  # the program's end may be the end of the last bin
        np.add.at(part, (row[inside], at[inside]), sign * within[inside])
        np.add.at(step, (row, at), -sign * bin_ps)
    found: Ints = part + step[:, :-1].cumsum(axis=1)
    return found

"""What peripheral groups take while they do not compute, and what switching them off saves.

A group of the program fires all its peripheral groups together, so they rest together, but for
those that others of its stack fire meanwhile. The program is known before it runs: one that is
switched off is woken in time, and no MVM waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.program import Opcode, Program, Unit


@dataclass(frozen=True)
class Idle:
    """Energy of peripheral groups that do not compute.

    on_fj: of those that stay on, and of those that wake, at idle power; waking_fj: of what waking
    takes besides, `wakes` peripheral groups in all; never_off_fj: of all at idle power, were none
    ever switched off.
    """

    on_fj: int
    waking_fj: int
    wakes: int
    never_off_fj: int


def idle(program: Program, chip: Chip) -> Idle:
    """Every rest costs the less of two: staying on, or being off and woken at its end.

    A group is off before its first MVM and after its last one, which no waking follows.
    """
    power, waking = chip.pg.idle_uw, chip.pg.wake_fj
    lengths, pgs, ends = _rests(program)
    # microwatt x picosecond = 1e-18 J = 1e-3 fJ
    never_off = int((pgs * lengths).sum()) * power // 1000
    if waking is None:
        return Idle(never_off, 0, 0, never_off)
    woken = chip.pg.wake_ps * power + 1000 * waking
    off = (lengths >= chip.pg.wake_ps) & (lengths * power > np.where(ends, woken, 0))
    on = int((pgs * lengths)[~off].sum()) * power
    wakes = int(pgs[off & ends].sum())
    on += wakes * chip.pg.wake_ps * power
    return Idle(on // 1000, wakes * waking, wakes, never_off)


def _rests(program: Program) -> tuple[Ints, Ints, Bools]:
    """(length in ps, peripheral groups, whether an MVM ends it) of each group's rests."""
    pgs, begin, beyond = _pieces(program.units)
    rows = np.flatnonzero(program.opcode == Opcode.MVM)
    of = program.unit[rows].astype(np.int64)
    each = (beyond - begin)[of]
    piece = np.repeat(begin[of] - np.cumsum(each) + each, each) + np.arange(int(each.sum()))
    rows = np.repeat(rows, each)
    order = np.lexsort((program.start_ps[rows], piece))
    rows, piece = rows[order], piece[order]
    start = program.start_ps[rows]
    end = start + program.busy_ps[rows]
    first = np.diff(piece, prepend=-1) != 0
    last = np.roll(first, -1)
    before = np.where(first, 0, np.roll(end, 1))
    resting = np.flatnonzero(~np.isin(np.arange(len(pgs)), piece))
    makespan = program.makespan_ps
    lengths = (start - before, makespan - end[last], np.full(len(resting), makespan))
    owners = (piece, piece[last], resting)
    ends = np.zeros(sum(map(len, owners)), dtype=np.bool_)
    ends[: len(piece)] = True
    return np.concatenate(lengths), pgs[np.concatenate(owners)], ends


def _pieces(units: Sequence[Unit]) -> tuple[Ints, Ints, Ints]:
    """The peripheral groups in pieces that every group of units has whole or not at all.

    Returns how many are in each piece, [pieces], and the first piece of each unit and the one after
    its last, [units] both. A group that is in no stack is one piece.
    """
    first = np.array([unit.first_pg for unit in units], dtype=np.int64)
    pgs = np.array([unit.pgs for unit in units], dtype=np.int64)
    mine = pgs > 0
    edges = np.unique(np.concatenate([first[mine], (first + pgs)[mine]]))
    begin, beyond = np.searchsorted(edges, first), np.searchsorted(edges, first + pgs)
    begin, beyond = np.where(mine, begin, 0), np.where(mine, beyond, 0)
    users = np.bincount(begin, minlength=len(edges)) - np.bincount(beyond, minlength=len(edges))
    held = np.cumsum(users)[:-1] > 0  # not what is between two groups and of none
    return np.diff(edges) * held, begin, beyond

"""column-generation and cp-sat where tokens arrive one after another.

**Bound.** What comes in slot a or later has the slots from a on, and is bounded as tokens that are
all there then; what came before has at least m_t transfers each. So for every a

    transfers >= sum of m_t over r_t < a + the bound of `columns` on the others in L - a slots.

A few a are tried, those from which on the busiest groups have the least slack. Where that leaves
a gap, exact models of the last slots bound what comes there (`arriving_tails`).

**Order.** Slots are not interchangeable, so columns give none. It comes from min-transfer's, by a
long walk of `repair` and, where that misses the bound, by those of `arriving_walk`; cp-sat goes on
with an exact model of a small window, and with models of a few slots at a time of a large one
(`arriving_windows`).
"""

from dataclasses import replace

import numpy as np

from compiler.slots.arriving_greedy import arriving_tables, repaired
from compiler.slots.arriving_tails import tails_bound
from compiler.slots.arriving_walk import walked
from compiler.slots.arriving_windows import windows_repaired
from compiler.slots.bounds import transfers_bound
from compiler.slots.column_generation import bounded
from compiler.slots.cp_sat_limited import finished
from compiler.slots.cp_sat_slots import MOST_TURNS
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints

BOUND_SHARE = 0.3  # of the time, at most, for the bounds; the rest is for the order
MOST_CUTS = 12  # slots a from which on a bound is looked for
BUSIEST = 6  # groups by whose slack these are chosen
STEPS_PER_SECOND = 100_000  # of repair, at least; counted so that the answer repeats
STEPS_PER_SLOT = 2000  # at most: a small window is soon exhausted
TAIL_SHARE = 0.05  # of the time, for each question about the last slots
WALK_STEPS_PER_SECOND = 75_000  # of the walk from min-transfer's table; counted too
WALK_STEPS_PER_SLOT = 6000  # at most
START_SHARE = 0.4  # of cp-sat's time, for what column-generation does


def column_generation_from(problem: SlotProblem, first: Ints, seed: int, time_s: float) -> Solved:
    """Find and prove an order of `problem`; first: [tokens], ascending.

    time_s: about seconds, but counted in work: the answer repeats.
    """
    tables, bound = arriving_tables(problem, first, seed)
    best = Solved(tables[0], bound)
    if best.proven:
        return best
    best = replace(best, bound=_bound(problem, first, best, BOUND_SHARE * time_s))
    steps = int(STEPS_PER_SECOND * (1 - BOUND_SHARE) * time_s)
    steps = min(steps, STEPS_PER_SLOT * len(best.table))
    best = replace(best, table=repaired(problem, first, best.table, best.bound, steps, seed))
    if best.proven:
        return best
    best = tails_bound(problem, first, best, seed, TAIL_SHARE * time_s)
    best = walked(problem, first, best, best.table, steps, seed)
    steps = min(int(WALK_STEPS_PER_SECOND * time_s), WALK_STEPS_PER_SLOT * len(best.table))
    return walked(problem, first, best, tables[0], steps, seed)


def cp_sat_from(problem: SlotProblem, first: Ints, seed: int, time_s: float) -> Solved:
    """Find the best order of `problem` in `time_s` deterministic seconds; first: ascending."""
    best = column_generation_from(problem, first, seed, START_SHARE * time_s)
    if np.count_nonzero(problem.counts) * len(best.table) <= MOST_TURNS:
        return finished(problem, best, seed, (1 - START_SHARE) * time_s)
    if best.proven:
        return best
    return windows_repaired(problem, first, best, seed, (1 - START_SHARE) * time_s)


def _bound(problem: SlotProblem, first: Ints, best: Solved, time_s: float) -> int:
    """Bound the transfers in the slots of `best` by what comes from some slot on."""
    counts, known = problem.counts, best.bound
    cuts = _cuts(counts, first, len(best.table))
    for a in cuts:
        before = int(np.searchsorted(first, a))
        later = best.table[a:] - before
        start = Solved(np.where(later >= 0, later, -1), transfers_bound(counts[before:]))
        found = bounded(counts[before:], start, time_s / len(cuts))[0]
        known = max(known, transfers_bound(counts[:before]) + found.bound)
        if known == best.transfers:
            break
    return known


def _cuts(counts: Ints, first: Ints, slots: int) -> list[int]:
    """The slot of each stretch from which on the busiest groups have least slack, that first."""
    came, start = np.unique(first, return_index=True)
    later = np.cumsum(counts[::-1], axis=0)[::-1][start]
    slack = np.sort((slots - came)[:, None] - later, axis=1)[:, :BUSIEST].sum(axis=1)
    order = np.argsort(slack, kind="stable")
    stretch = np.arange(len(came)) * MOST_CUTS // len(came)
    best = [order[np.argmax(stretch[order] == part)] for part in np.unique(stretch)]
    cuts: list[int] = came[sorted(best, key=lambda i: int(slack[i]))].tolist()
    return cuts

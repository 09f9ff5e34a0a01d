"""Bounds by column generation on what comes from some slot on.

What comes in slot a or later has the slots from a on, and is bounded as tokens that are all there
then; what came before has at least m_t transfers each. So for every a

    transfers >= sum of m_t over r_t < a + the bound of `columns` on the others in L - a slots.

Some a are tried: in each stretch of the window the one from which on the busiest groups have the
least slack, then those where the few fullest groups have the least slack in all the window. A slot
that proves much may be alone: from slot 122 of a window on there are two transfers more, from 120
on none.
"""

import numpy as np

from compiler.slots.bounds import transfers_bound
from compiler.slots.column_generation import bounded
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints

STRETCHES = 12  # of the window: in each, one slot a from which on a bound is looked for
BUSIEST = 6  # groups by whose slack these are chosen
FULLEST_CUTS = 24  # slots a with the least slack in all the window
FULLEST = 4  # groups by whose slack these are chosen


def columns_bound(problem: SlotProblem, first: Ints, best: Solved, time_s: float) -> int:
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
    """Slots of arrivals, each once: the best of each stretch, then the best of the window."""
    came, start = np.unique(first, return_index=True)
    later = np.cumsum(counts[::-1], axis=0)[::-1][start]
    slack = np.sort((slots - came)[:, None] - later, axis=1)
    busiest, fullest = (slack[:, :groups].sum(axis=1) for groups in (BUSIEST, FULLEST))
    order = np.argsort(busiest, kind="stable")
    stretch = np.arange(len(came)) * STRETCHES // len(came)
    best = [int(order[np.argmax(stretch[order] == part)]) for part in np.unique(stretch)]
    best.sort(key=lambda i: int(busiest[i]))
    best += np.argsort(fullest, kind="stable")[:FULLEST_CUTS].tolist()
    cuts: list[int] = came[list(dict.fromkeys(best))].tolist()
    return cuts

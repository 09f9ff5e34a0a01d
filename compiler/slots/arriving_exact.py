"""column-generation and cp-sat where tokens arrive one after another.

**Bound.** `arriving_columns` bounds what comes in slot a or later, for some a; where that leaves a
gap, a search over what the first slots run raises it (`arriving_heads`), and exact models of the
last slots bound what comes there (`arriving_tails`).

**Order.** Slots are not interchangeable, so columns give none. It comes from min-transfer's, by a
long walk of `repair`; where that misses the bound, by dives at the prices of the columns
(`arriving_dive`) and the walks of `arriving_walk`. cp-sat goes on with an exact model of a small
window, and with models of a few slots at a time of a large one (`arriving_windows`).
"""

from dataclasses import replace

import numpy as np

from compiler.slots.arriving_columns import columns_bound
from compiler.slots.arriving_dive import dived
from compiler.slots.arriving_greedy import arriving_tables, repaired
from compiler.slots.arriving_heads import heads_bound
from compiler.slots.arriving_tails import tails_bound
from compiler.slots.arriving_walk import walked
from compiler.slots.arriving_windows import windows_repaired
from compiler.slots.cp_sat_limited import finished
from compiler.slots.cp_sat_slots import MOST_TURNS
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints

BOUND_SHARE = 0.3  # of the time, at most, for the bounds; the rest is for the order
STEPS_PER_SECOND = 100_000  # of repair, at least; counted so that the answer repeats
STEPS_PER_SLOT = 2000  # at most: a small window is soon exhausted
DIVE_SHARE = 0.1  # of the time, for each of the dives
HEAD_SHARE = 0.05  # of the time, for the bound by the first slots
TAIL_SHARE = 0.05  # of the time, for each question about the last slots
WALK_STEPS_PER_SECOND = 65_000  # of the walk from min-transfer's table; counted too
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
    best = replace(best, bound=columns_bound(problem, first, best, BOUND_SHARE * time_s))
    steps = int(STEPS_PER_SECOND * (1 - BOUND_SHARE) * time_s)
    steps = min(steps, STEPS_PER_SLOT * len(best.table))
    best = replace(best, table=repaired(problem, first, best.table, best.bound, steps, seed))
    if best.proven:
        return best
    best = dived(problem, first, best, seed, DIVE_SHARE * time_s)
    best = replace(best, bound=heads_bound(problem, first, best, HEAD_SHARE * time_s))
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

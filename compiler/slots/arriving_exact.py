"""column-generation and cp-sat where tokens arrive one after another.

Slots are not interchangeable then, so the columns and patterns of `columns` and `patterns` give no
orders; their bound still holds, since tokens that are all there have at least the orders of those
that come. The order comes from min-transfer, a longer walk of `repair`, and the exact models of
`arriving_windows` for a few slots at a time. cp-sat ends with one exact model of a small window.
"""

from dataclasses import replace

from compiler.slots.arriving_greedy import arriving_table, repaired
from compiler.slots.arriving_windows import windows_repaired
from compiler.slots.column_generation import BOUND_SHARE, REPAIR_STEPS, bounded
from compiler.slots.cp_sat_limited import finished
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints

START_SHARE = 0.5  # of cp-sat's time, at most, for what column-generation does


def column_generation_from(problem: SlotProblem, first: Ints, seed: int, time_s: float) -> Solved:
    """Find and prove an order of `problem`; first: [tokens], ascending.

    time_s: about seconds, but counted in work and CP-SAT's deterministic time: the answer repeats.
    """
    best = Solved(*arriving_table(problem, first, seed))
    if best.proven:
        return best
    best = replace(bounded(problem.counts, best, BOUND_SHARE * time_s)[0], table=best.table)
    if not best.proven:
        steps = REPAIR_STEPS
        table = repaired(problem, first, best.table, best.bound, steps, seed)
        best = replace(best, table=table)
    if not best.proven:
        best = windows_repaired(problem, first, best, seed, (1 - BOUND_SHARE) * time_s)
    return best


def cp_sat_from(problem: SlotProblem, first: Ints, seed: int, time_s: float) -> Solved:
    """Find the best order of `problem` in `time_s` deterministic seconds."""
    best = column_generation_from(problem, first, seed, START_SHARE * time_s)
    return finished(problem, best, seed, (1 - START_SHARE) * time_s)

"""Min-transfer with a proof for tight windows: column generation, and an order out of its columns.

Where min-transfer misses its own bound, `columns` bounds the transfers by the turns of the groups
with the least slack: of few groups at first, of more while the bound is not met. The bound is
nearly always the optimum. A longer walk of `repair` finds an order that meets it, mostly in small
windows; CP-SAT finds one, mostly in large windows, among the few hundred partitions that the column
generation came by: a restricted master.
"""

from dataclasses import replace
from random import Random

import numpy as np

from compiler.options import SolverOptions
from compiler.slots import patterns
from compiler.slots.columns import WORK_PER_SECOND, column_bound
from compiler.slots.min_transfer import min_transfer_table
from compiler.slots.packing import MOST_GROUPS
from compiler.slots.patterns import Split
from compiler.slots.repair import repair
from compiler.slots.solved import Solved, improved
from ir.arrays import Ints

SIZES = (5, 8, 12, MOST_GROUPS)  # groups that are bounded together
BOUND_SHARE = 0.4  # of the time, at most, for the bounds; the rest is for the order
REPAIR_STEPS = 20_000  # about 0.1 s


def column_generation_table(counts: Ints, seed: int, time_s: float) -> Solved:
    """Find and prove an order of L slots; counts: int64 [tokens, groups].

    time_s: about seconds, but counted in work and CP-SAT's deterministic time: the answer repeats.
    """
    best = Solved(*min_transfer_table(counts, seed))
    if best.proven:
        return best
    best, columns, groups = bounded(counts, best, BOUND_SHARE * time_s)
    if not best.proven:
        best = _repaired(counts, best, seed)
    if not best.proven and groups is not None:
        options = SolverOptions(time_s=(1 - BOUND_SHARE) * time_s, seed=seed)
        best = _from_columns(counts, best, groups, columns, options)
    return best


def bounded(
    counts: Ints, start: Solved, time_s: float
) -> tuple[Solved, tuple[Split, ...], Ints | None]:
    """Raise the bound of `start`; the columns, if all groups with turns were in, and those."""
    work = int(WORK_PER_SECOND * time_s)
    turns = counts.sum(axis=0)
    used = np.count_nonzero(turns)
    tightest = np.argsort(-turns, kind="stable")[:used]
    for size in SIZES:
        groups = np.sort(tightest[:size])
        found = column_bound(counts, start.table, groups, start.transfers, work)
        if found is None:
            break
        start = replace(start, bound=max(start.bound, found.bound))
        if len(groups) == used:
            return start, found.partitions, groups
        work -= found.work
        if start.proven or work <= 0:
            break
    return start, (), None


def _from_columns(
    counts: Ints, start: Solved, groups: Ints, columns: tuple[Split, ...], options: SolverOptions
) -> Solved:
    """Look for a better order whose slots are `columns` or slots of `start`."""
    master = patterns.build(counts, len(start.table), groups, start.table, columns)
    if master is None:
        return start
    answer = patterns.run(master, options)
    if answer.values is None:
        return start
    found = patterns.table_of(master, answer.values, groups, start.table.shape)
    best = improved(counts, start, found)  # the solver's bound holds for these columns only
    return replace(best, deterministic=answer.deterministic)


def _repaired(counts: Ints, start: Solved, seed: int) -> Solved:
    """Walk on from `start`, longer than min-transfer does and towards the better bound."""
    random = Random(seed)  # noqa: S311 - it breaks ties, it keeps no secrets
    table = repair(start.table.tolist(), counts.tolist(), start.bound, REPAIR_STEPS, random)
    return improved(counts, start, np.array(table, dtype=np.int64))

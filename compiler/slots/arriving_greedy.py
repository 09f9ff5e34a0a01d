"""Min-transfer where tokens arrive one after another: wait while the fewest slots allow it.

The greedy of `pool`, which sees the tokens that have come, but knows how many turns each group has
still to run, of those to come as well. The slack of a group is the slots that are left less these
turns: while it has some, the group waits for a token whose groups are all free; without any it runs
what there is, and may split it. A group without slack never idles while a token waits for it, so
the fewest slots are met.

Several forms are run, which of the tokens that may start goes first: the oldest, the widest, or
the one that ends soonest; under limits also whether a group with little slack splits one. `repair`
works on those above the bound. The best has the fewest slots, then transfers, then the shortest
delay in order: the next layer's attention waits for all the tokens before one.
"""

from random import Random

import numpy as np

from compiler.slots.limits import check_limits
from compiler.slots.pool import Choice, Pool, Room, fill_slot, oldest, soonest, widest
from compiler.slots.problem import SlotProblem
from compiler.slots.repair import repair
from ir.arrays import Ints
from ir.arrivals import Arrivals, Delays
from ir.schedule import distinct_per_row

CHOICES: tuple[Choice, ...] = (oldest, widest, soonest)
SPLIT_AT = (0, 2, -1)  # slack: where the bound would be missed, a little before, never
REPAIR_STEPS = 12_000  # about 60 ms for 512 tokens and 16 groups
REPAIR_STEPS_PER_SLOT = 120


def arriving_tables(problem: SlotProblem, first: Ints, seed: int) -> tuple[list[Ints], int]:
    """Return tables [slots, groups] of `problem`, the best first, and a bound on their transfers.

    All have the same number of slots, at which the bound holds. first: [tokens], ascending, the
    slot in which each token comes.
    """
    least = problem.slots_bound
    splits = SPLIT_AT if problem.limits else SPLIT_AT[:1]
    tables = [_greedy(problem, first, least, c, split_at) for split_at in splits for c in CHOICES]
    shortest = min(len(table) for table in tables)
    bound = int(problem.counts.max(axis=1, initial=0).sum())
    tables = [table for table in tables if len(table) == shortest]
    if min(distinct_per_row(table) for table in tables) > bound:
        bound = problem.transfers_bound_at(shortest)
    steps = min(REPAIR_STEPS, REPAIR_STEPS_PER_SLOT * shortest)
    tables = [repaired(problem, first, table, bound, steps, seed) for table in tables]
    return sorted(tables, key=lambda table: order_key(table, first)), bound


def order_key(table: Ints, first: Ints) -> tuple[int, int, float]:
    """Slots, transfers, and the delay of tokens that are done in order: what is minimised."""
    return len(table), distinct_per_row(table), Delays.of(table, Arrivals(first)).in_order


def repaired(
    problem: SlotProblem, first: Ints, table: Ints, bound: int, steps: int, seed: int
) -> Ints:
    """Exchange turns between slots until `table` has `bound` transfers, in at most `steps` steps.

    Where that brings too many tokens into the buffer, the table stays.
    """
    if distinct_per_row(table) <= bound:
        return table
    random = Random(seed)  # noqa: S311 - it breaks ties, it keeps no secrets
    rows, bus = problem.counts.tolist(), problem.limits.bus
    found = repair(table.tolist(), rows, bound, steps, random, first.tolist(), bus)
    better = np.array(found, dtype=np.int64)
    return table if check_limits(better, problem.limits) else better


def _greedy(problem: SlotProblem, first: Ints, least: int, choose: Choice, split_at: int) -> Ints:
    """Fill slot after slot until no turn is left."""
    rows: list[list[int]] = problem.counts.tolist()
    turns: list[int] = problem.counts.sum(axis=0).tolist()
    comes, limits = first.tolist(), problem.limits
    pool = Pool(len(turns))
    come = started = 0
    table: list[list[int]] = []
    while any(turns):
        while come < len(rows) and comes[come] <= len(table):
            pool.admit(come, rows[come])
            come += 1
        left = max(least - len(table), *turns)
        room = Room(limits.bus, limits.buffer, started & pool.unfinished)
        row, _ = fill_slot(pool, [left - n for n in turns], split_at, choose, room)
        for g, token in enumerate(row):
            if token >= 0:
                turns[g] -= 1
                started |= 1 << token
        table.append(row)
    return np.array(table, dtype=np.int64).reshape(len(table), len(turns))

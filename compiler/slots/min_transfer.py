"""Min-transfer: the fewest slots, L, and nearly always the fewest transfers in them; no solver.

The greedy of `pool` fills slot after slot. The slack of a group is the slots left minus its turns
left; a group without slack has to run in every slot that is left.

Where the greedy misses the bound, `repair` works on its table; its random choices come from `seed`.
"""

from random import Random

import numpy as np

from compiler.slots.bounds import slots_bound, transfers_bound, transfers_bound_at
from compiler.slots.pool import Pool, fill_slot
from compiler.slots.repair import repair
from ir.arrays import Ints

REPAIR_STEPS = 4000  # about 25 ms for 512 tokens and 16 groups
REPAIR_STEPS_PER_SLOT = 40


def min_transfer_table(counts: Ints, seed: int = 0) -> tuple[Ints, int]:
    """Return the table [L, groups] and a lower bound on the transfers of any order of L slots.

    counts: int64 [tokens, groups]. The bound is sum_t max_g c[t, g] where the greedy meets it at
    once, and otherwise the stronger `transfers_bound_at`.
    """
    slots, bound = slots_bound(counts), transfers_bound(counts)
    if not slots:
        return np.full((0, counts.shape[1]), -1, dtype=np.int64), bound
    rows: list[list[int]] = counts.tolist()
    table, transfers = _greedy(rows, slots)
    if transfers > bound:
        bound = transfers_bound_at(counts, slots)
        random = Random(seed)  # noqa: S311 - it breaks ties, it keeps no secrets
        steps = min(REPAIR_STEPS, REPAIR_STEPS_PER_SLOT * slots)
        table = repair(table, rows, bound, steps, random)
    return np.array(table, dtype=np.int64), bound


def _greedy(rows: list[list[int]], slots: int) -> tuple[list[list[int]], int]:
    """One pass over the slots: the table and its transfers."""
    pool = Pool(len(rows[0]))
    for token, row in enumerate(rows):
        pool.admit(token, row)
    table = []
    transfers = 0
    for slot in range(slots):
        row, more = fill_slot(pool, [slots - slot - turns for turns in pool.turns])
        table.append(row)
        transfers += more
    return table, transfers

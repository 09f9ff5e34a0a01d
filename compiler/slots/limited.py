"""Min-transfer within limits on the bus and the buffer.

The greedy of `pool` with the whole window in sight, but only as many tokens in a slot as the bus
carries, and a new one only where the buffer has room; a resident token goes first. The slack of a
group counts on as many slots as the bound asks for. When those have passed, it is the lead of the
fullest group. Several forms of the greedy are run (which token of those that may start; whether a
group with little slack splits one) and the best order is kept: fewest slots, then fewest transfers.
Min-transfer's own order is it where it happens to be within the limits.
"""

import numpy as np

from compiler.slots.bounds import transfers_bound_at
from compiler.slots.limits import Limits, check_limits, slots_bound_within
from compiler.slots.min_transfer import min_transfer_table
from compiler.slots.pool import Choice, Pool, Room, fill_slot, soonest, widest
from ir.arrays import Ints
from ir.schedule import distinct_per_row

SPLIT_AT = (-1, 0, 2)  # slack: never, where the bound would be missed, a little before
FORMS: tuple[tuple[Choice, int], ...] = tuple((c, s) for c in (widest, soonest) for s in SPLIT_AT)


def limited_table(counts: Ints, limits: Limits, seed: int = 0) -> tuple[Ints, int]:
    """Return a table [slots, groups] within `limits` and a bound on the transfers in its slots.

    counts: int64 [tokens, groups].
    """
    free, bound = min_transfer_table(counts, seed)
    if check_limits(free, limits) is None:
        return free, bound
    least = slots_bound_within(counts, limits)
    found = [_greedy(counts, limits, least, choose, split_at) for choose, split_at in FORMS]
    table = min(found, key=lambda table: (len(table), distinct_per_row(table)))
    return table, transfers_bound_at(counts, len(table))


def _greedy(counts: Ints, limits: Limits, least: int, choose: Choice, split_at: int) -> Ints:
    """Fill slots until no turn is left."""
    pool = Pool(counts.shape[1])
    for token, row in enumerate(counts.tolist()):
        pool.admit(token, row)
    table: list[list[int]] = []
    started = 0
    while pool.unfinished:
        left = max(least - len(table), *pool.turns)
        slack = [left - turns for turns in pool.turns]
        room = Room(limits.bus, limits.buffer, started & pool.unfinished)
        row, _ = fill_slot(pool, slack, split_at, choose, room)
        for token in row:
            if token >= 0:
                started |= 1 << token
        table.append(row)
    return np.array(table, dtype=np.int64)

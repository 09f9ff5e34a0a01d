"""Online min-transfer: what hardware can build, which sees tokens only as they come.

The buffer holds the first W unfinished tokens in the order they come; a token that is finished
makes room for the next. Every slot is filled by the greedy of `pool` from what the buffer holds.
How many slots the rest will take is not known, so the turns that the buffer holds for a group, its
pressure, stand in for it: the slack of a group is the highest pressure minus its own.

Of the tokens that may start, the one that ends soonest is taken: it makes room to see further, and
the buffer keeps tokens with many turns, so that the groups do not run dry.
"""

import numpy as np

from compiler.slots.pool import Pool, Room, fill_slot, soonest
from ir.arrays import Ints
from ir.errors import InputError

HELD = 64  # unfinished tokens, where the caller sets no limit
SPLIT = 0.7  # chosen on the first halves of real traces: benchmarks/slots.py


def check_split(split: float) -> None:
    """InputError unless `split` is a share."""
    if not 0 <= split <= 1:
        raise InputError("split", f"{split}, expected a share from 0 to 1")


def online_table(
    counts: Ints, held: int, bus: int | None, split: float, first: Ints | None = None
) -> Ints:
    """Return the table [slots, groups]; counts: int64 [tokens, groups]; held: the W of above.

    At most `bus` tokens run in a slot. A group splits a token rather than wait if its pressure is
    at least the share `split` of the highest: with 0 every group does, with 1 the busiest alone.
    first: [tokens], ascending, the slot in which each token comes; None: all are there.
    """
    groups = counts.shape[1]
    rows: list[list[int]] = counts[: _end(counts)].tolist()
    comes = [0] * len(rows) if first is None else first.tolist()
    pool = Pool(groups)
    come = 0
    table: list[list[int]] = []
    while come < len(rows) or pool.unfinished:
        now = len(table)
        while come < len(rows) and comes[come] <= now and pool.unfinished.bit_count() < held:
            pool.admit(come, rows[come])
            come += 1
        most = max(pool.turns)
        slack = [most - turns for turns in pool.turns]
        row, _ = fill_slot(pool, slack, (1 - split) * most, soonest, Room(bus))
        table.append(row)
    return np.array(table, dtype=np.int64).reshape(len(table), groups)


def _end(counts: Ints) -> int:
    """Count the tokens up to the last with a turn."""
    return int(np.max(np.flatnonzero(counts.any(axis=1)), initial=-1)) + 1

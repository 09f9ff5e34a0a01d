"""Limits of the hardware on a slot order: transfers per slot, and unfinished tokens.

A bus of width B carries at most B transfers in a slot, so X transfers need ceil(X / B) slots. A
token is resident in the buffer at the bus from its first slot to its last, and at most W are so at
once. One of each is enough for any window: one token after the other.
"""

from dataclasses import dataclass

import numpy as np

from compiler.slots.bounds import slots_bound, transfers_bound
from ir.arrays import Ints
from ir.errors import InputError


@dataclass(frozen=True)
class Limits:
    """bus: transfers per slot (B); buffer: unfinished tokens (W); None: no limit."""

    bus: int | None = None
    buffer: int | None = None

    def __post_init__(self) -> None:
        for name in ("bus", "buffer"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(name, f"{value}, expected at least 1")

    def __bool__(self) -> bool:
        return self.bus is not None or self.buffer is not None


NO_LIMITS = Limits()


def slots_bound_within(counts: Ints, limits: Limits) -> int:
    """max(L, ceil(sum_t max_g c[t, g] / B)) slots, for any order of `counts` within `limits`."""
    least = slots_bound(counts)
    if limits.bus is None:
        return least
    return max(least, -(-transfers_bound(counts) // limits.bus))


def residents(table: Ints) -> Ints:
    """Count the tokens that are resident in each slot: [slots]; table: [slots, groups]."""
    slot, group = np.nonzero(table >= 0)
    if not len(slot):
        return np.zeros(len(table), dtype=np.int64)
    token = table[slot, group]
    first = np.full(int(token.max()) + 1, len(table))
    last = np.full(len(first), -1)
    np.minimum.at(first, token, slot)
    np.maximum.at(last, token, slot)
    used = last >= 0
    change = np.zeros(len(table) + 1, dtype=np.int64)
    np.add.at(change, first[used], 1)
    np.add.at(change, last[used] + 1, -1)
    return np.cumsum(change)[:-1]


def check_limits(table: Ints, limits: Limits) -> str | None:
    """Say where `table` breaks `limits`, or None if nowhere."""
    if limits.bus is not None:
        for s, row in enumerate(table):
            sent = len(np.unique(row[row >= 0]))
            if sent > limits.bus:
                return f"slot {s} has {sent} transfers, the bus carries {limits.bus}"
    if limits.buffer is not None:
        over = np.flatnonzero(residents(table) > limits.buffer)
        if len(over):
            found = int(residents(table)[over[0]])
            return f"slot {over[0]} has {found} unfinished tokens, the buffer holds {limits.buffer}"
    return None

"""Compact: every group runs its tokens in token order without a gap."""

import numpy as np

from compiler.slots.bounds import Ints, slots_bound


def compact_table(counts: Ints) -> Ints:
    """Return the table [L, groups] of the compact order; counts: int64 [tokens, groups]."""
    return ordered_with_waits(counts, np.zeros_like(counts))


def ordered_with_waits(counts: Ints, waits: Ints) -> Ints:
    """Run every group in token order, idling waits[t, g] slots before its first turn from t on.

    counts, waits: int64 [tokens, groups]. Waits after a group's last turn change nothing. The
    table is as long as the last turn asks for.
    """
    tokens, groups = counts.shape
    waited = np.cumsum(waits, axis=0)
    columns = []
    for g in range(groups):
        token = np.repeat(np.arange(tokens), counts[:, g])
        columns.append((np.arange(len(token)) + waited[token, g], token))
    slots = max((int(slot[-1]) + 1 for slot, _ in columns if len(slot)), default=0)
    table = np.full((max(slots, slots_bound(counts)), groups), -1, dtype=np.int64)
    for g, (slot, token) in enumerate(columns):
        table[slot, g] = token
    return table

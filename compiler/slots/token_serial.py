"""Token-serial: one token at a time on all groups, max_g c[t, g] slots each (the paper's (i))."""

import numpy as np

from compiler.slots.bounds import Ints


def token_serial_table(counts: Ints) -> Ints:
    """Return the table [sum_t max_g c[t, g], groups] that runs the tokens one after the other.

    counts: int64 [tokens, groups]. A token's turns in a group come in its first slots.
    """
    fullest = counts.max(axis=1, initial=0)
    token = np.repeat(np.arange(len(counts)), fullest)
    first = np.cumsum(fullest) - fullest
    turn = np.arange(len(token)) - first[token]
    return np.where(turn[:, None] < counts[token], token[:, None], -1)

"""Token-serial and compact where tokens arrive one after another: each waits for the next.

Tokens are numbered in the order of their arrival: first[t] = r_t, ascending.
"""

import numpy as np

from ir.arrays import Ints


def token_serial_from(counts: Ints, first: Ints) -> Ints:
    """Return the table [slots, groups] that runs the tokens one after the other.

    counts: int64 [tokens, groups]; first: [tokens]. Token t takes max_g c[t, g] slots, from r_t or
    the end of the one before on.
    """
    rows: list[Ints] = []
    for t, most in enumerate(counts.max(axis=1, initial=0).tolist()):
        if most:
            rows += [np.full(counts.shape[1], -1)] * (int(first[t]) - len(rows))
            rows += [np.where(turn < counts[t], t, -1) for turn in range(most)]
    return np.array(rows, dtype=np.int64).reshape(len(rows), counts.shape[1])


def compact_from(counts: Ints, first: Ints) -> Ints:
    """Return the table [slots, groups] in which no group idles while a token waits for it.

    counts: int64 [tokens, groups]; first: [tokens]. Its slots are the fewest there are.
    """
    columns = []
    for turns in counts.T:
        token = np.repeat(np.arange(len(counts)), turns)
        place = np.arange(len(token))
        columns.append((np.maximum.accumulate(first[token] - place) + place, token))
    slots = max((int(slot[-1]) + 1 for slot, _ in columns if len(slot)), default=0)
    table = np.full((slots, counts.shape[1]), -1, dtype=np.int64)
    for g, (slot, token) in enumerate(columns):
        table[slot, g] = token
    return table

"""Slots after each of many swaps, compiled: the innermost loop of the local search."""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled


@compiled
def swap_slots(
    loads: Array, load: Array, group: Array, first: Array, second: Array, parts: int
) -> Array:
    """Slots, over the worst part, after each swap of two places in different groups: [swaps].

    loads: [places, windows] pairs of each; load: [groups, windows] of each group's places; group:
    [places]; first, second: [swaps], places.
    """
    others = _fullest_other(load)
    length = loads.shape[1] // parts
    out = np.zeros(len(first), np.int64)
    for swap in range(len(first)):
        i, j = first[swap], second[swap]
        g, h = group[i], group[j]
        for part in range(parts):
            here = slice(part * length, (part + 1) * length)
            left, right, most = loads[i, here], loads[j, here], others[g, h, here]
            mine, its, slots = load[g, here], load[h, here], np.int64(0)
            for w in range(length):
                moved = left[w] - right[w]
                fuller = max(mine[w] - moved, its[w] + moved)
                slots += max(fuller, most[w])
            out[swap] = max(out[swap], slots)
    return out


@compiled
def _fullest_other(load: Array) -> Array:
    """Fullest group apart from g and h, from load [groups, windows]: [groups, groups, windows].

    Where g and h are the two fullest it is left 0: whatever they swap, the fuller of them keeps at
    least half of what both hold, which no third group exceeds.
    """
    groups, windows = load.shape
    fullest, next_to = np.zeros(windows, np.int64), np.full(windows, -1, np.int64)
    most, second = load[0].copy(), np.zeros(windows, np.int64)
    for g in range(1, groups):
        for w in range(windows):
            if load[g, w] > most[w]:
                next_to[w], second[w] = fullest[w], most[w]
                fullest[w], most[w] = g, load[g, w]
            elif next_to[w] < 0 or load[g, w] > second[w]:
                next_to[w], second[w] = g, load[g, w]
    out = np.zeros((groups, groups, windows), np.int64)
    for g in range(groups):
        for h in range(groups):
            for w in range(windows):
                if fullest[w] != g and fullest[w] != h:
                    out[g, h, w] = most[w]
                elif next_to[w] != g and next_to[w] != h:
                    out[g, h, w] = second[w]
    return out

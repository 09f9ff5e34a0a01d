"""Of every two experts what they have together, counted by compiled code."""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled


@compiled
def tokens_of_both(chosen: Array, times: Array) -> Array:
    """Tokens that use both experts, each as often as `times` [tokens] says: [experts, experts].

    chosen: bool [tokens, experts]. On the diagonal the tokens of one expert.
    """
    tokens, experts = chosen.shape
    out = np.zeros((experts, experts), np.int64)
    used = np.empty(experts, np.int64)
    for token in range(tokens):
        count = 0
        for expert in range(experts):
            if chosen[token, expert]:
                used[count] = expert
                count += 1
        for i in range(count):
            for j in range(count):
                out[used[i], used[j]] += times[token]
    return out


@compiled
def slots_of_both(loads: Array, others: Array, least: Array, parts: int) -> Array:
    """Slots, over the worst part, of a group with both experts: [experts, experts].

    loads: [experts, windows]; others: [windows] pairs of the rest of the group; least: [windows]
    slots at least.
    """
    experts, windows = loads.shape
    length = windows // parts
    out = np.zeros((experts, experts), np.int64)
    for e in range(experts):
        for f in range(e + 1):
            for part in range(parts):
                here = slice(part * length, (part + 1) * length)
                one, other, rest, low = loads[e, here], loads[f, here], others[here], least[here]
                slots = np.int64(0)
                for w in range(length):
                    slots += max(one[w] + other[w] + rest[w], low[w])
                out[e, f] = max(out[e, f], slots)
            out[f, e] = out[e, f]
    return out

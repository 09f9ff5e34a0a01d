"""Which experts tokens use together, counted by compiled code."""

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

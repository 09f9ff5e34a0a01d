"""The cheapest order of groups by dynamic programming, compiled."""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled


@compiled
def cheapest_order(hops: Array, shape: Array, weights: Array) -> int:
    """Least sum of packets x hops over the orders in which each size's heaviest come first.

    A state is how many groups of each size have come, numbered as the cells of an array of `shape`
    are. hops: [states] of the group that came last; weights: [sizes, groups] packets of each group.
    """
    stride = np.ones(len(shape), np.int64)
    for size in range(len(shape) - 2, -1, -1):
        stride[size] = stride[size + 1] * shape[size + 1]
    best = np.zeros(len(hops), np.int64)
    for state in range(1, len(hops)):
        least = np.int64(-1)
        for size in range(len(shape)):
            taken = state // stride[size] % shape[size]
            if taken > 0:
                cost = best[state - stride[size]] + weights[size, taken - 1] * hops[state]
                if least < 0 or cost < least:
                    least = cost
        best[state] = least
    return int(best[-1])

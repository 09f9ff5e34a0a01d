"""Sums over the experts of each group."""

import numpy as np

from ir.arrays import Array, Ints


def sum_by_group(numbers: Array, group: Ints, groups: int) -> Ints:
    """`numbers` [rows, experts] summed over the experts of each group: int64 [rows, groups].

    group: [experts], -1 of those in none.
    """
    held = np.flatnonzero(group >= 0)
    until = np.zeros((len(numbers), len(held) + 1), dtype=np.int64)
    order = held[np.argsort(group[held], kind="stable")]
    np.cumsum(numbers[:, order], axis=1, out=until[:, 1:])
    size = np.bincount(group[held], minlength=groups)
    stop = np.cumsum(size)
    return until[:, stop] - until[:, stop - size]

"""How many dies are near one die, or near one of two."""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled


def balls_of(hops: Array) -> list[int]:
    """The most dies within k links of any die, for k = 0, 1, .. until they are all."""
    if not len(hops):
        return [0]
    far = int(hops.max()) + 1
    most = np.zeros(far, dtype=np.int64)
    for row in hops:
        most = np.maximum(most, np.bincount(row, minlength=far).cumsum())
    return most.tolist()


def unions_of(hops: Array, apart: int, near: int) -> list[list[int]]:
    """[D][k]: the most dies within k links of one of two dies D links apart.

    D up to `apart` and k up to `near`, or as far as dies are from each other.
    """
    far = int(hops.max(initial=0)) + 1
    out = np.zeros((min(apart + 1, far), min(near + 1, far)), dtype=np.int64)
    _unite(hops, out, np.zeros(out.shape[1], dtype=np.int64))
    return out.tolist()


@compiled
def _unite(hops: Array, out: Array, found: Array) -> None:
    near = out.shape[1]
    for a in range(len(hops)):
        for b in range(a, len(hops)):
            if hops[a, b] >= out.shape[0]:
                continue
            found[:] = 0
            for c in range(len(hops)):
                links = min(hops[a, c], hops[b, c])
                if links < near:
                    found[links] += 1
            within = 0
            for k in range(near):
                within += found[k]
                out[hops[a, b], k] = max(out[hops[a, b], k], within)

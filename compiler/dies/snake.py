"""Dies one after another, neighbours where possible."""

import numpy as np

from compiler.dies.links import before_of, hops_of
from ir.arrays import Ints
from ir.topology import Topology


def snake(topology: Topology, height: int = 1) -> Ints:
    """All dies in an order in which those that follow each other are joined, where possible.

    Of a mesh: in bands of so many rows, from column to column, each column the other way round than
    the one before, and so the bands; the last rows of a mesh may break it. Of others: from each
    die to the one not yet taken that is joined to it and has fewest others left, or to the nearest.
    """
    if topology.columns:
        return _of_mesh(topology, height)
    if len(topology.joined) in (topology.count, topology.count * (topology.count - 1) // 2) and all(
        a + 1 in topology.neighbours[a] for a in range(topology.count - 1)
    ):
        return np.arange(topology.count)
    return _of_table(topology)


def _of_mesh(topology: Topology, height: int) -> Ints:
    columns = topology.columns
    rows = -(-topology.count // columns)
    found: list[int] = []
    for band, top in enumerate(range(0, rows, height)):
        inside = range(top, min(rows, top + height))
        across = range(columns)
        for turn, x in enumerate(across if band % 2 == 0 else reversed(across)):
            column = [y * columns + x for y in inside]
            found += column if turn % 2 == 0 else column[::-1]
    return np.array([die for die in found if die < topology.count], dtype=np.int64)


def _of_table(topology: Topology) -> Ints:
    hops = hops_of(before_of(topology))
    left = np.array([len(of) for of in topology.neighbours])
    free = np.ones(topology.count, dtype=np.bool_)
    here = int(left.argmin()) if len(left) else 0
    found: list[int] = []
    while len(found) < topology.count:
        found.append(here)
        free[here] = False
        left[list(topology.neighbours[here])] -= 1
        some = np.flatnonzero(free)
        if len(some):
            here = int(some[np.lexsort((some, left[some], hops[here, some]))[0]])
    return np.array(found, dtype=np.int64)

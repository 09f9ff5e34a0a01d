"""The baseline placement: layers in strips, PGs in a snake through each strip's cores."""

import math

import numpy as np

from compiler.placement.fit import layer_cores, rows_needed, too_small
from compiler.placement.shelves import Shelves
from ir.arrays import Ints
from ir.chip import Chip
from ir.placement import Placement, Region


def place_in_order(shelves: Shelves, chip: Chip) -> Placement:
    """Each layer takes full rows of the mesh, one layer below the other, filled boustrophedon.

    Neighbouring PG numbers (the row tiles of one output column) thus stay on the same or on
    adjacent cores. With an automatic mesh the width is the one with the fewest cores, then the most
    nearly square. Raises InfeasibleError when a fixed mesh is too small.
    """
    cores = layer_cores(shelves, chip)
    width, height = _mesh_size(shelves, chip)
    core = np.zeros(len(shelves.pg_class), dtype=np.int64)
    regions: list[Region] = []
    y, first_pg = 0, 0
    for layer in sorted(cores):
        rows = math.ceil(cores[layer] / width)
        regions.append(Region(layer, 0, y, width, rows))
        pgs = shelves.layer_pgs[layer]
        order = np.arange(pgs) // chip.mesh.pgs_per_core
        core[first_pg : first_pg + pgs] = y * width + _snake(order, width)
        y, first_pg = y + rows, first_pg + pgs
    return Placement(
        mesh_width=width,
        mesh_height=max(height, 1),
        regions=tuple(regions),
        pg_start=shelves.pg_start,
        spots=shelves.spots,
        core=core,
        pg_class=shelves.pg_class,
        solver="in-order",
    )


def _snake(order: Ints, width: int) -> Ints:
    """Core of the n-th place: rows left to right and right to left in turn."""
    row, column = order // width, order % width
    return row * width + np.where(row % 2 == 0, column, width - 1 - column)


def _mesh_size(shelves: Shelves, chip: Chip) -> tuple[int, int]:
    cores = layer_cores(shelves, chip)
    if chip.mesh.width:
        if rows_needed(cores, chip.mesh.width) > chip.mesh.height:
            raise too_small(shelves, chip)
        return chip.mesh.width, chip.mesh.height
    side = max(1, math.isqrt(sum(cores.values())))
    candidates = range(max(1, side // 2), 2 * side + 2)
    heights = {w: rows_needed(cores, w) for w in candidates}
    best = min(candidates, key=lambda w: (w * heights[w], abs(w - heights[w])))
    return best, heights[best]

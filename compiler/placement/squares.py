"""Near-square regions in rows: each layer's ways to its port depend on that layer alone.

A region is about as wide as high whatever the other layers are, and is filled by the same rule
wherever it stands, so that what happens in it is known before anything else is placed.
"""

import math
from collections.abc import Mapping

import numpy as np

from compiler.placement.curves import by_hooks
from compiler.placement.fit import layer_cores, too_narrow, too_small
from compiler.placement.shelves import Shelves
from ir.arrays import Ints
from ir.chip import Chip
from ir.placement import Placement, Region


def place_squares(shelves: Shelves, chip: Chip) -> Placement:
    """Each layer takes a rectangle `square_of` its cores, filled as `filled` says.

    They stand in rows (`in_rows`), so that layers that follow each other are neighbours. With an
    automatic mesh the width is the one with the fewest cores, then the most nearly square. Raises
    InfeasibleError when a fixed mesh is too small.
    """
    (width, height), regions = _mesh(shelves, chip)
    core = np.zeros(len(shelves.pg_class), dtype=np.int64)
    first_pg = 0
    for region in regions:
        pgs = shelves.layer_pgs[region.layer]
        x, y = filled(pgs, chip.mesh.pgs_per_core)
        core[first_pg : first_pg + pgs] = (region.y + y) * width + region.x + x
        first_pg += pgs
    return Placement(
        mesh_width=width,
        mesh_height=height,
        regions=regions,
        pg_start=shelves.pg_start,
        spots=shelves.spots,
        core=core,
        pg_class=shelves.pg_class,
        solver="squares",
    )


def square_of(cores: int) -> tuple[int, int]:
    """Width and height of the rectangle for so many cores (at least 1): no row of it is empty."""
    width = math.isqrt(cores - 1) + 1
    return width, math.ceil(cores / width)


def filled(pgs: int, pgs_per_core: int) -> tuple[Ints, Ints]:
    """Core of each PG of a region, from its port at (0, 0): (x, y) [PGs].

    Cores are filled one after another, in the order of the PGs' numbers; each core is a neighbour
    of the one before.
    """
    x, y = by_hooks(*square_of(math.ceil(pgs / pgs_per_core)))
    place = np.arange(pgs) // pgs_per_core
    return x[place], y[place]


def in_rows(cores: Mapping[int, int], width: int) -> tuple[tuple[Region, ...], int]:
    """Regions on a mesh of `width` that is as wide as the widest, and the height they take.

    cores: {layer: cores it needs}. They go in the layers' order, in turn to the right from the
    mesh's left edge and to the left from its right one; the next row begins below the highest.
    """
    regions: list[Region] = []
    used, y, row_height, right = 0, 0, 0, True
    for layer in sorted(cores):
        wide, high = square_of(cores[layer])
        if used + wide > width:
            used, y, row_height, right = 0, y + row_height, 0, not right
        regions.append(Region(layer, used if right else width - used - wide, y, wide, high))
        used, row_height = used + wide, max(row_height, high)
    return tuple(regions), y + row_height


def _mesh(shelves: Shelves, chip: Chip) -> tuple[tuple[int, int], tuple[Region, ...]]:
    """The mesh and the regions on it."""
    cores, fixed = layer_cores(shelves, chip), (chip.mesh.width, chip.mesh.height)
    widest = max((square_of(n)[0] for n in cores.values()), default=1)
    if chip.mesh.width:
        if widest > chip.mesh.width:
            raise too_narrow(max(cores, key=cores.__getitem__), widest, chip)
        regions, needed = in_rows(cores, chip.mesh.width)
        if needed > chip.mesh.height:
            raise too_small(shelves, chip, needed)
        return fixed, regions
    side = max(widest, math.isqrt(sum(cores.values())))
    plans = {w: in_rows(cores, w) for w in range(max(widest, side // 2), 2 * side + 2)}
    heights = {w: max(height, 1) for w, (_, height) in plans.items()}
    best = min(plans, key=lambda w: (w * heights[w], abs(w - heights[w])))
    return (best, heights[best]), plans[best][0]

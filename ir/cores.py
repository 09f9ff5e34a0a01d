"""How large a core of the mesh is."""

from math import isqrt

from ir.chip import Chip
from ir.converters import peripheral_um2


def core_um2(chip: Chip) -> int | None:
    """Area of a core, um2: its peripheral groups, each with the most crossbars; None if not known.

    All cores of the mesh are of one size, that of one full of expert crossbars.
    """
    circuits = peripheral_um2(chip)
    if circuits is None or chip.crossbar.array_um2 is None:
        return None
    switch = chip.pg.mux_switch_um2 if chip.pg.most > 1 else 0
    group = circuits + chip.pg.most * (chip.crossbar.array_um2 + switch)
    return chip.mesh.pgs_per_core * group


def core_um(chip: Chip) -> int | None:
    """Side of a core, a square: the root of its area, rounded up to whole um."""
    area = core_um2(chip)
    if area is None:
        return None
    side = isqrt(area)
    return side if side * side == area else side + 1

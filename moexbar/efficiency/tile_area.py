"""Area that a grouping of experts takes, per tile position of their matrices."""

from ir.chip import Chip
from ir.converters import peripheral_um2


def tile_area_um2(chip: Chip, groups: int, columns: int, size: int) -> int | None:
    """Area of one tile position: a PG for each group, a crossbar for each copy of an expert.

    `size` is the most experts in a group: with 1 there is no mux switch. None where the chip's
    areas are not published.
    """
    peripheral, array = peripheral_um2(chip), chip.crossbar.array_um2
    if peripheral is None or array is None:
        return None
    switch = chip.pg.mux_switch_um2 if size > 1 else 0
    return groups * peripheral + columns * (array + switch)

"""What the length of a wire costs, and the lengths: of a core's side and of a region."""

from dataclasses import dataclass
from math import isqrt

from ir.chip import Chip
from ir.cores import core_um
from ir.timing.cost import ceil


@dataclass(frozen=True)
class Extent:
    """How large a region is: columns and rows of cores, and its peripheral groups."""

    columns: int
    rows: int
    pgs: int


def square(chip: Chip, pgs: int) -> Extent:
    """The smallest square of cores that holds so many peripheral groups."""
    side = isqrt(max(1, ceil(pgs, chip.mesh.pgs_per_core)) - 1) + 1
    return Extent(side, side, pgs)


def hop_um(chip: Chip) -> int:
    """Length of one mesh link: the side of a core; 0 where wires cost what is published."""
    side = core_um(chip) if chip.wires.cost == "by length" else None
    return 0 if side is None else side


def region_um(chip: Chip, region: Extent) -> int:
    """Length of a region's bus, half its perimeter: from its port to the far corner.

    Branches on the way are taken to be switched off where no group behind them takes the vector,
    and a bit goes to the cores that hold its row alone.
    """
    return (region.columns + region.rows) * hop_um(chip)


def wire_fj(chip: Chip, bits: int, um: int) -> int:
    """Energy of `bits` over `um` of wire, rounded up."""
    return ceil(bits * um * chip.wires.fj_per_bit_mm, 1000)


def wire_ps(chip: Chip, um: int) -> int:
    """Time of a bit over `um` of wire, rounded up; the wire takes others meanwhile."""
    return ceil(um * chip.wires.ps_per_mm, 1000)


def buffer_ps(chip: Chip, bits: int, pgs: int) -> int:
    """Time to read `bits` from the buffer of a region of so many peripheral groups.

    It has a part in every core that they fill, which are read side by side.
    """
    if chip.memory.buffer_bits_per_ns is None:
        return 0
    parts = max(1, ceil(pgs, chip.mesh.pgs_per_core))
    return ceil(bits * 1000, chip.memory.buffer_bits_per_ns * parts)

"""How large a chip is: cores, regions and all of it, in millimetres and reticles."""

from dataclasses import dataclass

RETICLE_MM = (26, 33)
RETICLE_MM2 = RETICLE_MM[0] * RETICLE_MM[1]  # of a lithography scanner: the largest die


@dataclass(frozen=True)
class RegionSize:
    """The rectangle of cores of one layer.

    layer: decoder layer.
    width_mm: of its columns of cores.
    height_mm: of its rows.
    reticles: its area in reticles of 858 mm2.
    """

    layer: int
    width_mm: float
    height_mm: float
    reticles: float


@dataclass(frozen=True)
class Size:
    """How large the chip is, in mm and in reticles of 26 x 33 mm.

    core_mm: side of a core, a square as large as its peripheral groups with all their crossbars.
    mesh_mm: width and height of the mesh of such cores.
    regions: of the layers.
    chip_mm2: what the mapping occupies, as `area_mm2` has it.
    reticles: the same in reticles of 858 mm2; more than 1 is no single die.
    """

    core_mm: float
    mesh_mm: tuple[float, float]
    regions: tuple[RegionSize, ...]
    chip_mm2: float
    reticles: float


def size_line(size: Size) -> str:
    """Core, largest region and chip in words."""
    largest = max(size.regions, key=lambda region: region.reticles)
    return (
        f"cores of {size.core_mm:.2f} mm; the largest region, of layer {largest.layer}, "
        f"{largest.width_mm:.1f} x {largest.height_mm:.1f} mm; "
        f"chip {size.chip_mm2:.4g} mm2, {size.reticles:.2g} reticles"
    )


def size_notes(size: Size) -> tuple[str, ...]:
    """What does not fit one reticle."""
    width, height = RETICLE_MM
    reticle = f"a reticle of {width} x {height} mm"
    notes = []
    large = [region for region in size.regions if region.reticles > 1]
    if large:
        most = max(large, key=lambda region: region.reticles)
        notes.append(
            f"{len(large)} of {len(size.regions)} regions are larger than {reticle}, "
            f"that of layer {most.layer} {most.reticles:.3g} times"
        )
    if size.reticles > 1:
        notes.append(f"the chip is {size.reticles:.3g} times as large as {reticle}: no single die")
    return tuple(notes)

"""Whether a model fits a mesh of fixed size at all, before anything is placed."""

import math

from compiler.placement.shelves import Shelves
from ir.chip import Chip
from ir.errors import Amount, InfeasibleError
from ir.mapping import Block
from ir.placement import Placement


def check_fits(blocks: tuple[Block, ...], chip: Chip) -> None:
    """Raise InfeasibleError where one matrix exceeds a fixed mesh.

    The change that is named is the least that helps with this one demand.
    """
    mesh = chip.mesh
    if not mesh.width:
        return
    supply = mesh.width * mesh.height * mesh.pgs_per_core
    size = f"{mesh.width} x {mesh.height} cores of {mesh.pgs_per_core} on chip {chip.name}"
    for block in blocks:
        if block.tiles > supply:
            height = math.ceil(block.tiles / (mesh.width * mesh.pgs_per_core))
            raise InfeasibleError(
                f"peripheral groups for layer {block.layer} {block.role} {block.weight.tensor}",
                Amount(
                    block.tiles,
                    f"{block.tiles} ({block.rows} x {block.columns} tiles that fire together)",
                ),
                Amount(supply, f"{supply} ({size})"),
                "peripheral groups",
                f"set mesh.height to at least {height}, or mesh.width and mesh.height to auto",
            )


def layer_cores(shelves: Shelves, chip: Chip) -> dict[int, int]:
    """Cores that each layer needs: ceil(PGs / PGs per core)."""
    per_core = chip.mesh.pgs_per_core
    return {layer: math.ceil(n / per_core) for layer, n in sorted(shelves.layer_pgs.items())}


def rows_needed(cores: dict[int, int], width: int) -> int:
    """Height of a mesh of `width` on which the layers fit in strips, in order."""
    return sum(math.ceil(n / width) for n in cores.values())


def too_small(shelves: Shelves, chip: Chip, needed: int | None = None) -> InfeasibleError:
    """The report that a fixed mesh is too small, with a height that is sure to do.

    needed: that height, None for that of strips; the least by cores alone stands beside it where
    it is lower.
    """
    cores, groups = layer_cores(shelves, chip), sum(shelves.layer_pgs.values())
    width, height = chip.mesh.width, chip.mesh.height
    needed = needed or rows_needed(cores, width)
    least = math.ceil(sum(cores.values()) / width)
    less = f" ({least} or more may do with --placement cp-sat)" if least < needed else ""
    return InfeasibleError(
        "mesh",
        Amount(
            needed,
            f"{width} x {needed} cores of {chip.mesh.pgs_per_core} peripheral groups for "
            f"{groups} groups, {sum(cores.values())} cores' worth of layers",
        ),
        Amount(height, f"{width} x {height} on chip {chip.name}"),
        "rows of cores",
        f"set mesh.height to {needed}{less}, or mesh.width and mesh.height to auto",
    )


def too_narrow(layer: int, widest: int, chip: Chip) -> InfeasibleError:
    """The report that a fixed mesh is narrower than the widest of the near-square regions."""
    width, height = chip.mesh.width, chip.mesh.height
    return InfeasibleError(
        "mesh",
        Amount(widest, f"{widest} columns of cores for the region of layer {layer}"),
        Amount(width, f"{width} x {height} on chip {chip.name}"),
        "columns of cores",
        f"set mesh.width to at least {widest}, mesh.width and mesh.height to auto, "
        "or choose --placement in-order",
    )


def side_limits(chip: Chip, placement: Placement | None) -> tuple[int, int]:
    """Most that the longer and the shorter side of the mesh can have.

    Those of the chip's mesh, or, where it is open, of any with no more cores than `placement`'s.
    """
    if chip.mesh.width or placement is None:
        shorter, longer = sorted((chip.mesh.width, chip.mesh.height))
        return longer, shorter
    cores = placement.mesh_width * placement.mesh_height
    return cores, math.isqrt(cores)

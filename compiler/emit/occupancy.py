"""What a mapping occupies of the chip."""

from collections.abc import Sequence

import numpy as np

from ir import timing
from ir.chip import Chip
from ir.links import bus_width, return_lanes
from ir.mapping import Mapping
from ir.program import Inventory
from ir.workload import Workload


def inventory(workload: Workload, mapping: Mapping, chip: Chip, buffer_bytes: int) -> Inventory:
    """Count what the mapping occupies."""
    blocks = mapping.blocks
    widths = {
        layer: timing.bus_bits_per_ns(chip, bus_width(workload, layer)) or 0
        for layer in sorted({b.layer for b in blocks})
    }
    back = {layer: w * return_lanes(workload, layer, chip) for layer, w in widths.items()}
    moe = {op.layer for op in workload.moe_layers}
    shared = _crossbars(mapping, [i for i, b in enumerate(blocks) if b.shared >= 0])
    return Inventory(
        expert_pgs=int((mapping.placement.pg_class == 0).sum()),
        expert_crossbars=_crossbars(mapping, [i for i, b in enumerate(blocks) if b.expert >= 0]),
        dense_pgs=int((mapping.placement.pg_class == 1).sum()),
        dense_crossbars=_crossbars(mapping, [i for i, b in enumerate(blocks) if b.expert < 0]),
        shared_pgs=shared,
        shared_crossbars=shared,
        cores=sum(r.width * r.height for r in mapping.placement.regions),
        bus_bits_per_ns=sum(widths.values()),
        return_bits_per_ns=sum(back.values()),
        moe_bus_bits_per_ns=sum(w for layer, w in widths.items() if layer in moe),
        moe_return_bits_per_ns=sum(w for layer, w in back.items() if layer in moe),
        buffer_bytes=buffer_bytes,
    )


def _crossbars(mapping: Mapping, blocks: Sequence[int]) -> int:
    """Crossbars that hold a tile of any of `blocks`; packed ones count once."""
    placement = mapping.placement
    tiles: dict[tuple[int, int, int], int] = {}  # by first PG, kind and position
    for i in blocks:
        kinds = np.bincount(mapping.blocks[i].tile_kinds().ravel(), minlength=4).tolist()
        for kind, number in enumerate(kinds):
            position = int(placement.spots[i, kind, 0])
            tiles[int(placement.pg_start[i]), kind, position] = number
    return sum(tiles.values())

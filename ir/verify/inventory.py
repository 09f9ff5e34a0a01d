"""The inventory of a program, counted anew from its mapping and its rows."""

import numpy as np

from ir import timing
from ir.links import bus_width, return_lanes
from ir.mapping import RoutedOwner, SharedOwner
from ir.program import Inventory
from ir.verify.caches import cache_bytes
from ir.verify.case import ProgramCase
from ir.verify.check import Fault
from ir.verify.sites import sites_of
from ir.verify.tiles import MappingCase, distinct
from ir.verify.traffic import buffer_bytes_moved


def check_inventory(case: ProgramCase) -> Fault | None:
    """The inventory is what the mapping has, counted anew."""
    found, expected = case.program.inventory, _inventory(case)
    return None if found == expected else Fault("inventory", f"{found}, expected {expected}")


def _inventory(case: ProgramCase) -> Inventory:
    workload, chip = case.workload, case.chip
    tiles = MappingCase(case.mapping, workload, chip)
    owners = [b.owner for b in case.mapping.blocks]
    of_block = [(isinstance(o, RoutedOwner), isinstance(o, SharedOwner)) for o in owners]
    expert, shared = np.array(of_block, dtype=np.bool_).reshape(-1, 2)[tiles.tile_block].T
    kinds = (expert, ~expert, shared)
    behind = np.zeros(case.mapping.placement.pgs, dtype=np.bool_)
    behind[tiles.tile_pg[expert]] = True  # PGs of experts; of others those that no expert is on
    alone = ~behind[tiles.tile_pg]
    pgs = [distinct(tiles.tile_pg[kind]) for kind in (expert, ~expert & alone, shared & alone)]
    crossbars = [distinct(tiles.crossbar_ids[kind]) for kind in kinds]
    regions = case.mapping.placement.regions
    width = dict.fromkeys((layer for r in regions for layer in r.layers), 0)
    for layer, _, _ in sites_of(case.mapping):  # a bus and a return link on each die
        width[layer] += timing.bus_bits_per_ns(chip, bus_width(workload, layer)) or 0
    switched = distinct(tiles.crossbar_ids[tiles.tile_stacked | (expert & (chip.pg.mux > 1))])
    back = {layer: bits * return_lanes(workload, layer, chip) for layer, bits in width.items()}
    moe = {int(case.region[index]) for index in case.moe}
    held, moved = cache_bytes(case), buffer_bytes_moved(case)
    return Inventory(
        expert_pgs=pgs[0],
        expert_crossbars=crossbars[0],
        dense_pgs=pgs[1],
        dense_crossbars=crossbars[1],
        shared_pgs=pgs[2],
        shared_crossbars=crossbars[2],
        cores=sum(r.width * r.height for r in regions),
        bus_bits_per_ns=sum(width.values()),
        return_bits_per_ns=sum(back.values()),
        moe_bus_bits_per_ns=sum(bits for layer, bits in width.items() if layer in moe),
        moe_return_bits_per_ns=sum(bits for layer, bits in back.items() if layer in moe),
        buffer_bytes=sum(buffer.bytes for buffer in case.program.buffers),
        kv_bytes=held[0],
        go_bytes=held[1],
        buffer_written_bytes=moved[0],
        buffer_read_bytes=moved[1],
        switched_crossbars=switched,
    )

"""What a mapping occupies of the chip."""

from collections import Counter
from collections.abc import Sequence
from typing import assert_never

import numpy as np

from compiler.emit.caches import in_buffers, scores_kept
from compiler.fire_groups import fire_groups
from ir import timing
from ir.arrays import Bools
from ir.chip import Chip
from ir.links import bus_width, return_lanes
from ir.mapping import Mapping, RoutedOwner, SharedOwner
from ir.program import Inventory
from ir.schedule import Schedule
from ir.workload import AnyOperator, Attention, Dense, Digital, MoELayer, Workload


def inventory(
    workload: Workload,
    mapping: Mapping,
    schedule: Schedule,
    chip: Chip,
    buffer_bytes: int,
    moved: tuple[int, int],
) -> Inventory:
    """Count what the mapping and the caches occupy; moved: bytes into and out of the buffers."""
    blocks = mapping.blocks
    sites = [(layer, region) for region in mapping.placement.regions for layer in region.layers]
    every = Counter(layer for layer, _ in sites)  # a bus and a return link for each
    widths = {
        layer: times * (timing.bus_bits_per_ns(chip, bus_width(workload, layer)) or 0)
        for layer, times in sorted(every.items())
    }
    back = {layer: w * return_lanes(workload, layer, chip) for layer, w in widths.items()}
    moe = set(workload.expert_homes.values())
    owners = list(enumerate(b.owner for b in blocks))
    shared = _crossbars(mapping, [i for i, o in owners if isinstance(o, SharedOwner)])
    routed = [i for i, o in owners if isinstance(o, RoutedOwner)]
    others = [i for i, o in owners if not isinstance(o, RoutedOwner)]
    experts = _crossbars(mapping, routed)
    stacked = _stacked(mapping)
    return Inventory(
        expert_pgs=int((mapping.placement.pg_class == 0).sum()),
        expert_crossbars=experts,
        dense_pgs=int((mapping.placement.pg_class == 1).sum()),
        dense_crossbars=_crossbars(mapping, others),
        shared_pgs=_shared_pgs(mapping) if np.any(stacked) else shared,
        shared_crossbars=shared,
        cores=sum(r.width * r.height for r in mapping.placement.regions),
        bus_bits_per_ns=sum(widths.values()),
        return_bits_per_ns=sum(back.values()),
        moe_bus_bits_per_ns=sum(w for layer, w in widths.items() if layer in moe),
        moe_return_bits_per_ns=sum(w for layer, w in back.items() if layer in moe),
        buffer_bytes=buffer_bytes,
        kv_bytes=sum(_kv_bytes(op, schedule, chip) for op in workload.operators),
        go_bytes=sum(_go_bytes(op, schedule, chip) for op in workload.moe_layers),
        buffer_written_bytes=moved[0],
        buffer_read_bytes=moved[1],
        switched_crossbars=_switched(mapping, stacked, experts if chip.pg.mux > 1 else 0),
    )


def _stacked(mapping: Mapping) -> Bools:
    """[PGs] whether several fire groups are behind it."""
    users = np.zeros(mapping.placement.pgs + 1, dtype=np.int64)
    for fire in fire_groups(mapping.blocks, mapping.grouping):
        first = fire.first_pg(mapping.placement.pg_start)
        users[first] += 1
        users[first + fire.pgs] -= 1
    return np.cumsum(users)[:-1] > 1


def _shared_pgs(mapping: Mapping) -> int:
    """PGs of shared experts that no routed expert is behind."""
    found = np.zeros(mapping.placement.pgs, dtype=np.bool_)
    for index, pgs, _ in mapping.tiles():
        if isinstance(mapping.blocks[index].owner, SharedOwner):
            found[pgs] = True
    return int((found & (mapping.placement.pg_class == 1)).sum())


def _switched(mapping: Mapping, stacked: Bools, experts: int) -> int:
    """Crossbars behind a multiplexer: of stacks, and those of `experts` where these have one."""
    if not np.any(stacked):
        return experts
    most = int(mapping.placement.spots[:, :, 0].max(initial=0)) + 1
    found = np.zeros((mapping.placement.pgs, most), dtype=np.bool_)
    for index, pgs, spots in mapping.tiles():
        routed = isinstance(mapping.blocks[index].owner, RoutedOwner)
        mine = stacked[pgs] | (routed and experts > 0)
        found[pgs[mine], spots[..., 0][mine]] = True
    return int(found.sum())


def _kv_bytes(op: AnyOperator, schedule: Schedule, chip: Chip) -> int:
    """Keys and values in DRAM, and inputs of MoE layers whose routers score them again."""
    if not (schedule.caches.kv and len(schedule.steps) > 1):
        return 0
    match op:
        case Attention():
            if in_buffers(op, schedule.caches, chip):
                return 0
            return schedule.tokens * timing.key_bytes(chip, op.kv_heads, op.head_dim)
        case MoELayer():
            again = not schedule.caches.go and not timing.reads_in_series(chip)
            if op.router.capacity is None or not again:
                return 0
            return schedule.tokens * -(-op.d_model * chip.mvm.output_bits // 8)
        case Dense() | Digital():
            return 0
        case _:
            assert_never(op)


def _go_bytes(op: MoELayer, schedule: Schedule, chip: Chip) -> int:
    """Scores of every sequence, as many as new tokens are compared with; outputs without keys."""
    if not (schedule.caches.go and len(schedule.steps) > 1):
        return 0
    lengths = np.unique(schedule.sequence, return_counts=True)[1].tolist()
    vector = -(-op.d_model * chip.mvm.output_bits // 8)
    if timing.reads_in_series(chip):
        return sum(timing.reference_go_bytes(n, op.router.experts, op.d_model) for n in lengths)
    if op.router.capacity is None:
        return 0
    kept = sum(scores_kept(op.router.capacity, n) for n in lengths)
    scores = timing.score_bytes(op.router.experts, kept)
    return scores + (0 if schedule.caches.kv else schedule.tokens * vector)


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

"""Every stage of a compilation as numbered text files, to read side by side."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ir.arrays import Ints
from ir.compiled import Compiled
from ir.mapping import TILE_KINDS, Block, Mapping, owner_columns
from ir.schedule import PairOrder
from ir.text import listing
from ir.workload import Workload
from ir.workload_text import workload_text


def dump_stages(folder: Path, done: Compiled) -> None:
    """Write 1-workload.txt to 5-program.txt into an existing folder."""
    workload = done.workload
    stages = {
        "1-workload.txt": iter(workload_text(workload).splitlines()),
        "2-blocks.txt": _blocks(done.mapping, workload),
        "3-groups.txt": _groups(done.mapping),
        "4-slots.txt": (
            line
            for step in done.schedule.steps
            for pairs in step.layers
            for line in _slots(pairs, step.number)
        ),
        "5-program.txt": listing(done.program),
    }
    for name, lines in stages.items():
        with (folder / name).open("w", encoding="utf-8") as text:
            text.writelines(f"{line}\n" for line in lines)


def _blocks(mapping: Mapping, workload: Workload) -> Iterator[str]:
    placement = mapping.placement
    yield f"mesh {placement.mesh_width} x {placement.mesh_height} cores, {placement.pgs} PGs"
    for region in placement.regions:
        size = f"{region.width} x {region.height}"
        where = f" on die {region.die}" if placement.topology.count > 1 else ""
        yield f"region of layer {region.layer}: {size} cores at ({region.x}, {region.y}){where}"
    head = f"{'layer':>5} {'role':<5} {'expert':>6} {'matrix':>13} {'tiles':>7} {'PGs from':>8}"
    yield f"{head} crossbar"
    for index, block in enumerate(mapping.blocks):
        size = f"{block.weight.rows} x {block.weight.columns}"
        tiles = f"{block.rows} x {block.columns}"
        expert, _, _ = owner_columns(block.owner)
        yield (
            f"{block.layer:>5} {block.role:<5} {expert:>6} {size:>13} {tiles:>7} "
            f"{placement.pg_start[index]:>8} {_spots(block, placement.spots[index]):>8}  "
            f"{workload.operators[block.operator].name}"
        )


def _spots(block: Block, spots: Ints) -> str:
    """The crossbar behind each PG; of packed tiles `kind crossbar (row, column)` by kind."""
    kinds = np.unique(block.tile_kinds()).tolist()
    if not spots[kinds, 1:].any() and len(np.unique(spots[kinds, 0])) == 1:
        return str(spots[kinds[0], 0])
    by_kind = zip(kinds, spots[kinds].tolist(), strict=True)
    return " ".join(f"{TILE_KINDS[k]} {p} ({r}, {c})" for k, (p, r, c) in by_kind)


def _groups(mapping: Mapping) -> Iterator[str]:
    for layer in mapping.grouping.layers:
        proof = layer.certificate
        yield (
            f"layer {layer.layer}: {layer.solver}, {proof.objective} {proof.value}, "
            f"bound {proof.bound}, {proof.status}"
        )
        for number, group in enumerate(layer.groups):
            yield f"  group {number}: experts {', '.join(str(e) for e in group)}"


def _slots(pairs: PairOrder, step: int) -> Iterator[str]:
    """One row per slot, one column per group: token/expert."""
    order = pairs.order
    yield (
        f"step {step} layer {pairs.layer}: {order.policy}, {order.slots} slots "
        f"(bound {order.slots_bound}), {order.transfers} transfers "
        f"(bound {order.transfers_bound}), {order.status}"
    )
    cells = np.full(order.table.shape, ".", dtype=object)
    for token, expert, group, slot in zip(
        pairs.token, pairs.expert, pairs.group, pairs.slot, strict=True
    ):
        cells[slot, group] = f"{token}/{expert}"
    for slot, row in enumerate(cells):
        yield f"{slot:>5}  " + " ".join(f"{cell:>8}" for cell in row)

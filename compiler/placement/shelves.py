"""Number the PGs: which PG and which crossbar behind it each block's tiles take.

Dense blocks and shared experts have PGs of their own. The experts of one group share PGs: the
blocks of the same role stand behind the same PGs, each at a crossbar of its own or packed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compiler.placement.spots import spots_alone, spots_packed
from ir.arrays import Ints
from ir.chip import Chip
from ir.errors import Amount, InfeasibleError
from ir.mapping import Block, Grouping, Owner, RoutedOwner


@dataclass(frozen=True, eq=False)
class Shelves:
    """PG numbers layer by layer, so that a layer's PGs are consecutive.

    pg_start: [blocks]; spots: [blocks, 4, 3], see ir.mapping.Placement; pg_class: [PGs]
    0 = expert, 1 = dense; layer_pgs: PGs per layer.
    """

    pg_start: Ints
    spots: Ints
    pg_class: npt.NDArray[np.int8]
    layer_pgs: dict[int, int]


def number_pgs(
    blocks: tuple[Block, ...], grouping: Grouping, chip: Chip, *, pack: bool = False
) -> Shelves:
    """Assign PG numbers in block order; raises InfeasibleError if a group exceeds mux.

    pack: ragged tiles of a group's experts share crossbars (see `spots`).
    """
    pg_start = np.zeros(len(blocks), dtype=np.int64)
    seat = np.zeros(len(blocks), dtype=np.int64)  # among the experts of its group
    classes: list[npt.NDArray[np.int8]] = []
    layer_pgs: dict[int, int] = {}
    seats = _seats(grouping, chip)
    taken: dict[tuple[int, int, str], int] = {}
    used = 0
    by_layer = sorted(range(len(blocks)), key=lambda i: blocks[i].layer)
    for index in by_layer:
        block = blocks[index]
        routed = isinstance(block.owner, RoutedOwner)
        if routed:
            group, seat[index] = seats[block.layer, block.owner]
            key = (block.layer, group, block.role)
            if key in taken:
                pg_start[index] = taken[key]
                continue
            taken[key] = used
        pg_start[index] = used
        used += block.tiles
        layer_pgs[block.layer] = layer_pgs.get(block.layer, 0) + block.tiles
        classes.append(np.full(block.tiles, 0 if routed else 1, dtype=np.int8))
    pg_class = np.concatenate(classes) if classes else np.zeros(0, dtype=np.int8)
    spots = spots_packed(blocks, seat, chip) if pack else spots_alone(seat)
    return Shelves(pg_start, spots, pg_class, layer_pgs)


def _seats(grouping: Grouping, chip: Chip) -> dict[tuple[int, Owner], tuple[int, int]]:
    """(layer, copy of an expert) -> (group, place among its experts)."""
    seats: dict[tuple[int, Owner], tuple[int, int]] = {}
    for layer in grouping.layers:
        copy_in = layer.copy_in()
        for g, group in enumerate(layer.groups):
            if len(group) > chip.pg.mux:
                raise InfeasibleError(
                    f"layer {layer.layer}, group {g}",
                    Amount(len(group), f"{len(group)} crossbars behind each peripheral group"),
                    Amount(chip.pg.mux, f"mux {chip.pg.mux} on chip {chip.name}"),
                    "crossbars",
                    f"use a chip with mux >= {len(group)} or smaller groups",
                )
            for seat, expert in enumerate(group):
                copy = RoutedOwner(expert, int(copy_in[expert, g]))
                seats[layer.layer, copy] = (g, seat)
    return seats

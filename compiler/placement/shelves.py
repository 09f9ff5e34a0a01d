"""Number the PGs: which PG and which crossbar behind it each block's tiles take.

Dense blocks and shared experts have PGs of their own. The experts of one group share PGs: the
blocks of the same role stand behind the same PGs, tile (i, j) of each, at a crossbar of its own or
packed. There are as many PGs as the widest of them has tiles.
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
    first_seat = np.zeros(len(blocks), dtype=np.int64)  # of those as large as it
    classes: list[npt.NDArray[np.int8]] = []
    layer_pgs: dict[int, int] = {}
    seats = _seats(blocks, grouping, chip)
    shelves: dict[tuple[object, ...], list[int]] = {}  # the blocks behind the same PGs
    for index in sorted(range(len(blocks)), key=lambda i: blocks[i].layer):
        block = blocks[index]
        key: tuple[object, ...] = (index,)
        if isinstance(block.owner, RoutedOwner):
            group, seat[index], first_seat[index] = seats[block.layer, block.owner]
            key = (block.layer, group, block.role)
        shelves.setdefault(key, []).append(index)
    used = 0
    for sharing in shelves.values():
        first, pgs = blocks[sharing[0]], max(blocks[i].tiles for i in sharing)
        pg_start[sharing] = used
        used += pgs
        layer_pgs[first.layer] = layer_pgs.get(first.layer, 0) + pgs
        dense = not isinstance(first.owner, RoutedOwner)
        classes.append(np.full(pgs, int(dense), dtype=np.int8))
    pg_class = np.concatenate(classes) if classes else np.zeros(0, dtype=np.int8)
    spots = spots_packed(blocks, seat, chip, first_seat) if pack else spots_alone(seat)
    return Shelves(pg_start, spots, pg_class, layer_pgs)


def _seats(
    blocks: tuple[Block, ...], grouping: Grouping, chip: Chip
) -> dict[tuple[int, Owner], tuple[int, int, int]]:
    """(layer, copy of an expert) -> (group, place among its experts, the first of equal size).

    Experts of one size have places next to each other.
    """
    sizes: dict[tuple[int, Owner], list[tuple[int, int, int]]] = {}
    for block in blocks:
        size = (block.weight.rows, block.weight.columns, chip.crossbar.cells(block.weight))
        sizes.setdefault((block.layer, block.owner), []).append(size)
    seats: dict[tuple[int, Owner], tuple[int, int, int]] = {}
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
            alike: dict[tuple[object, ...], list[RoutedOwner]] = {}
            for expert in group:
                copy = RoutedOwner(expert, int(copy_in[expert, g]))
                alike.setdefault(tuple(sizes[layer.layer, copy]), []).append(copy)
            taken = 0
            for copies in alike.values():
                for place, copy in enumerate(copies):
                    seats[layer.layer, copy] = (g, taken + place, taken)
                taken += len(copies)
    return seats

"""Where behind its PG each tile sits: on a crossbar of its own, or packed with others.

The tiles that stand behind one PG are the same tile of the experts of one group. The PG drives one
crossbar at a time, so no two of them are ever active at once, and they may share a crossbar: rows
of experts that do not run get no input, and what their columns would give is not read. No other
two tiles may: what else is behind a PG in a stack (`ir.stacks`) is on crossbars of its own.

All tiles behind a PG have one size, h x w weights (of experts of unlike widths, those of one width
are packed by themselves). A crossbar of R x C weights then holds
floor(R / h) x floor(C / w) of them and no more: wherever an h x w rectangle lies, it covers exactly
one of the weights in rows h, 2h, ... and columns w, 2w, ..., and there are no more of those. Thus
ceil(experts / that) crossbars are the fewest behind each PG, and no search is needed. (Experts
could also swap PGs for some of their tiles: of three experts with two ragged tiles each, two of
which fit, that would save one crossbar of four. Then their column chains would no longer be the
same PGs, and each expert's would need neighbours of its own.)
"""

from dataclasses import dataclass

import numpy as np

from ir.arrays import Ints
from ir.chip import Chip
from ir.mapping import Block


@dataclass(frozen=True)
class TileSize:
    """How large a tile is, in rows and weights, and how many fit below and beside each other."""

    rows: int
    weights: int
    below: int
    beside: int


def tile_sizes(block: Block, chip: Chip) -> tuple[TileSize, ...]:
    """Sizes of the four kinds of tile, in order of `ir.mapping.TILE_KINDS`."""
    most_rows, most_weights = chip.crossbar.rows, chip.crossbar.weights_per_row(block.weight)
    last_rows = block.weight.rows - (block.rows - 1) * most_rows
    last_weights = block.weight.columns - (block.columns - 1) * most_weights
    return tuple(
        TileSize(rows, weights, most_rows // rows, most_weights // weights)
        for rows in (most_rows, last_rows)
        for weights in (most_weights, last_weights)
    )


def spots_alone(seats: Ints) -> Ints:
    """Spots of blocks whose tiles have crossbars of their own.

    seats: [blocks] place of each among the experts of its group; returns int64 [blocks, 4, 3], see
    `ir.mapping.Placement`.
    """
    spots = np.zeros((len(seats), 4, 3), dtype=np.int64)
    spots[:, :, 0] = seats[:, None]
    return spots


def spots_packed(blocks: tuple[Block, ...], seats: Ints, chip: Chip, first: Ints | int = 0) -> Ints:
    """Spots on the fewest crossbars, filled row by row; shapes as for `spots_alone`.

    first: [blocks] the lowest seat among the experts of its group that are as large as it; tiles of
    other sizes have crossbars of their own.
    """
    spots = np.zeros((len(seats), 4, 3), dtype=np.int64)
    lowest = np.broadcast_to(first, seats.shape)
    for index, (block, before) in enumerate(zip(blocks, lowest.tolist(), strict=True)):
        cells, seat = chip.crossbar.cells(block.weight), int(seats[index]) - before
        for kind, size in enumerate(tile_sizes(block, chip)):
            position, place = divmod(seat, size.below * size.beside)
            down, across = divmod(place, size.beside)
            cell = across * size.weights * cells
            spots[index, kind] = before + position, down * size.rows, cell
    return spots


def crossbars_behind(block: Block, spots: Ints) -> int:
    """Crossbars behind a PG up to that of a block: one more than its highest position.

    spots: int64 [4, 3], those of the block.
    """
    below = (0, 1) if block.rows > 1 else (1,)  # of the kinds of tiles those that it has
    right = (0, 1) if block.columns > 1 else (1,)
    return 1 + max(int(spots[2 * i + j, 0]) for i in below for j in right)

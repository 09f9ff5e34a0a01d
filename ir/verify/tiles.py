"""A mapping under test, with its tiles in flat columns."""

from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np

from ir.arrays import Array, Bools, Ints
from ir.chip import Chip
from ir.mapping import Block, DenseOwner, Mapping, RoutedOwner, SharedOwner
from ir.verify.matrices import cells_per_weight, weights_side_by_side
from ir.workload import Weight, Workload


@dataclass(frozen=True, eq=False)
class MappingCase:
    """A mapping and what it was made for, with its tiles in flat columns [tiles].

    There may be millions of tiles, so columns are of 32 bits where their values are.
    """

    mapping: Mapping
    workload: Workload
    chip: Chip

    @cached_property
    def tile_block(self) -> Ints:
        """Block of each tile."""
        counts = [block.tiles for block in self.mapping.blocks]
        return np.repeat(narrow(np.arange(len(counts))), counts)

    @cached_property
    def tile_index(self) -> Ints:
        """Number of each tile within its block: j * rows + i for tile (i, j)."""
        counts: Ints = np.array([b.tiles for b in self.mapping.blocks], dtype=np.int64)
        number = narrow(np.arange(int(counts.sum())))
        index: Ints = number - narrow(np.cumsum(counts) - counts)[self.tile_block]
        return index

    @cached_property
    def tile_spot(self) -> Ints:
        """Crossbar behind the PG, first row and first cell of each tile: [tiles, 3]."""
        sizes = np.array([(b.rows, b.columns) for b in self.mapping.blocks], dtype=np.int64)
        last = narrow(sizes.reshape(-1, 2) - 1)
        row, column = self.tile_place
        kind = 2 * (row == last[self.tile_block, 0]) + (column == last[self.tile_block, 1])
        spots: Ints = narrow(self.mapping.placement.spots)[self.tile_block, kind]
        return spots

    @cached_property
    def tile_size(self) -> Ints:
        """Rows and cells that each tile takes: [tiles, 2], the last of a column or row ragged."""
        whole = np.array(
            [
                (b.weight.rows, b.weight.columns, *_row_of(b.weight, self.chip))
                for b in self.mapping.blocks
            ],
            dtype=np.int64,
        ).reshape(-1, 4)
        height, width, across, cells = narrow(whole).T
        block, (i, j) = self.tile_block, self.tile_place
        rows = np.minimum(height[block] - i * self.chip.crossbar.rows, self.chip.crossbar.rows)
        columns = np.minimum(width[block] - j * across[block], across[block])
        return np.stack([rows, columns * cells[block]], axis=1)

    @cached_property
    def tile_place(self) -> tuple[Ints, Ints]:
        """(row, column) of each tile among those of its block: [tiles] both."""
        heights = narrow(np.array([b.rows for b in self.mapping.blocks], dtype=np.int64))
        column, row = np.divmod(self.tile_index, heights[self.tile_block])
        return row, column

    @cached_property
    def block_shelf(self) -> Ints:
        """A number for whom each block shares its PGs with: [blocks].

        The blocks of one role of a group's experts have the same one, any other its own.
        """
        copies = {g.layer: g.copies() for g in self.mapping.grouping.layers}
        numbers: dict[tuple[object, ...], int] = {}
        out: list[int] = []
        for index, b in enumerate(self.mapping.blocks):
            match b.owner:
                case RoutedOwner(expert, replica):
                    key: tuple[object, ...] = (b.layer, copies[b.layer][expert][replica], b.role)
                case DenseOwner() | SharedOwner():
                    key = (index,)
                case _:
                    assert_never(b.owner)
            out.append(numbers.setdefault(key, len(numbers)))
        return np.array(out, dtype=np.int64)

    @cached_property
    def tile_pg(self) -> Ints:
        """PG of each tile: a column of PGs is as long as the longest of the blocks that share it.

        To be used only after the checks `blocks` and `groups` have passed.
        """
        longest = np.zeros(len(self.mapping.blocks), dtype=np.int64)
        np.maximum.at(longest, self.block_shelf, [b.rows for b in self.mapping.blocks])
        row, column = self.tile_place
        start = self.mapping.placement.pg_start[self.tile_block]
        return narrow(start + column * longest[self.block_shelf[self.tile_block]] + row)

    @cached_property
    def crossbar_ids(self) -> Ints:
        """A number for the crossbar (PG, position) of each tile: [tiles]."""
        position = self.tile_spot[:, 0]
        pg: Ints = self.tile_pg.astype(np.int64)
        return pg * (int(position.max(initial=0)) + 1) + position

    @cached_property
    def tile_stacked(self) -> Bools:
        """Whether tiles of several fire groups are behind a tile's PG: [tiles]."""
        shelf = self.block_shelf[self.tile_block]
        low = np.full(self.mapping.placement.pgs, len(self.mapping.blocks), dtype=np.int64)
        high = np.full(self.mapping.placement.pgs, -1, dtype=np.int64)
        np.minimum.at(low, self.tile_pg, shelf)
        np.maximum.at(high, self.tile_pg, shelf)
        several: Bools = (high > low)[self.tile_pg]
        return several

    def block_ids(self, keys: list[tuple[object, ...]]) -> Ints:
        """A number for each block, equal where `keys` are equal, per tile: [tiles]."""
        numbers: dict[tuple[object, ...], int] = {}
        ids = [numbers.setdefault(key, len(numbers)) for key in keys]
        return np.array(ids, dtype=np.int64)[self.tile_block]

    def tile_name(self, tile: int) -> str:
        """`layer 0 up expert 3 tile (1, 0)`."""
        block = self.mapping.blocks[int(self.tile_block[tile])]
        j, i = divmod(int(self.tile_index[tile]), block.rows)
        return f"{block_name(block)} tile ({i}, {j})"


def narrow(column: Ints) -> Array:
    """A column in 32 bits, where all of its values have room there."""
    limit = np.iinfo(np.int32)
    fits = column.min(initial=0) >= limit.min and column.max(initial=0) <= limit.max
    return column.astype(np.int32) if fits else column


def distinct(numbers: Ints) -> int:
    """How many different numbers there are, none of them negative."""
    seen = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=np.bool_)
    seen[numbers] = True
    return int(seen.sum())


def _row_of(weight: Weight, chip: Chip) -> tuple[int, int]:
    """Weights in a crossbar row, and cells for each."""
    return weights_side_by_side(weight, chip), cells_per_weight(weight, chip)


def block_name(block: Block) -> str:
    """`layer 0 up expert 3`."""
    match block.owner:
        case DenseOwner(copy):
            whose = f"{block.weight.tensor}{f' copy {copy}' if copy else ''}"
        case RoutedOwner(expert, replica):
            whose = f"expert {expert}{f' replica {replica}' if replica else ''}"
        case SharedOwner(number, copy):
            whose = f"shared expert {number}{f' copy {copy}' if copy else ''}"
        case _:
            assert_never(block.owner)
    return f"layer {block.layer} {block.role} {whose}"

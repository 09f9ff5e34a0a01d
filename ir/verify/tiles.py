"""A mapping under test, with its tiles in flat columns."""

from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

import numpy as np

from ir.arrays import Ints
from ir.chip import Chip
from ir.mapping import Block, DenseOwner, Mapping, RoutedOwner, SharedOwner
from ir.verify.matrices import cells_per_weight, weights_side_by_side
from ir.workload import Weight, Workload


@dataclass(frozen=True, eq=False)
class MappingCase:
    """A mapping and what it was made for, with its tiles in flat columns [tiles]."""

    mapping: Mapping
    workload: Workload
    chip: Chip

    @cached_property
    def tile_block(self) -> Ints:
        """Block of each tile."""
        counts = [block.tiles for block in self.mapping.blocks]
        return np.repeat(np.arange(len(counts)), counts)

    @cached_property
    def tile_index(self) -> Ints:
        """Number of each tile within its block: j * rows + i for tile (i, j)."""
        return np.concatenate([np.arange(b.tiles) for b in self.mapping.blocks] or [_EMPTY])

    @cached_property
    def tile_spot(self) -> Ints:
        """Crossbar behind the PG, first row and first cell of each tile: [tiles, 3]."""
        kinds = [b.tile_kinds().T.ravel() for b in self.mapping.blocks]
        return self.mapping.placement.spots[self.tile_block, np.concatenate(kinds or [_EMPTY])]

    @cached_property
    def tile_size(self) -> Ints:
        """Rows and cells that each tile takes: [tiles, 2], the last of a column or row ragged."""
        whole = np.array(
            [
                (b.weight.rows, b.weight.columns, *_row_of(b.weight, self.chip), b.rows)
                for b in self.mapping.blocks
            ],
            dtype=np.int64,
        ).reshape(-1, 5)[self.tile_block]
        height, width, across, cells, row_tiles = whole.T
        j, i = np.divmod(self.tile_index, row_tiles)
        rows = np.minimum(height - i * self.chip.crossbar.rows, self.chip.crossbar.rows)
        return np.stack([rows, np.minimum(width - j * across, across) * cells], axis=1)

    @cached_property
    def tile_place(self) -> tuple[Ints, Ints]:
        """(row, column) of each tile among those of its block: [tiles] both."""
        heights = np.array([b.rows for b in self.mapping.blocks], dtype=np.int64)
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
        return start + column * longest[self.block_shelf[self.tile_block]] + row

    @cached_property
    def crossbar_ids(self) -> Ints:
        """A number for the crossbar (PG, position) of each tile: [tiles]."""
        position = self.tile_spot[:, 0]
        return self.tile_pg * (int(position.max(initial=0)) + 1) + position

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


_EMPTY = np.zeros(0, dtype=np.int64)


def _row_of(weight: Weight, chip: Chip) -> tuple[int, int]:
    """Weights in a crossbar row, and cells for each."""
    return weights_side_by_side(weight, chip), cells_per_weight(weight, chip)


def block_name(block: Block) -> str:
    """`layer 0 up expert 3`."""
    match block.owner:
        case DenseOwner():
            whose = block.weight.tensor
        case RoutedOwner(expert, replica):
            whose = f"expert {expert}{f' replica {replica}' if replica else ''}"
        case SharedOwner(number):
            whose = f"shared expert {number}"
        case _:
            assert_never(block.owner)
    return f"layer {block.layer} {block.role} {whose}"

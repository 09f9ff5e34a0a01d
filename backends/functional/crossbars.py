"""The crossbars with their cells programmed, and what an MVM of a group reads out of them."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ir.arrays import Array, Ints
from ir.chip import Chip
from ir.errors import CheckError
from ir.mapping import Block, Mapping, Owner, owner_columns
from ir.members import members
from ir.onnxdoor.load import Source
from ir.onnxdoor.weights import load_bias, load_weight
from ir.products import product
from ir.program import Unit
from ir.stacks import Member


@dataclass(frozen=True, eq=False)
class Tiles:
    """Where one block stands: PG [rows, columns], spot [rows, columns, 3] of each of its tiles.

    member: the fire group it is of.
    """

    block: Block
    member: Member
    pg: Ints
    spot: Ints
    bias: Array | None


class Crossbars:
    """Every crossbar's cells, one float32 per weight, by (PG, position behind it).

    A weight of several cells (bit slices, differential pairs) is one number here.
    """

    def __init__(self, mapping: Mapping, chip: Chip, source: Source) -> None:
        """Program all tiles; CheckError where two of them take the same cells."""
        self._chip, self._source = chip, source
        self.cells: dict[tuple[int, int], Array] = {}
        self.tiles: list[Tiles] = []
        self._matrices = Counter(  # of each copy of an expert that fire together
            (b.layer, b.stage, owner_columns(b.owner)[:2]) for b in mapping.blocks
        )
        of_block = members(mapping)
        for index, pg, spot in mapping.tiles():
            block = mapping.blocks[index]
            bias = load_bias(source, block.weight)
            bias = None if bias is None else bias.astype(np.float32)
            self.tiles.append(Tiles(block, of_block[index], pg, spot, bias))
            self._check_grid(block)
            matrix = self.matrix(block)
            for i, j in np.ndindex(pg.shape):
                self._program(self.tiles[-1], i, j, matrix[self.part(block, i, j)])

    def matrix(self, block: Block) -> Array:
        """What a block's cells are programmed with: float32 [rows, columns]."""
        return load_weight(self._source, block.weight).astype(np.float32)

    def _check_grid(self, block: Block) -> None:
        """As many tiles as the matrix needs."""
        wide = self._chip.crossbar.weights_per_row(block.weight)
        rows = -(-block.weight.rows // self._chip.crossbar.rows)
        columns = -(-block.weight.columns // max(wide, 1))
        if wide < 1 or (rows, columns) != (block.rows, block.columns):
            problem = f"{block.rows} x {block.columns} tiles, expected {rows} x {columns}"
            raise CheckError("execution", f"matrix {block.weight.tensor!r}", problem)

    def part(self, block: Block, i: int, j: int) -> tuple[slice, slice]:
        """Rows and columns of a block's matrix that tile (i, j) holds."""
        high = self._chip.crossbar.rows
        wide = self._chip.crossbar.weights_per_row(block.weight)
        return (
            slice(i * high, min((i + 1) * high, block.weight.rows)),
            slice(j * wide, min((j + 1) * wide, block.weight.columns)),
        )

    def place(self, tiles: Tiles, i: int, j: int) -> Array:
        """The cells of one tile: a view."""
        rows, columns = self.part(tiles.block, i, j)
        cells = self._chip.crossbar.cells(tiles.block.weight)
        position, top, left = (int(n) for n in tiles.spot[i, j])
        key = (int(tiles.pg[i, j]), position)
        if key not in self.cells:
            wide = self._chip.crossbar.columns // cells
            empty = np.full((self._chip.crossbar.rows, wide), np.nan, dtype=np.float32)
            self.cells[key] = empty
        first = left // cells
        return self.cells[key][
            top : top + rows.stop - rows.start, first : first + columns.stop - columns.start
        ]

    def _program(self, tiles: Tiles, i: int, j: int, part: Array) -> None:
        cells = self.place(tiles, i, j)
        if cells.shape != part.shape or not np.isnan(cells).all():
            where = f"crossbar {int(tiles.spot[i, j, 0])} behind PG {int(tiles.pg[i, j])}"
            problem = f"a tile of {tiles.block.weight.tensor!r} does not fit there or is not alone"
            raise CheckError("execution", where, problem)
        cells[:] = part

    def on(self, unit: Unit, expert: int, replica: int) -> list[Tiles]:
        """The tiles of one expert's copy (or dense matrix) on a group's PGs, one each.

        expert, replica: as the columns of a program name them; the unit says which copy of a dense
        matrix it is. What else is behind its PGs in a stack the switch does not select. Empty where
        two tiles are on one PG or one is on none of them, and where tiles are missing: of a dense
        matrix behind any of the PGs, of an expert, which may be narrower than others of its group,
        one of its matrices.
        """
        stop, member = unit.first_pg + unit.pgs, Member(unit.layer, unit.stage, unit.group)
        found = [
            t
            for t in self.tiles
            if unit.first_pg <= t.pg[0, 0] < stop
            and t.member == member
            and _drives(t.block.owner, expert, replica)
        ]
        pgs = np.concatenate([np.zeros(0, dtype=np.int64), *(t.pg.ravel() for t in found)])
        apart = len(np.unique(pgs)) == len(pgs) and bool(np.all(pgs < stop))
        if expert >= 0:
            whole = len(found) == self._matrices[unit.layer, unit.stage, (expert, max(replica, 0))]
        else:
            whole = len(pgs) == unit.pgs
        return found if apart and whole else []

    def multiply(self, tiles: Tiles, x: Array) -> Array:
        """Partial sums of every row of tiles, x [n, rows]: float32 [n, row tiles, columns]."""
        block = tiles.block
        out = np.zeros((len(x), block.rows, block.weight.columns), dtype=np.float32)
        for i, j in np.ndindex(tiles.pg.shape):
            rows, columns = self.part(block, i, j)
            out[:, i, columns] = product(x[:, rows], self.place(tiles, i, j))
        return out


def _drives(owner: Owner, expert: int, replica: int) -> bool:
    """Whether a group drives the tiles of `owner` for an instruction of that expert and replica."""
    of, copy, _ = owner_columns(owner)
    return of == expert and (expert < 0 or copy == max(replica, 0))

"""What writing the weights into the crossbars takes, once: before a program can run at all.

A crossbar is written row by row, the cells of a row together; rows and cells without a weight are
left alone. Counted is what the chip's `write` table states, and nothing else: not the way of the
weights to the chip, nor a check of what was written.
"""

from dataclasses import dataclass

import numpy as np

from ir.arrays import Ints
from ir.chip import Chip, Write
from ir.mapping import Mapping


@dataclass(frozen=True)
class WriteCost:
    """crossbars, rows, cells: those that hold weights, written once each.

    time_ps: all peripheral groups at once, the crossbars behind one in turn, as it drives one at a
    time. serial_ps: one row of the whole chip at a time. Whether a chip's supply lets it do the
    former is not known: its time is between the two. endurance: how often this can be done, a
    write of each cell every time. None: the chip's source does not publish it.
    """

    crossbars: int
    rows: int
    cells: int
    time_ps: int | None
    serial_ps: int | None
    energy_fj: int | None
    endurance: int | None


def write_cost(mapping: Mapping, chip: Chip) -> WriteCost | None:
    """Cost of writing every weight of a mapping once; None for a chip without a `write` table."""
    if chip.write == Write():
        return None
    crossbars, rows = _rows(mapping, chip)
    cells = sum(
        block.weight.rows * block.weight.columns * chip.crossbar.cells(block.weight)
        for block in mapping.blocks
    )
    row_ps, cell_fj = chip.write.row_ps, chip.write.cell_fj
    most, every = int(rows.max(initial=0)), int(rows.sum())
    return WriteCost(
        crossbars=crossbars,
        rows=every,
        cells=cells,
        time_ps=None if row_ps is None else most * row_ps,
        serial_ps=None if row_ps is None else every * row_ps,
        energy_fj=None if cell_fj is None else cells * cell_fj,
        endurance=chip.write.endurance,
    )


def _rows(mapping: Mapping, chip: Chip) -> tuple[int, Ints]:
    """Crossbars that hold a tile; rows with weights behind each peripheral group: int64 [PGs].

    Tiles that share a crossbar are equally tall, so those side by side begin in the same row, and
    that row is written once for all of them.
    """
    most_rows = chip.crossbar.rows
    behind = int(mapping.placement.spots[:, :, 0].max(initial=0)) + 1
    tiles = []  # PG, its crossbar's number, the tile's first row there, the tile's height
    for index, pgs, spots in mapping.tiles():
        block = mapping.blocks[index]
        height = np.minimum(most_rows, block.weight.rows - most_rows * np.arange(block.rows))
        crossbar = pgs * behind + spots[:, :, 0]
        tall = np.broadcast_to(height[:, None], pgs.shape)
        tiles.append(np.stack([pgs, crossbar, spots[:, :, 1], tall]).reshape(4, -1))
    pg, crossbar, first, tall = np.concatenate(tiles, axis=1)
    _, one = np.unique(crossbar * most_rows + first, return_index=True)
    rows = np.zeros(mapping.placement.pgs, dtype=np.int64)
    np.add.at(rows, pg[one], tall[one])
    return len(np.unique(crossbar)), rows

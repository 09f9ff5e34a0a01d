"""Tiles that are not on crossbars of their own, and crossbars that are not behind their PGs."""

import numpy as np

from ir.compiled import Compiled
from tests.ir.verify.wrong.edits import Corrupt, Tables, changed, moved, placed
from tests.ir.verify.wrong.find import block
from tests.ir.verify.wrong.programs import base


def pg_that_does_not_exist(c: Compiled) -> Compiled:
    pg_start = c.mapping.placement.pg_start
    return placed(c, pg_start=changed(pg_start, np.argmax(pg_start), pg_start.max() + 1))


def two_tiles_on_a_crossbar(c: Compiled) -> Compiled:
    # experts 0 and 1 are behind the same PGs, at positions 0 and 1
    return moved(c, block(c.mapping, "up", 1), 0)


def tile_beyond_its_crossbar(c: Compiled) -> Compiled:
    # the last row tile of up has 4 of 8 rows: from row 5 on it would end at 9
    spots = c.mapping.placement.spots
    return placed(c, spots=changed(spots, (block(c.mapping, "up", 0), 2, 1), 5))


def position_beyond_mux(c: Compiled) -> Compiled:
    # mux 2: positions 0 and 1
    return moved(c, block(c.mapping, "up", 1), 2)


def dense_block_behind_position_1(c: Compiled) -> Compiled:
    return moved(c, 0, 1)


def gate_behind_the_pgs_of_up(c: Compiled) -> Compiled:
    # expert 1 still holds the gate's own PGs, so none is empty
    start = c.mapping.placement.pg_start
    gate, up = block(c.mapping, "gate", 0), block(c.mapping, "up", 0)
    return placed(c, pg_start=changed(start, gate, start[up]))


def expert_in_the_pgs_of_another_group(c: Compiled) -> Compiled:
    # experts 1 (group 0) and 2 (group 1) change places
    start = c.mapping.placement.pg_start
    one, other = block(c.mapping, "up", 1), block(c.mapping, "up", 2)
    return placed(c, pg_start=changed(start, [one, other], start[[other, one]]))


def shorter(name: str) -> Corrupt:
    """A table of the placement with its last row gone."""

    def corrupt(c: Compiled) -> Compiled:
        return placed(c, **{name: getattr(c.mapping.placement, name)[:-1]})

    corrupt.__name__ = f"{name}_a_row_short"
    return corrupt


def far(name: str, by: int) -> Corrupt:
    """A number of the placement so far off that in 32 bits it would be the same again."""

    def corrupt(c: Compiled) -> Compiled:
        column = getattr(c.mapping.placement, name).astype(np.int64)
        at = (0,) * column.ndim
        return placed(c, **{name: changed(column, at, column[at] + by)})

    corrupt.__name__ = f"{name}_{by:+}"
    return corrupt


def pg_before_the_first(c: Compiled) -> Compiled:
    start = c.mapping.placement.pg_start
    return placed(c, pg_start=changed(start, np.argmin(start), -1))


def spot(name: str, kind: int, place: int, value: int) -> Corrupt:
    """Expert 0's up: the crossbar (0), row (1) or cell (2) of a kind of its tiles set."""

    def corrupt(c: Compiled) -> Compiled:
        at = block(c.mapping, "up", 0), kind, place
        return placed(c, spots=changed(c.mapping.placement.spots, at, value))

    corrupt.__name__ = name
    return corrupt


def expert_on_pgs_of_its_own(c: Compiled) -> Compiled:
    """The second of a group gets PGs that nobody else has."""
    place, up = c.mapping.placement, block(c.mapping, "up", 1)
    more = c.mapping.blocks[up].tiles
    start = int(place.pg_start[up])
    return placed(
        c,
        pg_start=changed(place.pg_start, up, place.pgs),
        core=np.append(place.core, place.core[start : start + more]),
        pg_class=np.append(place.pg_class, place.pg_class[start : start + more]),
    )


def pg_of_another_class(c: Compiled) -> Compiled:
    kind = c.mapping.placement.pg_class
    return placed(c, pg_class=changed(kind, 0, 1 - kind[0]))


TABLES: Tables = [
    (
        base,
        [
            ("pg-table", pg_that_does_not_exist),
            *(("pg-table", shorter(name)) for name in ("pg_start", "spots", "pg_class")),
            ("pg-table", pg_before_the_first),
            *(("pg-table", far("pg_start", by)) for by in (2**32, -(2**32))),
            *(("mux", far("spots", by)) for by in (2**32, -(2**32))),
            *(("mesh", far("core", by)) for by in (2**32, -(2**32))),
            ("crossbars", two_tiles_on_a_crossbar),
            ("crossbars", tile_beyond_its_crossbar),
            ("crossbars", spot("tile_above_its_crossbar", 0, 1, -1)),
            ("crossbars", spot("tile_left_of_its_crossbar", 0, 2, -1)),
            ("crossbars", spot("tile_below_its_crossbar", 0, 1, 1)),
            ("crossbars", spot("tile_right_of_its_crossbar", 0, 2, 1)),
            ("mux", position_beyond_mux),
            ("mux", dense_block_behind_position_1),
            ("mux", spot("position_before_the_first", 0, 0, -1)),
            ("mux", pg_of_another_class),
            ("tiles-apart", gate_behind_the_pgs_of_up),
            ("group-sharing", expert_in_the_pgs_of_another_group),
            ("group-sharing", expert_on_pgs_of_its_own),
        ],
    ),
]

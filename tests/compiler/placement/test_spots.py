"""Packing: as many tiles on a crossbar as can be, and nothing but area changes."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.cost import cost
from compiler.partition import partition
from compiler.placement.spots import spots_alone, spots_packed, tile_sizes
from ir.compiled import Compiled
from ir.mapping import Block, RoutedOwner
from ir.verify import verify_mapping, verify_program
from ir.workload import Weight
from moexbar.chips import load_chip
from tests.make import compile_small, map_small, small_chip, small_workload

HERMES = load_chip("hermes-mux8")  # 256 x 256 weights


def block(rows: int, columns: int, bits: int = 8) -> Block:
    weight = Weight("up", rows, columns, bits)
    return Block(0, 0, "up", 0, RoutedOwner(0), weight, -(-rows // 256), -(-columns // 256))


def test_of_the_shipped_models_up() -> None:
    # 128 x 384 = one row of tiles, 128 x 256 and 128 x 128: two fit below each other, and of the
    # second two beside each other as well.
    sizes = tile_sizes(block(128, 384), HERMES)
    fit = [(s.rows, s.weights, s.below, s.beside) for s in sizes]
    assert fit[2:] == [(128, 256, 2, 1), (128, 128, 2, 2)]
    spots = spots_packed((block(128, 384),) * 5, np.arange(5), HERMES)
    assert spots[:, 2].tolist() == [[0, 0, 0], [0, 128, 0], [1, 0, 0], [1, 128, 0], [2, 0, 0]]
    assert spots[:, 3].tolist() == [
        [0, 0, 0],
        [0, 0, 128],
        [0, 128, 0],
        [0, 128, 128],
        [1, 0, 0],
    ]


def test_full_tiles_have_crossbars_of_their_own() -> None:
    blocks = (block(512, 256),) * 3
    seats = np.arange(3)
    assert np.array_equal(spots_packed(blocks, seats, HERMES), spots_alone(seats))


def test_columns_are_counted_in_cells() -> None:
    # 8-bit weights of 2-bit cells take four cells: 10 weights are 40 of 128, three fit.
    chip = load_chip("isaac", {"pg.mux": "4"})
    spots = spots_packed((block(128, 10),) * 4, np.arange(4), chip)
    assert spots[:, 3].tolist() == [[0, 0, 0], [0, 0, 40], [0, 0, 80], [1, 0, 0]]


@cache
def most_rectangles(rows: int, columns: int, free: int, h: int, w: int) -> int:
    """Try to leave the first free cell empty, and to begin a rectangle at it."""
    if not free:
        return 0
    at = (free & -free).bit_length() - 1
    best = most_rectangles(rows, columns, free & (free - 1), h, w)
    i, j = divmod(at, columns)
    if i + h <= rows and j + w <= columns:
        taken = sum(1 << (i + a) * columns + j + b for a in range(h) for b in range(w))
        if taken & free == taken:
            best = max(best, 1 + most_rectangles(rows, columns, free & ~taken, h, w))
    return best


@pytest.mark.parametrize(("h", "w"), [(h, w) for h in (1, 2, 3) for w in (1, 2, 3, 4)])
def test_no_packing_of_equal_tiles_is_denser(h: int, w: int) -> None:
    """Brute force on crossbars of up to 5 x 5 cells; without the proof this would need a solver."""
    for rows in range(h, 6):
        for columns in range(w, 6):
            most = most_rectangles(rows, columns, (1 << rows * columns) - 1, h, w)
            assert most == (rows // h) * (columns // w)


def both(workload: dict[str, Any], mux: int) -> tuple[Compiled, Compiled]:
    model, chip = small_workload(**workload), small_chip(pg={"mux": mux})
    return compile_small(model, chip), compile_small(model, chip, pack=True)


def test_only_crossbars_become_fewer() -> None:
    # 8 x 8 cells, 4 weights in a row; groups of four experts. up and gate of 10 x 17: row tiles of
    # 8 and 2 rows, columns of 4, 4, 4, 4 and 1 weights. Tiles of 8 x 4 fill a crossbar: 4 x 4. Of
    # 8 x 1 and 2 x 4 four fit: 1 and 4 x 1. Of 2 x 1 sixteen: 1. 22 instead of 4 x 10 crossbars.
    # down of 17 x 10: rows 8, 8 and 1, columns 4, 4 and 2: 4 x 4 full ones; of 8 x 2 two fit: two
    # tiles x 2; of 1 x 4 eight: two tiles x 1; corner 1: 23 instead of 36.
    alone, packed = both({"d": 10, "f": 17, "layers": 1}, 4)
    verify_program(packed)
    assert alone.program.inventory.expert_crossbars == 4 * (10 + 10 + 9)
    assert packed.program.inventory.expert_crossbars == 22 + 22 + 23
    assert packed.program.inventory.expert_pgs == alone.program.inventory.expert_pgs
    assert packed.program.inventory.dense_crossbars == alone.program.inventory.dense_crossbars
    before, after = (cost(c.program, c.chip) for c in (alone, packed))
    assert (after.time_ps, after.energy) == (before.time_ps, before.energy)
    fewer = (4 * 29 - 67) * (alone.chip.crossbar.array_um2 or 0)
    switches = (4 * 29 - 67) * alone.chip.pg.mux_switch_um2
    assert before.area.total_um2 - after.area.total_um2 == fewer + switches


def test_one_expert_per_group_has_nothing_to_share() -> None:
    alone, packed = both({"d": 10, "f": 17}, 1)
    assert np.array_equal(alone.mapping.placement.spots, packed.mapping.placement.spots)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 20), st.integers(1, 6), st.integers(1, 6), st.integers(1, 16)
)
def test_every_packed_mapping_passes_the_checks(
    d: int, f: int, experts: int, mux: int, bits: int
) -> None:
    model = small_workload(layers=1, d=2 * d, f=f, experts=experts, k=1, bits=bits)
    chip = small_chip(pg={"mux": mux})
    mapping = map_small(model, chip, pack=True)
    verify_mapping(mapping, model, chip)
    # as many crossbars as the count of tiles that fit on one asks for
    start = mapping.placement.pg_start
    for b, first in zip(mapping.blocks, start, strict=True):
        if not isinstance(b.owner, RoutedOwner):
            continue
        sharing = np.flatnonzero(start == first).tolist()
        for kind, size in enumerate(tile_sizes(b, chip)):
            used = {int(mapping.placement.spots[i, kind, 0]) for i in sharing}
            assert used == set(range(-(-len(sharing) // (size.below * size.beside))))
    assert partition(model, chip) == mapping.blocks

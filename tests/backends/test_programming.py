"""The cost of writing the weights: rows and cells by hand, and what a chip does not publish."""

from dataclasses import replace

import pytest

from backends.programming import WriteCost, write_cost
from compiler.partition import partition
from ir.chip import Chip, Write
from ir.workload import Dense, Weight, Workload
from moexbar.chips import load_chip
from tests.make import compile_small, contiguous, map_small, small_chip, small_workload

WRITE = {"row_ps": 100, "cell_fj": 7, "endurance": 1000}


def cost(workload: Workload, chip: Chip, *, pack: bool = False) -> WriteCost:
    """Of a mapping made here, on a chip that has a `write` table."""
    found = write_cost(map_small(workload, chip, pack=pack), chip)
    assert found is not None
    return found


def one_matrix(rows: int, columns: int, bits: int = 8) -> Workload:
    """A model of one product."""
    weight = Weight("w", rows, columns, bits)
    op = Dense("w", 0, ("x",), ("y",), ("node",), columns, weight=weight)
    return Workload("one", "0" * 64, ("x",), ("y",), (op,))


def test_rows_and_cells_by_hand() -> None:
    # 8 x 8 cells, 2 for a weight, so 8 rows and 4 weights. q, k, v, o: 20 x 20, 3 x 5 tiles;
    # head: 20 x 30, 3 x 8; of each of 4 experts up and gate 20 x 12, 3 x 3, and down 12 x 20, 2 x 5
    found = cost(small_workload(layers=1, d=20, f=12, experts=4), small_chip(write=Write(**WRITE)))
    assert found.crossbars == 4 * 15 + 24 + 4 * (2 * 9 + 10) == 196
    # a column of tiles has the matrix's rows: 5 x 20 four times, 8 x 20, 2 x 3 x 20 + 5 x 12
    assert found.rows == 4 * 100 + 160 + 4 * 180 == 1280
    assert found.cells == 2 * (4 * 400 + 600 + 4 * 3 * 240) == 10_160
    assert found.energy_fj == 7 * 10_160
    assert found.serial_ps == 100 * 1280
    # two experts share a peripheral group: two full crossbars of 8 rows in turn
    assert found.time_ps == 100 * 2 * 8
    assert found.endurance == 1000


@pytest.mark.parametrize(("mux", "most"), [(1, 8), (2, 16), (4, 32)])
def test_only_what_shares_a_peripheral_group_waits(mux: int, most: int) -> None:
    found = cost(small_workload(layers=1), small_chip(pg={"mux": mux}, write=Write(row_ps=1)))
    assert (found.time_ps, found.serial_ps) == (most, 1280)


def test_rows_without_a_weight_take_nothing() -> None:
    # 3 rows and 5 weights: two crossbars, side by side, of 3 rows each
    found = cost(one_matrix(3, 5), small_chip(write=Write(**WRITE)))
    assert (found.crossbars, found.rows, found.cells) == (2, 6, 30)
    assert (found.time_ps, found.serial_ps, found.energy_fj) == (300, 600, 210)


def test_packed_tiles_side_by_side_are_written_together() -> None:
    # up and gate 4 x 2: 2 below and 2 beside each other on 8 rows of 4 weights, so the four experts
    # of a group take one crossbar, in two rows of two; down 2 x 4: four below each other
    workload = small_workload(layers=1, d=4, f=2, experts=4, vocabulary=4)
    chip = small_chip(pg={"mux": 4}, write=Write(**WRITE))
    alone, packed = cost(workload, chip), cost(workload, chip, pack=True)
    dense = 5 * 4  # q, k, v, o and head, a crossbar of 4 rows each
    assert (alone.crossbars, alone.rows) == (5 + 4 * 3, dense + 4 * (4 + 4 + 2))
    assert (packed.crossbars, packed.rows) == (5 + 3, dense + 8 + 8 + 8)
    assert (alone.time_ps, packed.time_ps) == (100 * 4 * 4, 100 * 8)
    assert alone.cells == packed.cells == 2 * (5 * 16 + 4 * 3 * 8)


def test_crossbars_are_those_that_a_program_occupies() -> None:
    chip = small_chip(pg={"mux": 4}, write=Write(row_ps=1))
    workload = small_workload(d=4, f=2, shared=1, vocabulary=4)
    for pack in (False, True):
        done = compile_small(workload, chip, pack=pack)
        found, inventory = write_cost(done.mapping, chip), done.program.inventory
        assert found is not None
        assert found.crossbars == inventory.expert_crossbars + inventory.dense_crossbars


def test_copies_of_experts_are_written_too() -> None:
    workload, chip = small_workload(layers=1), small_chip(write=Write(**WRITE))
    grouping = contiguous(workload, 2)
    (layer,) = grouping.layers
    twice = replace(grouping, layers=(replace(layer, groups=((0, 1), (2, 3), (0, 2))),))
    found = write_cost(map_small(workload, chip, twice), chip)
    assert found is not None
    assert found.rows == 1280 + 2 * 180
    assert found.cells == 10_160 + 2 * 2 * 3 * 240


def test_what_is_not_published_is_none() -> None:
    workload = one_matrix(3, 5)
    mapping = map_small(workload, small_chip())
    assert write_cost(mapping, small_chip()) is None
    found = cost(workload, small_chip(write=Write(row_ps=100)))
    assert found == WriteCost(2, 6, 30, 300, 600, None, None)
    assert cost(workload, small_chip(write=Write(cell_fj=7))) == (
        WriteCost(2, 6, 30, None, None, 210, None)
    )
    assert cost(workload, small_chip(write=Write(endurance=9))).endurance == 9


def test_the_preset_that_publishes_it() -> None:
    # one crossbar full of 16-bit weights in 2-bit cells: the simulator's 10.97 us and 676 nJ / 32
    chip = load_chip("puma")
    (block,) = partition(one_matrix(128, 16, bits=16), chip)
    assert block.tiles == 1
    found = cost(one_matrix(128, 16, bits=16), chip)
    assert (found.crossbars, found.cells) == (1, 16_384)
    assert found.time_ps == found.serial_ps == 128 * 85_700
    assert found.time_ps == pytest.approx(10.97e6, rel=1e-3)
    assert found.energy_fj == pytest.approx(676e6 / 32, rel=1e-3)
    hermes = load_chip("hermes")
    assert write_cost(map_small(one_matrix(128, 16), hermes), hermes) is None

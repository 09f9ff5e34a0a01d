"""Waiting, energy and lifetimes of written and of digital experts, by hand."""

from dataclasses import replace

import pytest

from compiler.residency.outcome import Outcome
from ir import timing
from ir.expert import Expert, Weight
from moexbar.chips import load_chip
from moexbar.residency.cells import KINDS, PCM, PUMA, RRAM, kinds_of
from moexbar.residency.costs import YEAR_S, energy_fj, waiting_ps, writes_per_million, years
from moexbar.residency.footprint import Footprint, footprint

CHIP = load_chip("hermes-mux2")
# 2 crossbars with 300 rows in all, 256 of the fuller; so few bytes that writing takes longer
SMALL = Footprint(crossbars=2, rows=300, most_rows=256, cells=1000, weight_bytes=64, macs=512)
NONE = Outcome(1000, 4000, 0, 1000, 0, (), 0, 0, 5, 0, 0)


def test_an_expert_takes_tiles_rows_and_bytes() -> None:
    # 256 x 256 crossbars of one cell a weight: 300 x 256 is 2 tiles, 256 x 300 is 2 tiles
    expert = Expert(Weight("up", 300, 256, bits=8), Weight("down", 256, 300, bits=8))
    found = footprint(CHIP, expert)
    assert found == Footprint(
        crossbars=4,
        rows=300 + 2 * 256,
        most_rows=256,
        cells=2 * 300 * 256,
        weight_bytes=2 * 300 * 256,
        macs=2 * 300 * 256,
    )


def test_writing_waits_for_the_tallest_crossbar_or_for_all_in_turn() -> None:
    # 10 visits of one expert and 5 of three: 256 rows of 150 ns each at best; 300 an expert at most
    found = replace(NONE, misses=25, writes=25, most_writes=9, written=((1, 10), (3, 5)))
    low, high = 15 * 256 * 150_000, (10 * 300 + 5 * 900) * 150_000
    assert waiting_ps(found, PCM, SMALL, CHIP, None) == (low, high)
    # 4 crossbars at once: 2 of one expert in one go, 6 of three in two
    turns = (10 * 1 + 5 * 2) * 256 * 150_000
    assert waiting_ps(found, PCM, SMALL, CHIP, 4) == (turns, turns)


def test_writing_waits_for_dram() -> None:
    large = replace(SMALL, weight_bytes=25_600_000)  # 1 ms at 25.6 GB/s
    found = replace(NONE, misses=2, writes=2, most_writes=1, written=((2, 1),))
    assert CHIP.memory.dram_mb_per_s == 25_600
    assert waiting_ps(found, RRAM, large, CHIP, None) == (2 * 10**9, 2 * 10**9)


def test_digital_experts_come_from_dram_each_time() -> None:
    found = replace(NONE, misses=3, bypassed=3, bypassed_pairs=7)
    read, done = timing.dram(CHIP, 64), timing.macs(CHIP, 512)
    wait = 3 * read.duration_ps + 7 * done.duration_ps
    assert waiting_ps(found, PCM, SMALL, CHIP, None) == (wait, wait)
    assert energy_fj(found, PCM, SMALL, CHIP) == 3 * read.energy_fj + 7 * done.energy_fj


def test_energy_of_writing_is_of_cells_where_published() -> None:
    found = replace(NONE, misses=3, writes=3, most_writes=1, written=((1, 3),))
    read = 3 * timing.dram(CHIP, 64).energy_fj
    assert energy_fj(found, RRAM, SMALL, CHIP) == read + 3 * 1000 * 600
    assert energy_fj(found, PCM, SMALL, CHIP) is None


def test_a_write_of_puma_is_what_its_simulator_says() -> None:
    assert 128 * (PUMA.row_ps or 0) == pytest.approx(10.97e6, rel=1e-3)
    assert 128 * 128 * (PUMA.cell_fj or 0) == pytest.approx(21.1e6, rel=2e-3)


def test_years() -> None:
    # 1000 tokens, 50 writes in 5 slots, 20 of them in one: 0.01 and 0.02 writes a token
    found = replace(NONE, misses=50, writes=50, most_writes=20, written=((1, 50),))
    assert writes_per_million(found) == (10_000, 20_000)
    life = years(found, RRAM, 100.0)
    assert life is not None
    assert life.low == pytest.approx(1e4 / (0.02 * 100) / YEAR_S)
    assert life.high == pytest.approx(1e9 / (0.01 * 100) / YEAR_S)
    assert life.high == pytest.approx(31.69, rel=1e-3)
    assert years(NONE, RRAM, 100.0) is None


def test_a_chip_with_a_write_table_is_a_kind_of_its_own() -> None:
    assert kinds_of(CHIP) == KINDS
    assert kinds_of(load_chip("puma")) == KINDS
    own = kinds_of(load_chip("hermes-mux2", {"write.row_ns": 5, "write.endurance": 100}))[-1]
    assert (own.name, own.row_ps, own.cell_fj, own.endurance) == ("chip", 5000, None, (100, 100))
    found = replace(NONE, misses=1, writes=1, most_writes=1, written=((1, 1),))
    assert waiting_ps(found, replace(own, row_ps=None), SMALL, CHIP, None) is None

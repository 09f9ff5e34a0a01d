"""What converters, rows and columns cost, against values worked by hand."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from backends.band import area_band
from compiler.emit.crossbars import fired
from compiler.partition import partition
from ir import converters, timing
from ir.chip import Chip, Split
from ir.errors import InputError
from ir.program import Opcode
from ir.timing import Fired
from ir.verify import check_program
from ir.verify.jobs import job_classes
from moexbar.chips import load_chip, preset_names
from tests.make import compile_small, small_chip, small_workload

ISAAC, NEUROSIM, HERMES = load_chip("isaac"), load_chip("neurosim"), load_chip("hermes")
SPLIT = Split(
    adc_bits=8,
    columns_per_adc=1,
    cell_energy=2,
    driver_energy=1,
    adc_energy=4,
    shift_add_energy=1,
    other_energy=2,
)


def energy(chip: Chip, fires: Fired) -> int:
    return timing.mvm(chip, fires, shared=False).energy_fj


def time(chip: Chip) -> int:
    return timing.mvm_ps(chip, shared=False)


@pytest.mark.parametrize("name", preset_names())
def test_a_full_crossbar_takes_what_its_source_says(name: str) -> None:
    chip = load_chip(name)
    published = chip.mvm.cycles * chip.mvm.cycle_fj + chip.mvm.port_fj
    assert energy(chip, timing.full(chip, 1)) == published
    assert converters.peripheral_um2(chip) == chip.pg.peripheral_um2


def test_an_isaac_product_by_hand() -> None:
    """100 x 20 weights of 16 bits, 8 cells each: two tiles of 100 rows, of 128 and of 32 columns.

    301 pJ a cycle are 24080 uW, so 1 uW is 12.5 fJ. Cells 2400 x 16000 / 16384 = 2343.75; rows
    4000 x 200 / 128 = 6250; conversions (16000 + 210) x 160 / 128 = 20262.5; registers 1470 x 2.
    Together 31796.25 uW x 12.5 fJ x 16 cycles = 6359.25 pJ, of 2 x 4816 pJ in full.
    """
    assert energy(ISAAC, Fired(2, 200, 16_000, 160)) == 6_359_250


def test_a_neurosim_product_by_hand() -> None:
    """64 x 4 weights of 8 bits on 64 rows and 32 columns of a crossbar of 128 x 128.

    A quarter of the conversions and their sums, (5954 + 1091) / 4, half the rows, 5052 / 2, and the
    rest, 197, of 12294 shares: 8 cycles x 24 pJ x 4484.25 / 12294 = 70.032 pJ. 16 rows at once:
    four reads of the same columns are as many conversions as those of a full crossbar, 9768 shares.
    """
    assert energy(NEUROSIM, Fired(1, 64, 64 * 32, 32)) == 70_033
    assert energy(NEUROSIM, Fired(1, 64, 64 * 32, 4 * 32)) == 152_551


def test_rows_per_read_makes_reads_of_a_full_crossbar() -> None:
    """128 rows, 50 at once: 3 reads of 13.576 ns in each of 8 cycles; all, or 500: one."""
    some = load_chip("neurosim", {"mvm.rows_per_read": 50})
    assert (converters.reads(some), time(some)) == (3, 8 * 3 * 13_576)
    assert time(load_chip("neurosim", {"mvm.rows_per_read": 500})) == 8 * 13_576
    # every column is converted and added three times
    shares = 3 * (5954 + 1091) + 5052 + 197
    assert energy(some, timing.full(some, 1)) == ceil(8 * 24_000 * shares / 12_294)


def test_bits_by_the_table_of_isaacs_converter() -> None:
    """6 bits: 16 of 24.08 mW x 1200 / 1670 fJ; area 9600 of 10050 um2 x 627 / 1200."""
    six = load_chip("isaac", {"mvm.adc_bits": 6})
    conversions = 16_000 * 1200 / 1670
    assert energy(six, timing.full(six, 1)) == ceil(16 * 12.5 * (conversions + 24_080 - 16_000))
    assert converters.peripheral_um2(six) == ceil(1256 * (9600 * 627 / 1200 + 450) / 10_050)


def test_a_successive_approximation_takes_as_many_steps_as_bits() -> None:
    """781 ps of 8 bits: 9 take 879, 128 of them 112.512 ns; 6 take 586, less than the read."""
    nine, six = (load_chip("isaac", {"mvm.adc_bits": bits}) for bits in (9, 6))
    assert time(nine) == 16 * 128 * 879
    assert time(six) == time(ISAAC) == 16 * 100_000
    assert converters.time_depends_on_bits(ISAAC)


def test_a_flash_converter_has_a_comparator_for_each_level() -> None:
    """5 to 6 bits: 31 to 63 comparators, in 37716 of 209296 um2 and 5954 of 12294 pJ."""
    six = load_chip("neurosim", {"mvm.adc_bits": 6})
    assert converters.peripheral_um2(six) == ceil(3270 * (37_716 * 63 / 31 + 171_580) / 209_296)
    assert energy(six, timing.full(six, 1)) == ceil(
        8 * 24_000 * (5954 * 63 / 31 + 5052 + 1091 + 197) / 12_294
    )
    assert time(six) == time(NEUROSIM)


@pytest.mark.parametrize(("columns", "adcs"), [(1, 128), (8, 16), (100, 2), (128, 1)])
def test_converters_of_a_neurosim_crossbar(columns: int, adcs: int) -> None:
    """Time goes with 8 x columns x 1.697 ns, area with ceil(128 / columns) converters.

    The source has 16: of 209296 um2 37716 + 119018 go with their number, 52562 do not.
    """
    chip = load_chip("neurosim", {"mvm.columns_per_adc": columns})
    assert converters.adcs(chip) == adcs
    assert converters.peripheral_um2(chip) == ceil(
        3270 * (156_734 * adcs + 16 * 52_562) / (16 * 209_296)
    )
    assert time(chip) == 8 * columns * 1_697


def test_a_second_isaac_converter() -> None:
    """64 columns each: 1256 um2 x (2 x 9600 + 170 + 2 x 240 + 40) / 10050; as long as the read."""
    two = load_chip("isaac", {"mvm.columns_per_adc": 64})
    assert converters.peripheral_um2(two) == ceil(1256 * 19_890 / 10_050) == 2486
    assert time(two) == time(ISAAC)


def test_integrating_converters_read_their_columns_in_turn() -> None:
    """Two columns: two reads of 130 ns with the rows driven twice, 12.5 nJ x 110 / 100."""
    shared = load_chip("hermes", {"mvm.columns_per_adc": 2})
    assert time(shared) == 260_000
    assert energy(shared, timing.full(shared, 1)) == 13_750_000
    assert not converters.time_depends_on_bits(HERMES)


@pytest.mark.parametrize(
    ("bits", "fj", "um2"),
    [(2, 390, 129), (4, 790, 361), (8, 1670, 1200), (10, 2380, 3002), (12, 9520, 12_008)],
)
def test_the_table_beyond_its_ends(bits: int, fj: int, um2: int) -> None:
    """Below 4 bits 200 fJ and 116 um2 less for each; above 10 twice for each."""
    chip = load_chip("isaac", {"mvm.adc_bits": bits})
    assert converters.conversion_factor(chip) * 1670 == fj
    assert converters.converter_factor(chip) * 1200 == um2


@pytest.mark.parametrize(
    ("name", "settings", "bits"),
    [
        ("isaac", {}, 9),  # log2(128) + 2 + 1 - 1; 8 with its encoding
        ("neurosim", {}, 8),  # 128 x 1 x 1 = 128, of which 0 to 127 are 7 bits
        ("neurosim", {"mvm.rows_per_read": 31}, 5),  # 31 x 1 x 1
        ("neurosim", {"mvm.rows_per_read": 32}, 6),
        ("hermes", {}, 24),  # log2(256) + 8 + 8
        ("isaac", {"crossbar.cell_bits": 1, "mvm.rows_per_read": 8}, 4),
    ],
)
def test_bits_that_lose_nothing(name: str, settings: dict[str, int], bits: int) -> None:
    assert converters.lossless_bits(load_chip(name, settings)) == bits


def test_a_chip_without_a_split_takes_every_crossbar_in_full() -> None:
    chip = small_chip()
    assert energy(chip, Fired(2, 1, 1, 1)) == 2 * 10_000
    assert converters.conversion_factor(chip) == 1


def test_the_compiler_counts_what_its_tiles_use() -> None:
    """20 x 20 weights on 8 x 8 cells, 2 each: 3 x 5 tiles.

    3 rows at once: 8 rows are 3 reads, 4 are 2. Rows 20 x 5, cells 20 x 40, conversions
    40 x (3 + 3 + 2).
    """
    chip = small_chip(mvm={"rows_per_read": 3})
    workload = small_workload(layers=1, d=20, bits=8)
    block = next(b for b in partition(workload, chip) if b.role == "dense")
    assert (block.weight.rows, block.weight.columns) == (20, 20)
    assert fired(chip, (block,)) == Fired(15, 100, 800, 320)
    assert job_classes(workload).classes[0].fired(0, chip) == Fired(15, 100, 800, 320)


def test_energy_of_programs_is_counted_anew() -> None:
    """The verifier agrees with the emitter, and refuses MVMs that are charged in full."""
    chip = small_chip(split=SPLIT, mvm={"rows_per_read": 3, "adc_bits": 6})
    done = compile_small(small_workload(layers=1, d=20, f=12), chip)
    program = done.program
    mvm = program.opcode == Opcode.MVM
    whole = timing.mvm(chip, timing.full(chip, 15), shared=False).energy_fj
    charged = np.where(mvm, whole, program.energy_fj)
    found = dict(check_program(replace(done, program=replace(program, energy_fj=charged))))
    wrong = {name for name, result in found.items() if result != "ok"}
    assert wrong == {"energy", "mvm-energy"}


def test_a_split_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="sum of the energies: 0, expected at least 1"):
        small_chip(split=replace(Split(), other_energy=0))


def test_parts_with_bands_of_their_own() -> None:
    """ISAAC's table and AccelForge's circuits: 25 and 1256 um2, or 268 and 8340."""
    done = compile_small(small_workload(layers=1), ISAAC)
    ends = area_band(done.program, ISAAC)
    assert ends is not None
    found = [(end.crossbar.array_um2, end.pg.peripheral_um2) for end in ends]
    assert found == [(268, 8340), (25, 1256)]

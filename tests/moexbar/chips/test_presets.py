"""The presets: they load, give their sources' headlines, and every number has its source."""

import re
from dataclasses import replace

import pytest

from ir.chip import Chip
from ir.timing import bus_bits_per_ns, full, mvm, mvm_ps
from ir.workload import Weight
from moexbar.chips import change_chip, load_chip, preset_names
from tests.paths import ROOT

NAMES = (
    "hermes",
    "hermes-4phase",
    "hermes-mux2",
    "hermes-mux4",
    "hermes-mux8",
    "ibm-3dcim",
    "isaac",
    "neurosim",
    "paper",
    "puma",
    "tiny",
)
DOC = ROOT / "docs" / "chips.md"


def tops(chip: Chip) -> float:
    """Tera-operations per second of one full crossbar: 2 operations per stored weight."""
    weights = chip.crossbar.rows * chip.crossbar.weights_per_row(
        Weight("w", 1, 1, chip.crossbar.weight_bits)
    )
    return 2 * weights / mvm_ps(chip, shared=False)


def mvm_fj(chip: Chip) -> int:
    return mvm(chip, full(chip, 1), shared=False).energy_fj


def test_the_presets_of_the_design_are_there_and_load() -> None:
    assert preset_names() == NAMES
    assert [load_chip(name).name for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_headline(name: str) -> None:
    """One full crossbar gives what its source says, within 1 %, where the source says it.

    hermes: 2 x 256 x 256 = 131072 operations. / 12.5 nJ = 10.486 TOPS/W (source 10.5);
    / 130 ns = 1.00825 TOPS, / (127000 + 508000) um2 = 1.5878 TOPS/mm2 (source 1.59).
    hermes-4phase: 131072 / 52.9 nJ = 2.4777 TOPS/W (source 2.48): the whole chip's power over its
    64 cores, so it includes whatever the measured power includes.
    """
    chip = load_chip(name)
    weights = chip.crossbar.rows * chip.crossbar.weights_per_row(
        Weight("w", 1, 1, chip.crossbar.weight_bits)
    )
    if chip.headline.tops_per_w:
        per_watt = 2 * weights / mvm_fj(chip) * 1e3  # operations per fJ = 1e3 TOPS/W
        assert per_watt == pytest.approx(chip.headline.tops_per_w, rel=0.01)
    if chip.headline.tops_per_mm2:
        assert chip.pg.peripheral_um2 is not None
        assert chip.crossbar.array_um2 is not None
        area_mm2 = (chip.pg.peripheral_um2 + chip.crossbar.array_um2) / 1e6
        assert tops(chip) / area_mm2 == pytest.approx(chip.headline.tops_per_mm2, rel=0.01)


def test_which_presets_state_a_headline() -> None:
    """The others' sources give none for one crossbar; mux does not change the crossbar."""
    stated = {name: load_chip(name).headline for name in NAMES}
    assert {name for name, headline in stated.items() if headline.tops_per_w == 10.5} == {
        "hermes",
        "hermes-mux2",
        "hermes-mux4",
        "hermes-mux8",
        "paper",
    }
    assert stated["hermes-4phase"].tops_per_w == 2.48
    assert stated["hermes-4phase"].tops_per_mm2 == 0
    assert stated["isaac"].tops_per_w == stated["puma"].tops_per_w == 0


# MVM time = cycles x max(read, columns per ADC x conversion) + drain, in ps.
MVM_PS = {
    "hermes": 130_000,  # 8-bit input, 8-bit DAC: 1 x max(130, 1 x 0) + 0 ns
    "hermes-4phase": 521_000,
    "ibm-3dcim": 100_000,
    "isaac": 1_600_000,  # 16 x max(100, 128 x 0.781 = 99.968) ns
    "neurosim": 108_608,  # 8 x max(1.697, 8 x 1.697) ns: the ADCs, not the read, set the pace
    "paper": 130_000,
    "puma": 2_304_000,  # 16 x max(128, 128 x 1) + 256 ns
    "tiny": 10_000,
}


@pytest.mark.parametrize("name", MVM_PS)
def test_mvm_time_by_hand(name: str) -> None:
    assert mvm_ps(load_chip(name), shared=False) == MVM_PS[name]


def test_the_adc_sets_the_pace_when_it_is_slower_than_the_read() -> None:
    """0.8 ns: 128 x 0.8 = 102.4 > 100 ns, so 16 x 102.4 = 1638.4 ns, not 1600."""
    chip = load_chip("isaac", {"mvm.conversion_ns": "0.8"})
    assert mvm_ps(chip, shared=False) == 1_638_400


MVM_FJ = {
    "hermes": 12_500_000,
    "hermes-4phase": 52_900_000,
    "ibm-3dcim": 10_000_000,
    "isaac": 16 * 301_000,
    "neurosim": 8 * 24_000,
    "puma": 16 * 343_620,
    "tiny": 10_000,
}


@pytest.mark.parametrize("name", MVM_FJ)
def test_mvm_energy_by_hand(name: str) -> None:
    assert mvm_fj(load_chip(name)) == MVM_FJ[name]


def test_isaac_adds_up_to_its_ima() -> None:
    """8 crossbars: 8 x 0.301 nJ / 100 ns = 24.08 mW, the IMA's power in ISAAC's table.

    Area: peripherals 1256 / array 25 = 50.2 to 1. 1256 = 1200 + 128 x 0.166 + 5 + 60 x 4 / 8.
    """
    chip = load_chip("isaac")
    milliwatt = 8 * chip.mvm.cycle_fj / chip.mvm.read_ps  # fJ / ps = mW
    assert milliwatt == pytest.approx(24.08)
    assert chip.pg.peripheral_um2 == round(1200 + 128 * 0.166 + 5 + 60 * 4 / 8) == 1256
    assert chip.crossbar.array_um2 == 25
    assert chip.crossbar.slices(16) == 8  # 16-bit weights in 2-bit cells
    assert chip.crossbar.weights_per_row(Weight("w", 1, 1, bits=16)) == 16
    assert chip.crossbar.slices(8) == 4  # an 8-bit model needs half the cells


def test_puma_adds_up_to_its_mvm_unit() -> None:
    """8 arrays: 8 x 16 x 343.62 pJ = 43.98 nJ = 19.09 mW x 2304 ns; 8 x (25 + 1475) um2 = 0.012."""
    chip = load_chip("puma")
    assert 8 * mvm_fj(chip) / 1e6 == pytest.approx(19.09e-3 * 2304, rel=1e-4)
    assert chip.pg.peripheral_um2 is not None
    assert chip.crossbar.array_um2 is not None
    assert 8 * (chip.pg.peripheral_um2 + chip.crossbar.array_um2) == 12_000
    assert chip.write.row_ps is not None
    assert 128 * chip.write.row_ps / 1e6 == pytest.approx(10.97, rel=1e-3)  # us per crossbar


def test_neurosim_areas() -> None:
    """128 x 128 cells of 10 F x 28 F at F = 0.022 um: 2220 um2; a run of 64 arrays says the same.

    Its ADCs and accumulators: 103949 + 105347 um2 for 64 arrays.
    """
    chip = load_chip("neurosim")
    assert chip.crossbar.array_um2 == round(128 * 128 * 10 * 28 * 0.022**2) == 2220
    assert chip.crossbar.array_um2 == round(142103 / 64)
    assert chip.pg.peripheral_um2 == round((103949 + 105347) / 64)


def test_ibm_publishes_no_area() -> None:
    chip = load_chip("ibm-3dcim")
    assert chip.pg.peripheral_um2 is None
    assert chip.crossbar.array_um2 is None
    assert chip.pg.mux == 8


def test_tiny_has_bit_slices() -> None:
    """8-bit weights in 4-bit cells: 2 cells each, 4 weights in a row of 8 columns."""
    chip = load_chip("tiny")
    assert (chip.crossbar.slices(8), chip.crossbar.weights_per_row(Weight("w", 1, 1, bits=8))) == (
        2,
        4,
    )
    assert (chip.pg.mux, chip.mesh.pgs_per_core) == (2, 4)


def test_hermes_split_of_the_core() -> None:
    """Array + peripherals = 0.635 mm2 at the stated value and at the other end of the band."""
    facts = {fact.path: fact for fact in load_chip("hermes").facts}
    array, circuits = facts["crossbar.array_um2"], facts["pg.peripheral_um2"]
    assert array.assumed
    assert circuits.assumed
    assert (array.low, array.high) == (127_000, 444_500)  # 20 to 70 % of 635000
    assert (circuits.low, circuits.high) == (190_500, 508_000)  # 80 to 30 %


@pytest.mark.parametrize("name", ["hermes-mux2", "hermes-mux4", "hermes-mux8"])
def test_mux_presets_differ_from_hermes_in_mux_alone(name: str) -> None:
    chip, hermes = load_chip(name), load_chip("hermes")
    assert chip.pg.mux == int(name[-1])
    assert (chip.crossbar, chip.mvm, chip.bus) == (hermes.crossbar, hermes.mvm, hermes.bus)
    assert chip.pg.peripheral_um2 == hermes.pg.peripheral_um2


def test_paper_is_hermes_with_the_reference_rules() -> None:
    chip, hermes = load_chip("paper"), load_chip("hermes")
    assert chip.crossbar == hermes.crossbar
    assert chip.mvm == replace(hermes.mvm, port_fj=2 * 12_930)  # input brought, output taken
    assert (chip.bus.bit_fj, chip.mesh.hop_fj, chip.mesh.distance) == (0, 0, "flat")
    assert (chip.digital.accounting, chip.memory.accounting) == ("reference", "reference")
    assert chip.digital.router_on == "crossbar"
    assert chip.bus.transfers_per_slot is None
    assert chip.bus.bits_per_ns is None
    assert bus_bits_per_ns(chip, 4096) is None
    assert chip.bus.latency_ps == 12_000
    assert (chip.accumulate.where, chip.digital.attention) == ("dpu", "polynomial")
    assert not chip.pg.retain_input
    assert not chip.digital.experts_wait_for_router
    assert (chip.memory.dram_mb_per_s, chip.memory.passive_uw) == (5332, 24_120)
    assert (hermes.accumulate.where, hermes.digital.attention) == ("pg", "macs")
    assert hermes.pg.retain_input
    assert hermes.digital.experts_wait_for_router


def test_the_digital_table_in_internal_units() -> None:
    """4 ns + 8 ns and 9.43 pJ per 256, norm 50 ns and 20.96 pJ, hop 12 ns and 12.93 pJ.

    ReLU 1 ns and 0.02 pJ, GeLU 6 ns + 16 ns and 9.63 pJ.
    """
    chip = load_chip("hermes")
    digital = chip.digital
    assert (digital.add_base_ps, digital.add_ps, digital.add_fj) == (4000, 8000, 9430)
    assert (digital.norm_ps, digital.norm_fj) == (50_000, 20_960)
    assert (digital.relu_ps, digital.relu_fj, digital.sample_ps) == (1000, 20, 10_000)
    assert (digital.smooth_base_ps, digital.smooth_ps, digital.smooth_fj) == (6000, 16_000, 9630)
    assert (chip.mesh.hop_ps, chip.mesh.hop_fj) == (12_000, 12_930)
    assert (chip.accumulate.hop_ps, chip.accumulate.hop_fj) == (12_000, 12_930)
    assert (digital.dpu_um2, digital.mha_um2) == (1_250_000, 5_000_000)


def test_units_belong_to_regions_but_where_the_source_has_one_pool() -> None:
    """hermes: by the work; the reference 5 and 4 for the chip, 3D-CiM 4 and 1, ISAAC by its PGs."""
    found = {name: load_chip(name).digital for name in ("hermes", "paper", "ibm-3dcim", "isaac")}
    shared = {name: (d.shares_dpus, d.shares_mha_units) for name, d in found.items()}
    assert shared == {
        "hermes": (False, False),
        "paper": (True, True),
        "ibm-3dcim": (True, True),
        "isaac": (False, False),
    }
    assert (found["paper"].dpus, found["paper"].mha_units) == (5, 4)
    assert (found["ibm-3dcim"].dpus, found["ibm-3dcim"].mha_units) == (4, 1)
    assert (found["isaac"].pgs_per_dpu, found["isaac"].dpus_per_region) == (48, 0)
    assert found["paper"].dpu_um2 is None


@pytest.mark.parametrize(
    ("key", "value", "counts"),
    [
        ("digital.dpus", "7", (0, 0, 7)),
        ("digital.pgs_per_dpu", "16", (0, 16, 0)),
        ("digital.dpus_per_region", "3", (3, 0, 0)),
        ("digital.dpus_per_region", "auto", (0, 0, 0)),
    ],
)
@pytest.mark.parametrize("base", ["hermes", "isaac", "paper"])
def test_one_way_to_count_units_replaces_the_others(
    base: str, key: str, value: str, counts: tuple[int, int, int]
) -> None:
    for chip in (load_chip(base, {key: value}), change_chip(load_chip(base), {key: value})):
        digital = chip.digital
        assert (digital.dpus_per_region, digital.pgs_per_dpu, digital.dpus) == counts
        stated = {fact.path for fact in chip.facts} & {
            "digital.dpus_per_region",
            "digital.pgs_per_dpu",
            "digital.dpus",
        }
        assert stated <= {key}  # what was said of the others is gone


def test_the_bus_is_isaacs() -> None:
    """384 wires x 1.2 GHz = 460.8 bits/ns: 7 mW / 460.8 = 15.19 fJ; 90000 um2 / 460.8 = 195.3."""
    bus = load_chip("hermes").bus
    assert bus.bit_fj == round(7000 / 460.8) == 15
    assert bus.um2_per_bit_per_ns == round(90_000 / 460.8) == 195


@pytest.mark.parametrize("name", NAMES)
def test_every_number_says_where_it_is_from(name: str) -> None:
    for fact in load_chip(name).facts:
        assert fact.source, fact.path
        assert fact.source != "no source given", fact.path


@pytest.mark.parametrize("name", ["ibm-3dcim", "isaac", "puma", "neurosim", "tiny"])
def test_other_chips_do_not_inherit_measurements_of_hermes(name: str) -> None:
    """`extends` is for the shared digital table; a HERMES number there would be a forgotten key."""
    assert not [f.path for f in load_chip(name).facts if "JSSC" in f.source]


def test_puma_inherits_from_isaac_only_the_switch_and_the_width_of_sums() -> None:
    isaac = {fact.path: fact for fact in load_chip("isaac").facts}
    hermes = {fact.path: fact for fact in load_chip("hermes").facts}
    taken = [
        fact.path
        for fact in load_chip("puma").facts
        if fact == isaac.get(fact.path) and fact != hermes.get(fact.path)
    ]
    assert taken == [
        "pg.mux_switch_um2",
        "accumulate.psum_bits",
        "headline.tops_per_w",
        "headline.tops_per_mm2",
    ]


def test_the_document_has_a_section_for_each_preset() -> None:
    headings = re.findall(r"^### (.*)$", DOC.read_text(encoding="utf-8"), flags=re.M)
    named = [name for heading in headings for name in re.findall(r"`([^`]+)`", heading)]
    assert sorted(named) == list(NAMES)


def test_the_document_counts_the_assumed_values() -> None:
    """The overview's numbers are those of the files, so that the document cannot go stale."""
    text = DOC.read_text(encoding="utf-8")
    for name in NAMES:
        chip = load_chip(name)
        row = re.search(rf"^\| `{name}` \|.*\|$", text, flags=re.M)
        assert row, name
        cells = [cell.strip() for cell in row.group().strip("|").split("|")]
        size = f"{chip.crossbar.rows} x {chip.crossbar.columns}"
        time_ns = f"{mvm_ps(chip, shared=False) / 1000:g}"
        assert cells[1:4] == [size, str(chip.pg.mux), time_ns], name
        assert cells[-1] == f"{len(chip.assumed)} of {len(chip.facts)}", name

"""The cost report: sums that must come out, and metamorphic checks."""

from dataclasses import replace

import numpy as np
import pytest

from backends.band import area_band
from backends.cost import cost, together_ps
from compiler.baselines import unshared
from ir.program import Opcode
from ir.stacks import NO_STACKS
from moexbar.chips import load_chip
from tests.make import compile_small, map_small, random_routing, small_chip, small_workload
from tests.stacks import stacks_of


def test_energy_is_the_sum_of_its_instructions() -> None:
    done = compile_small()
    report = cost(done.program, done.chip)
    assert report.energy.dynamic_total_fj == done.program.energy_fj.sum()
    assert report.energy.dynamic_fj["MVM"] == (
        done.program.energy_fj[done.program.opcode == Opcode.MVM].sum()
    )


def test_static_power_runs_for_the_whole_makespan() -> None:
    done = compile_small(chip=small_chip(memory={"passive_uw": 500}, pg={"idle_uw": 3}))
    report = cost(done.program, done.chip)
    # uW x ps = 1e-18 J = 1e-3 fJ
    assert report.energy.static_fj["passive"] == 500 * report.time_ps // 1000
    # what no source says how to wake stays on: 3 uW whenever a group does not compute
    program = done.program
    pgs = program.inventory.expert_pgs + program.inventory.dense_pgs
    mvm = program.opcode == Opcode.MVM
    firing = np.array([unit.pgs for unit in program.units])[program.unit[mvm]]
    resting = pgs * report.time_ps - int((firing * program.busy_ps[mvm]).sum())
    assert report.energy.static_fj["peripheral groups idle"] == resting * 3 // 1000
    assert report.energy.never_off_fj == report.energy.total_fj


def test_dram_takes_its_idle_power_as_long_as_it_holds_anything() -> None:
    # 40 mW are 40 fJ a ps: for the whole program where it keeps keys and values, else for none
    chip = small_chip(memory={"dram_idle_uw": 40_000})
    keeping = compile_small(chip=chip, decode=1)
    energy = cost(keeping.program, chip).energy
    assert energy.static_fj["DRAM idle"] == 40 * keeping.program.makespan_ps
    nothing = cost(compile_small(chip=chip).program, chip).energy
    assert "DRAM idle" not in nothing.static_fj


def test_what_a_core_draws_runs_for_the_whole_makespan() -> None:
    """7 uW in each core of the regions, and nothing of it is dynamic, an area or a time."""
    done = compile_small(chip=small_chip(mesh={"core_uw": 7, "pgs_per_core": 2}))
    report, plain = cost(done.program, done.chip), cost(done.program, small_chip())
    cores = sum(r.width * r.height for r in done.mapping.placement.regions)
    assert cores > 1
    assert report.energy.static_fj["cores"] == 7 * cores * report.time_ps // 1000
    assert "cores" not in plain.energy.static_fj
    assert report.energy.dynamic_fj == plain.energy.dynamic_fj


def test_area_counts_shared_peripherals_once() -> None:
    workload = small_workload(layers=1, d=8, f=4, experts=4, bits=8)
    done = compile_small(workload, small_chip(pg={"mux": 2}))
    parts = cost(done.program, done.chip).moe_area.parts_um2
    # d = 8, 4 weights in a row: up and gate 8x4 = 1 tile each, down 4x8 = 2 tiles: 4 an expert
    assert parts["arrays"] == 4 * 4 * 10
    assert parts["mux switches"] == 4 * 4 * 1
    assert parts["peripheral groups"] == 2 * 4 * 100  # two groups of two experts


def test_the_moe_part_has_the_digital_units_and_buffers_of_its_regions() -> None:
    """Two layers, the first with a dense block: of two regions that of the second is counted."""
    workload = small_workload(layers=2, dense_layers=(0,))
    own = {"dpus_per_region": 3, "mha_units_per_region": 2}
    done = compile_small(workload, small_chip(digital=own), tokens=40)
    report = cost(done.program, done.chip)
    assert all(buffer.bytes > 1024 for buffer in done.program.buffers)
    (held,) = [buffer.bytes for buffer in done.program.buffers if buffer.layer == 1]
    assert report.moe_area.parts_um2["digital units"] == 3 * 1_000
    assert report.moe_area.parts_um2["buffers"] == -(-held // 1024) * 400
    assert report.area.parts_um2["digital units"] == 2 * 3 * 1_000
    assert report.area.parts_um2["attention units"] == 2 * 2 * 1_000
    # the chip's two digital units, where it shares them, serve the MoE layer too
    shared = compile_small(workload, small_chip(digital={"dpus": 2, "mha_units": 1}))
    assert cost(shared.program, shared.chip).moe_area.parts_um2["digital units"] == 2 * 1_000


def test_the_reference_counts_no_digital_units_and_buffers_in_the_moe_part() -> None:
    done = compile_small(chip=small_chip(digital={"accounting": "reference"}))
    parts = cost(done.program, done.chip).moe_area.parts_um2
    assert set(parts) == {"peripheral groups", "arrays", "mux switches", "buses"}


def test_area_counts_what_input_buffers_hold_beyond_a_vector() -> None:
    # d = 512 and f = 256 bytes: each of two groups has a vector of d at its first stage, one of f
    # at its second; q, k, v, o and the head have five banks of d
    workload = small_workload(layers=1, d=512, f=256, experts=4, bits=8)
    for entries, routed, dense in ((1, 0, 0), (2, 1536, 2560), (4, 3 * 1536, 3 * 2560)):
        done = compile_small(workload, small_chip(pg={"input_buffers": entries}), tokens=2)
        report = cost(done.program, done.chip)
        kib = -(-routed // 1024), -(-(routed + dense) // 1024)
        assert report.moe_area.parts_um2["input buffers"] == kib[0] * 400
        assert report.area.parts_um2["input buffers"] == kib[1] * 400


def test_a_stack_has_one_input_buffer_as_large_as_its_largest() -> None:
    """Of q, k and v one of 512 bytes an entry, not three; of o and a second stage 512, not 768.

    Eight entries, of which the first is a core's own: 7 x 1536 bytes of two groups, 7 x 2560 of q,
    k, v, o and the head are 28 KiB. In stacks 7 x (4096 - 2 x 512 - 256) bytes are 19.25.
    """
    model = small_workload(layers=1, d=512, f=256)
    chip = small_chip(pg={"input_buffers": 8, "stack_limit": 3})
    stacks = stacks_of(map_small(model, chip), ("q0", "k0", "v0"), ("o0", "moe0.1.0"))
    for given, kib in ((NO_STACKS, 28), (stacks, 20)):
        report = cost(compile_small(model, chip, tokens=2, stacks=given).program, chip)
        assert report.moe_area.parts_um2["input buffers"] == 11 * 400  # 10.5 KiB
        assert report.area.parts_um2["input buffers"] == kib * 400


def test_a_stack_saves_peripherals_and_takes_switches() -> None:
    """q0 and k0 are of 3 x 5 tiles: 15 peripheral groups of 100 um2 less, 30 switches of 1 um2."""
    model, chip = small_workload(layers=1), small_chip(pg={"mux": 1, "stack_limit": 2})
    stacks = stacks_of(map_small(model, chip), ("q0", "k0"))
    before, after = (
        cost(compile_small(model, chip, stacks=given).program, chip).area.parts_um2
        for given in (NO_STACKS, stacks)
    )
    assert before["mux switches"] == 0
    assert after["mux switches"] == 30 * 1
    assert after["peripheral groups"] == before["peripheral groups"] - 15 * 100
    assert after["arrays"] == before["arrays"]


def test_switches_of_the_moe_part_are_those_of_experts() -> None:
    """Without a mux q0 and k0 have 30, none of them an expert's.

    Of expert 3's 18 peripheral groups v0 is behind 15, and expert 2 behind all.
    """
    model, chip = small_workload(layers=1), small_chip(pg={"mux": 1, "stack_limit": 3})
    alone = map_small(model, chip)
    for names, of_experts, of_all in (
        (("q0", "k0"), 0, 30),
        (("v0", "moe0.0.3"), 15, 30),
        (("v0", "moe0.0.2", "moe0.0.3"), 36, 51),
    ):
        done = compile_small(model, chip, stacks=stacks_of(alone, names))
        report = cost(done.program, chip)
        assert report.moe_area.parts_um2["mux switches"] == of_experts
        assert report.area.parts_um2["mux switches"] == of_all


def test_an_unshared_chip_has_no_mux_switches() -> None:
    done = compile_small(chip=small_chip(pg={"mux": 1}))
    assert cost(done.program, done.chip).area.parts_um2["mux switches"] == 0


def test_an_unpublished_area_is_named_and_gives_no_efficiency() -> None:
    done = compile_small(chip=small_chip(pg={"peripheral_um2": None}))
    report = cost(done.program, done.chip)
    assert report.area.missing == ("peripheral groups",)
    assert report.moe_gops_per_mm2 is None
    assert report.gops_per_w_mm2 is None


def test_macs_of_a_window() -> None:
    # per token: q, k, v, o 4 x 20 x 20, head 20 x 30, 2 experts of 3 x 20 x 12, router 20 x 4
    workload = small_workload(layers=1, d=20, f=12, experts=4, k=2)
    done = compile_small(workload, tokens=5)
    per_token = 4 * 400 + 600 + 2 * 3 * 240 + 80
    attention = 2 * 15 * 20  # 15 causal pairs, heads x head_dim = 20
    assert cost(done.program, done.chip).macs == 5 * per_token + attention


def test_work_does_not_depend_on_mux() -> None:
    workload = small_workload()
    chosen = random_routing(workload, np.zeros(6, dtype=np.int64))
    reports = [
        cost(done.program, done.chip)
        for mux in (1, 2, 4)
        for done in [compile_small(workload, small_chip(pg={"mux": mux}), chosen=chosen)]
    ]
    assert len({r.macs for r in reports}) == 1
    assert len({r.energy.dynamic_fj["MVM"] for r in reports}) == 1


def test_moe_efficiency_is_work_over_time_over_area() -> None:
    done = compile_small()
    report = cost(done.program, done.chip)
    ops = 2 * sum(part.macs for part in report.moe)
    spans = [span for part in report.moe for span in part.spans]
    seconds = together_ps(spans) * 1e-12
    assert seconds <= sum(part.time_ps for part in report.moe) * 1e-12  # layers may overlap
    mm2 = report.moe_area.total_um2 * 1e-6
    assert report.moe_gops_per_mm2 == pytest.approx(ops / seconds / mm2 / 1e9)


def test_moe_time_runs_from_first_load_to_last_combine() -> None:
    done = compile_small(small_workload(layers=1))
    (part,) = cost(done.program, done.chip).moe
    program = done.program
    loads = (program.opcode == Opcode.LOAD) & (program.slot >= 0)
    ends = program.end_ps[program.opcode == Opcode.COMBINE]
    assert part.time_ps == ends.max() - program.start_ps[loads].min()
    assert part.transfers == done.schedule.prefill.layers[0].order.transfers_retained


def test_the_band_keeps_the_published_core() -> None:
    chip = load_chip("hermes-mux2")
    done = compile_small(small_workload(layers=1), chip)
    ends = area_band(done.program, chip)
    assert ends is not None
    for end in ends:
        assert end.pg.peripheral_um2 is not None
        assert end.crossbar.array_um2 is not None
        assert end.pg.peripheral_um2 + end.crossbar.array_um2 == 635_000
    assert [end.pg.peripheral_um2 for end in ends] == [190_500, 508_000]  # 30 and 80 %


def test_the_band_goes_from_the_largest_area_to_the_smallest() -> None:
    """With few peripherals go large digital units, 2.5 and 10 mm2; with many 0.16 and 0.64."""
    chip = load_chip("hermes-mux2")
    done = compile_small(small_workload(layers=1), chip)
    ends = area_band(done.program, chip)
    assert ends is not None
    digital = [(end.digital.dpu_um2, end.digital.mha_um2) for end in ends]
    assert digital == [(2_500_000, 10_000_000), (160_000, 640_000)]
    large, small = (cost(done.program, end).area.total_um2 for end in ends)
    assert small < cost(done.program, chip).area.total_um2 < large
    # a chip without a band for its core has that of the units alone
    plain = replace(chip, facts=tuple(f for f in chip.facts if f.path != "pg.peripheral_um2"))
    alone = area_band(done.program, plain)
    assert alone is not None
    assert [end.pg for end in alone] == [chip.pg, chip.pg]
    assert area_band(done.program, replace(chip, facts=())) is None


def test_unshared_chip_differs_in_mux_only() -> None:
    chip = load_chip("hermes-mux4")
    alone = unshared(chip)
    assert alone.pg.mux == 1
    assert replace(alone, name=chip.name, pg=chip.pg) == chip

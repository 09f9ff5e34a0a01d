"""Bands of a small compilation: linear in an area, a fresh compilation's where time moves."""

from dataclasses import replace

import pytest

import moexbar as mx
from compiler.baselines import Baselines
from ir.chip import Fact, sizes_of
from ir.errors import InputError
from moexbar.bands.assumptions import assumptions
from moexbar.bands.vary import with_bands
from moexbar.report.banded import AssumptionRow, BandsRow, FigureRow
from moexbar.report.gains import MethodResult
from moexbar.report.methods import MethodRow
from tests.paths import TINY

LPT = mx.GroupingOptions("lpt")
PREFILL = 8


def compiled(chip: mx.Chip, beside: Baselines = "all") -> mx.Compilation:
    return mx.compile(
        TINY / "model.onnx",
        chip,
        inputs=TINY / "inputs.npz",
        prefill=PREFILL,
        grouping=LPT,
        baselines=beside,
        execute=False,
    )


@pytest.fixture(scope="module")
def done() -> mx.Compilation:
    """Wires cost what is published, so that areas are areas alone."""
    chip = mx.load_chip("hermes-mux2", {"wires.cost": "published"})
    return with_bands(compiled(chip), draws=3, seed=5)


def of(done: mx.Compilation) -> BandsRow:
    found = done.report.bands
    assert found is not None
    return found


def figure(done: mx.Compilation, name: str) -> FigureRow:
    return next(row for row in of(done).figures if row.name == name)


def number(done: mx.Compilation, field: str) -> AssumptionRow:
    return next(row for row in of(done).assumptions if row.field == field)


def test_the_figures_are_the_reports(done: mx.Compilation) -> None:
    ours, gains = done.report.methods[-1], done.report.gains
    assert isinstance(ours, MethodRow) and gains is not None
    assert {row.name: row.value for row in of(done).figures} == {
        "time_ns": ours.time_ns,
        "energy_nj": pytest.approx(ours.energy_nj.total),
        "area_mm2": pytest.approx(ours.area_mm2.total),
        "moe_gops_per_mm2": ours.moe_gops_per_mm2.value,
        "gops_per_w_mm2": ours.gops_per_w_mm2.value,
        "sharing": gains.sharing,
        "over_paper": gains.over_paper,
        "break_even_programs": gains.break_even_programs,
    }


def test_the_parts_of_the_energy_have_ranges_of_their_own(done: mx.Compilation) -> None:
    ours, parts = done.report.methods[-1], {row.name: row for row in of(done).energy}
    assert isinstance(ours, MethodRow)
    written = ours.energy_nj.dynamic | ours.energy_nj.static
    assert {name: row.value for name, row in parts.items()} == pytest.approx(written)
    values = [row.value or 0 for row in of(done).energy]
    assert values == sorted(values, reverse=True)
    # buffers take 80 fJ a bit, band 67 to 81 in this file: no other number moves them
    buffers, bit = parts["buffers"], number(done, "memory.buffer_bit_fj")
    per_fj = written["buffers"] / bit.value
    assert buffers.one_at_a_time.low == pytest.approx(per_fj * bit.low)
    assert buffers.one_at_a_time.high == pytest.approx(per_fj * bit.high)
    assert buffers.most == bit.field
    # their sum is the total's where one number moves: MACs of GATE and ATTN
    fj = number(done, "digital.mac_fj")
    total = fj.figures["energy_nj"]
    assert total.high is not None
    moved = sum((parts[name].value or 0) * (fj.high / fj.value - 1) for name in ("GATE", "ATTN"))
    assert total.high == pytest.approx(ours.energy_nj.total + moved, rel=1e-6)


def test_areas_that_lengths_go_by_move_times() -> None:
    """A core's side is the root of its area: with other areas its wires are others."""
    effects = {a.path: a.effect for a in assumptions(mx.load_chip("hermes-mux2"))}
    assert (effects["pg.peripheral_um2"], effects["pg.mux_switch_um2"]) == ("time", "time")
    assert (effects["digital.dpu_um2"], effects["pg.idle_uw"]) == ("cost", "cost")


def test_the_band_of_an_area_is_linear_in_it(done: mx.Compilation) -> None:
    """A um2 more of peripherals is one less of array: PGs - crossbars um2 more of the chip."""
    row = number(done, "pg.peripheral_um2")
    inventory = done.program.inventory
    pgs = inventory.expert_pgs + inventory.dense_pgs
    crossbars = inventory.expert_crossbars + inventory.dense_crossbars
    assert (row.effect, row.low, row.high, row.value) == ("cost", 190_500, 508_000, 508_000)
    area = row.figures["area_mm2"]
    assert area.low is not None and area.high is not None
    assert area.high - area.low == pytest.approx((pgs - crossbars) * (row.high - row.low) / 1e6)
    assert area.swing == pytest.approx(abs(area.high - area.low) / area.high)
    # at the value itself nothing moves, and time and energy do not rest on areas
    assert area.high == figure(done, "area_mm2").value
    assert {row.figures[name].swing for name in ("time_ns", "energy_nj")} == {0.0}
    # the arrays go with it: they are no number of their own
    assert not any(other.field == "crossbar.array_um2" for other in of(done).assumptions)
    # the share at which sharing breaks even does not hang on the share that is taken
    assert row.figures["break_even_programs"].swing == 0.0


@pytest.mark.parametrize(
    ("key", "value", "field", "effect"),
    [
        ("bus.latency_ns", 1, "bus.latency_ps", "time"),
        ("digital.mac_fj", 60, "digital.mac_fj", "time"),
        ("mesh.pgs_per_core", 4, "mesh.pgs_per_core", "place"),
    ],
)
def test_an_end_of_a_band_is_what_compiling_for_it_gives(
    done: mx.Compilation, key: str, value: int, field: str, effect: str
) -> None:
    words: dict[str, str | int | float] = {key: value, "wires.cost": "published"}
    for size, n in sizes_of(done.chip).items():
        words[size] = str(n)
    other = mx.load_chip("hermes-mux2", words)
    fresh = compiled(other, "none").report.methods[-1]
    assert isinstance(fresh, MethodRow)
    row = number(done, field)
    assert row.effect == effect
    found = {name: end.low for name, end in row.figures.items()}
    assert found["time_ns"] == fresh.time_ns
    assert found["energy_nj"] == pytest.approx(fresh.energy_nj.total)
    assert found["moe_gops_per_mm2"] == pytest.approx(fresh.moe_gops_per_mm2.value)


def test_one_at_a_time_reaches_both_ends_and_the_value(done: mx.Compilation) -> None:
    for row in of(done).figures:
        ends = [end for a in of(done).assumptions for end in [a.figures[row.name]]]
        reached = [row.value, *(e.low for e in ends), *(e.high for e in ends)]
        known = [value for value in reached if value is not None]
        assert (row.one_at_a_time.low, row.one_at_a_time.high) == (min(known), max(known))
        swings = {a.field: a.figures[row.name].swing for a in of(done).assumptions}
        assert row.most is None or swings[row.most] == max(swings.values())
    largest = [max(end.swing for end in a.figures.values()) for a in of(done).assumptions]
    assert largest == sorted(largest, reverse=True)


def test_draws_are_the_seeds(done: mx.Compilation) -> None:
    plain = replace(done, report=replace(done.report, bands=None))
    assert of(with_bands(plain, 3, seed=5)) == of(done)
    other = of(with_bands(plain, 3, seed=6))
    assert other.assumptions == of(done).assumptions
    assert other.figures != of(done).figures
    none = of(with_bands(plain, 0))
    assert {row.together.low for row in none.figures} == {None}
    with pytest.raises(InputError, match="draws: -1, expected at least 0"):
        with_bands(plain, -1)


def test_gains_are_over_methods_that_were_compiled() -> None:
    alone = with_bands(compiled(mx.load_chip("hermes-mux2"), "none"), draws=0)
    names = ["time_ns", "energy_nj", "area_mm2", "moe_gops_per_mm2", "gops_per_w_mm2"]
    assert [row.name for row in of(alone).figures] == names
    paper = compiled(mx.load_chip("hermes-mux2"), "paper")
    known = [r.method.name for r in paper.baselines if isinstance(r, MethodResult)]
    assert known == ["unshared, serial", "paper's method"]
    assert [row.name for row in of(with_bands(paper, draws=0)).figures] == [*names, "over_paper"]


def test_what_does_not_fit_has_no_figures() -> None:
    """33 groups at 16 to a core fill 3 cores; at 1 or 2 to a core they need at least 17."""
    chip = mx.load_chip("hermes-mux2", {"mesh.width": 1, "mesh.height": 3})
    small = (Fact("mesh.pgs_per_core", "16", "by hand", True, low=1, high=2),)
    found = of(with_bands(compiled(replace(chip, facts=small), "none"), draws=4))
    (row,) = found.assumptions
    assert {(end.low, end.high, end.swing) for end in row.figures.values()} == {(None, None, 0.0)}
    assert found.unfit == 4
    assert {(f.together.low, f.one_at_a_time.low == f.value) for f in found.figures} == {
        (None, True)
    }


def test_numbers_that_need_new_groups_are_named() -> None:
    alone = with_bands(compiled(mx.load_chip("ibm-3dcim"), "none"), draws=0)
    assert of(alone).left_out == ("pg.mux",)
    assert figure(alone, "area_mm2").value is None  # not published

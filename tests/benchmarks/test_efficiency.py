"""The comparison of methods on a trace, on two layers of four small experts."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from backends.cost import cost
from benchmarks.efficiency import measure
from benchmarks.efficiency_bands import GAINS, banded, gains, rate_numbers
from benchmarks.efficiency_programs import (
    Emitted,
    Feed,
    Sample,
    best_chip,
    emitted,
    group_all,
    rate,
)
from benchmarks.efficiency_tables import (
    Found,
    break_even_lines,
    gains_table,
    methods_table,
    orders_table,
)
from benchmarks.moe_shapes import SIZES, Sizes
from compiler.baselines import EVERY, OURS, PAPER_BASELINE, UNSHARED_OURS, Pair
from compiler.options import Options, Shape, SlotOptions
from compiler.ordering import BY_TRANSFERS, GAIN
from ir import timing
from ir.arrivals import Arrivals
from ir.chip import Chip, sizes_of
from ir.routing import Routing
from moexbar.bands.assumptions import assumptions
from moexbar.bands.ranges import Draws
from moexbar.chips import load_chip
from moexbar.progress import Quiet
from moexbar.report.banded import BandsRow

TOKENS, WINDOWS = 16, 4
SAMPLE = Sample((0, 1), TOKENS)
SMALL = Sizes(64, 64, 64, 4, 2, "by hand")
Measured = dict[Feed, tuple[Mapping[Pair, Emitted], ...]]


def routing() -> Routing:
    """Two layers, four experts, each token to two of them; as many sequences as windows."""
    rng = np.random.default_rng(1)
    tokens = WINDOWS * TOKENS
    choices = np.argsort(rng.random((2, tokens, 4)), axis=2)[:, :, :2].astype(np.int16)
    sequence = np.repeat(np.arange(WINDOWS), TOKENS)
    return Routing(np.array([0, 1]), np.array([4, 4]), sequence, choices)


@pytest.fixture(scope="module")
def bands(measured: Measured) -> BandsRow:
    return banded(measured["at once"], 2, routing(), Draws(1, 0), Quiet())


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "small", SMALL)
        yield measure("small", routing(), 2, SAMPLE, 0.1, lambda line: None)


def test_windows_are_as_far_apart_as_they_can_be() -> None:
    """Four windows of 16 from token 100 on, two layers: the first and the third of them."""
    half = (100, 100 + 4 * TOKENS + 3)
    assert [SAMPLE.window(layer, half) for layer in (0, 1)] == [(100, 116), (132, 148)]


def test_every_method_has_one_chip_for_both_ways(measured: Measured) -> None:
    for ways in measured.values():
        assert [tuple(way) for way in ways] == [EVERY, EVERY]
        for pair in EVERY:
            one, other = (way[pair] for way in ways)
            assert one.chip == other.chip
            assert (one.chip.open, len(one.programs)) == ((), len(SAMPLE.layers))
            assert one.chip.pg.mux == (1 if pair[0] == "unshared" else 2)
            # the reverse: fitted to what the other is scored on
            assert one.grouped.method.options.fit == other.grouped.method.options.score


def test_programs_are_of_the_half_that_groups_were_not_fitted_to(measured: Measured) -> None:
    """The trace's first half are tokens 0 to 31, two windows, one for each layer."""
    first, second = (way[OURS].programs for way in measured["fed"])
    for begin, programs in ((2 * TOKENS, first), (0, second)):
        for layer, program in enumerate(programs):
            start = begin + layer * TOKENS
            window = routing().matrix(layer)[start : start + TOKENS]
            assert np.array_equal(program.compiled.chosen[layer], window)


def test_slots_are_counted_on_all_windows(measured: Measured) -> None:
    """Unshared, a token has a slot of its own in the serial order: as many slots as tokens."""
    serial = measured["fed"][0][PAPER_BASELINE].grouped
    assert serial.slots == serial.tokens == 2 * TOKENS * 2  # two layers, two windows of a half
    alone = measured["fed"][0][UNSHARED_OURS].grouped
    chosen = routing()
    busiest = [
        chosen.matrix(layer)[first : first + TOKENS].sum(axis=0).max()
        for layer in (0, 1)
        for first in (2 * TOKENS, 3 * TOKENS)
    ]
    assert alone.slots == sum(busiest)


def test_fed_tokens_come_one_in_each_mvm_time(measured: Measured) -> None:
    for pair in EVERY:
        fed, at_once = (measured[feed][0][pair] for feed in ("fed", "at once"))
        apart = (TOKENS - 1) * timing.mvm_ps(fed.chip, shared=False)
        assert min(one.moe_time_ps for one in fed.costs) > apart
        if pair == UNSHARED_OURS:  # which may run several tokens in a slot
            assert at_once.costs[0].moe_time_ps < fed.costs[0].moe_time_ps


def test_ours_is_the_order_by_which_the_programs_are_shortest(measured: Measured) -> None:
    """Whoever groups: the fewest broadcasts, unless another saves more than 1 % of the time."""
    for ways in measured.values():
        for pair in EVERY:
            one, other = (way[pair] for way in ways)
            assert (one.policy, one.tried) == (other.policy, other.tried)
            if pair[1] != "ours":
                assert one.tried == ()
                continue
            assert tuple(t.policy for t in one.tried) == BY_TRANSFERS
            kept, least = one.tried[0].policy, one.tried[0].time_ps
            for tried in one.tried[1:]:
                if least - tried.time_ps > GAIN * least:
                    kept, least = tried.policy, tried.time_ps
            assert one.policy == kept


def test_the_order_that_is_kept_is_that_of_the_programs(measured: Measured) -> None:
    """Arriving is the order of min-transfer where token n comes in slot n."""
    for ways in measured.values():
        for one in (way[pair] for way in ways for pair in EVERY):
            for done in one.programs:
                order = done.compiled.schedule.prefill.layers[0].order
                assert order.policy == one.policy.replace("arriving", "min-transfer")
                assert isinstance(order.presence, Arrivals) == (one.policy == "arriving")


def test_tokens_that_arrive_run_no_earlier() -> None:
    """Asked for alone, the order is taken: token n of the window in slot n or later."""
    chip = load_chip("hermes", {"pg.mux": "2"})
    fit, score = (0, 2 * TOKENS), (2 * TOKENS, 4 * TOKENS)
    options = Options(Shape(TOKENS), fit, score, slots=SlotOptions("arriving"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SIZES, "small", SMALL)
        grouped = group_all("small", routing(), chip, options, (OURS,))
        (found,) = emitted("small", routing(), grouped, SAMPLE, "fed")
    assert (found.policy, found.tried) == ("arriving", ())
    for done in found.programs:
        order = done.compiled.schedule.prefill.layers[0].order
        assert isinstance(order.presence, Arrivals)
        assert order.presence.first.tolist() == list(range(TOKENS))


def test_a_size_is_the_smallest_after_which_twice_as_much_buys_little() -> None:
    """Eight units halve the time three times; a bus of two is enough, and buffers do nothing."""
    chip = load_chip("hermes", {"bus.return_lanes": 3})

    def time_ps(tried: Chip) -> int:
        bus = tried.bus.transfers_per_slot or 0
        return 8000 // min(tried.digital.dpus_per_region, 8) + 1000 // min(bus, 2)

    best = best_chip(chip, time_ps)
    assert best.digital.dpus_per_region == 8
    assert tuple(sizes_of(best).values()) == (2, 1, 3)  # lanes were no open size


def test_the_rate_is_of_all_programs_together(measured: Measured) -> None:
    ours = measured["fed"][0][OURS]
    parts = [cost(one.compiled.program, ours.chip) for one in ours.programs]
    macs = sum(part.macs for one in parts for part in one.moe)
    # 16 tokens x 2 experts x 3 matrices of 64 x 64, and the router's 64 x 4
    assert macs == 2 * 16 * (2 * 3 * 64 * 64 + 64 * 4)
    ns = sum(one.moe_time_ps for one in parts) / 1000
    mm2 = sum(one.moe_area.total_um2 for one in parts) / 2 / 1e6
    assert rate(ours.costs) == pytest.approx(2 * macs / ns / mm2)


def test_a_share_splits_the_core_otherwise(measured: Measured) -> None:
    ours = measured["fed"][0][OURS]
    taken, split = ours.costs[0].moe_area.parts_um2, ours.at_share(30)[0].moe_area.parts_um2
    names = ("peripheral groups", "arrays")
    # 12 crossbars of 635,000 um2 behind 6 groups: 0.8 x 6 + 0.2 x 12, and 0.3 x 6 + 0.7 x 12
    assert sum(taken[name] for name in names) == round(635_000 * 7.2)
    assert sum(split[name] for name in names) == round(635_000 * 10.2)


def test_ranges_begin_at_the_gains_of_the_windows(measured: Measured, bands: BandsRow) -> None:
    """Two windows: the first of each way."""
    ways = measured["at once"]
    costs = {pair: [way[pair].costs[0] for way in ways] for pair in EVERY}
    assert {row.name: row.value for row in bands.figures} == pytest.approx(gains(costs))
    peripherals = next(row for row in bands.assumptions if row.field == "pg.peripheral_um2")
    sharing = peripherals.figures["sharing (unshared, ours)"]
    assert sharing.low is not None and sharing.high is not None
    assert sharing.low < sharing.high  # less to share, less to gain


def test_numbers_that_no_time_or_area_rests_on_stay() -> None:
    moved = {a.path for a in rate_numbers(assumptions(load_chip("hermes-mux2")))}
    assert {"pg.peripheral_um2", "digital.dpu_um2", "bus.latency_ps", "pg.mux_settle_ps"} <= moved
    assert not {"digital.mac_fj", "pg.idle_uw", "pg.wake_ps", "split.adc_area"} & moved


def test_the_tables_name_what_they_show(measured: Measured, bands: BandsRow) -> None:
    found = Found("at once", measured["at once"])
    rows = list(methods_table(found))
    assert "assumed" in rows[0]
    assert (
        sum(row.startswith(("unshared", "sorted", "ours", "paper", "moexbar")) for row in rows) == 9
    )
    orders = list(orders_table(found))
    assert [row[:20].strip() for row in orders[1:-1]] == [
        "unshared, ours",
        "sorted, ours",
        "moexbar",
    ]
    assert all("kept: " in row for row in orders[1:-1])
    lines = list(gains_table(found, bands))
    assert [line[:26].strip() for line in lines[1:]] == list(GAINS)
    assert "by slots alone, all windows" in next(break_even_lines(found))

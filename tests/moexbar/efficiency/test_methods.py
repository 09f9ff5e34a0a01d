"""Rows of area efficiency from a routing and a chip: what they are relative to, and their band."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.options import GroupingOptions, Options, Shape
from ir.errors import InputError
from ir.routing import Routing
from moexbar.chips import load_chip
from moexbar.efficiency.methods import SHARES, count_methods, efficiency_rows, judge, sized
from moexbar.report.reproduced import EfficiencyRow
from tests.make import random_routing, small_workload

TOKENS = 16
WORKLOAD = small_workload(layers=2, d=256, f=256, experts=4, k=2)
HERMES = load_chip("hermes")


def routing(sequences: int = 6) -> Routing:
    sequence = np.repeat(np.arange(sequences), TOKENS)
    chosen = random_routing(WORKLOAD, sequence)
    choices = [np.nonzero(chosen[n])[1].reshape(len(sequence), 2) for n in (0, 1)]
    both = np.array(choices, dtype=np.int16)
    return Routing(np.array([0, 1]), np.array([4, 4]), sequence, both)


def options(tokens: int = TOKENS) -> Options:
    return Options(Shape(tokens), (0, 3 * TOKENS), (3 * TOKENS, 6 * TOKENS), GroupingOptions("lpt"))


def known(row: EfficiencyRow) -> list[float]:
    """Its figures, which all are known."""
    found = [value for value in row.gops_per_mm2 if value is not None]
    assert len(found) == len(SHARES)
    return found


def test_one_row_per_method_and_mux_beside_the_unshared_chip() -> None:
    rows = efficiency_rows(WORKLOAD, routing(), HERMES, options(), muxes=(2, 4))
    assert [(row.name, row.mux) for row in rows] == [
        ("unshared, serial", 1),
        ("unshared, ours", 1),
        ("paper's method", 2),
        ("moexbar", 2),
        ("paper's method", 4),
        ("moexbar", 4),
    ]
    assert rows[0].times_unshared_serial == (1.0,) * len(SHARES)
    for row in rows:
        ratio = known(row)[0] / known(rows[0])[0]
        assert row.times_unshared_serial[0] == pytest.approx(ratio)
        assert row.published == 2.2


def test_the_band_touches_shared_peripherals_only() -> None:
    chip = replace(HERMES, digital=replace(HERMES.digital, dpu_um2=None))  # crossbars alone
    unshared, shared = efficiency_rows(WORKLOAD, routing(), chip, options(), muxes=(2,))[::3]
    # an unshared core is 0.635 mm2 however it is split; two arrays behind one set of peripherals
    # take 1.2, 1.5 and 1.7 arrays' share of two cores, but for switches and bus
    assert len(set(unshared.gops_per_mm2)) == 1
    high, _, low = known(shared)
    assert high / low == pytest.approx(1.7 / 1.2, rel=0.02)


def test_windows_are_those_of_the_score_range() -> None:
    serial, *_ = count_methods(WORKLOAD, routing(), HERMES, options())
    for _, windows in serial.layers:
        assert windows.tokens.tolist() == [TOKENS] * 3
        assert windows.pairs.tolist() == [2 * TOKENS] * 3
        assert windows.slots.tolist() == [TOKENS] * 3  # unshared: one slot a token
        assert windows.transfers.tolist() == [TOKENS] * 3


def test_the_mean_over_layers_is_not_that_of_their_times() -> None:
    one = count_methods(WORKLOAD, routing(), load_chip("hermes-mux2"), options())[3]
    alone = [judge(replace(one, layers=(layer,))) for layer in one.layers]
    assert judge(one) == pytest.approx(np.mean([value for value in alone if value]))


def test_a_wider_bus_is_never_slower() -> None:
    one = count_methods(WORKLOAD, routing(), load_chip("hermes-mux2"), options())[2]
    # its own area aside, which on crossbars this small counts
    chip = replace(one.method.chip, bus=replace(one.method.chip.bus, um2_per_bit_per_ns=0))
    found = []
    for bus in (1, 2, 4, None):
        wide = replace(chip, bus=replace(chip.bus, transfers_per_slot=bus))
        found.append(judge(replace(one, method=replace(one.method, chip=wide))) or 0.0)
    assert found == sorted(found)


def test_each_row_has_the_bus_that_is_best_for_its_windows() -> None:
    rows = efficiency_rows(WORKLOAD, routing(), HERMES, options(), muxes=(2,))
    assert {row.transfers_per_slot for row in rows} <= {1, 2, 4, 8, 16, 32, 64}
    one = sized(count_methods(WORKLOAD, routing(), HERMES, options())[0])
    assert one.method.chip.open == ()
    assert rows[0].transfers_per_slot == one.method.chip.bus.transfers_per_slot
    fixed = load_chip("hermes", {"bus.transfers_per_slot": 2})
    rows = efficiency_rows(WORKLOAD, routing(), fixed, options(), muxes=(2,))
    assert {row.transfers_per_slot for row in rows} == {2}


def test_a_chip_without_areas_gives_no_figure() -> None:
    rows = efficiency_rows(WORKLOAD, routing(), load_chip("ibm-3dcim"), options(), muxes=(2,))
    assert all(value is None for row in rows for value in row.gops_per_mm2)


def test_a_range_without_a_window_is_refused() -> None:
    with pytest.raises(InputError, match="48 tokens to score, fewer than one window"):
        count_methods(WORKLOAD, routing(), HERMES, options(tokens=64))

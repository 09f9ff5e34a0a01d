"""One tile's arithmetic: digits, slices, converters, noise and drift, against integers by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.functional.analog import DRIFT_T0_S, Analog
from backends.functional.analog_tile import (
    Converters,
    Digits,
    Tile,
    largest_cell,
    slice_weights,
    to_integers,
)
from ir.errors import InputError
from moexbar.chips import load_chip

PLAIN = Analog(weight_bits=8, cell_bits=4, differential=False, input_bits=8, dac_bits=1)


def _random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@st.composite
def settings_of(draw: st.DrawFn) -> Analog:
    """Any bits, 1-bit cells and all of the input at once among them."""
    bits = st.integers(2, 9)
    input_bits = draw(bits)
    return Analog(
        weight_bits=draw(bits),
        cell_bits=draw(st.integers(1, 9)),
        differential=draw(st.booleans()),
        input_bits=input_bits,
        dac_bits=draw(st.one_of(st.just(1), st.just(input_bits), st.integers(1, 9))),
    )


def integers(draw: st.DrawFn, shape: tuple[int, int], bits: int) -> npt.NDArray[Any]:
    """Values of so many bits: any, all negative, all zero, or a zero column."""
    most = 2 ** (bits - 1) - 1
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = random.integers(-most, most + 1, shape)
    kind = draw(st.sampled_from(["any", "negative", "zero", "zero column", "extreme"]))
    if kind == "negative":
        values = -np.abs(values) - (values == 0)
    elif kind == "zero":
        values[:] = 0
    elif kind == "zero column":
        values[:, 0] = 0
    elif kind == "extreme":
        values = np.where(values < 0, -most, most)
    return values


@given(st.data(), settings_of(), st.integers(1, 12), st.integers(1, 5), st.integers(1, 4))
def test_nothing_lost_is_the_integer_product(
    data: st.DataObject, settings: Analog, rows: int, columns: int, n: int
) -> None:
    """Digits, slices, full-range converters that hold every sum, shift-and-add: x @ w exactly."""
    w = data.draw(st.composite(integers)((rows, columns), settings.weight_bits), "w")
    x = data.draw(st.composite(integers)((n, rows), settings.input_bits), "x")
    tile = Tile.program(w.astype(np.float32), settings, _random())
    digits = Digits.of(settings)
    signed = settings.differential or digits.signed
    most = rows * digits.largest * largest_cell(settings)
    enough = most.bit_length() + int(signed)
    slices = np.full(len(tile.cells), float(most))
    converters = Converters.of(enough, slices, signed=signed)
    assert converters.hold(most)
    for adc in (None, converters):
        found = tile.product(x.astype(np.float32), settings, adc, _random())
        np.testing.assert_array_equal(found, x @ w)
    if enough > 2:  # one bit less does not hold them: the largest possible sum would be cut
        assert not Converters.of(enough - 1, slices, signed=signed).hold(most)


def test_digits_of_minus_three() -> None:
    """-3 is 1101 in 4 bits: 1, 0, 1 and the sign's 1, which counts -8; by 3: 101 and -1."""
    one_by_one = Digits.of(replace(PLAIN, input_bits=4))
    assert one_by_one.factors == (1, 2, 4, -8)
    assert one_by_one.split(np.array([[-3.0]])).ravel().tolist() == [1, 0, 1, 1]
    by_three = Digits.of(replace(PLAIN, input_bits=4, dac_bits=3))
    assert by_three.factors == (1, -8)
    assert by_three.split(np.array([[-3.0]])).ravel().tolist() == [5, 1]
    by_two = Digits.of(replace(PLAIN, input_bits=4, dac_bits=2))
    assert (by_two.factors, by_two.largest, by_two.signed) == ((1, 4), 3, True)
    assert by_two.split(np.array([[-3.0]])).ravel().tolist() == [1, -1]  # 1 - 4
    whole = Digits.of(replace(PLAIN, input_bits=4, dac_bits=4))
    assert (whole.factors, whole.largest) == ((1,), 7)


def test_slices_of_a_weight() -> None:
    """-90 in 8 bits: 38 with 128 added = 0010 0110; the magnitude is 101 1010, both negative."""
    w = np.array([[-90.0]])
    offset = slice_weights(w, PLAIN)
    assert offset.ravel().tolist() == [0b0110, 0b0010]
    pair = slice_weights(w, replace(PLAIN, differential=True))
    assert pair.ravel().tolist() == [-0b1010, -0b101]
    one_bit = slice_weights(w, replace(PLAIN, differential=True, cell_bits=1))
    assert one_bit.ravel().tolist() == [0, -1, 0, -1, -1, 0, -1]  # seven slices hold 7 bits


def test_scales() -> None:
    """A column's largest is 127 steps; zeros have no scale; the other columns do not matter."""
    values = np.array([[1.0, 0.0, -0.5], [0.5, 0.0, 0.25]])
    whole, scale = to_integers(values, 8, axis=0)
    assert whole.tolist() == [[127, 0, -127], [64, 0, 64]]
    np.testing.assert_allclose(scale, [[1 / 127, 0, 0.5 / 127]])
    none, scale = to_integers(np.zeros((1, 3)), 8, axis=1)
    assert none.tolist() == [[0, 0, 0]]
    assert scale.tolist() == [[0]]


def test_a_converter_rounds_and_clips() -> None:
    """4 bits with a sign have codes -7 to 7. For sums up to 14 a step is 2: 3 is 2 or 4, not 3."""
    adc = Converters.of(4, np.array([14.0]), signed=True)
    assert (adc.steps.tolist(), adc.codes) == ([2.0], 7)
    sums = np.array([[0.0, 1.1, 2.9, -5.2, 14.0, 20.0, -99.0]], dtype=np.float32)
    adc.convert(sums)
    assert sums.tolist() == [[0, 2, 2, -6, 14, 14, -14]]
    unsigned = Converters.of(4, np.array([5.0]), signed=False)  # no finer than 1: codes up to 15
    sums = np.array([[-3.0, 4.4, 15.0, 16.0]])
    unsigned.convert(sums)
    assert sums.tolist() == [[0, 4, 15, 15]]
    assert unsigned.hold(15)
    assert not unsigned.hold(16)


def test_read_noise_has_the_stated_size() -> None:
    """3 rows with digits 1, 1, 0: the variance of a read is 2 (sigma g)^2, twice for a pair."""
    settings = replace(PLAIN, read_noise=0.1, input_bits=2, cell_bits=8)
    x = np.tile(np.array([[1.0, 1.0, 0.0]], dtype=np.float32), (4000, 1))
    for pair, devices, largest in ((False, 1, 255), (True, 2, 127)):
        chosen = replace(settings, differential=pair)
        tile = Tile.program(np.zeros((3, 5), dtype=np.float32), chosen, _random())
        sums = tile.sums(x, Digits.of(chosen), chosen, _random(1))
        spread = sums[0].std() / (0.1 * largest)
        assert spread == pytest.approx(np.sqrt(2 * devices), rel=0.02)
        assert np.all(sums[1] == sums[1, 0, 0, 0])  # the sign's digits are 0: nothing is read


def test_drift_without_spread_is_made_up_for() -> None:
    """All cells lose the same part: g 19 t0 later is 20^-nu; the factor gives it back."""
    after = 19 * DRIFT_T0_S
    settings = replace(PLAIN, differential=True, drift_s=after, drift_nu=0.05, drift_spread=0)
    w = np.array([[3.0, -100.0], [7.0, 0.0]], dtype=np.float32)
    x = np.array([[5.0, -6.0]], dtype=np.float32)
    kept = 20**-0.05
    lost = replace(settings, drift_compensated=False)
    for chosen, factor in ((settings, 1.0), (lost, kept)):
        tile = Tile.program(w, chosen, _random())
        found = tile.product(x, chosen, None, _random())
        np.testing.assert_allclose(found, factor * (x @ w), rtol=1e-5)


def test_drift_spreads_and_repeats() -> None:
    settings = replace(PLAIN, differential=True, drift_s=1e6)
    w = np.full((8, 8), 100, dtype=np.float32)
    one, two, other = (Tile.program(w, settings, _random(s)).cells for s in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert np.unique(one[0]).size == w.size  # each device its own exponent


def test_settings_of_chips() -> None:
    """hermes: a pair of devices in each cell, all 8 input bits at once; isaac: bit by bit."""
    hermes, isaac = Analog.of(load_chip("hermes-mux2")), Analog.of(load_chip("isaac"))
    assert (hermes.differential, hermes.dac_bits, hermes.adc_bits) == (True, 8, 8)
    assert (isaac.differential, isaac.cell_bits, isaac.dac_bits, isaac.adc_bits) == (False, 2, 1, 8)
    assert Analog.of(load_chip("neurosim"), adc_bits=7).adc_bits == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weight_bits", 1),
        ("input_bits", 17),
        ("cell_bits", 0),
        ("dac_bits", 0),
        ("adc_bits", 1),
        ("adc_range", 0.0),
        ("adc_range", 101.0),
        ("read_noise", -0.1),
        ("drift_s", float("nan")),
    ],
)
def test_impossible_settings(field: str, value: float) -> None:
    setting: dict[str, Any] = {field: value}
    with pytest.raises(InputError, match=field):
        replace(PLAIN, **setting)

"""Errors of cells and the rows that are read at once, against arithmetic by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.functional import Case
from backends.functional.analog import NO_ERROR, Analog
from backends.functional.analog_cells import drifted, programmed, write_sigma
from backends.functional.analog_crossbars import AnalogCrossbars, expert_of
from backends.functional.analog_tile import Converters, Tile, to_integers
from ir.chip import Noise
from ir.errors import InputError
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_weight
from moexbar.chips import load_chip
from tests.backends.functional.small import small_case
from tests.compiler.frontend import models as m
from tests.make import small_chip

ONE_CELL = Analog(weight_bits=8, cell_bits=8, differential=True, input_bits=8, dac_bits=8)
FIVE_PERCENT = (0.05,) * 4
HERMES = (0.16603222, 4.71806468, -8.48101252, 4.68961419)  # uS of 20.7 uS, aihwkit


def _random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_cubic_through_four_points_is_the_published_one() -> None:
    """HERMES: c0 + c1 x + c2 x^2 + c3 x^3 over 20.7 uS, from its values at 0, 1/3, 2/3 and 1."""
    x: Any = np.linspace(0, 1, 11)
    published = sum(c * x**power for power, c in enumerate(HERMES)) / 20.7
    chip = load_chip("hermes")
    assert chip.noise.programming is not None
    np.testing.assert_allclose(write_sigma(x, chip.noise.programming), published, atol=1e-5)
    assert published[0] == pytest.approx(0.00802, abs=1e-5)  # 0.16603 / 20.7
    assert published[-1] == pytest.approx(0.05279, abs=1e-5)  # 1.09270 / 20.7
    np.testing.assert_allclose(write_sigma(x, FIVE_PERCENT), 0.05)  # one value is a constant
    # 0 at all but 1/3: x (x - 1) (x - 2) / 2 falls below 0 beyond 2/3, no deviation does
    assert write_sigma(np.array([5 / 6]), (0.0, 0.1, 0.0, 0.0)).tolist() == [0.0]


def test_programming_error_is_of_the_largest_conductance() -> None:
    """7-bit magnitudes: 127 is the largest conductance, so 5 % are 6.35 steps on every cell."""
    settings = replace(ONE_CELL, programming_noise=FIVE_PERCENT)
    cells: Any = np.tile(np.array([0.0, 64.0, -127.0], dtype=np.float32), (20_000, 1))
    off = programmed(cells, 127, settings, _random()) - cells
    np.testing.assert_allclose(off.std(axis=0), 6.35, rtol=0.02)
    assert np.abs(off.mean(axis=0)).max() < 0.15  # 6.35 / sqrt(20000) = 0.045
    only_full = replace(settings, programming_noise=(0.0, 0.0, 0.0, 0.05))
    off = programmed(cells, 127, only_full, _random()) - cells
    assert off[:, 0].std() == 0
    assert off[:, 2].std() == pytest.approx(6.35, rel=0.02)
    assert programmed(cells, 127, ONE_CELL, _random()) is cells


def test_exact_cells_draw_nothing() -> None:
    """Without a programming error, drift takes the first numbers of the seed, as it always did."""
    w: Any = np.full((4, 4), 100, dtype=np.float32)
    settings = replace(ONE_CELL, drift_s=1e5)
    tile = Tile.program(w, settings, _random(3))
    alone, _ = drifted(w[None], settings, _random(3))
    np.testing.assert_array_equal(tile.cells, alone)


def test_drift_starts_at_the_chips_first_read() -> None:
    """By g ((t + t0) / t0)^-nu: after 9 t0 with nu 0.05, 10^-0.05 = 0.891 of 100 is left."""
    settings = replace(ONE_CELL, drift_s=2700.0, drift_t0_s=300.0, drift_nu=0.05, drift_spread=0)
    cells: Any = np.full((1, 2, 2), 100, dtype=np.float32)
    now, factor = drifted(cells, settings, _random())
    np.testing.assert_allclose(now, 89.125, rtol=1e-5)
    assert factor == pytest.approx(1 / 0.89125, rel=1e-5)


def test_each_group_of_rows_has_its_own_conversion() -> None:
    """Rows 3 | 5, converters of step 4 up to 12: 3 + 5 = 8 is 8; apart, 3 is 4 and 5 is 4: 8.

    With 7 and 5: 12 at once; apart 7 / 4 = 1.75 is 8, and 5 is 4: 12. With 6 and 5: 11 is 12 at
    once; 6 / 4 = 1.5 goes to the even 2, so 8, and 5 is 4: 12. With 2 and 1 (at once 3, so 4):
    2 / 4 = 0.5 goes to the even 0, and 1 is 0: 0.
    """
    adc = Converters(np.array([4.0]), codes=3, signed=True)
    w: Any = np.ones((2, 1), dtype=np.float32)
    x: Any = np.array([[3, 5], [7, 5], [6, 5], [2, 1]], dtype=np.float32)
    tile = Tile.program(w, ONE_CELL, _random())
    at_once = tile.product(x, ONE_CELL, adc, _random())
    apart = tile.product(x, replace(ONE_CELL, rows_per_read=1), adc, _random())
    assert at_once.ravel().tolist() == [8, 12, 12, 4]
    assert apart.ravel().tolist() == [8, 12, 12, 0]


def test_groups_that_do_not_divide_the_rows() -> None:
    """7 rows by 3: 3, 3 and 1. Converters that lose nothing give the integer product."""
    settings = replace(ONE_CELL, rows_per_read=3)
    w = _random().integers(-127, 128, (7, 4)).astype(np.float32)
    x = _random(1).integers(-127, 128, (5, 7)).astype(np.float32)
    tile = Tile.program(w, settings, _random())
    assert [(r.start, r.stop) for r in tile.reads(settings)] == [(0, 3), (3, 6), (6, 7)]
    exact = Converters.of(24, np.array([3.0 * 127 * 127]), signed=True)
    assert exact.hold(3 * 127 * 127)
    np.testing.assert_array_equal(tile.product(x, settings, exact, _random()), x @ w)
    assert [settings.rows_at_once(rows) for rows in (2, 3, 256)] == [2, 3, 3]
    assert ONE_CELL.rows_at_once(256) == 256


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """Two layers on crossbars of 64 x 64 cells, whose matrices have columns of unlike ranges."""
    chip = small_chip(crossbar={"rows": 64, "columns": 64, "cell_bits": 8})
    return small_case(runtime, tmp_path_factory.mktemp("errors"), m.dense_masked(), chip=chip)


def errors_of(case: Case, settings: Analog) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(error of each weight as it is read out, weights) of the largest matrix."""
    crossbars = AnalogCrossbars(case.mapping, case.chip, case.source, settings)
    tiles = max(crossbars.tiles, key=lambda t: t.block.weight.rows * t.block.weight.columns)
    weight = tiles.block.weight
    read = crossbars.multiply(tiles, np.eye(weight.rows, dtype=np.float32)).sum(axis=1)
    return read - load_weight(case.source, weight), load_weight(case.source, weight)


@pytest.mark.parametrize("scale", ["column", "matrix"])
def test_the_error_of_weights_is_of_their_range(case: Case, scale: Any) -> None:
    """5 % of the largest weight of the column, or of the matrix: of each, over all weights.

    Rounding to 15 bits adds nothing to that.
    """
    settings = replace(ONE_CELL, weight_bits=16, cell_bits=16, scale=scale)
    off, weights = errors_of(case, replace(settings, programming_noise=FIVE_PERCENT))
    largest = np.abs(weights).max(axis=0 if scale == "column" else None, keepdims=True)
    part = off / largest
    assert part.size >= 256
    assert part.std() == pytest.approx(0.05, rel=4 / np.sqrt(2 * part.size))
    exact, _ = errors_of(case, settings)
    assert np.abs(exact / largest).max() < 1e-4


def test_programming_errors_repeat_by_seed(case: Case) -> None:
    """One drawing for each seed: read twice it is the same, another seed gives another."""
    noisy = replace(ONE_CELL, programming_noise=FIVE_PERCENT)
    one, other = errors_of(case, noisy)[0], errors_of(case, replace(noisy, seed=1))[0]
    np.testing.assert_array_equal(one, errors_of(case, noisy)[0])
    assert not np.array_equal(one, other)


def test_fewer_rows_have_a_finer_full_range(case: Case) -> None:
    """A step of 6 bits for the sums of 4 rows is a 16th of that for 64 rows; 16 are added."""
    weight = case.mapping.blocks[0].weight
    x = _random().integers(-127, 128, (8, weight.rows)).astype(np.float32)
    far = {}
    for rows in (None, 4):
        settings = replace(ONE_CELL, adc_bits=6, rows_per_read=rows)
        crossbars = AnalogCrossbars(case.mapping, case.chip, case.source, settings)
        tiles = crossbars.tiles[0]
        exact = AnalogCrossbars(case.mapping, case.chip, case.source, ONE_CELL).integers(tiles, x)
        far[rows] = np.abs(crossbars.integers(tiles, x) - exact).mean()
    assert far[4] < far[None] / 2


def test_a_digital_expert_is_multiplied_in_floats(case: Case) -> None:
    """Its weights are the model's own; every other matrix has its errors as before."""
    noisy = replace(ONE_CELL, programming_noise=FIVE_PERCENT)
    expert = next(e for b in case.mapping.blocks if (e := expert_of(b)) is not None)
    analog = AnalogCrossbars(case.mapping, case.chip, case.source, noisy)
    split = AnalogCrossbars(case.mapping, case.chip, case.source, noisy, digital=[expert])
    exact = AnalogCrossbars(case.mapping, case.chip, case.source, replace(noisy, seed=1))
    kinds = set()
    for tiles, others in zip(split.tiles, analog.tiles, strict=True):
        weight = tiles.block.weight
        x = _random().normal(size=(4, weight.rows)).astype(np.float32)
        found = split.multiply(tiles, x).sum(axis=1)
        digital = expert_of(tiles.block) == expert
        kinds.add(digital)
        if digital:
            expected = x @ load_weight(case.source, weight)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(found, analog.multiply(others, x).sum(axis=1))
        with exact.only([expert]):  # errors on it alone: the rest is the integer product
            alone = exact.integers(tiles, to_integers(x, 8, axis=1)[0]).sum(axis=1)
        whole = np.rint(alone)
        assert digital == bool(np.abs(alone - whole).max() > 1e-3)
    assert kinds == {True, False}


def test_settings_take_the_chips_errors() -> None:
    """HERMES publishes them, ISAAC does not; rows_per_read and scale come along."""
    hermes, isaac = Analog.of(load_chip("hermes")), Analog.of(load_chip("isaac"))
    assert hermes.programming_noise == pytest.approx((0.00802, 0.04686, 0.045, 0.05279))
    found = (hermes.read_noise, hermes.drift_nu, hermes.drift_t0_s)
    assert found == pytest.approx((0.0055, 0.0564, 300))
    assert not hermes.exact
    assert hermes.without_noise.exact
    assert (isaac.programming_noise, isaac.read_noise, isaac.drift_nu) == (NO_ERROR, 0, 0.049)
    changed = load_chip("isaac", {"mvm.rows_per_read": 16, "noise.scale": "matrix"})
    assert (Analog.of(changed).rows_per_read, Analog.of(changed).scale) == (16, "matrix")
    constant = load_chip("isaac", {"noise.write_percent": 3})
    assert Analog.of(constant).programming_noise == (0.03,) * 4


@pytest.mark.parametrize("field", ["write_percent", "read_percent", "drift_t0_s"])
def test_impossible_errors_of_a_chip(field: str) -> None:
    value: Any = 0 if field == "drift_t0_s" else 101
    with pytest.raises(InputError, match=f"noise.{field}: {value}"):
        Noise(**{field: value})
    with pytest.raises(InputError, match=f"noise.{field}={value}: "):
        load_chip("hermes", {f"noise.{field}": value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("rows_per_read", 0), ("drift_t0_s", 0.0), ("programming_noise", (0.0, 0.0, 0.0, 1.5))],
)
def test_impossible_settings(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=field):
        replace(ONE_CELL, **{field: value})


def test_the_chip_says_what_no_source_gives(tmp_path: Path) -> None:
    """A number of 0 is stated; `not published` is not."""
    path = tmp_path / "own.toml"
    path.write_text('extends = "hermes"\n[noise]\nwrite_percent = "not published"\n')
    assert load_chip(path).noise.programming is None
    assert load_chip("hermes", {"noise.write_percent": 0}).noise.programming is not None

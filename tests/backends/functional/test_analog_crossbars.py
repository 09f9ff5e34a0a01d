"""Programs and models through quantised crossbars: exact integers, fixed and free routing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.functional import Case, Run, execute
from backends.functional.analog import Analog
from backends.functional.analog_crossbars import AnalogCrossbars
from backends.functional.analog_tile import to_integers
from backends.functional.deviation import Deviation
from backends.functional.free import run_free
from backends.functional.machine import Machine
from ir.errors import InputError
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_weight
from tests.backends.functional.small import small_case
from tests.compiler.frontend import models as m
from tests.make import small_chip

SETTINGS = Analog(weight_bits=8, cell_bits=4, differential=False, input_bits=8, dac_bits=2)
TOKENS = 9


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """A sigmoid router's top-2 of 4 with a gated shared expert; ragged tiles on 8 x 8 crossbars."""
    block = m.dense_masked(m.sigmoid_topk, shared=m.gated_shared)
    return small_case(runtime, tmp_path_factory.mktemp("analog"), block, tokens=TOKENS, layers=2)


def crossbars_of(case: Case, settings: Analog) -> AnalogCrossbars:
    return AnalogCrossbars(case.mapping, case.chip, case.source, settings)


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, adc_bits=10),
        replace(SETTINGS, differential=True, cell_bits=1, dac_bits=8),
        replace(SETTINGS, weight_bits=16, input_bits=16, dac_bits=16, cell_bits=16),
    ],
)
def test_products_are_integer_products(case: Case, settings: Analog) -> None:
    """Both ways, for every matrix: the fast one, and slice by slice with noise of almost 0."""
    fast = crossbars_of(case, settings)
    slow = crossbars_of(case, replace(settings, read_noise=1e-300))
    random = np.random.default_rng(0)
    most = 2 ** (settings.input_bits - 1) - 1
    tiled = 0
    for mine, other in zip(fast.tiles, slow.tiles, strict=True):
        weight = mine.block.weight
        values = load_weight(case.source, weight).astype(np.float32)
        w, _ = to_integers(values, settings.weight_bits, axis=0)
        x = random.integers(-most, most + 1, (3, weight.rows)).astype(np.float32)
        exact = x.astype(np.int64) @ w.astype(np.int64)
        np.testing.assert_array_equal(fast.integers(mine, x).sum(axis=1), exact)
        np.testing.assert_array_equal(slow.integers(other, x).sum(axis=1), exact)
        tiled += mine.block.rows > 1
    assert tiled  # matrices with several row tiles are among them


def test_what_a_converter_loses(case: Case) -> None:
    """8 rows of 2-bit digits and 4-bit cells give at most 8 x 3 x 15 = 360: 9 bits hold it.

    The top digit has a sign, so 10 bits are needed and 9 are not enough.
    """
    tiles = next(t for t in crossbars_of(case, SETTINGS).tiles if t.block.rows > 1)
    x = np.full((1, tiles.block.weight.rows), 85.0, dtype=np.float32)  # digits 1, 1, 1, 1
    exact, enough, few = (
        crossbars_of(case, replace(SETTINGS, adc_bits=bits)).integers(tiles, x)
        for bits in (None, 10, 9)
    )
    np.testing.assert_array_equal(enough, exact)
    assert not np.array_equal(few, exact)


def test_a_wider_vector_does_not_change_another(case: Case) -> None:
    """Each vector has its own scale; a vector of zeros gives zeros."""
    crossbars = crossbars_of(case, SETTINGS)
    tiles = crossbars.tiles[0]
    x = np.random.default_rng(1).normal(size=(3, tiles.block.weight.rows)).astype(np.float32)
    x[1] *= 1000
    x[2] = 0
    alone = crossbars.multiply(tiles, x[:1])
    together = crossbars.multiply(tiles, x)
    np.testing.assert_array_equal(together[0], alone[0])
    assert not together[2].any()


def values_of(done: Machine, name: str) -> np.ndarray[Any, Any]:
    index = next(i for i, op in enumerate(done.workload.operators) if name in op.outputs)
    made = done.made[0, index]
    cells = np.flatnonzero(made >= 0)
    return done.values.rows(made[cells], made[cells], name, cells)


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, weight_bits=4, adc_bits=7),
        replace(SETTINGS, weight_bits=4, drift_s=3600.0, differential=True),
    ],
)
def test_the_program_and_the_model_agree(case: Case, runtime: Runtime, settings: Analog) -> None:
    """Fixed routing: instruction by instruction, and operator by operator with the same gates.

    4-bit weights are 10 % off and more, so agreement within 1e-5 is no accident.
    """
    done = execute(case, runtime, crossbars_of(case, settings), fixed=True)
    found = run_free(
        Nodes(case.source, runtime),
        case.workload,
        case.runs[0],
        crossbars_of(case, settings),
        routed_as=done.whole[0],
    )
    for name in ("logits", *(op.outputs[0] for op in case.workload.moe_layers)):
        ours, theirs, exact = (
            a.reshape(TOKENS, -1) for a in (values_of(done, name), found[name], done.whole[0][name])
        )
        size = np.abs(theirs).max()
        assert np.abs(ours - theirs).max() / size < 1e-5
        assert np.abs(ours - exact).max() / size > 1e-2


def test_free_routing_selects_anew(case: Case, runtime: Runtime) -> None:
    """With 2-bit weights the routers see other vectors and send some tokens elsewhere."""
    settings = replace(SETTINGS, weight_bits=2)
    nodes, run = Nodes(case.source, runtime), case.runs[0]
    done = execute(case, runtime, crossbars_of(case, settings), fixed=True)
    free = run_free(nodes, case.workload, run, crossbars_of(case, settings))
    kept = run_free(nodes, case.workload, run, crossbars_of(case, settings), done.whole[0])
    assert not np.allclose(free["logits"], kept["logits"], rtol=1e-3)


def test_deviation_of_program_and_run(case: Case, runtime: Runtime) -> None:
    """The same values give the same report by both ways; a perfect copy has no error."""
    run, settings = case.runs[0], replace(SETTINGS, weight_bits=5)
    done = execute(case, runtime, crossbars_of(case, settings), fixed=True)
    found = run_free(
        Nodes(case.source, runtime), case.workload, run, crossbars_of(case, settings), done.whole[0]
    )
    one, other, same = (Deviation.of(case.workload, "input_ids", run) for _ in range(3))
    one.add_program(done)
    other.add_run(run, found, done.whole[0])
    same.add_run(run, done.whole[0], done.whole[0])
    assert list(one.errors) == list(other.errors)
    for name, error in one.errors.items():
        assert error.rms == pytest.approx(other.errors[name].rms, rel=1e-4)
        assert error.largest >= error.rms > 0
        assert (same.errors[name].rms, same.errors[name].largest) == (0, 0)
    assert one.language is not None
    assert other.language is not None
    assert same.language is not None
    assert one.language.perplexity == pytest.approx(other.language.perplexity, rel=1e-5)
    assert one.language.scored == other.language.scored == TOKENS - 1
    assert same.language.agreement == 1
    assert same.language.perplexity == same.language.float_perplexity


def test_perplexity_by_hand(case: Case, runtime: Runtime) -> None:
    """Logits that give the next token probability 1/2 everywhere: perplexity 2."""
    run = Run({"input_ids": np.array([[0, 1, 0]])}, np.arange(3)[None])
    found = Deviation.of(case.workload, "input_ids", run)
    found.errors.clear()
    equal = {"logits": np.zeros((1, 3, 2))}
    found.add_run(run, equal, equal)
    assert found.language is not None
    assert found.language.scored == 2
    assert found.language.perplexity == pytest.approx(2)


def test_calibrated_converters(case: Case, runtime: Runtime) -> None:
    """A range of what was seen is finer than what all rows could give, so fewer bits do."""
    nodes, run = Nodes(case.source, runtime), case.runs[0]
    exact = run_free(nodes, case.workload, run, crossbars_of(case, SETTINGS))["logits"]
    far = {}
    for percent in (None, 100.0, 60.0):
        crossbars = crossbars_of(case, replace(SETTINGS, adc_bits=6, adc_range=percent))
        with crossbars.calibrating():
            seen = run_free(nodes, case.workload, run, crossbars)["logits"]
        np.testing.assert_array_equal(seen, exact)
        found = run_free(nodes, case.workload, run, crossbars)["logits"]
        far[percent] = float(np.abs(found - exact).max())
    assert far[100.0] < far[None]
    assert far[100.0] < far[60.0]


def test_noise_repeats_by_seed(case: Case) -> None:
    """The same seed draws the same noise, another one other noise, and each read anew."""
    noisy = replace(SETTINGS, read_noise=0.01)
    one, two, other = (
        crossbars_of(case, chosen) for chosen in (noisy, noisy, replace(noisy, seed=1))
    )
    x = np.random.default_rng(1).normal(size=(4, one.tiles[0].block.weight.rows))
    found = one.multiply(one.tiles[0], x)
    np.testing.assert_array_equal(found, two.multiply(two.tiles[0], x))
    assert not np.array_equal(found, other.multiply(other.tiles[0], x))
    assert not np.array_equal(found, one.multiply(one.tiles[0], x))


def test_weight_clipping(case: Case) -> None:
    """Cut at one standard deviation the largest integers stand for less, and many are the same."""
    clipped = crossbars_of(case, replace(SETTINGS, weight_clip=1.0))
    block = clipped.tiles[0].block
    values = load_weight(case.source, block.weight)
    tiles = np.ndindex(block.rows, block.columns)
    most = max(float(values[clipped.part(block, i, j)].std()) for i, j in tiles)
    whole = clipped.matrix(block)
    assert (np.abs(whole) == 127).sum() > whole.shape[1]
    assert clipped._scale[block.weight].max() <= most / 127 * (1 + 1e-6)


def test_routers_on_crossbars_route_as_fixed_only(tmp_path: Any, runtime: Runtime) -> None:
    chip = small_chip()
    chip = replace(chip, digital=replace(chip.digital, router_on="crossbar"))
    found = small_case(runtime, Path(tmp_path), m.dense_masked(), chip=chip)
    crossbars = crossbars_of(found, SETTINGS)
    execute(found, runtime, crossbars, fixed=True)
    with pytest.raises(InputError, match="routers are on crossbars"):
        run_free(Nodes(found.source, runtime), found.workload, found.runs[0], crossbars)

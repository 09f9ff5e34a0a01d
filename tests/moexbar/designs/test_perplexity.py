"""Designs that keep a model's perplexity: of the converters offered, those that do.

The trained example `tiny` on `neurosim`, whose cells have no errors: few bits lose much, and least
area takes the fewest that it may.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import moexbar as mx
import moexbar.designs.perplexity as measuring
import moexbar.quantised
from moexbar.__main__ import main
from moexbar.chips import change_chip
from moexbar.designs.task import Designed
from moexbar.examples.write import write_synthetic
from moexbar.model import Model
from moexbar.report.schema import document_schema
from tests.compiler.frontend import models
from tests.moexbar.configurations.small import LOCAL
from tests.moexbar.examples.small_examples import small
from tests.paths import TINY

ONE = {"sizes": (2,), "copies": (1,), "transfers": (4,), "lanes": (1,), "buffers": (2,)}
ONE |= {"dpus": (2,), "mha": (1,), "stack": (1,)}  # nothing to choose but converters
BITS = {"bits": (5, 6)}
IDS = {"input_ids": np.load(TINY / "inputs.npz")["input_ids"][:4, :10]}  # accuracy takes four


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with mx.open_model(TINY / "model.onnx") as opened:
        yield opened


@pytest.fixture(scope="module")
def runs() -> dict[mx.Analog, Any]:
    """What was measured so far, of cells without errors on the same tokens."""
    return {}


@pytest.fixture
def asked(runs: dict[mx.Analog, Any], monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The bits of each measurement that a test asks for; each is run once for all tests."""
    found: list[int | None] = []

    def accuracy(read: Any, settings: mx.Analog, **words: Any) -> Any:
        found.append(settings.adc_bits)
        if settings not in runs:
            runs[settings] = moexbar.quantised.accuracy(read, settings, **words)
        return runs[settings]

    monkeypatch.setattr(measuring, "accuracy", accuracy)
    return found


@pytest.fixture
def loose(model: Model, asked: list[int | None]) -> Designed:
    """Both converters keep what is asked."""
    found = designed(model, 1000, BITS)
    asked.clear()
    return found


def designed(
    model: Model | Path, most: float, among: Mapping[str, tuple[int, ...]], **words: Any
) -> Designed:
    """The least chip with this perplexity at most."""
    demands = mx.Demands(objective="area", perplexity=most, seeds=words.pop("seeds", 1))
    given: dict[str, Any] = {"chip": "neurosim", "inputs": IDS, "programs": False, "prefill": 8}
    given |= words
    grouping = mx.GroupingOptions("sorted")
    among = ONE | dict(among)
    return mx.design(model, demands=demands, among=among, grouping=grouping, **given)


def by_bits(found: Designed) -> dict[int | None, float]:
    told = found.report.perplexity
    assert told is not None
    return {row.adc_bits: row.perplexity for row in told.converters}


def test_the_wider_converter_is_chosen_where_the_other_does_not_keep_it(
    model: Model, loose: Designed
) -> None:
    few, many = by_bits(loose)[5], by_bits(loose)[6]
    assert few > many
    told = loose.report.perplexity
    assert told is not None
    assert (told.asked, told.positions) == (1000, 4 * 9)  # of each sequence all tokens but one
    (row,) = loose.report.designs
    assert (row.adc_bits, row.perplexity) == (5, few)
    strict = designed(model, (few + many) / 2, BITS)
    (row,) = strict.report.designs
    assert (row.adc_bits, row.perplexity, row.program_perplexity) == (6, many, None)
    assert by_bits(strict) == by_bits(loose)
    assert strict.report.designs[0].model.area_um2 > loose.report.designs[0].model.area_um2
    exactly = designed(model, few, BITS)
    assert exactly.report.designs[0].adc_bits == 5


def test_each_number_of_bits_is_measured_once(model: Model, asked: list[int | None]) -> None:
    """Four converters of two numbers of bits, and those that lose nothing: three runs.

    A chip that publishes no bits is taken to have converters that lose nothing, and run once.
    """
    found = designed(model, 1000, BITS | {"columns": (8, 16)}, programs=True, seeds=3)
    assert asked == [None, 5, 6]
    (row,) = found.report.designs
    assert row.columns_per_adc == 16
    assert row.program_perplexity == row.perplexity  # cells have no errors
    asked.clear()
    base = mx.load_chip("neurosim")
    ideal = designed(model, 1000, {}, chip=change_chip(base, {"mvm.adc_bits": "not published"}))
    assert asked == [None]
    told = ideal.report.perplexity
    assert told is not None
    assert by_bits(ideal) == {None: told.exact}


def test_the_chips_own_converter_is_measured_where_no_bits_are_offered(
    model: Model, loose: Designed
) -> None:
    """`neurosim` has 5 bits; another number of columns that share one changes nothing."""
    few, many = by_bits(loose)[5], by_bits(loose)[6]
    own = designed(model, few, {"columns": (8, 16)})
    assert by_bits(own) == {None: few}
    assert own.report.designs[0].perplexity == few
    with pytest.raises(mx.InfeasibleError) as raised:
        designed(model, many, {})
    text = str(raised.value)
    assert f"needs {few:.4f} with 5-bit converters, has {many:g}; allow at least" in text
    assert "or offer other bits with --among bits=N,.." in text


def test_the_least_that_would_do_is_told(model: Model, loose: Designed) -> None:
    """6 bits are the best; none would reach what even converters that lose nothing do not."""
    told = loose.report.perplexity
    assert told is not None
    many = by_bits(loose)[6]
    with pytest.raises(mx.InfeasibleError) as raised:
        designed(model, 1.5, BITS)
    text = str(raised.value)
    assert text.startswith(f"perplexity of a design: needs {many:.4f} with 6-bit converters, has 1")
    assert f"lose nothing: {told.exact:.4f}, float model: {told.digital:.4f}" in text
    assert "--among" not in text
    least = float(re.findall(r"at least ([\d.]+)", text)[0])
    assert many <= least < many + 2e-4
    assert designed(model, least, BITS).report.designs[0].adc_bits == 6


def test_what_the_accuracy_command_says_of_the_program_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`hermes` publishes errors of cells: two drawings, others on the chosen chip than before."""
    np.savez(tmp_path / "x.npz", **IDS)
    words = ["design", str(TINY / "model.onnx"), "--inputs", str(tmp_path / "x.npz")]
    words += ["--chip", "hermes", "--prefill", "8", "--grouping", "sorted"]
    for name, values in (ONE | {"bits": (5,)}).items():
        words += ["--among", f"{name}={','.join(map(str, values))}"]
    words += ["--perplexity", "1000", "--seeds", "2", "-o", str(tmp_path / "chip")]
    assert main([*words, "--objective", "area"]) == 0
    text = capsys.readouterr().out
    told = json.loads((tmp_path / "chip" / "design.json").read_text())
    assert not list(Draft202012Validator(document_schema("design")).iter_errors(told))
    (row,), (few,) = told["designs"], told["perplexity"]["converters"]
    assert few["low"] < few["perplexity"] < few["high"]
    assert f"{few['perplexity']:.4f} ({few['low']:.4f} to {few['high']:.4f}) with 5 bits" in text
    assert f"where errors of cells are others: {row['program_perplexity']:.4f}" in text
    assert row["perplexity"] == few["perplexity"] != row["program_perplexity"]
    _, *command = shlex.split((tmp_path / "chip" / "commands.txt").read_text())
    for number, (mux, perplexity) in enumerate(
        ((2, row["program_perplexity"]), (1, row["perplexity"]))
    ):
        out, own = str(tmp_path / str(number)), ["--set", f"pg.mux={mux}", "--no-verify"]
        sizes = ["--group-size", f"0={mux},1={mux}"]
        assert main([*command, *own, *sizes, "-o", out]) == 0
        capsys.readouterr()
        assert main(["accuracy", out, "--seeds", "2", "--json"]) == 0
        again = json.loads(capsys.readouterr().out)["language"]
        assert again["perplexity"] == perplexity
        assert again["float_perplexity"] == told["perplexity"]["digital"]


def test_refused_where_there_is_no_perplexity(model: Model, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(LOCAL | {"model_type": "mixtral"}))
    with pytest.raises(mx.InputError, match="a configuration has no weights, so no perplexity"):
        designed(config, 5, BITS, inputs=None, routing="synthetic")
    write_synthetic("mixtral-8x7b", small("mixtral-8x7b"), tmp_path, seed=0, sequences=2)
    with pytest.raises(mx.InputError, match="its weights are holes in a sparse file"):
        designed(tmp_path / "mixtral-8x7b.onnx", 5, BITS)
    with pytest.raises(mx.InputError, match="no tokens to measure it on; give inputs"):
        designed(model, 5, BITS, inputs=None, routing="synthetic")
    crossbars = change_chip(mx.load_chip("neurosim"), {"digital.router_on": "crossbar"})
    with pytest.raises(mx.InputError, match="router_on: crossbar, expected digital"):
        designed(model, 5, BITS, chip=crossbars)
    one = {"input_ids": IDS["input_ids"][:, :1]}
    with pytest.raises(mx.InputError, match="sequences of one token, expected at least two"):
        designed(model, 5, BITS, inputs=one, prefill=1)
    with pytest.raises(mx.InputError, match="adc_bits: 1, expected 2"):
        designed(model, 5, {"bits": (1, 5)})
    with pytest.raises(mx.InputError, match=r"perplexity: 0\.5, expected at least 1"):
        mx.Demands(perplexity=0.5)
    with pytest.raises(mx.InputError, match="seeds: 0, expected at least 1"):
        mx.Demands(perplexity=5, seeds=0)


def test_refused_where_outputs_are_no_predictions(tmp_path: Path) -> None:
    """What `moexbar accuracy` says then, and that it tells the errors of values all the same."""
    g = models.transformer(models.Graph(), [models.dense_masked()])
    g.nodes[-1].output[0] = "scores"
    path = g.model(tmp_path / "model.onnx", {"scores": [1, "tokens", models.VOCAB]})
    ids = models.token_ids(24, 4)
    with pytest.raises(mx.InputError) as raised:
        designed(path, 5, BITS | {"dpus": (1,)}, inputs=ids)
    assert "model.onnx: no perplexity: no output is named logits; leave" in str(raised.value)
    assert "`moexbar accuracy` tells how far a model's values move" in str(raised.value)

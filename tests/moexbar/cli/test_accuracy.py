"""`moexbar accuracy`: a small compiled model through quantised crossbars."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from moexbar.__main__ import main
from moexbar.cli.accuracy import SEQUENCES as SAID
from moexbar.quantised import SEQUENCES as LOOKED_AT
from moexbar.report.plain import as_json
from moexbar.report.quantised import AccuracyReport
from tests.compiler.frontend import models

TOKENS, SEQUENCES = 24, 4


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model compiled for the chip `tiny`: 8-bit weights in two 4-bit cells."""
    folder = tmp_path_factory.mktemp("accuracy")
    models.write(folder, [models.dense_masked()] * 2)
    np.savez(folder / "x.npz", **models.token_ids(TOKENS, SEQUENCES))
    assert main([*compile_words(folder, "out", "tiny"), "--no-verify"]) == 0
    return folder / "out"


def compile_words(folder: Path, name: str, chip: str) -> list[str]:
    return [
        "compile",
        str(folder / "model.onnx"),
        "--chip",
        chip,
        "--inputs",
        str(folder / "x.npz"),
        "--prefill",
        str(TOKENS),
        "--no-baselines",
        "--grouping",
        "sorted",
        "-o",
        str(folder / name),
    ]


def run(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert main(["accuracy", str(folder), "--json", *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_fixed_and_free(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both report the same values; fixed is the window, free the sequences asked for."""
    ideal = ("--adc-bits", "ideal")
    fixed = run(compiled, capsys, "--routing", "fixed", *ideal)
    free = run(compiled, capsys, "--sequences", "3", "--tokens", "20", *ideal)
    assert [e["value"] for e in fixed["errors"]] == [e["value"] for e in free["errors"]]
    assert (fixed["tokens"], free["tokens"]) == (TOKENS, 60)
    assert fixed["language"]["positions"] == TOKENS - 1
    assert free["language"]["positions"] == 3 * 19
    for found in (fixed, free):
        assert all(0 < e["rms"] < 0.1 for e in found["errors"])
        assert found["settings"]["cell_bits"] == 4
        assert found["calibration"] is None


def test_fewer_bits_are_worse(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    errors = [
        run(compiled, capsys, "--weight-bits", bits, "--adc-bits", "ideal")["errors"][-1]["rms"]
        for bits in ("8", "3")
    ]
    assert errors[1] > 5 * errors[0]


def test_calibration_is_told(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the last sequences; on those looked at where there are no others."""
    found = run(compiled, capsys, "--sequences", "2")
    assert found["calibration"] == (
        "converters calibrated on sequences 2 and 3, not looked at otherwise"
    )
    everything = run(compiled, capsys, "--sequences", "4")
    assert "there are no others" in everything["calibration"]
    assert run(compiled, capsys, "--adc-range", "full")["calibration"] is None


def test_for_people(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noisy = ("--read-noise", "0.02", "--drift-seconds", "3600", "--seed", "5")
    assert main(["accuracy", str(compiled), *noisy]) == 0
    text = capsys.readouterr().out
    assert "seed 5" in text
    assert "perplexity" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    assert main(["accuracy", str(compiled), *noisy]) == 0
    assert capsys.readouterr().out == text


def test_seeds(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each seed is a run of its own; what is told of all is their mean, and the range of them."""
    noisy = ("--programming-noise", "0.05", "--sequences", "1", "--seed", "4")
    each = [run(compiled, capsys, *noisy[:-1], seed) for seed in ("4", "5")]
    both = run(compiled, capsys, *noisy, "--seeds", "2")
    assert both["seeds"] == [one["seeds"][0] for one in each]
    assert [row["seed"] for row in both["seeds"]] == [4, 5]
    found = [one["language"]["perplexity"] for one in each]
    assert found[0] != found[1]
    assert both["language"]["perplexity"] == pytest.approx(sum(found) / 2)
    rms = [one["errors"][-1]["rms"] for one in each]
    assert both["errors"][-1]["rms"] == pytest.approx(sum(rms) / 2)
    assert both["errors"][-1]["largest"] == max(one["errors"][-1]["largest"] for one in each)
    settings = mx.Analog.of(
        mx.read_compiled(compiled).executable.chip,
        adc_range=100.0,
        programming_noise=(0.05,) * 4,
        seed=4,
    )
    assert plain(mx.accuracy(compiled, settings, sequences=1, seeds=2)) == both
    assert main(["accuracy", str(compiled), *noisy, "--seeds", "2"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"({min(found):.4f} to {max(found):.4f} over 2 seeds)" in text
    assert "programming error 5 % of the range" in text
    assert "seeds 4 to 5" in text


def test_digital_experts(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The most sensitive first; with all of them digital less is wrong after the MoE layers."""
    noisy = ("--programming-noise", "0.1", "--sequences", "1")
    analog = run(compiled, capsys, *noisy)
    assert analog["digital"] == []
    total = 2 * models.EXPERTS
    split = run(compiled, capsys, *noisy, "--digital-experts", str(total))
    order = [row["rms"] for row in split["digital"]]
    assert order == sorted(order, reverse=True)
    assert len({(row["layer"], row["expert"]) for row in split["digital"]}) == total
    assert split["errors"][-1]["rms"] < analog["errors"][-1]["rms"]
    few = run(compiled, capsys, *noisy, "--digital-experts", "2", "--routing", "free")
    assert few["digital"] == split["digital"][:2]
    assert main(["accuracy", str(compiled), *noisy, "--digital-experts", str(total + 1)]) == 2
    problem = f"{total + 1}, the crossbars hold {total} experts"
    assert problem in " ".join(capsys.readouterr().err.split())


def test_what_the_chip_does_not_publish_is_told(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tiny` states no errors of its cells, so none is simulated unless one is given."""
    found = run(compiled, capsys, "--sequences", "1")
    assert found["not_published"] == ["programming error", "read noise"]
    assert found["settings"]["programming_noise"] == [0, 0, 0, 0]
    given = run(compiled, capsys, "--sequences", "1", "--read-noise", "0.01")
    assert given["not_published"] == ["programming error"]
    assert main(["accuracy", str(compiled), "--sequences", "1"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "state no programming error and no read noise: none is simulated" in text


def test_other_inputs(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any inputs with free routing; a program has its own."""
    other = compiled.parent / "other.npz"
    np.savez(other, **models.token_ids(12, 2, seed=7))
    assert run(compiled, capsys, "--inputs", str(other), "--sequences", "1")["tokens"] == 12
    assert main(["accuracy", str(compiled), "--routing", "fixed", "--inputs", str(other)]) == 2
    assert "is not the inputs that" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--weight-bits", "1"), "weight_bits: 1, expected 2 to 16"),
        (("--adc-bits", "many"), "--adc-bits: 'many', expected a number or ideal"),
        (("--adc-range", "0"), "adc_range"),
        (("--rows-per-read", "0"), "rows_per_read: 0, expected at least 1"),
        (("--programming-noise", "2"), "programming_noise: 2, 2, 2, 2, expected fractions"),
        (("--sequences", "9"), "9 sequences, the inputs hold 4"),
        (("--tokens", "99"), "sequences of 24 tokens, asked for 99"),
        (("--routing", "fixed", "--sequences", "1"), "the program's own window"),
    ],
)
def test_refused(
    compiled: Path, words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accuracy", str(compiled), *words]) == 2
    assert problem in " ".join(capsys.readouterr().err.split())


def test_ternary_experts(compiled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compiled, executed and verified as the model they make; far from the float model.

    On 1-bit cells (neurosim) an 8-bit weight takes 8 cells, a ternary one 2.
    """
    folder = compiled.parent
    sizes = {}
    for name, more in (("binary", ()), ("ternary", ("--experts", "ternary"))):
        words = [*compile_words(folder, name, "neurosim"), "--set", "crossbar.columns=16", *more]
        assert main(words) == 0
        report = json.loads((folder / name / "report.json").read_text())
        sizes[name] = report["placement"]["expert_crossbars"]["tiles"]
        assert report["executed"]["worst"] < 2e-6
    assert sizes["binary"] == 4 * sizes["ternary"]
    capsys.readouterr()
    assert main(["verify", str(folder / "ternary")]) == 0
    capsys.readouterr()
    ideal = ("--adc-bits", "ideal")
    binary, ternary = (run(folder / name, capsys, *ideal) for name in ("binary", "ternary"))
    fixed = run(folder / "ternary", capsys, "--routing", "fixed", *ideal)
    pairs = zip(ternary["errors"], binary["errors"], strict=True)
    assert all(one["rms"] > 3 * other["rms"] for one, other in pairs)
    assert all(e["rms"] < 0.1 for e in fixed["errors"])  # against the ternary model


def test_the_command_prints_what_the_function_gives(
    compiled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each by its own defaults, and with the same settings of a coarser chip."""
    found = mx.accuracy(compiled)
    assert plain(found) == run(compiled, capsys)
    assert str(LOOKED_AT) == SAID  # which help prints without importing what measures
    read = mx.read_compiled(compiled)
    coarse = mx.Analog.of(read.executable.chip, weight_bits=3, adc_range=99.0)
    fixed = mx.accuracy(read, coarse, routing="fixed")
    words = ("--routing", "fixed", "--weight-bits", "3", "--adc-range", "99")
    assert plain(fixed) == run(compiled, capsys, *words)
    assert fixed.errors[-1].rms > found.errors[-1].rms


def plain(report: AccuracyReport) -> Any:
    return json.loads(json.dumps(as_json(report)))

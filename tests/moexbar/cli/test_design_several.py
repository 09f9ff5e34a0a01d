"""`moexbar design` of several models: one chip, figures and a command of each, what is refused."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from moexbar.__main__ import main
from moexbar.report.schema import document_schema
from tests.paths import MODELS

TOKEN, MOTE = MODELS / "token_choice.onnx", MODELS / "mote.onnx"
WORDS = ["--inputs", MODELS / "heldout.npz", "--prefill", 16, "--grouping", "sorted"]
WORDS += ["--among", "transfers=4,16", "--among", "buffers=2", "--among", "dpus=2,4", "--among"]
WORDS += ["lanes=1,4", "--among", "mha=1", "--among", "sizes=2,4", "--among", "stack=1"]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_command_gives_the_program_that_was_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All with the same chip; three of four runs are of the first model, whose time counts so."""
    words = ["design", TOKEN, MOTE, *WORDS, "--weights", "0.75,0.25", "--latency", 8]
    told = run(capsys, *words, "-o", tmp_path / "chip", "--json")
    assert not list(Draft202012Validator(document_schema("design")).iter_errors(told))
    (row,) = told["designs"]
    first, second = row["models"]
    assert [(one["name"], one["share"]) for one in row["models"]] == [
        ("token_choice", 0.75),
        ("mote", 0.25),
    ]
    for figures in ("model", "program"):
        a, b, both = first[figures], second[figures], row[figures]
        assert both["time_ns"] == pytest.approx(0.75 * a["time_ns"] + 0.25 * b["time_ns"])
        assert both["tokens_per_s"] == pytest.approx(16 / both["time_ns"] * 1e9, rel=1e-6)
        assert both["energy_nj"] == pytest.approx(0.75 * a["energy_nj"] + 0.25 * b["energy_nj"])
        areas = a["area_um2"], b["area_um2"]
        assert max(areas) <= both["area_um2"] < sum(areas)
    assert row["model"]["time_ns"] <= 8000
    assert row["gap"] == 0
    assert row["program"]["area_um2"] == pytest.approx(row["model"]["area_um2"], rel=0.005)
    commands = (tmp_path / "chip" / "commands.txt").read_text().splitlines()
    assert commands == [one["command"] for one in row["models"]]
    chips = []
    for number, (command, one) in enumerate(zip(commands, row["models"], strict=True)):
        name, *typed = shlex.split(command)
        assert name == "moexbar"
        compiled = run(capsys, *typed, "--no-verify", "-o", tmp_path / f"{number}", "--json")
        assert compiled["methods"][0]["time_ns"] == one["program"]["time_ns"]
        chips.append([word for word in typed if "." in word and "=" in word])
    assert chips[0] == chips[1]


def test_a_frontier_has_a_line_of_each_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["design", TOKEN, MOTE, *WORDS, "--frontier", 3, "--no-programs"]
    assert main([str(word) for word in [*words, "-o", tmp_path / "chips"]]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = [line.split()[0] for line in lines if line.split()[:1]]
    chips = first.count("all")
    assert chips > 1
    assert first.count("token_choice") == first.count("mote") == chips
    assert len(list((tmp_path / "chips").glob("chip-*.toml"))) == chips
    assert len((tmp_path / "chips" / "commands.txt").read_text().splitlines()) == 2 * chips


def test_prices_name_the_model_of_a_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["design", TOKEN, MOTE, *WORDS, "--objective", "area", "--no-programs", "--json"]
    told = run(capsys, *words, "-o", tmp_path / "chip")
    decisions = {price["decision"] for price in told["designs"][0]["prices"]}
    assert "experts in a group of layer 1 of mote" in decisions
    assert "experts in a group of layer 3 of token_choice" in decisions
    assert "digital units of a region" in decisions


def test_what_does_not_fit_together_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*words: object) -> str:
        asked = ["design", TOKEN, MOTE, *WORDS, *words, "--area", 90, "-o", tmp_path / "none"]
        assert main([str(word) for word in asked]) == 2
        return capsys.readouterr().err

    assert "--weights: 3 of 2 models, expected one of each" in fails("--weights", "1,2,3")
    assert "--weights: 0.0, expected more than 0; leave that model out" in fails("--weights", "1,0")
    assert "'1;2', expected N,N,... such as 0.7,0.3" in fails("--weights", "1;2")
    more = "--inputs", MODELS / "heldout.npz"
    assert "--inputs: 3 of 2 models, expected one for all, or one of each" in fails(*more, *more)
    assert "--perplexity: several models, expected one" in fails("--perplexity", 5)
    efficient = fails("--objective", "efficiency")
    assert "--objective efficiency: several models, expected one" in efficient
    assert not (tmp_path / "none").exists()

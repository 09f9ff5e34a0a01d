"""`moexbar design`: chips that are chosen, their files, and the commands that compile them."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from moexbar.__main__ import main
from moexbar.chips import load_chip
from moexbar.report.schema import document_schema
from tests.paths import MODELS

MODEL = MODELS / "token_choice.onnx"
WORDS = ["design", MODEL, "--inputs", MODELS / "heldout.npz", "--prefill", 16]
WORDS += ["--grouping", "sorted", "--among", "transfers=4,16", "--among", "buffers=2"]
WORDS += ["--among", "dpus=2,4", "--among", "lanes=1,4", "--among", "mha=1", "--among", "sizes=2,4"]
WORDS += ["--among", "stack=1"]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def designed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    return run(capsys, *WORDS, "--latency", 8, "-o", tmp_path / "chip", "--json")


def test_the_command_beside_a_chip_gives_the_program_that_was_told(
    designed: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its chip file and the --set words are the same chip, and compile to the same time."""
    assert not list(Draft202012Validator(document_schema("design")).iter_errors(designed))
    (row,) = designed["designs"]
    assert row["model"]["time_ns"] <= 8000
    assert row["program"]["time_ns"] <= 8000
    assert row["gap"] == 0
    assert row["program"]["time_ns"] == pytest.approx(row["model"]["time_ns"], rel=0.05)
    assert row["program"]["area_um2"] == pytest.approx(row["model"]["area_um2"], rel=0.005)
    (command,) = (tmp_path / "chip" / "commands.txt").read_text().splitlines()
    name, *words = shlex.split(command)
    assert name == "moexbar"
    compiled = run(capsys, *words, "--no-verify", "-o", tmp_path / "out", "--json")
    assert compiled["methods"][0]["time_ns"] == row["program"]["time_ns"]
    chip = load_chip(tmp_path / "chip" / "chip-1.toml")
    settings = {k: v["value"] for k, v in compiled["chip"]["fields"].items()}
    assert chip.bus.transfers_per_slot == settings["bus.transfers_per_slot"]
    assert chip.digital.dpus_per_region == settings["digital.dpus_per_region"]
    assert chip.pg.mux == settings["pg.mux"] == row["mux"]


def test_layers_that_share_are_in_the_command_and_in_the_chip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two layers of a region, with groups of two or four: 4 or 8 crossbars of experts at most."""
    words = [*WORDS, "--among", "stack=2", "--among", "copies=1", "--objective", "area"]
    row = run(capsys, *words, "-o", tmp_path / "chip", "--json")["designs"][0]
    assert row["stack"] == 2
    assert len({size["experts"] for size in row["group_sizes"]}) == 1
    assert row["program"]["area_um2"] == pytest.approx(row["model"]["area_um2"], rel=0.005)
    name, *typed = shlex.split((tmp_path / "chip" / "commands.txt").read_text())
    assert name == "moexbar"
    assert "--stacks apart --stack-layers 2" in " ".join(typed)
    compiled = run(capsys, *typed, "--no-verify", "-o", tmp_path / "out", "--json")
    assert compiled["methods"][0]["time_ns"] == row["program"]["time_ns"]
    assert load_chip(tmp_path / "chip" / "chip-1.toml").pg.stack_limit == 2 * row["mux"]


def test_a_power_is_kept_by_waiting_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1 W, which is fJ over ps / 1000, of a chip that could draw more, to the mW that it may."""
    words = [*WORDS, "--among", "sizes=2", "--power", 1, "-o", tmp_path / "chip"]
    row = run(capsys, *words, "--json")["designs"][0]
    assert row["minimised"] == "time"
    for figures in (row["model"], row["program"]):
        assert 0.995 <= figures["power_w"] <= 1
        assert figures["power_w"] == pytest.approx(figures["energy_nj"] / figures["time_ns"])
    assert [part["unit"] for part in row["parts"]].count("waits for power") == 1
    text = json.loads((tmp_path / "chip" / "design.json").read_text())
    assert text["power_w"] == 1


def test_most_operations_for_a_joule_and_square_millimetre(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 MACs over energy over area: no more of any chip of the frontier, by the model."""
    words = [*WORDS, "--latency", 12, "-o", tmp_path / "chip", "--json"]
    row = run(capsys, *words, "--objective", "efficiency")["designs"][0]
    assert row["minimised"] == "product"
    every = run(capsys, *WORDS, "--frontier", 4, "-o", tmp_path / "chips", "--json")["designs"]
    mine = row["model"]
    assert mine["energy_nj"] * mine["area_um2"] <= 1.02 * min(
        one["model"]["energy_nj"] * one["model"]["area_um2"]
        for one in every
        if one["model"]["time_ns"] <= 12000
    )
    assert main([str(word) for word in [*words[:-1], "--objective", "efficiency"]]) == 0
    assert "most GOPS/W/mm2" in capsys.readouterr().out


def test_replicas_are_in_the_command_and_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two experts more in groups of 8 of 16: a third group, which the command gives as well."""
    words = [*WORDS, "--grouping", "local-search", "--among", "replicas=0,2", "--among", "sizes=8"]
    words += ["--among", "dpus=4", "--objective", "time"]
    row = run(capsys, *words, "-o", tmp_path / "chip", "--json")["designs"][0]
    assert row["replicas"] == 2
    told = {(price["decision"], price["other"]): price for price in row["prices"]}
    assert told["replicas of experts in a layer", 0]["area_um2"] < 0
    name, *typed = shlex.split((tmp_path / "chip" / "commands.txt").read_text())
    assert name == "moexbar"
    assert "--replicas 2" in " ".join(typed)
    compiled = run(capsys, *typed, "--no-verify", "-o", tmp_path / "out", "--json")
    assert compiled["methods"][0]["time_ns"] == row["program"]["time_ns"]
    assert main([str(w) for w in (*words, "--no-programs", "-o", tmp_path / "other")]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0].endswith("replicas")
    assert "replicas: copies of experts added in a layer" in text


def test_prices_are_of_the_next_values(designed: Any) -> None:
    (row,) = designed["designs"]
    told = {(price["decision"], price["other"]): price for price in row["prices"]}
    other = {2: 4, 4: 2}[row["dpus_per_region"]]
    price = told["digital units of a region", other]
    more = (other - row["dpus_per_region"]) * 4 * 1_250_000  # of 4 regions, 1.25 mm2 each
    assert price["area_um2"] == more
    assert (price["time_ns"] > 0) == (more < 0)


def test_a_frontier_is_printed_from_small_to_fast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*WORDS, "--frontier", 3, "--no-programs", "-o", tmp_path / "chips"]
    assert main([str(word) for word in words]) == 0
    text = capsys.readouterr().out
    assert "beginning with hermes; chips and commands in" in text
    rows = json.loads((tmp_path / "chips" / "design.json").read_text())["designs"]
    areas = [row["model"]["area_um2"] for row in rows]
    assert areas == sorted(areas)
    assert len({row["model"]["time_ns"] for row in rows}) == len(rows) > 1


def test_what_cannot_be_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(code: int, *words: object) -> str:
        asked = [*WORDS, *words, "-o", tmp_path / "none"]
        assert main([str(word) for word in asked]) == code
        return capsys.readouterr().err

    assert "time of a design: needs" in fails(5, "--latency", 1)
    assert "nothing says which chip is best" in fails(2)
    assert "both area and reticles" in fails(2, "--area", 100, "--reticles", 1)
    assert "'copies=two', expected WHAT=N,N" in fails(2, "--among", "copies=two", "--area", 100)
    assert "'sorted' places no replicas" in fails(2, "--among", "replicas=0,2", "--area", 90)
    assert "'units', expected one of sizes, copies" in fails(2, "--among", "units=1", "--area", 90)
    assert not (tmp_path / "none").exists()

"""The command line as users run it: outputs, JSON forms, exit codes, one-line errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ir.routing import Routing
from moexbar.__main__ import main
from moexbar.files.program_file import read_program
from moexbar.files.routing_file import save_routing
from moexbar.report.compiled import Programming
from moexbar.report.reading import read_report
from tests.paths import MODELS, TINY


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Two layers, four sequences of 16 tokens, top-2 of 8 experts."""
    rng = np.random.default_rng(1)
    choices = np.argsort(rng.gumbel(size=(2, 64, 8)) + np.linspace(1, 0, 8), axis=2)[:, :, :2]
    routing = Routing(
        layer=np.array([3, 7]),
        num_experts=np.array([8, 8]),
        sequence=np.repeat(np.arange(4), 16),
        choices=choices.astype(np.int16),
    )
    save_routing(tmp_path / "routing.npz", routing)
    return tmp_path / "routing.npz"


def run_json(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main([str(word) for word in words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_group_then_schedule(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["group", trace, "--chip", "hermes-mux2", "--window", 16, "--time", 1]
    grouped = run_json(capsys, *words, "--processes", 1, "--json")
    assert [row["layer"] for row in grouped["layers"]] == [3, 7]
    for row in grouped["layers"]:
        assert sorted(e for group in row["groups"] for e in group) == list(range(8))
        assert [len(group) for group in row["groups"]] == [2, 2, 2, 2]
        assert {"slots", "transfers"} <= set(row["fit"])
        assert {"slots", "transfers"} <= set(row["score"])
        assert row["bound"] <= row["value"]
        assert {"status", "seconds"} <= set(row)
    (tmp_path / "groups.json").write_text(json.dumps(grouped))
    scheduled = run_json(
        capsys,
        "schedule",
        trace,
        "--grouping-file",
        tmp_path / "groups.json",
        "--layer",
        7,
        "--policy",
        "min-transfer",
        "--window",
        16,
        "--table",
        "--json",
    )
    assert len(scheduled["windows"]) == 4
    for window in scheduled["windows"]:
        table = np.array(window["table"])
        assert table.shape == (window["slots"], 4)
        assert (table >= 0).sum() == 16 * 2  # every token-expert pair has its turn
        assert window["slots"] == window["slots_bound"]
        assert window["transfers"] >= window["transfers_bound"]
        assert window["status"] in ("optimal (bound)", "heuristic")
    # the second half is what `group` scored on
    scored = sum(window["transfers"] for window in scheduled["windows"][2:])
    assert scored == grouped["layers"][1]["score"]["transfers"]


def test_one_layer_and_a_plain_table(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["group", str(trace), "--layer", "7", "--window", "16", "--grouping", "lpt"]) == 0
    out = capsys.readouterr().out
    assert "heuristic" in out or "optimal" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layer", "5"], "no layer 5, the trace has layers 3, 7"),
        (["--grouping", "magic"], "solver 'magic', expected one of contiguous"),
        (["--window", "1000"], "expected at least one window of 1000"),
        (["--fit", "0.5"], "--fit: '0.5', expected low:high"),
        (["--fit", "0.9:0.1"], "--fit: '0.9:0.1', expected 0 <= low < high <= 1"),
        (["--chip", "hermse"], "hermes"),
        (["--set", "pg.mux"], "--set: 'pg.mux', expected FIELD=VALUE"),
        (["--set", "pg.muxx=2"], "pg.mux"),
    ],
)
def test_a_wrong_request_is_one_line_and_code_2(
    trace: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["group", str(trace), "--window", "16", "--processes", "1", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_an_unknown_option_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["group", "--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1, column 2: "),
        ("[]", "layers: missing"),
        ('{"layers": []}', "no layer 3"),
        ('{"layers": [{"layer": 3, "groups": 5}]}', "expected a list of lists"),
        ('{"layers": [{"layer": 3, "groups": [[0, 1]]}]}', "2 experts in groups"),
        ('{"layers": [{"layer": 3, "groups": [[0,1,2,3],[3,4,5,6]]}]}', "7 experts in groups"),
    ],
)
def test_groups_that_are_none(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "groups.json").write_text(text)
    words = ["schedule", str(trace), "--grouping-file", str(tmp_path / "groups.json")]
    words += ["--layer", "3"]
    assert main([*words, "--window", "16"]) == 2
    assert message in capsys.readouterr().err


def test_chips_lists_every_preset_and_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    listed = run_json(capsys, "chips", "--json")
    assert "hermes-mux2" in [chip["name"] for chip in listed["chips"]]
    assert main(["chips", "isaac"]) == 0
    assert "Shafiee" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [
        "compile",
        "simulate",
        "inspect",
        "trace",
        "profile",
        "group",
        "schedule",
        "chips",
        "reproduce",
        "validate",
    ],
)
def test_every_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"Example: moexbar {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "chip"),
    [
        ("token_choice", "hermes-mux2"),
        ("expert_choice", "hermes-mux4"),
        ("token_choice", "tiny"),
        ("token_choice", "isaac"),
    ],
)
def test_compile_the_shipped_models(
    model: str, chip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    report = run_json(
        capsys,
        "compile",
        MODELS / f"{model}.onnx",
        "--inputs",
        MODELS / "heldout.npz",
        "--chip",
        chip,
        "--prefill",
        32,
        "--time",
        0.5,
        "-o",
        out,
        "--json",
    )
    assert [row["method"] for row in report["methods"]] == [
        "unshared, serial",
        "unshared, paper's",
        "unshared, ours",
        "sorted, serial",
        "paper's method",
        "sorted, ours",
        "ours, serial",
        "ours, paper's",
        "moexbar",
    ]
    serial, _, _, _, paper, *_, ours = report["methods"]
    assert ours["slots"] <= serial["slots"] * report["methods"][-1]["mux"]
    assert ours["transfers"] <= paper["transfers"]
    # a buffer is as large as what its schedule keeps in flight; all else is what the mapping has
    areas = [row["moe_area_mm2"] for row in (ours, serial)]
    mapped = [area["total"] - area["parts"]["buffers"] for area in areas]
    assert mapped[0] <= mapped[1] + 1e-9  # sums of floats
    assert len({row["macs"] for row in report["methods"]}) == 1
    assert all(row["time_ns"] >= row["time_bound_ns"] for row in report["methods"])
    assert not report["window"]["scored_on_fitted"]
    names = {
        "program.parquet",
        "mapping.json",
        "report.json",
        "listing.txt",
        "trace.json",
        "manifest.json",
        "routing.npz",
        "times.json",
    }
    assert {path.name for path in out.iterdir()} == names
    assert len(read_program(out / "program.parquet")) == ours["instructions"]

    assert main(["inspect", str(out), "--layer", "1", "--opcode", "mvm", "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 3 + 1  # header, three instructions, how many are left
    assert lines[-1].startswith("...")


@pytest.mark.slow
def test_profile_then_compile_from_the_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, trace = MODELS / "token_choice.onnx", tmp_path / "routing.npz"
    words = ["profile", model, "--inputs", MODELS / "heldout.npz", "-o", trace, "--tokens", 32]
    found = run_json(capsys, *words, "--json")
    assert [row["layer"] for row in found["layers"]] == [1, 3]
    assert all(row["pairs"] == found["tokens"] * 4 for row in found["layers"])
    report = run_json(
        capsys,
        "compile",
        model,
        "--routing",
        trace,
        "--prefill",
        64,
        "--no-baselines",
        "--grouping",
        "sorted",
        "--scheduling",
        "online",
        "--bus",
        2,
        "--buffer",
        16,
        "--pack",
        "-o",
        tmp_path / "out",
        "--json",
        "--dump-dir",
        tmp_path / "stages",
    )
    stages = sorted(path.name for path in (tmp_path / "stages").glob("*.txt"))
    assert [name[0] for name in stages] == ["1", "2", "3", "4", "5"]
    # up of 128 x 384: the second expert of a group is below the first, then beside it
    blocks = (tmp_path / "stages" / "2-blocks.txt").read_text()
    assert "bottom 0 (128, 0) corner 0 (0, 128)" in blocks
    assert "online" in (tmp_path / "stages" / "4-slots.txt").read_text()
    (row,) = report["methods"]
    assert (row["grouping"], row["scheduling"]) == ("sorted", "online")
    assert (row["bus"], row["buffer"]) == (2, 16)
    assert report["placement"]["expert_crossbars"] == {"packed": True, "used": 96, "tiles": 192}


@pytest.mark.slow
def test_compile_with_replicas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "compile",
        MODELS / "token_choice.onnx",
        "--inputs",
        MODELS / "heldout.npz",
        "--prefill",
        64,
        "--no-baselines",
        "--grouping",
        "local-search",
    ]
    found = run_json(
        capsys, *words, "--groups", 9, "--replicas", 2, "-o", tmp_path / "out", "--json"
    )
    assert [row["replicas"] for row in found["layers"]] == [2, 2]
    assert all(sum(map(len, row["groups"])) == 16 + 2 for row in found["layers"])
    program = read_program(tmp_path / "out" / "program.parquet")
    assert set(program.replica.tolist()) == {-1, 0, 1}
    lean = run_json(capsys, *words, "--objective", "energy", "-o", tmp_path / "lean", "--json")
    assert lean["layers"][0]["grouping"]["objective"] == "energy of slots and broadcasts, fJ"
    assert main([str(w) for w in [*words, "--group-size", 3, "-o", tmp_path / "none"]]) == 5
    assert "groups of 3, has mux 2 on chip hermes-mux2; use groups of 2, or --set pg.mux=3" in (
        capsys.readouterr().err
    )


def test_compile_tells_what_writing_the_weights_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "--prefill", "8"]
    words = ["compile", *files, "--grouping", "lpt", "--no-baselines", "--no-verify"]

    def told(name: str, **written: str) -> tuple[Programming | None, list[str]]:
        changes = [word for key in written for word in ("--set", f"write.{key}={written[key]}")]
        assert main([*words, *changes, "-o", str(tmp_path / name)]) == 0
        shown = capsys.readouterr().out.splitlines()
        lines = [line for line in shown if "writing the weights" in line]
        return read_report(tmp_path / name / "report.json").programming, lines

    # 8 dense matrices of 64 x 64 and one of 64 x 256, 16 experts of two 64 x 96 and one 96 x 64:
    # a crossbar of 256 x 256 holds any; two experts' second stages behind a group have 192 rows
    rows = 9 * 64 + 16 * (64 + 64 + 96)
    cells = 8 * 64 * 64 + 64 * 256 + 16 * 3 * 64 * 96
    every = {"row_ns": "85.7", "cell_pj": "1.29", "endurance": "1000000"}
    time, serial = 192 * 85.7, rows * 85.7
    assert told("all", **every) == (
        Programming(57, rows, cells, time, serial, cells * 1290 / 1e6, 10**6),
        [
            "writing the weights once: 57 crossbars, at least 16.45 us, 0.44 uJ, "
            "cells last 1000000 writes"
        ],
    )
    assert told("time", row_ns="85.7") == (
        Programming(57, rows, cells, time, serial, None, None),
        ["writing the weights once: 57 crossbars, at least 16.45 us"],
    )
    assert told("none") == (None, [])


def test_compile_says_what_is_missing(
    tmp_path: Path, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(MODELS / "token_choice.onnx")
    out = str(tmp_path / "out")
    assert main(["compile", model, "-o", out]) == 2
    assert "give --routing R.npz or --inputs X.npz" in capsys.readouterr().err
    assert main(["compile", model, "--routing", str(trace), "--prefill", "8", "-o", out]) == 2
    assert "no layer 1, the trace has layers 3, 7" in capsys.readouterr().err
    assert main(["compile", str(tmp_path / "no.onnx"), "--routing", str(trace), "-o", out]) == 2
    assert not (tmp_path / "out").exists()


def test_a_chip_that_is_too_small_is_code_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(MODELS / "token_choice.onnx")
    inputs = ["--inputs", str(MODELS / "heldout.npz"), "--prefill", "16", "--no-baselines"]
    small = ["--set", "mesh.width=1", "--set", "mesh.height=1", "--grouping", "sorted"]
    assert main(["compile", model, *inputs, *small, "-o", str(tmp_path / "out")]) == 5
    assert "mesh: needs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

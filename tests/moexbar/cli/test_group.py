"""`group`, `schedule` and `compare` beyond the plain case: replicas, robust, sizes, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import compiler.grouping.cp_sat as cp_sat_room
from compiler.grouping import SOLVERS, exact
from compiler.solver import SolveInterrupted, SolverAnswer
from moexbar.__main__ import main
from tests.moexbar.cli.solving import FOUND
from tests.paths import MODELS, ROOT


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of 12 experts, top-3, 40 sequences of 16 tokens in 4 domains, bursty."""
    random = np.random.default_rng(0)
    heat = np.repeat(random.gumbel(size=(2, 40, 12)), 16, axis=1)
    choices = np.argsort(random.gumbel(size=(2, 640, 12)) + 2 * heat, axis=2)[:, :, -3:]
    path = tmp_path_factory.mktemp("trace") / "routing.npz"
    np.savez(
        path,
        choices=choices.astype(np.int16),
        num_experts=12,
        layer=np.array([1, 5]),
        sequence=np.repeat(np.arange(40), 16),
        domain=np.repeat(np.arange(40) % 4, 16),
    )
    return path


def run_json(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main([str(word) for word in words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


FEW = ["--window", "64", "--stride", "32", "--shuffles", "0", "--time", "0.2"]
QUICK = [*FEW, "--processes", "1", "--json"]


def test_replicas_from_group_to_schedule(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grouped = run_json(
        capsys, "group", trace, "--groups", 4, "--group-size", 4, "--replicas", 3, *QUICK
    )
    for row in grouped["layers"]:
        held = [e for group in row["groups"] for e in group]
        assert sorted(set(held)) == list(range(12))
        assert len(held) == 12 + row["replicas"] == row["columns"] <= 15
        assert max(map(len, row["groups"])) <= 4
        assert row["bound"] <= row["value"]
    (tmp_path / "groups.json").write_text(json.dumps(grouped))
    scheduled = run_json(
        capsys,
        "schedule",
        trace,
        "--grouping-file",
        tmp_path / "groups.json",
        "--layer",
        5,
        "--window",
        64,
        "--score",
        "0.5:1",
        "--table",
        "--json",
    )
    score = grouped["layers"][1]["score"]
    assert sum(window["slots"] for window in scheduled["windows"]) == score["slots"]
    assert sum(window["transfers"] for window in scheduled["windows"]) == score["transfers"]
    for window in scheduled["windows"]:  # every pair has one turn: 64 tokens x 3 experts
        assert sum(t >= 0 for row in window["table"] for t in row) == 64 * 3


def test_replicas_save_slots_on_the_windows_fitted(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["group", trace, "--layer", 1, "--groups", 4, "--group-size", 4]
    without = run_json(capsys, *words, *QUICK)["layers"][0]
    with_three = run_json(capsys, *words, "--replicas", 3, *QUICK)["layers"][0]
    assert with_three["value"] < without["value"]
    # hermes: 508000 um2 of peripherals a group; three more crossbars cost their arrays alone
    assert 0 < with_three["area_um2"] - without["area_um2"] < 3 * 508_000


def test_more_groups_than_needed(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = run_json(capsys, "group", trace, "--layer", 1, "--groups", 8, *QUICK)["layers"][0]
    assert len(row["groups"]) == 8
    assert max(map(len, row["groups"])) <= 2  # the chip's mux


def test_robust_groups_for_the_worst_domain(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = run_json(capsys, "group", trace, "--layer", 1, "--robust", *QUICK)["layers"][0]
    assert row["objective"] == "sum of window slots of the worst part"


@pytest.mark.parametrize("processes", [1, 2])
def test_the_answer_does_not_depend_on_the_processes(
    trace: Path, capsys: pytest.CaptureFixture[str], processes: int
) -> None:
    rows = run_json(capsys, "group", trace, *FEW, "--json", "--processes", processes)["layers"]
    one = run_json(capsys, "group", trace, "--layer", 5, *QUICK)["layers"][0]
    assert [row["layer"] for row in rows] == [1, 5]
    assert (rows[1]["groups"], rows[1]["bound"]) == (one["groups"], one["bound"])


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--groups", "3"], "needs 12 (12 experts), has 6 (3 groups of 2); use 6 groups, or"),
        (["--replicas", "2", "--groups", "6"], "or at most 0 replicas"),
    ],
)
def test_what_does_not_fit_exits_with_5(
    trace: Path,
    words: list[str],
    message: str,
    processes: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["group", str(trace), "--processes", processes, *FEW, *words]) == 5
    error = capsys.readouterr().err
    assert error.startswith("error: expert crossbar columns: ")
    assert message in error


def test_more_groups_than_experts_is_no_request(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["group", str(trace), *QUICK, "--groups", "13"]) == 2
    assert "expected 1 to 12 groups" in capsys.readouterr().err


def test_matching_wants_pairs(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["group", str(trace), "--group-size", "4", "--grouping", "matching", *QUICK]
    assert main(words) == 2
    assert "expected pairs (mux 2)" in capsys.readouterr().err


def test_compare_prints_and_saves_every_solver(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    result = run_json(capsys, "compare", trace, "--layer", 1, "-o", out, *QUICK)
    (layer,) = result["layers"]
    assert [row["solver"] for row in layer["solvers"]] == list(SOLVERS)
    for row in layer["solvers"]:
        assert row["bound"] <= layer["bound"] <= row["value"]
        assert row["gap"] == pytest.approx((row["value"] - layer["bound"]) / row["value"])
        assert row["progress"][-1][1] == row["value"]
        assert [v for _, v in row["progress"]] == sorted(
            (v for _, v in row["progress"]), reverse=True
        )
    assert json.loads((out / "compare.json").read_text()) == result
    ElementTree.parse(out / "layer-1.svg")  # noqa: S314 - our own file
    assert sorted(p.name for p in out.iterdir()) == ["compare.json", "layer-1.svg", "manifest.json"]


def test_compare_without_what_draws_says_so(
    trace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    out = tmp_path / "compared"
    words = ["compare", str(trace), "--layer", "1", "--solvers", "lpt", "-o", str(out), *QUICK]
    assert main([str(word) for word in words]) == 0
    assert "pip install 'moexbar[plots]'" in capsys.readouterr().err
    assert sorted(p.name for p in out.iterdir()) == ["compare.json", "manifest.json"]


def test_compare_some_solvers_with_replicas(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", trace, "--layer", 1, "--groups", 4, "--group-size", 4, "--replicas", 2]
    rows = run_json(capsys, *words, *QUICK)["layers"][0]["solvers"]
    assert [row["solver"] for row in rows] == ["local-search", "cp-sat", "highs", "scip"]
    two = run_json(capsys, *words, "--solvers", "cp-sat, local-search", *QUICK)
    assert [row["solver"] for row in two["layers"][0]["solvers"]] == ["cp-sat", "local-search"]


def test_compare_names_an_unknown_solver(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(trace), "--solvers", "lpt,magic"]) == 2
    assert "--solvers: 'magic', expected some of contiguous" in capsys.readouterr().err


def test_compare_profiles_a_model_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, inputs = str(MODELS / "token_choice.onnx"), tmp_path / "few.npz"
    with np.load(MODELS / "heldout.npz") as arrays:
        np.savez(inputs, **{name: arrays[name][:4] for name in arrays.files})
    words = ["compare", model, "--inputs", inputs, "--solvers", "sorted,lpt", *QUICK]
    found = run_json(capsys, *words)
    assert [layer["layer"] for layer in found["layers"]] == [1, 3]
    for layer in found["layers"]:
        assert [row["solver"] for row in layer["solvers"]] == ["sorted", "lpt"]
        assert all(
            {"value", "score", "bound", "gap", "status", "seconds", "seed"} <= row.keys()
            for row in layer["solvers"]
        )
    assert main(["compare", model]) == 2
    assert "a model without its inputs; give --inputs X.npz" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path, processes: int) -> None:
    """Four layers, each of which CP-SAT would search for minutes; interrupted on the way."""
    random = np.random.default_rng(0)
    heat = np.repeat(random.gumbel(size=(4, 20, 32)), 64, axis=1)
    choices = np.argsort(random.gumbel(size=(4, 1280, 32)) + 2 * heat, axis=2)[:, :, -4:]
    np.savez(
        tmp_path / "r.npz",
        choices=choices.astype(np.int16),
        num_experts=32,
        sequence=np.repeat(np.arange(20), 64),
    )
    words = [
        sys.executable,
        "-m",
        "tests.moexbar.cli.solving",
        "group",
        str(tmp_path / "r.npz"),
        "--window",
        "128",
        "--chip",
        "hermes-mux4",
        "--time",
        "100",
        "--processes",
        str(processes),
        "--json",
    ]
    pipe = subprocess.PIPE
    run = subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
    assert run.stderr is not None
    lines = [run.stderr.readline() for _ in range(processes)]
    os.kill(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert lines == [FOUND] * processes
    assert run.returncode == 130, err
    assert "best so far" in err
    rows = json.loads(out)["layers"]
    assert [row["layer"] for row in rows] == [0, 1, 2, 3]  # the last ones as a search begins
    assert all(sorted(e for g in row["groups"] for e in g) == list(range(32)) for row in rows)
    assert not any(row["deterministic"] for row in rows)


def test_an_interrupted_solve_gives_its_best_and_stops_the_rest(
    trace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above without a clock: the first layer's solve is interrupted with nothing found."""

    def interrupted(*_: object) -> None:
        raise SolveInterrupted(SolverAnswer("none", None, None, 0.0, deterministic=False))

    monkeypatch.setattr(cp_sat_room, "solve", interrupted)
    monkeypatch.setattr(exact, "MOST_PLACES", 0)  # it would prove the layer first
    assert main(["group", str(trace), *QUICK]) == 130
    rows = json.loads(capsys.readouterr().out)["layers"]
    assert [row["deterministic"] for row in rows] == [False] * len(rows)
    assert (rows[0]["layer"], rows[0]["status"]) == (1, "feasible")
    for row in rows:
        assert sorted(e for g in row["groups"] for e in g) == list(range(12))
        assert row["fit"]["slots"] > 0  # which takes an instant; transfers do not
        assert row["fit"]["transfers"] is row["score"]["transfers"] is None

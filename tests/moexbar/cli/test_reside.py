"""`moexbar reside` on the shipped model's own routing, and its file in a compilation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from compiler.options import SolverOptions
from compiler.residency import cp_sat, exact
from compiler.solver import SolveInterrupted, SolverAnswer
from ir.errors import InputError
from moexbar.__main__ import main
from moexbar.files.digital_file import read_digital
from moexbar.report.plain import as_json
from moexbar.residency import task
from moexbar.residency.footprint import Footprint
from tests.moexbar.report.test_schemas import problems
from tests.paths import MODELS

MODEL = MODELS / "token_choice.onnx"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "routing.npz"
    assert (
        main(["profile", str(MODEL), "--inputs", str(MODELS / "heldout.npz"), "-o", str(path)]) == 0
    )
    return path


def printed(capsys: Capture, *words: object) -> Any:
    capsys.readouterr()
    assert main(["reside", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def by_method(report: Any, half: str, what: str) -> dict[str, float]:
    return {row["method"]: row[half][what] for row in report["methods"]}


def test_methods_side_by_side(trace: Path, capsys: Capture) -> None:
    report = printed(capsys, trace, "--model", MODEL, "--rate", 100)
    assert problems("reside", report) == []
    assert [pool["layer"] for pool in report["pools"]] == [1, 3]
    assert [pool["residents"] for pool in report["pools"]] == [8, 8]
    assert {pool["status"] for pool in report["pools"]} == {"optimal (bound)"}
    fit, score = by_method(report, "fit", "misses"), by_method(report, "score", "misses")
    assert fit["cp-sat"] == sum(pool["value"] for pool in report["pools"]) == fit["most-used"]
    for misses in (fit, score):
        assert misses["none"] == max(misses.values())
        assert misses["belady"] == min(misses.values())
    costs = {c["cells"]: c for c in report["methods"][4]["costs"]}
    assert report["methods"][4]["method"] == "lru"
    assert costs["pcm"]["energy_nj"] is None
    assert costs["rram"]["years_low"] < costs["rram"]["years_high"]
    assert costs["puma"]["wait_low_ns"] > costs["rram"]["wait_low_ns"]
    fixed = report["methods"][0]
    assert fixed["score"]["writes"] == 0
    assert fixed["score"]["bypassed"] == fixed["score"]["misses"]
    assert {c["years_low"] for c in fixed["costs"]} == {None}


def test_without_bypass_a_slot_is_for_misses_and_in_a_pool_layers_share(
    trace: Path, capsys: Capture
) -> None:
    words = [trace, "--no-bypass", "--of", "chip", "--capacity", "0.25", "--prefill", "4"]
    report = printed(capsys, *words)
    assert problems("reside", report) == []
    (pool,) = report["pools"]
    assert (pool["layer"], pool["room"], pool["residents"]) == (None, 8, 7)
    for row in report["methods"]:
        assert row["score"]["writes"] == row["score"]["misses"]
        assert row["score"]["bypassed"] == 0
    misses = by_method(report, "score", "misses")
    assert misses["belady"] == min(misses.values())


def test_stalls_are_no_more_than_of_any_rule(trace: Path, capsys: Capture) -> None:
    report = printed(capsys, trace, "--objective", "stalls", "--capacity", "0.75", "--time", "0.5")
    stalls = by_method(report, "fit", "stalls")
    assert stalls["cp-sat"] == sum(pool["value"] for pool in report["pools"])
    assert stalls["cp-sat"] <= min(stalls[rule] for rule in ("greedy", "most-used", "none"))
    assert all(pool["bound"] <= pool["value"] for pool in report["pools"])


def test_the_same_in_python(trace: Path, capsys: Capture) -> None:
    report = printed(capsys, trace, "--capacity", "0.75")
    found = mx.reside(str(trace), capacity=0.75)
    told = json.loads(json.dumps(as_json(found)))
    for one in (report, told):
        for pool in one["pools"]:
            pool.pop("seconds")
    assert told == report
    assert found.method("lru").score.writes == by_method(report, "score", "writes")["lru"]


def test_the_file_is_compiled_executed_and_verified(
    trace: Path, tmp_path: Path, capsys: Capture
) -> None:
    kept = tmp_path / "residents.json"
    assert main(["reside", str(trace), "--capacity", "0.75", "-o", str(kept)]) == 0
    shown = capsys.readouterr().out
    assert "for moexbar compile --digital-experts" in " ".join(shown.split())
    away = read_digital(str(kept))
    assert [layer for layer, _ in away] == [1] * 4 + [3] * 4
    out = tmp_path / "out"
    words = [str(MODEL), "--inputs", str(MODELS / "heldout.npz"), "--prefill", "8", "-o", str(out)]
    asked = ["--digital-experts", str(kept), "--no-baselines", "--grouping", "lpt"]
    assert main(["compile", *words, *asked]) == 0
    report = mx.read_report(out / "report.json")
    for layer, row in zip((1, 3), report.layers, strict=True):
        assert {e for n, e in away if n == layer}.isdisjoint(
            e for group in row.groups for e in group
        )
    assert report.executed is not None


def test_ctrl_c_gives_the_best_so_far(
    trace: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object, **__: object) -> None:
        raise SolveInterrupted(SolverAnswer("none", None, None, 0.0, deterministic=False))

    monkeypatch.setattr(cp_sat.ResidentModel, "solve", cut)
    monkeypatch.setattr(exact, "able", lambda _: False)
    words = ["reside", str(trace), "--objective", "stalls", "--json"]
    assert main(words) == 130
    told = capsys.readouterr()
    assert json.loads(told.out)["interrupted"]
    assert "the best so far" in told.err


def small_routing() -> mx.Routing:
    return mx.Routing(
        layer=np.array([1, 3]),
        num_experts=np.array([16, 16]),
        sequence=np.zeros(6, dtype=np.int64),
        choices=np.arange(24, dtype=np.int16).reshape(2, 6, 2) % 16,
    )


def test_experts_of_different_sizes_take_crossbars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the second layer take 3 crossbars each, and half of all is 32 of 16 + 48."""
    one, three = (Footprint(n, 9, 9, 9, 9, 9) for n in (1, 3))
    monkeypatch.setattr(task, "footprints", lambda *_: [one] * 16 + [three] * 16)
    report = mx.reside(small_routing(), model=MODEL, share="chip")
    assert [pool.room for pool in report.pools] == [32]
    assert [row.method for row in report.methods] == ["cp-sat", "greedy", "most-used", "none"]
    assert {cost.wait_low_ns for row in report.methods for cost in row.costs} == {None}
    away = {(pair.layer, pair.expert) for pair in report.digital}
    kept = sum(3 if n == 3 else 1 for n in (1, 3) for e in range(16) if (n, e) not in away)
    assert kept <= 32
    with pytest.raises(InputError, match="experts of different sizes, expected all of one"):
        mx.reside(small_routing(), model=MODEL, bypass=False)


def test_what_cannot_be_asked_is_said() -> None:
    routing = small_routing()
    with pytest.raises(InputError, match="expected more than 0 tokens a second"):
        mx.reside(routing, rate=0.0)
    with pytest.raises(InputError, match="expected one of misses, stalls"):
        mx.reside(routing, objective="miss", limits=SolverOptions())  # type: ignore[arg-type]


def test_a_model_without_the_traces_experts_is_refused(tmp_path: Path) -> None:
    routing = mx.Routing(
        layer=np.array([2]),
        num_experts=np.array([4]),
        sequence=np.zeros(8, dtype=np.int64),
        choices=np.arange(8, dtype=np.int16).reshape(1, 8, 1) % 4,
    )
    with pytest.raises(InputError, match="no layer 2 with an expert 0"):
        mx.reside(routing, model=MODEL)


def test_layers_that_keep_nothing_are_told(tmp_path: Path, capsys: Capture) -> None:
    """One pool for the experts of a layer, of which both of a token are: it keeps one layer."""
    path = tmp_path / "routing.npz"
    np.savez(path, choices=np.tile(np.array([0, 1], dtype=np.int16), (2, 8, 1)), num_experts=2)
    words = ["--of", "chip", "--objective", "stalls", "-o", str(tmp_path / "kept.json")]
    assert main(["reside", str(path), *words]) == 0
    told = capsys.readouterr()
    assert "no expert of 1 layers is resident" in told.err
    assert "2 of 4 experts resident, one pool" in told.out

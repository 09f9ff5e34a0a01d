"""The commands on traces and load counts as people have them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import moexbar as mx
from moexbar.__main__ import main
from moexbar.report.schema import document_schema
from tests.paths import MODELS

QUICK = ["--window", "16", "--time", "0.2", "--processes", "1", "--shuffles", "0", "--json"]


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    """64 tokens, 2 layers, top-2 of 8, in an order of axes that must be named."""
    drawn = np.random.default_rng(0).random((64, 2, 8))
    np.save(tmp_path / "ids.npy", np.argsort(drawn, axis=2)[:, :, :2])
    return tmp_path / "ids.npy"


@pytest.fixture
def loads(tmp_path: Path) -> Path:
    path = tmp_path / "loads.csv"
    rows = [f"3,{e},{n}" for e, n in enumerate([9, 7, 6, 4, 3, 1])]
    path.write_text("\n".join(["layer_id,expert_id,count", *rows]) + "\n")
    return path


def test_the_same_trace_in_every_form_gives_the_same_groups(
    ids: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = ["--axes", "tokens,layers,k", "--num-experts", "8"]
    assert main(["group", str(ids), *QUICK]) == 2
    assert "--axes tokens,layers,k or --axes layers,tokens,k" in capsys.readouterr().err
    assert main(["trace-import", str(ids), *axes, "-o", str(tmp_path / "r.npz")]) == 0
    assert f"64 tokens in {tmp_path / 'r.npz'}" in capsys.readouterr().out
    found = []
    for words in ([str(ids), *axes], [str(tmp_path / "r.npz")]):
        assert main(["group", *words, *QUICK]) == 0
        found.append([row["groups"] for row in json.loads(capsys.readouterr().out)["layers"]])
        groups = tmp_path / "groups.json"
        groups.write_text(json.dumps({"layers": [{"layer": 1, "groups": found[-1][1]}]}))
        ordered = ["--grouping-file", str(groups), "--layer", "1", "--window", "16", "--json"]
        assert main(["schedule", *words, *ordered]) == 0
        found.append(
            [
                (row["slots"], row["transfers"])
                for row in json.loads(capsys.readouterr().out)["windows"]
            ]
        )
        assert main(["compare", *words, "--solvers", "lpt", *QUICK]) == 0
        layers = json.loads(capsys.readouterr().out)["layers"]
        found.append([row["solvers"][0]["groups"] for row in layers])
    assert found[:3] == found[3:]


def test_compile_takes_the_number_of_experts_from_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layers 1 and 3 of 16 experts, of which the trace uses 15."""
    drawn = np.random.default_rng(0).random((40, 2, 15))
    used = np.argsort(drawn, axis=2)[:, :, :2]
    path = tmp_path / "r.npz"
    np.savez(path, routed_experts=used, layer=np.array([1, 3]))
    model = str(MODELS / "token_choice.onnx")
    words = ["compile", model, "--routing", str(path), "--prefill", "16", "--no-baselines"]
    words += ["--grouping", "lpt", "--write", "report,routing", "-o", str(tmp_path / "out")]
    assert main(words) == 0
    assert "from the highest id" not in capsys.readouterr().err
    assert mx.load_routing(tmp_path / "out" / "routing.npz").num_experts.tolist() == [16, 16]
    assert main([*words, "--num-experts", "15"]) == 2
    assert "15 experts, but the model's layer has 16" in capsys.readouterr().err


def test_groups_by_load(loads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """9 + 1, 7 + 3, 6 + 4: even, and said to be by load on both streams."""
    assert main(["group", str(loads), "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert list(Draft202012Validator(document_schema("group")).iter_errors(found)) == []
    assert found["grouped_by"] == "load"
    row = found["layers"][0]
    assert (row["layer"], row["groups"]) == (3, [[0, 5], [1, 4], [2, 3]])
    assert (row["objective"], row["value"], row["bound"]) == ("largest group load", 10, 10)
    assert (row["pairs"], row["largest_over_mean"], row["columns"]) == (30, 1.0, 6)
    assert "fit" not in row and "score" not in row
    assert "grouped by load, the largest group load, not by slots" in err
    assert "slots and transfers cannot be known from counts" in err
    assert main(["group", str(loads)]) == 0
    assert "optimal (bound)" in capsys.readouterr().out
    assert mx.group(loads).of(3).groups == ((0, 5), (1, 4), (2, 3))
    assert mx.group(mx.load_counts(loads)).of(3).certificate.value == 10


def test_groups_by_load_feed_a_schedule(
    loads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["group", str(loads), "--json"]) == 0
    (tmp_path / "groups.json").write_text(capsys.readouterr().out)
    drawn = np.random.default_rng(0).random((1, 32, 6))
    given = np.argsort(drawn, axis=2)[:, :, :2]
    np.savez(tmp_path / "r.npz", choices=given, num_experts=6, layer=np.array([3]))
    words = ["schedule", str(tmp_path / "r.npz"), "--layer", "3", "--window", "32", "--json"]
    assert main([*words, "--grouping-file", str(tmp_path / "groups.json")]) == 0


def test_steps_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "load.npy"
    np.save(path, np.array([[[9, 9, 1, 1]], [[1, 1, 9, 9]]]))
    assert main(["group", str(path), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "the largest group load of each step, summed, not by slots" in err
    assert (json.loads(out)["steps"], json.loads(out)["layers"][0]["value"]) == (2, 20)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["schedule", "LOADS", "--grouping-file", "x"], "nothing can be scheduled; give the exper"),
        (["compare", "LOADS"], "expected a routing trace: counts do not say which experts a token"),
        (["trace-import", "LOADS", "-o", "r.npz"], "expected a routing trace"),
        (["simulate", "LOADS"], "a file, expected the output folder of `moexbar compile`; a trace"),
        (
            ["compile", str(MODELS / "token_choice.onnx"), "--routing", "LOADS", "-o", "out"],
            "expected a routing trace",
        ),
        (["group", "LOADS", "--window", "64"], "--window: .* holds counts, which have no tokens"),
        (["group", "LOADS", "--robust"], "--robust: .* holds counts"),
        (["group", "LOADS", "--grouping", "matching"], "looks at experts of one token"),
        (["group", "LOADS", "--layer", "4"], "no layer 4, the counts have layers 3"),
        (["group", "LOADS", "--axes", "layers,experts"], "is a table; leave it out"),
        (["group", "LOADS", "--axes", "a"], "--axes: a, expected for expert ids"),
        (["group", "LOADS", "--limit", "a=1"], "--limit: 'a=1', expected NAME=NUMBER"),
        (["group", "LOADS", "--num-experts", "9999"], "--num-experts: 9999, expected 1 to 4096"),
        (["trace-import", "LOADS", "-o", "r.csv"], "-o: r.csv, expected a name that ends in .npz"),
    ],
)
def test_what_counts_cannot_tell_is_refused(
    loads: Path,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(loads.parent)
    assert main([word.replace("LOADS", str(loads)) for word in words]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_more_replicas_than_eight(ids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["group", str(ids), "--axes", "tokens,layers,k", "--layer", "0", "--groups", "6"]
    words += ["--group-size", "3", "--replicas", "9", "--grouping", "local-search", *QUICK]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["layers"][0]["columns"] <= 17

"""A command prints what its function in `import moexbar` gives: the same by either way in."""

import json
from pathlib import Path
from typing import Any

import pytest

import moexbar as mx
from backends.simulate import Waits
from compiler.options import GROUPING_SOLVERS
from moexbar.__main__ import main
from moexbar.report.plain import Document, as_json
from moexbar.traces.compared import able_solvers
from tests.paths import MODELS

MODEL = MODELS / "token_choice.onnx"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model compiled, all it needs beside it."""
    out = tmp_path_factory.mktemp("compiled") / "out"
    mx.compile(MODEL, inputs=MODELS / "heldout.npz", prefill=16, baselines="none").save(out)
    return out


def printed(capsys: Capture, *words: object) -> Any:
    """The document that a command prints."""
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def told(report: Document) -> Any:
    """The same of a function's answer."""
    return json.loads(json.dumps(as_json(report)))


def test_report_json_is_read_as_a_value(folder: Path) -> None:
    report = mx.read_report(str(folder / "report.json"))
    assert isinstance(report, mx.Report)
    assert (report.window.prefill, report.methods[-1].method) == (16, "moexbar")
    assert told(report) == json.loads((folder / "report.json").read_text())


def test_survey(capsys: Capture) -> None:
    found = mx.survey(MODEL)
    assert [(layer.layer, layer.experts, layer.top_k) for layer in found.moe_layers] == [
        (1, 16, 4),
        (3, 16, 4),
    ]
    assert told(found) == printed(capsys, "model", MODEL)
    with mx.open_model(MODEL) as model:
        assert mx.survey(model) == found


def test_chips(capsys: Capture) -> None:
    shown = printed(capsys, "chips", "hermes-mux2", "--set", "pg.mux=4")
    shown.pop("schema")
    chip = mx.load_chip("hermes-mux2", {"pg.mux": 4})
    assert as_json(mx.chip_sheet(chip)) == shown
    every = [as_json(mx.chip_sheet(mx.load_chip(name))) for name in mx.preset_names()]
    assert printed(capsys, "chips")["chips"] == every


def test_inspect(folder: Path, capsys: Capture) -> None:
    program = mx.read_program(folder / "program.parquet")
    keep = mx.Filter(layer=1, opcode="MVM")
    found = mx.inspect(program, keep, group_by="expert", simulation=mx.simulate(folder), limit=30)
    words = ["inspect", folder, "--layer", 1, "--opcode", "MVM", "--group-by", "expert"]
    assert told(found) == printed(capsys, *words, "--waits", "--limit", 30)
    assert len(found.instructions) == 30
    assert {row.opcode for row in found.instructions} == {"MVM"}
    # without a limit it is every instruction that is left, of all groups together
    every = mx.inspect(program, keep)
    assert len(every.instructions) == len(keep.rows(program))
    assert every.groups is None
    assert found.groups is not None
    assert sum(group.instructions for group in found.groups) == len(every.instructions)


def test_what_an_instruction_waited_for_is_of_the_simulation_given(folder: Path) -> None:
    program = mx.read_program(folder / "program.parquet")
    slower = mx.simulate(folder, scale={"LOAD": 50.0})
    waited = [sum(w.values()) for w in waits_of(mx.inspect(program, simulation=slower))]
    plain = [sum(w.values()) for w in waits_of(mx.inspect(program, simulation=mx.simulate(folder)))]
    assert sum(waited) == sum(int(ps.sum()) for ps in Waits(slower).by_cause.values())
    assert sum(waited) > sum(plain) > 0


def waits_of(report: Any) -> list[dict[str, int]]:
    return [row.waits_ps for row in report.instructions]


def test_compare(folder: Path, capsys: Capture) -> None:
    trace = folder / "routing.npz"
    found = mx.compare(
        trace,
        "hermes",
        ["lpt", "cp-sat"],
        options=mx.GroupingOptions(groups=5, size=4),
        layer=3,
        window=64,
        limits=mx.SolverOptions(time_s=0.05, seed=3),
    )
    words = ["compare", trace, "--chip", "hermes", "--solvers", "lpt,cp-sat", "--layer", 3]
    words += [
        "--groups",
        5,
        "--group-size",
        4,
        "--window",
        64,
        "--processes",
        1,
        "--time",
        0.05,
        "--seed",
        3,
    ]
    assert without_seconds(told(found)) == without_seconds(printed(capsys, *words))
    (layer,) = found.layers
    lpt, exact = layer.solvers
    assert [len(lpt.groups), max(len(group) for group in lpt.groups)] == [5, 4]
    assert exact.certificate.value <= lpt.certificate.value
    assert not found.interrupted


def without_seconds(report: Any) -> Any:
    """A comparison without what a clock says."""
    for layer in report["layers"]:
        for row in layer["solvers"]:
            row["seconds"] = None
            row["progress"] = [value for _, value in row["progress"]]
    return report


def test_compare_asks_all_solvers_that_can_do_it(folder: Path) -> None:
    limits = mx.SolverOptions(time_s=0.1)
    options = mx.GroupingOptions(size=4, replicas=1)
    found = mx.compare(folder / "routing.npz", options=options, layer=1, window=64, limits=limits)
    names = [row.solver for row in found.layers[0].solvers]
    assert names == ["local-search", "cp-sat", "highs", "scip"]  # who places replicas
    assert "matching" not in able_solvers(mx.GroupingOptions(), size=4)  # which makes pairs
    assert able_solvers(mx.GroupingOptions(), size=2) == list(GROUPING_SOLVERS)


def test_write_example(tmp_path: Path, capsys: Capture) -> None:
    found = mx.write_example("tiny", tmp_path / "mine")
    assert told(found) == printed(capsys, "example", "tiny", "-o", tmp_path / "other")
    names = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "other").iterdir())
    assert "model.onnx" in names

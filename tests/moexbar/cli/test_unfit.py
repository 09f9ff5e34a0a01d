"""A mesh that holds the shared arrangement alone: ours is compiled, the unshared rows say why not.

The tiny model has 33 peripheral groups at mux 2 and 57 unshared. With 16 to a core and regions of
whole cores its layers take 3 cores shared and 4 unshared.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import moexbar as mx
from compiler.baselines import Unfit
from moexbar.__main__ import main
from moexbar.report.compiled import Report
from moexbar.report.executed import Executed
from moexbar.report.gains import MethodResult
from moexbar.report.methods import MethodRow, UnfitRow
from moexbar.report.plain import as_json
from moexbar.report.reading import read_report
from moexbar.report.schema import document_schema
from moexbar.report.times import without_times
from tests.paths import TINY

SHORT = (
    "mesh: needs 1 x 4 cores of 16 peripheral groups for 57 groups, 4 cores' worth of layers, "
    "has 1 x 3 on chip hermes-mux2 unshared"
)


def compile_on(height: int, out: Path, *words: str) -> int:
    """The exit code of compiling the tiny model for a mesh of 1 x `height` cores."""
    files = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "-o", str(out)]
    mesh = ["--set", "mesh.width=1", "--set", f"mesh.height={height}"]
    return main(["compile", *files, *mesh, "--prefill", "8", "--grouping", "lpt", *words])


def test_ours_is_compiled_where_the_unshared_chip_is_too_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_on(3, tmp_path / "out") == 0
    table, _, rest = capsys.readouterr().out.partition("paper's method")
    assert table.count("does not fit") == 3
    assert rest.split()[1].isdigit()  # the paper's method, on the shared chip, has its figures
    told = " ".join(rest.split())
    for name in ("unshared, serial", "unshared, paper's", "unshared, ours"):
        assert f"{name}: does not fit ({SHORT})" in told
    assert "checks passed executed: largest error" in told


def test_the_report_has_a_reason_in_place_of_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_on(3, tmp_path / "out", "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    serial, *others = found["methods"]
    assert serial == {
        "does_not_fit": {
            "resource": "mesh",
            "needs": 4,
            "has": 3,
            "unit": "rows of cores",
            "summary": SHORT,
        },
        "method": "unshared, serial",
        "chip": "hermes-mux2 unshared",
        "mux": 1,
        "grouping": "contiguous",
        "scheduling": "token-serial",
    }
    assert [row["does_not_fit"] for row in others[:2]] == [serial["does_not_fit"]] * 2
    assert all("does_not_fit" not in row and row["slots"] > 0 for row in others[2:])
    # nothing is known of what sharing gains where there is nothing unshared
    unknown = ("sharing", "over_paper_baseline", "break_even_slots", "break_even_programs")
    assert [found["gains"][name] for name in unknown] == [None] * 4
    assert found["gains"]["over_paper"] > 0
    assert not list(Draft202012Validator(document_schema("compile")).iter_errors(found))
    report = read_report(tmp_path / "out" / "report.json")
    assert as_json(report) == without_times(found)[0]
    kinds = [type(row) for row in report.methods]
    assert kinds == [UnfitRow] * 3 + [MethodRow] * 6


def test_a_schema_refuses_a_row_that_is_neither(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_on(3, tmp_path / "out", "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    del found["methods"][0]["does_not_fit"]["needs"]
    del found["methods"][1]["does_not_fit"]
    errors = Draft202012Validator(document_schema("compile")).iter_errors(found)
    wrong = {f"{error.json_path}: {error.message}" for error in errors}
    assert "$.methods[0].does_not_fit: 'needs' is a required property" in wrong
    assert "$.methods[1]: 'slots' is a required property" in wrong  # so it is a row of figures


def test_the_same_from_python() -> None:
    chip = mx.load_chip("hermes-mux2", {"mesh.width": 1, "mesh.height": 3})
    lpt = mx.GroupingOptions("lpt")
    inputs = TINY / "inputs.npz"
    done = mx.compile(TINY / "model.onnx", chip, inputs=inputs, prefill=8, grouping=lpt)
    serial, _, ordered, _, paper, *_ = done.baselines
    assert isinstance(serial, Unfit) and isinstance(ordered, Unfit)
    assert serial.error.shortage == SHORT
    assert isinstance(paper, MethodResult)
    assert done.compiled is done.ours.compiled
    report: Report = done.report
    assert isinstance(report.executed, Executed)


def test_where_ours_does_not_fit_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 2 cores: 33 groups at 16 to a core are more than 32
    assert compile_on(2, tmp_path / "out") == 5
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: mesh: needs 1 x 3 cores of 16 peripheral groups for 33 groups")
    assert "has 1 x 2 on chip hermes-mux2; set mesh.height to 3" in error
    assert not (tmp_path / "out").exists()


def test_where_all_fit_every_row_has_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compile_on(4, tmp_path / "out", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["slots"] > 0 for row in found["methods"]] == [True] * 9

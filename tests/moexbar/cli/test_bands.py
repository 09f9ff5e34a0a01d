"""`moexbar compile --bands`: tables, and the same as JSON."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from moexbar.__main__ import main
from moexbar.report.plain import as_json
from moexbar.report.reading import read_report
from moexbar.report.schema import document_schema
from moexbar.report.times import without_times
from tests.paths import TINY

WORDS = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "--prefill", "8"]
ASKED = ["compile", *WORDS, "--grouping", "lpt", "--no-verify", "--bands", "--draws", "2"]


def test_figures_and_what_moves_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "-o", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if "weights on crossbars" not in line) <= 100
    (share,) = (line for line in lines if line.startswith("break-even share %"))
    (area,) = (line for line in lines if line.startswith("area mm2"))
    assert share and area.endswith("digital.mha_um2")
    assert any("2 draws" in line for line in lines)
    (row,) = (line.split() for line in lines if line.startswith("mesh.pgs_per_core"))
    assert row[1:3] == ["4..64", "p"]


def test_the_same_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--json", "-o", str(tmp_path / "out")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not list(Draft202012Validator(document_schema("compile")).iter_errors(found))
    assert (found["bands"]["draws"], found["bands"]["seed"]) == (2, 0)
    written, _ = without_times(found)
    assert as_json(read_report(tmp_path / "out" / "report.json")) == written

"""`moexbar report`: the page of a folder, from what the folder holds alone."""

import json
import shutil
import sys
from pathlib import Path

import pytest

import moexbar as mx
from ir.errors import InputError
from moexbar.__main__ import main
from moexbar.files.folder import publish
from moexbar.page.write import page_of
from moexbar.report.designed import (
    DesignFigures,
    DesignReport,
    DesignRow,
    GroupSizeRow,
    PartRow,
    PriceRow,
)
from moexbar.report.plain import as_json
from tests.moexbar.page.watched import draw_all, opened
from tests.paths import TINY


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "out"))


def test_the_page_of_a_folder_is_the_one_that_compiling_writes(copy: Path, tmp_path: Path) -> None:
    """From memory and from the files, the same bytes; model and inputs are not needed."""
    written = (copy / "report.html").read_bytes()
    assert mx.write_report(copy, tmp_path / "page.html") == tmp_path / "page.html"
    assert (tmp_path / "page.html").read_bytes() == written
    assert mx.write_report(copy) == copy / "report.html"
    assert (copy / "report.html").read_bytes() == written


def test_the_page_needs_the_report_alone(copy: Path) -> None:
    whole = [section.key for section in page_of(copy).sections]
    for name in ("mapping.json", "program.parquet", "routing.npz"):
        (copy / name).unlink()
    fewer = [section.key for section in page_of(copy).sections]
    assert set(fewer) <= set(whole)
    assert {"what", "assumed", "headline", "checks", "proofs"} <= set(fewer)
    (copy / "report.json").unlink()
    with pytest.raises(InputError, match=r"report\.json"):
        page_of(copy)


def test_a_damaged_file_is_named(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "mapping.json").write_text('{"model": {"name": 3}}')
    assert main(["report", str(copy)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {copy}/mapping.json: SHA-256: ")
    assert main(["report", str(copy), "--unchecked"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {copy}/mapping.json: model.name: found 3, expected a text")


def test_the_command_says_what_it_wrote(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "report.html").unlink()
    assert main(["report", str(copy)]) == 0
    assert capsys.readouterr().out.endswith(f" MB in {copy}/report.html\n")


def test_a_folder_of_another_command_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with publish(tmp_path / "out", "example"):
        pass
    assert main(["report", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "holds an output of `moexbar example`, expected one of `moexbar compile`" in said


def test_the_extra_is_named_before_anything_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert main(["compile", "no.onnx", "--report", "-o", str(tmp_path / "out")]) == 2
    assert "vl-convert-python is not installed; pip install" in capsys.readouterr().err


def test_compiling_writes_it_where_it_is_asked_for(tmp_path: Path) -> None:
    words = "--chip hermes-mux2 --prefill 8 --no-baselines --no-verify --write report".split()
    given = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), *words]
    for more, files in ([], ["report.json"]), (["--report"], ["report.html", "report.json"]):
        assert main(["compile", *given, *more, "-o", str(tmp_path / "out")]) == 0
        names = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert names == ["manifest.json", *files, "times.json"]


def test_a_compilation_without_moe_layers_has_a_page(browser: object, copy: Path) -> None:
    """Nothing is fitted, no certificate is of groups, and what is left out leaves no empty part."""
    found = json.loads((copy / "report.json").read_text())
    found["layers"] = []
    (copy / "report.json").write_text(json.dumps(found))
    (copy / "routing.npz").unlink()
    path = mx.write_report(copy, copy.parent / "page.html", unchecked=True)
    with opened(browser, path) as (page, seen):
        assert page.locator("section h2").count() > 5
        assert seen.nothing, seen


def test_designs_have_a_page(browser: object, tmp_path: Path) -> None:
    """A table, time over area, and of each chip what was chosen, with its command to copy."""
    name = "<script>alert(1)</script>"
    figures = DesignFigures(1000.0, 1e6, 2_000_000, None)
    one = DesignRow(
        (GroupSizeRow(1, 4),),
        *(1, 4, None, None, 1, 8, 1, 2, 1, 1, 0, "time", 900, 0.1, "feasible", 1.0),
        *(figures, None, (PartRow(name, 5.0),), (PriceRow(name, 1, 2, -3.0, 4),), f"{name} -o x"),
    )
    with publish(tmp_path / "out", "design") as draft:
        found = json.dumps(as_json(DesignReport(name, (one, one))))
        (draft.folder / "design.json").write_text(found)
    path = mx.write_report(tmp_path / "out", tmp_path / "page.html")
    with opened(browser, path) as (page, seen):
        assert draw_all(page) == 1
        assert page.locator("#chips tbody tr").count() == 2
        assert page.locator("#command-2").inner_text() == f"{name} -o x"
        assert page.locator("text='<script>alert(1)</script>'").count() >= 5
        assert seen.nothing, seen

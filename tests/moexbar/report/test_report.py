"""report.json: every key, which is read elsewhere and must not change unseen; reading it back."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ir.errors import InputError
from moexbar.report.executed import Executed, Skipped
from moexbar.report.plain import as_json
from moexbar.report.reading import read_report

# What differs from run to run or from machine to machine; its type stands in the golden text.
MASKED = ("moexbar", "worst", "max_absolute", "max_relative")
MOST = 3  # entries of a list, or of the chip's fields, that are compared


def masked(value: Any, key: str = "") -> Any:
    """The value without what a clock or the machine says, and with its long parts cut."""
    if key in MASKED:
        return type(value).__name__
    if key == "summary":
        return value.split("error ")[0]
    if isinstance(value, dict):
        kept = list(value)[:MOST] if key == "fields" else list(value)
        return {name: masked(value[name], name) for name in kept}
    if isinstance(value, list):
        return [masked(entry) for entry in value[:MOST]]
    return value


def written(folder: Path) -> dict[str, Any]:
    """The report in an output folder."""
    found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def test_every_key(golden: Callable[[str, str], None], folder: Path) -> None:
    golden("report.json", json.dumps(masked(written(folder)), indent=1) + "\n")


def test_read_back(folder: Path) -> None:
    report = read_report(folder / "report.json")
    assert as_json(report) == written(folder)
    assert report.window.prefill + report.window.decode == report.window.tokens == 10
    assert isinstance(report.executed, Executed)
    assert report.layers[0].grouping.objective == "sum of window slots"


def test_a_skipped_execution_is_read_as_one(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(written(folder) | {"executed": {"skipped": "--no-verify"}}))
    assert read_report(path).executed == Skipped("--no-verify")


def test_a_report_without_a_number_is_of_an_earlier_version(folder: Path, tmp_path: Path) -> None:
    path, report = tmp_path / "report.json", written(folder)
    path.write_text(json.dumps({name: report[name] for name in report if name != "schema"}))
    assert read_report(path) == read_report(folder / "report.json")


def test_a_report_from_before_the_weights_writing_was_told(folder: Path, tmp_path: Path) -> None:
    path, report = tmp_path / "report.json", written(folder)
    assert report["programming"] is None  # of this chip nothing is published
    path.write_text(json.dumps({name: report[name] for name in report if name != "programming"}))
    assert read_report(path) == read_report(folder / "report.json")


def test_a_report_from_before_rounding_ties_were_counted(folder: Path, tmp_path: Path) -> None:
    path, report = tmp_path / "report.json", written(folder)
    assert report["executed"].pop("rounding_ties") == 0
    path.write_text(json.dumps(report))
    assert read_report(path) == read_report(folder / "report.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 3}, "schema: of form 3, expected 1 to 2; read it with the moexbar that wrote"),
        ({"schema": "2"}, "schema: of form '2', expected 1 to 2"),
        ({"window": {"tokens": 10}}, "window.prefill: missing; compile again"),
        ({"methods": [{"method": 1}]}, "methods[0].method: found 1, expected a text"),
        ({"executed": None}, "executed: found None, expected an object with norm or an object w"),
    ],
)
def test_a_report_that_is_not_as_written(
    folder: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(written(folder) | change))
    with pytest.raises(InputError, match=re.escape(f"{path}: {message}")):
        read_report(path)


@pytest.mark.parametrize("text", ["{", "[1]", "NaN", '{"schema": NaN}', "[" * 100_000])
def test_a_file_that_is_no_report(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*; (compile again|if you trust)"):
        read_report(path)

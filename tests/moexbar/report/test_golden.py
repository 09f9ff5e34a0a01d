"""report.json, key by key: what is read elsewhere must not change unseen."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moexbar.__main__ import main
from tests.paths import TINY

# What differs from run to run or from machine to machine; its type stands in the golden text.
MASKED = ("moexbar", "seconds", "compile_seconds", "worst", "max_absolute", "max_relative")
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


def test_report_of_a_small_compilation(
    golden: Callable[[str, str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "-o"]
    window = ["--prefill", "8", "--decode", "2", "--grouping", "lpt", "--no-baselines"]
    out = tmp_path / "out"
    assert main(["compile", *files, str(out), *window, "--json"]) == 0
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert json.loads(capsys.readouterr().out) == report
    golden("report.json", json.dumps(masked(report), indent=1) + "\n")

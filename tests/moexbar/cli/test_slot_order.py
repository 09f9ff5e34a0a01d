"""`moexbar compile --scheduling`: what was tried is told, and one asked for is taken."""

import json
from pathlib import Path
from typing import Any

import pytest

from moexbar.__main__ import main
from tests.paths import TINY

MODEL = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "--prefill", "8"]
WORDS = ["compile", *MODEL, "--no-baselines", "--no-verify"]


def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> dict[str, Any]:
    assert main([*WORDS, "-o", str(folder), "--json", *words]) == 0
    (row,) = json.loads(capsys.readouterr().out)["methods"]
    found: dict[str, Any] = row
    return found


def test_auto_tells_what_it_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the default; kept is the first unless another saves more than 1 % of its time."""
    row = run(capsys, tmp_path / "out", "--scheduling", "auto")
    times = {one["scheduling"]: one["time_ns"] for one in row["orders"]}
    assert list(times) == ["min-transfer", "arriving", "reschedule", "token-order"]
    assert 0.99 * times[row["scheduling"]] <= min(times.values())
    assert run(capsys, tmp_path / "default")["orders"] == row["orders"]


@pytest.mark.parametrize("policy", ["arriving", "reschedule", "min-transfer"])
def test_one_asked_for(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = run(capsys, tmp_path / "out", "--scheduling", policy)
    assert row["scheduling"] == policy
    assert not row["orders"]


def test_what_was_tried_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "-o", str(tmp_path / "out")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "slot order min-transfer: " in out
    assert "us; kept " in out


def test_limits_leave_out_the_papers_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = run(capsys, tmp_path / "out", "--bus", "2", "--buffer", "3")
    tried = [one["scheduling"] for one in row["orders"]]
    assert tried == ["min-transfer", "arriving", "token-order"]
    assert (row["bus"], row["buffer"]) == (2, 3)

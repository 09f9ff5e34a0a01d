"""Kills, races and lacking memory: a few of what `python -m benchmarks.kills` and others draw.

A sweep of two points is killed and gone on with, two writers race, ONNX Runtime's process dies.
"""

import os
import signal
import time
from pathlib import Path

import pytest

from benchmarks.kills import done, tables
from benchmarks.runs import SMALL, Run, digest, family, limited, strays, whole
from tests.paths import TINY

SWEEP = f"""
model = "{TINY / "model.onnx"}"
inputs = "{TINY / "inputs.npz"}"
prefill = 8
[vary]
"chip.bus.transfers_per_slot" = [2, 4]
"""
WORDS = ["compile", *SMALL, "--no-baselines", "--no-verify", "--write", "report,mapping"]


@pytest.mark.slow
def test_a_killed_sweep_goes_on(tmp_path: Path) -> None:
    """Killed when one of its two points is in the journal, and again at once."""
    (tmp_path / "sweep.toml").write_text(SWEEP)
    words = ["explore", "sweep.toml", "--processes", "1"]
    whole([*words, "-o", "base"], tmp_path)
    run = Run([*words, "-o", "out"], tmp_path)
    while done(tmp_path / "out") < 1:
        assert run.process.poll() is None
        time.sleep(0.01)
    run.send(signal.SIGKILL)
    assert run.end().orphans == ()
    assert done(tmp_path / "out") >= 1
    whole([*words, "-o", "out", "--resume"], tmp_path)
    assert tables(tmp_path / "out") == tables(tmp_path / "base")
    assert strays(tmp_path) == strays(tmp_path / "out") == []


@pytest.mark.slow
def test_two_writers_and_a_killed_one(tmp_path: Path) -> None:
    """The second ends with exit 3; what a third, killed one leaves is gone after the next."""
    first = Run([*WORDS, "-o", "out"], tmp_path)
    while not (tmp_path / ".out.lock").exists():
        assert first.process.poll() is None
        time.sleep(0.005)
    first.send(signal.SIGSTOP)  # a slow one
    second = Run([*WORDS, "-o", "out"], tmp_path).end()
    first.send(signal.SIGCONT)
    assert (first.end().code, second.code) == (0, 3)
    assert "another run writes this folder" in second.err
    before = digest(tmp_path / "out")
    third = Run([*WORDS, "-o", "out"], tmp_path)
    while not any("moexbar-" in name for name in strays(tmp_path)):
        assert third.process.poll() is None
        time.sleep(0.005)
    third.send(signal.SIGKILL)
    assert third.end().orphans == ()
    assert digest(tmp_path / "out") == before
    whole([*WORDS, "-o", "out"], tmp_path)
    assert strays(tmp_path) == []
    after = digest(tmp_path / "out")
    assert {n: after[n] for n in after if n != "times.json"} == {
        n: before[n] for n in before if n != "times.json"
    }


def test_a_child_killed_at_work_changes_nothing(tmp_path: Path) -> None:
    """Another one does its work."""
    words = ["model", str(TINY / "model.onnx"), "--json"]
    undisturbed, _ = whole(words, tmp_path)
    run = Run(words, tmp_path)
    child: list[int] = []
    while not child:
        assert run.process.poll() is None
        child = [pid for pid, words in family(run.mark) if "onnxdoor.processes.worker" in words]
    os.kill(child[0], signal.SIGKILL)
    ended = run.end()
    assert (ended.code, ended.out, ended.wrong()) == (0, undisturbed.out, [])


@pytest.mark.parametrize("room", [40, 4000])
def test_files_that_cannot_grow(room: int, tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for a full disk, which not everybody may mount."""
    words = ["profile", *SMALL[:3], "--tokens", "8", "-o", "routing.npz"]
    (tmp_path / "routing.npz").write_text("old")
    ended = Run(words, tmp_path, launch=limited("FSIZE", room)).end()
    assert ended.code == 2
    assert (tmp_path / "routing.npz").read_text() == "old"
    assert strays(tmp_path) == []
    if room > 1000:  # else there is no room for the words either
        assert ended.err.splitlines()[-1].endswith("cannot be written: File too large")

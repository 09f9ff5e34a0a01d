"""Ctrl-C during `compare -o`: at no moment does it cost an earlier result."""

import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from compiler.grouping import exact
from moexbar.__main__ import main
from tests.paths import ROOT

ROOMS = tuple(str(ROOT / room) for room in ("moexbar", "compiler", "ir"))
MOMENTS = 20


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of 6 experts, top-2, 8 sequences of 16 tokens."""
    random = np.random.default_rng(0)
    choices = np.argsort(random.gumbel(size=(2, 128, 6)), axis=2)[:, :, -2:]
    path = tmp_path_factory.mktemp("trace") / "routing.npz"
    np.savez(
        path, choices=choices.astype(np.int16), num_experts=6, sequence=np.repeat(np.arange(8), 16)
    )
    return path


def run(words: list[str], interrupt: int = 0) -> tuple[int, int]:
    """Exit code of a run, with Ctrl-C at the n-th call in our packages; and how many there were."""
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(ROOMS):
            calls += 1
            if calls == interrupt:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

    sys.setprofile(count)
    try:
        return main(words), calls
    except KeyboardInterrupt:  # before or after the application: Python's own end
        return 130, calls
    finally:
        sys.setprofile(None)


def words(trace: Path, out: Path, solvers: str = "sorted,lpt,local-search,cp-sat") -> list[str]:
    return [
        "compare",
        str(trace),
        "--window",
        "32",
        "--shuffles",
        "0",
        "--solvers",
        solvers,
        "--time",
        "1",
        "--processes",
        "1",
        "-o",
        str(out),
    ]


def answers(out: Path) -> list[tuple[int, str]]:
    """(layer, solver) of every row."""
    found = json.loads((out / "compare.json").read_text())
    return [
        (layer["layer"], row["solver"]) for layer in found["layers"] for row in layer["solvers"]
    ]


ALL = [(layer, name) for layer in (0, 1) for name in ("sorted", "lpt", "local-search", "cp-sat")]


def spread(trace: Path, folder: Path) -> list[int]:
    """Moments of a whole run, the first and the last call among them."""
    code, calls = run(words(trace, folder / "whole"))
    assert code == 0
    return [int(moment) for moment in np.linspace(1, calls, MOMENTS)]


def test_an_interrupt_at_any_moment_keeps_the_finished_result(trace: Path, tmp_path: Path) -> None:
    """Either the folder is as it was, or the new comparison had finished."""
    out = tmp_path / "out"
    assert main([*words(trace, out), "--seed", "7"]) == 0
    codes = []
    for moment in spread(trace, tmp_path):
        codes.append(run(words(trace, out), moment)[0])
        found = json.loads((out / "compare.json").read_text())
        assert answers(out) == ALL, moment
        assert not found["interrupted"], moment
        assert sorted(p.name for p in out.iterdir()) == [
            "compare.json",
            "layer-0.svg",
            "layer-1.svg",
            "manifest.json",
        ]
        if found["seed"] == 0:  # the new one is there: what follows is to be kept again
            assert main([*words(trace, out), "--seed", "7"]) == 0
    assert codes.count(130) >= MOMENTS - 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "whole"]


def test_an_interrupt_without_an_earlier_result_leaves_answers_or_nothing(
    trace: Path, tmp_path: Path
) -> None:
    partial = 0
    for moment in spread(trace, tmp_path):
        out = tmp_path / f"out{moment}"
        run(words(trace, out), moment)
        if out.exists():
            assert answers(out) == ALL[: len(answers(out))]
            assert len(answers(out)) > 0
            partial += json.loads((out / "compare.json").read_text())["interrupted"]
    assert partial > 0
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_an_interrupted_result_keeps_an_interrupted_one(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be of another trace or of other limits; what is printed has the new one."""
    out, moments = tmp_path / "out", spread(trace, tmp_path)
    for moment in moments[10:]:
        run(words(trace, out), moment)
        if out.exists():
            break
    before = (out / "compare.json").read_bytes()
    assert json.loads(before)["interrupted"]
    capsys.readouterr()
    assert run(words(trace, out), moment)[0] == 130
    shown = capsys.readouterr()
    assert f"answers; {out} is left as it was" in shown.err.replace("\n", "")
    assert "sorted" in shown.out
    assert (out / "compare.json").read_bytes() == before
    assert main(words(trace, out)) == 0  # a finished one replaces it
    assert answers(out) == ALL


def test_an_interrupt_while_the_processes_start(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second job is never handed over; the first is stopped or done, not waited for."""
    submit: Any = ProcessPoolExecutor.submit
    jobs: list[object] = []

    def interrupted(self: ProcessPoolExecutor, *job: object) -> object:
        jobs.append(job)
        if len(jobs) == 2:
            signal.raise_signal(signal.SIGINT)
        return submit(self, *job)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", interrupted)
    monkeypatch.setattr(exact, "MOST_PLACES", 0)  # or cp-sat needs no process
    assert main([*words(trace, tmp_path / "out"), "--processes", "2"]) == 130
    assert re.search("best so far, [01] of 8 answers", capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.parametrize("answered", [0, 4])
def test_two_processes_and_a_real_signal(answered: int, tmp_path: Path) -> None:
    """After so many answers: four are quick, those of cp-sat need far more than the time given."""
    random = np.random.default_rng(0)
    heat = np.repeat(random.gumbel(size=(2, 40, 32)), 16, axis=1)
    choices = np.argsort(random.gumbel(size=(2, 640, 32)) + 2 * heat, axis=2)[:, :, -3:]
    np.savez(tmp_path / "r.npz", choices=choices.astype(np.int16), num_experts=32)
    out = tmp_path / "out"
    common = [str(tmp_path / "r.npz"), "--window", "64", "--shuffles", "0", "-o", str(out)]
    assert main(["compare", *common, "--solvers", "sorted,lpt", "--processes", "1"]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    program = (
        "import sys; from importlib import import_module; from moexbar.__main__ import main\n"
        "room = import_module('compiler.grouping.parallel')\n"
        "solve = room.solve_jobs\n"
        "def tell(*_): print('answer', file=sys.stderr, flush=True)\n"
        "def solve_jobs(jobs, processes, _): tell(); return solve(jobs, processes, tell)\n"
        "room.solve_jobs = solve_jobs\n"
        "if __name__ == '__main__': sys.exit(main(['compare', *sys.argv[1:]]))\n"
    )
    (tmp_path / "told.py").write_text(program)
    more = ["--solvers", "sorted,lpt,cp-sat", "--time", "100", "--processes", "2"]
    child = subprocess.Popen(
        [sys.executable, tmp_path / "told.py", *common, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    for _ in range(1 + answered):
        assert child.stderr.readline() == "answer\n"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "r.npz", "told.py"]

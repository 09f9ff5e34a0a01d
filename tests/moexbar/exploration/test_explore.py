"""A sweep as a whole: its table, points that fail or kill, interruptions and resuming."""

import csv
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ir.errors import InputError, RuntimeLostError
from moexbar.__main__ import main
from moexbar.exploration import prepare
from moexbar.exploration.crew import DIED
from moexbar.exploration.figures import FIGURES, Told
from moexbar.exploration.task import explore
from moexbar.exploration.work import outcome_of
from moexbar.report.reading import read_report
from tests.moexbar.exploration.inline import FIXED, inline, rows_of, sweep_file
from tests.paths import ROOT

GRID = '[vary]\n"chip.pg.mux" = [1, 2]\n"chip.bus.bit_fj" = [50, 60, "much"]'
TABLES = ("results.parquet", "results.csv")


def tables(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in TABLES]


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two mux times three energies, of which one is no number: done in this process."""
    folder = tmp_path_factory.mktemp("grid")
    with pytest.MonkeyPatch.context() as patch:
        inline(patch)
        explore(sweep_file(folder, GRID), folder / "out")
    return folder


def test_a_point_is_a_row(grid: Path) -> None:
    with (grid / "out/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["point"] for row in rows] == list("123456")
    assert [row["chip.pg.mux"] for row in rows] == list("111222")
    assert [row["status"] for row in rows] == ["done", "done", "failed"] * 2
    assert "--set bus.bit_fj=much" in rows[2]["reason"]
    assert "expected" in rows[2]["reason"]
    assert rows[2]["time_us"] == ""
    # energy per bit changes no time, and the time is of the same program
    assert rows[0]["time_us"] == rows[1]["time_us"] != rows[3]["time_us"]
    assert float(rows[0]["energy_uj"]) < float(rows[1]["energy_uj"])
    # nothing of the clock stands in the table
    assert not {"seconds", "compile_seconds", "cpu_s"} & rows[0].keys()
    assert (grid / "out/timings.csv").read_text().splitlines()[0] == "point,seconds,cpu_s,attempts"


def test_groups_are_found_once(grid: Path) -> None:
    with sqlite3.connect(grid / "out/journal.sqlite") as base:
        (groups,) = base.execute("SELECT count(*) FROM groups").fetchone()
    assert groups == 2 * 2  # MoE layers times mux, whatever bits cost


@pytest.mark.slow
def test_a_point_alone_has_the_same_figures(grid: Path, tmp_path: Path) -> None:
    """By the command in its row, in the folder of the sweep."""
    with (grid / "out/results.csv").open() as file:
        row = list(csv.DictReader(file))[4]
    words = shlex.split(row["command"])
    assert words[:2] == ["moexbar", "compile"]
    assert words[-2:] == ["-o", "point-5"]
    words[-1] = str(tmp_path / "alone")
    here = Path.cwd()
    os.chdir(grid)
    try:
        assert main(words[1:]) == 0
    finally:
        os.chdir(here)
    report = read_report(tmp_path / "alone/report.json")
    for figure in FIGURES:
        if figure.name != "pgs":  # which the report does not have
            alone = figure.of(Told(report, None))  # type: ignore[arg-type]
            assert row[figure.name] == ("" if alone is None else str(alone)), figure.name


def test_figures_by_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline(monkeypatch)
    text = 'figures = ["steps.prefill_ns", "layers.1.schedule.slots"]\n[vary]\nseed = [0]'
    (row,) = rows_of(explore(sweep_file(tmp_path, text), tmp_path / "out"))
    assert row["steps.prefill_ns"] == 1000 * row["prefill_us"]
    assert 0 < row["layers.1.schedule.slots"] < row["slots"]


def test_a_path_that_leads_nowhere_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline(monkeypatch)
    text = 'figures = ["steps.prefil_ns"]\n[vary]\nseed = [0]'
    (row,) = rows_of(explore(sweep_file(tmp_path, text), tmp_path / "out"))
    assert row["reason"] == "figures: steps.prefil_ns: report.json has no 'prefil_ns' there"


def test_gains_are_columns_where_other_methods_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline(monkeypatch)
    text = '[vary]\nbaselines = ["paper"]'
    (row,) = rows_of(explore(sweep_file(tmp_path, text), tmp_path / "out"))
    assert row["gain_over_paper"] > 0
    assert row["gain_sharing"] is None  # its method is not among the paper's


def test_a_point_that_does_not_fit_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline(monkeypatch)
    text = '[[points]]\n"chip.mesh.width" = 1\n"chip.mesh.height" = 1\n[[points]]\nprefill = 1000'
    done = explore(
        sweep_file(tmp_path, text, FIXED.replace('"prefill" = 16\n', "")), tmp_path / "o"
    )
    small, long = rows_of(done)
    assert (small["status"], small["prefill"]) == ("failed", None)
    assert "needs" in small["reason"]
    assert "sequences of" in long["reason"]
    assert done.report.failed == 2


def killers(*numbers: int) -> Callable[[Callable[..., Any], tuple[Any, ...]], bool]:
    """Processes die of the figures of points with so many bits per femtojoule."""
    costs = [50, 60]

    def dies(call: Callable[..., Any], words: tuple[Any, ...]) -> bool:
        return call is outcome_of and words[0].chip.bus.bit_fj in [costs[n - 1] for n in numbers]

    return dies


def test_a_point_that_kills_twice_is_a_row(
    grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inline(monkeypatch, killers(2))
    rows = rows_of(explore(sweep_file(tmp_path, GRID), tmp_path / "out"))
    assert [row["reason"] for row in rows if row["status"] == "failed"][::2] == [DIED, DIED]
    timings = (tmp_path / "out/timings.csv").read_text().splitlines()
    assert [line.split(",")[-1] for line in timings[1:]] == ["1", "2", "1"] * 2


def test_a_process_that_dies_once_changes_nothing(
    grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [3]

    def dies(call: Callable[..., Any], words: tuple[Any, ...]) -> bool:
        left[0] -= call is outcome_of
        return call is outcome_of and left[0] == 0

    inline(monkeypatch, dies)
    sweep_file(tmp_path, GRID)
    explore(sweep_file(tmp_path, GRID), tmp_path / "out")
    assert tables(tmp_path / "out") == tables(grid / "out")


@pytest.mark.parametrize(("after", "known"), [(0, 2), (3, 4)])  # two fail before they begin
def test_an_interrupted_sweep_goes_on(
    after: int, known: int, grid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before a result of some number: what was done is kept, and the table is the same."""
    count = [0]

    def stop(*words: Any) -> bool:
        count[0] += words[0] is outcome_of
        if count[0] > after:
            raise KeyboardInterrupt
        return False

    inline(monkeypatch, stop)
    path, out = sweep_file(tmp_path, GRID), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        explore(path, out, processes=1)  # two calls at a time
    inline(monkeypatch)
    with pytest.raises(InputError, match="unfinished sweep; go on with it: --resume"):
        explore(path, out)
    done = explore(path, out, resume=True)
    assert tables(out) == tables(grid / "out")
    assert done.report.resumed == known
    again = explore(path, out, resume=True)  # which finds all done
    assert again.report.resumed == 6
    assert tables(out) == tables(grid / "out")


def test_a_runtime_that_dies_is_no_failed_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing of the point: the run ends, and goes on when it is asked to."""
    inline(monkeypatch)
    path, out = sweep_file(tmp_path, "[vary]\nseed = [0]"), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(RuntimeLostError, match="process died"):

        def lost(*_: Any, **__: Any) -> None:
            raise RuntimeLostError("ONNX Runtime", "its process died", "try again")

        patch.setattr(prepare, "read_case", lost)
        explore(path, out)
    assert explore(path, out, resume=True).report.done == 1


def test_another_sweep_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline(monkeypatch)
    out, text = tmp_path / "out", "[vary]\nseed = [0]"
    explore(sweep_file(tmp_path, text), out)
    other = sweep_file(tmp_path, text, FIXED.replace('"prefill" = 16', '"prefill" = 17'))
    with pytest.raises(InputError, match="changed since: fixed prefill; put it back"):
        explore(other, out, resume=True)


@pytest.mark.parametrize(
    ("holds", "told"),
    [
        ("a finished sweep", "holds a finished sweep; go on with it: --resume"),
        ("a file", "without manifest.json, so not an earlier output"),
    ],
)
def test_a_folder_with_anything_in_it_is_left(
    holds: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep took long; --resume goes on with one that was finished too."""
    inline(monkeypatch)
    path, out = sweep_file(tmp_path, "[vary]\nseed = [0]"), tmp_path / "out"
    if holds == "a file":
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    else:
        explore(path, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with pytest.raises(InputError, match=told):
        explore(path, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_there_must_be_something_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sweep to go on with; leave out --resume"):
        explore(sweep_file(tmp_path, GRID), tmp_path / "out", resume=True)


def test_a_search_asks_for_the_same_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '[search]\ntrials = 5\nbatch = 2\nobjectives = ["time_us", "area_mm2"]\n'
        '"chip.pg.mux" = [1, 2]\n"chip.mvm.read_ns" = {low = 50, high = 200}'
    )
    text = text.replace("{low", "{ low").replace("200}", "200 }")
    inline(monkeypatch)
    whole = explore(sweep_file(tmp_path, text), tmp_path / "whole")
    assert whole.report.points == 5
    count = [0]

    def stop(*words: Any) -> bool:
        count[0] += words[0] is outcome_of
        if count[0] > 3:
            raise KeyboardInterrupt
        return False

    inline(monkeypatch, stop)
    with pytest.raises(KeyboardInterrupt):
        explore(sweep_file(tmp_path, text), tmp_path / "parts", processes=1)
    inline(monkeypatch)
    done = explore(sweep_file(tmp_path, text), tmp_path / "parts", resume=True)
    assert 2 <= done.report.resumed <= 3
    assert tables(tmp_path / "parts") == tables(tmp_path / "whole")


def command(path: Path, out: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "moexbar", "explore", str(path), "-o", str(out), *words]


@pytest.mark.slow
def test_kills_at_any_moment_lose_nothing(grid: Path, tmp_path: Path) -> None:
    """Real processes: of a worker once, of the whole run twice; then it goes on to the same."""
    path, out = sweep_file(tmp_path, GRID), tmp_path / "out"
    for points in (0, 1):  # that are in the journal
        words = command(path, out, "--processes", "2", *(["--resume"] if out.exists() else []))
        with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL) as begun:
            while _kept(out) < points:
                assert begun.poll() is None
                time.sleep(0.02)
            begun.send_signal(signal.SIGKILL)
    words = command(path, out, "--resume", "--processes", "2")
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as last:
        workers = _workers_of(last.pid)
        os.kill(workers[0], signal.SIGKILL)
        told = last.communicate(timeout=300)[0]
    assert last.returncode == 0
    assert "6 points: 4 done" in told
    assert tables(out) == tables(grid / "out")


def _kept(out: Path) -> int:
    """Points in a journal; -1 where there is none yet."""
    path = out / "journal.sqlite"
    if not path.exists():
        return -1
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
            return int(base.execute("SELECT count(*) FROM points").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are not there yet
        return -1


def _workers_of(pid: int) -> list[int]:
    """The processes that a run has started to work, as soon as there are two."""
    for _ in range(1800):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = {int(n): Path(f"/proc/{n}/cmdline").read_bytes() for n in children}
        spawned = [number for number, words in lines.items() if b"spawn_main" in words]
        if len(spawned) > 1:
            return spawned
        time.sleep(0.05)
    raise AssertionError("no workers within 90 s")


@pytest.mark.slow
def test_a_run_that_is_ended_leaves_no_process(tmp_path: Path) -> None:
    path, out = sweep_file(tmp_path, GRID), tmp_path / "out"
    words = command(path, out, "--processes", "2")
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as begun:
        workers = _workers_of(begun.pid)
        sent = time.monotonic()
        begun.send_signal(signal.SIGTERM)
        told = begun.communicate(timeout=60)[1]
    assert begun.returncode == 143
    assert time.monotonic() - sent < 5
    assert "--resume goes on" in told
    time.sleep(0.2)
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]

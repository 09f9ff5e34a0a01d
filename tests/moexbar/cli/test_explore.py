"""`moexbar explore` and `moexbar pareto` as commands: what they print, and their exit codes."""

import json
from pathlib import Path

import pytest

import moexbar as mx
from ir.errors import InputError
from moexbar.__main__ import main
from moexbar.exploration.task import explore
from tests.moexbar.exploration.inline import inline, sweep_file

TEXT = '[vary]\n"chip.pg.mux" = [1, 2, 4]\n"chip.mvm.read_ns" = [60, 130, "long"]'


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three mux times three read times, of which one is none."""
    folder = tmp_path_factory.mktemp("points")
    with pytest.MonkeyPatch.context() as patch:
        inline(patch)
        explore(sweep_file(folder, TEXT), folder / "out")
    return folder / "out"


def test_a_sweep_says_what_it_did(
    points: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inline(monkeypatch)
    path = sweep_file(tmp_path, '[vary]\nseed = [0, 1]\nbatch = [1, "two"]')
    assert main(["explore", str(path), "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "4 points: 2 done, 2 failed; 4 different groupings of layers" in told.out
    assert "2 failed, point 2 first: compile: Invalid value for '--batch'" in told.out
    assert f"written to {tmp_path / 'out'}" in told.out.replace("\n", "")
    assert "points: 2 of 2 done, 0 s left" in told.err or "points: 1 of 2 done" in told.err


def test_where_all_fail_the_exit_code_is_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inline(monkeypatch)
    path = sweep_file(tmp_path, '[vary]\nbatch = ["one", "two"]')
    assert main(["explore", str(path), "-o", str(tmp_path / "out"), "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["points"], told["failed"], told["reasons"][0]["first"]) == (2, 2, 1)


def test_an_interruption_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*words: object) -> bool:
        raise KeyboardInterrupt

    inline(monkeypatch, stop)
    path = sweep_file(tmp_path, TEXT)
    assert main(["explore", str(path), "-o", str(tmp_path / "out")]) == 130
    told = capsys.readouterr().err
    assert "what is done is kept: moexbar explore" in told
    assert "--resume goes on" in told
    assert "error: interrupted" in told


def test_the_front_of_time_and_area(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pareto", str(points)]) == 0
    told = capsys.readouterr().out
    assert "9 points" not in told
    assert "6 points with figures, 6, " in told
    found = mx.pareto(points)
    numbers = [row.point for row in found.rows]
    times = [row.figures["time_us"] for row in found.rows]
    assert times == sorted(times)  # type: ignore[type-var]
    assert {3, 6, 9} & set(numbers) == set()  # these have failed
    for row in found.rows:
        assert f"\n{row.point} " in told
        assert row.command.endswith(f"-o point-{row.point}")


def test_the_best_under_a_limit(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The best mux under so many square millimetres is one command."""
    every = mx.pareto(points, best="time_us")
    assert (every.front, every.of) == (6, ())
    areas = sorted(float(row.figures.get("area_mm2", 0) or 0) for row in mx.pareto(points).rows)
    limit = areas[0] + 1
    words = ["--best", "time_us", "--where", f"area_mm2<={limit}", "--top", "1", "--json"]
    assert main(["pareto", str(points), *words]) == 0
    told = json.loads(capsys.readouterr().out)
    (row,) = told["rows"]
    assert row["figures"]["area_mm2"] <= limit
    assert row["settings"].keys() == {"chip.pg.mux", "chip.mvm.read_ns"}
    assert told["kept"] < told["done"] == 6


def test_more_may_be_better(points: Path) -> None:
    (fastest,) = mx.pareto(points, ["tokens_per_s"]).rows
    assert fastest.point == mx.pareto(points, ["time_us"]).rows[0].point
    slowest = mx.pareto(points, ["-time_us"]).rows[-1]
    assert slowest.point == mx.pareto(points, best="time_us").rows[-1].point
    assert mx.pareto(points, ["+tokens_per_s"]).rows[0].point == slowest.point


def test_conditions_may_be_several_and_on_settings(points: Path) -> None:
    found = mx.pareto(points, best="area_mm2", where=["chip.pg.mux>1", "chip.mvm.read_ns==130"])
    assert [row.settings["chip.pg.mux"] for row in found.rows] == [4, 2]
    assert mx.pareto(points, where=["chip.pg.mux>9"]).rows == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--of", "tim_us"], "tim_us: no column of the results; did you mean time_us?"),
        (["--best", "chip.mvm.read_ns"], "chip.mvm.read_ns: texts, expected a column of numbers"),
        (["--where", "area_mm2"], "where: area_mm2, expected COLUMN and one of <="),
        (["--where", "area_mm2<=big"], "where: area_mm2<=big: big, expected a number after <="),
        (["--where", "__import__('os')<1"], "no column of the results"),
    ],
)
def test_mistakes_are_named(
    words: list[str], said: str, points: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pareto", str(points), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no manifest\.json of ours"):
        mx.pareto(tmp_path)
    with pytest.raises(InputError, match=r"results\.parquet: cannot be read"):
        mx.pareto(tmp_path, unchecked=True)
    (tmp_path / "results.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        mx.pareto(tmp_path, unchecked=True)


def test_a_text_is_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline(monkeypatch)
    path = sweep_file(tmp_path, '[vary]\ndigital_experts = ["=1+1", "-2", "@a"]')
    explore(path, tmp_path / "out")
    lines = (tmp_path / "out/results.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ["'=1+1", "'-2", "'@a"]

"""`moexbar plot`: one figure of a folder as a file for a paper."""

import json
import shutil
from pathlib import Path

import pytest

import moexbar as mx
from ir.errors import InputError
from moexbar.__main__ import main
from moexbar.figures.kinds import KINDS
from moexbar.files.folder import publish
from tests.paths import TINY


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "out"))


def test_kinds_are_listed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plot", str(copy)]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines()[1:]] == [*KINDS]


def test_a_figure_in_every_form(copy: Path, tmp_path: Path) -> None:
    begins = {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG", "json": b'{"$schema"'}
    for form, start in begins.items():
        assert mx.plot(copy, "energy", tmp_path / f"e.{form}") == (tmp_path / f"e.{form}",)
        assert (tmp_path / f"e.{form}").read_bytes().startswith(start)
    light, dark = tmp_path / "e.svg", tmp_path / "dark.svg"
    mx.plot(copy, "energy", dark, theme="dark")
    assert light.read_text() != dark.read_text()


def test_of_several_pictures_each_has_its_number(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the co-activation of two layers; in the folder, which stays ours."""
    assert main(["plot", str(copy), "coactivation", "-o", str(copy / "c.svg")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [f"coactivation in {copy}/c-{number}.svg" for number in (1, 2)]
    with publish(copy, "compile") as draft:
        assert draft.replaces


def test_a_stretch_of_the_timeline(copy: Path, tmp_path: Path) -> None:
    """All slices that are drawn run within the stretch, on units of the layer."""
    program = mx.read_program(copy / "program.parquet")
    file, end = tmp_path / "w.json", program.makespan_ps / 2000
    mx.plot(copy, "timeline-window", file, from_ns=100, to_ns=end, layer=1)
    spec = json.loads(file.read_text())
    lines = spec["data"]["values"].splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    assert rows
    assert {row["l"] for row in rows} == {"1"}
    assert all(float(row["s"]) < end for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["enrgy", "-o", "e.svg"], "no kind of picture 'enrgy', expected one of time, "),
        (["enrgy", "-o", "e.svg"], "did you mean energy?"),
        (["energy", "-o", "e.gif"], "e.gif: ends in '.gif', expected one of .svg"),
        (["energy"], "-o: no file given; such as -o energy.svg"),
        (["bands", "-o", "e.svg"], "bands: nothing to draw: which assumed numbers"),
        (["energy", "--layer", "1", "-o", "e.svg"], "--layer: means nothing to energy, expected"),
        (
            ["time", "--of", "a,b", "-o", "e.svg"],
            "--of: means nothing to time, expected with pareto or effects or parallel",
        ),
        (["time", "--of", "a", "-o", "e.svg"], "--of: 'a', expected two figures such as"),
    ],
)
def test_mistakes(
    words: list[str], said: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plot", str(copy), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    with publish(tmp_path / "out", "design"):
        pass
    with pytest.raises(InputError, match="holds an output of `moexbar design`, expected one of"):
        mx.plot(tmp_path / "out", "time", tmp_path / "t.svg")


def test_pictures_of_values_are_those_of_their_folders(tmp_path: Path) -> None:
    done = mx.compile(
        TINY / "model.onnx", inputs=TINY / "inputs.npz", prefill=8, baselines="none", execute=False
    )
    done.save(tmp_path / "out", ("report", "program", "mapping", "routing"))
    for kind in KINDS:
        try:
            found = mx.pictures(done, kind)
        except InputError as error:
            assert "nothing to draw" in str(error) and str(error).startswith(f"Compilation: {kind}")
        else:
            assert found == mx.pictures(tmp_path / "out", kind)
    compared = mx.compare(done.routing, "hermes-mux2", ["sorted", "lpt"], window=64)
    assert [figure.kind for figure in mx.pictures(compared, "objective")] == ["objective"] * 2
    with pytest.raises(InputError, match="Compilation: no kind of picture 'times'"):
        mx.pictures(done, "times")
    with pytest.raises(InputError, match="expected a Compilation, a CompareReport, or an output"):
        mx.pictures(3, "time")  # type: ignore[arg-type]

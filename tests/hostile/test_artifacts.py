"""Our own artifacts, damaged: each is refused in one line that names file and field.

Digests are not compared here but where that is said, so the reading itself has to find it.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.artifact_seeds import Seeds
from moexbar.__main__ import main
from tests.hostile.damage import Bad, arrays, content, cut, statement
from tests.hostile.documents import MANIFEST, MAPPING, OF_ALL, REPORT, SEALED
from tests.hostile.programs import COLUMNS, FILES, TABLES
from tests.hostile.sweeps import JOURNAL, RESULTS

Capture = pytest.CaptureFixture[str]

ROUTING: dict[str, Bad] = {
    "half": Bad("routing.npz: ", cut(0.5)),
    "nothing": Bad("not a zip archive", content(b"")),
    "a newer form": Bad("form: of form 9, expected 1; read it with", arrays(form=9)),
    "no choices": Bad("neither choices nor scores", arrays(choices=None)),
    "no experts": Bad("num_experts: missing", arrays(num_experts=None)),
    "other experts": Bad("layer 0: 9 experts, but the model", arrays(num_experts=[9, 9])),
    "layers of others": Bad("no layer|layer", arrays(layer=[7, 9])),
    "a sequence of text": Bad("sequence: element type", arrays(sequence=["a", "b"])),
    "few sequences": Bad("sequence: shape", arrays(sequence=[0, 0, 1])),
}


def refused(folder: Path, name: str, bad: Bad, words: list[str], capsys: Capture) -> None:
    """One line on standard error, which names file and field; no file made or changed."""
    path = folder / name
    path.write_bytes(bad.damage(path.read_bytes()))
    before = {one: one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}
    capsys.readouterr()
    code = main([*words[:1], str(folder), *words[1:]])
    said = capsys.readouterr()
    assert (code, said.out) == (bad.code, ""), said
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    assert line.isprintable()
    assert re.search(bad.says, line), line
    where = name, str(folder), "inputs.npz", "chip hermes-mux2"  # or what is found by it
    assert code != 2 or any(one in line for one in where), line
    assert {one: one.read_bytes() for one in before} == before
    assert sorted(one for one in folder.rglob("*") if one.is_file()) == list(before)


@pytest.fixture
def compiled(artifacts: Seeds, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifacts.compiled, tmp_path / "compiled"))


@pytest.fixture
def explored(artifacts: Seeds, tmp_path: Path) -> Iterator[Path]:
    yield Path(shutil.copytree(artifacts.explored, tmp_path / "explored"))


CASES = {
    f"{name} {kind}": (f"{name}", bad)
    for name, tables in {
        "program.parquet": COLUMNS | TABLES | FILES,
        "mapping.json": OF_ALL | MAPPING,
        "report.json": OF_ALL | REPORT,
        "manifest.json": OF_ALL | MANIFEST,
        "routing.npz": ROUTING,
    }.items()
    for kind, bad in tables.items()
}


def test_there_are_many() -> None:
    assert len(CASES) + len(RESULTS) + len(JOURNAL) + len(SEALED) > 150


@pytest.mark.parametrize(("name", "bad"), CASES.values(), ids=CASES)
def test_a_compilation(name: str, bad: Bad, compiled: Path, capsys: Capture) -> None:
    refused(compiled, name, bad, ["verify", "--unchecked"], capsys)


SIMULATED = {name: bad for name, bad in (COLUMNS | TABLES | FILES).items() if bad.code == 2}


@pytest.mark.parametrize("bad", list(SIMULATED.values())[::4], ids=list(SIMULATED)[::4])
def test_a_program_is_not_simulated(bad: Bad, compiled: Path, capsys: Capture) -> None:
    refused(compiled, "program.parquet", bad, ["simulate", "--unchecked"], capsys)


@pytest.mark.parametrize("name", ["program.parquet", "report.json"])
@pytest.mark.parametrize("command", ["simulate", "inspect", "verify", "accuracy", "report"])
def test_a_changed_byte_is_found(name: str, command: str, compiled: Path, capsys: Capture) -> None:
    bad = Bad(rf"{name}: SHA-256: .*, expected .* as in manifest.json; it was", lambda d: d + b" ")
    if command == "inspect" and name == "report.json":
        pytest.skip("it does not read the report")
    refused(compiled, name, bad, [command], capsys)


@pytest.mark.parametrize("bad", SEALED.values(), ids=SEALED)
def test_a_changed_manifest_is_found(bad: Bad, compiled: Path, capsys: Capture) -> None:
    refused(compiled, "manifest.json", bad, ["simulate"], capsys)


def test_a_folder_without_a_manifest(compiled: Path, capsys: Capture) -> None:
    """Its program can be simulated by who says so; verifying needs to know the model."""
    (compiled / "manifest.json").unlink()
    assert main(["simulate", str(compiled)]) == 2
    assert "has no manifest.json of ours" in capsys.readouterr().err
    assert main(["simulate", str(compiled), "--unchecked"]) == 0
    assert main(["verify", str(compiled), "--unchecked"]) == 2


@pytest.mark.parametrize("bad", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("command", ["pareto", "report"])
def test_results_of_a_sweep(command: str, bad: Bad, explored: Path, capsys: Capture) -> None:
    refused(explored, "results.parquet", bad, [command, "--unchecked"], capsys)


@pytest.mark.parametrize("bad", JOURNAL.values(), ids=JOURNAL)
def test_a_journal(bad: Bad, artifacts: Seeds, explored: Path, capsys: Capture) -> None:
    """Of an unfinished sweep, whose manifest lists nothing."""
    from moexbar.exploration.folder import begin

    begin(explored)
    path = explored / "journal.sqlite"
    path.write_bytes(bad.damage(path.read_bytes()))
    before = {one: one.read_bytes() for one in explored.iterdir()}
    sweep = str(artifacts.files["sweep.toml"])
    assert main(["explore", sweep, "-o", str(explored), "--resume", "--processes", "1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: ")
    assert re.search(bad.says, line), line
    assert line.isprintable()
    assert {one: one.read_bytes() for one in explored.iterdir()} == before


def test_a_changed_journal_of_a_finished_sweep(
    artifacts: Seeds, explored: Path, capsys: Capture
) -> None:
    path = explored / "journal.sqlite"
    path.write_bytes(statement("DELETE FROM points WHERE number = 1")(path.read_bytes()))
    sweep = str(artifacts.files["sweep.toml"])
    assert main(["explore", sweep, "-o", str(explored), "--resume"]) == 2
    assert f"error: {path}: SHA-256: not as in times.json" in capsys.readouterr().err


def test_a_comparison(artifacts: Seeds, tmp_path: Path, capsys: Capture) -> None:
    folder = Path(shutil.copytree(artifacts.compared, tmp_path / "compared"))
    bad = Bad("compare.json: layers: ", content(b'{"schema": 2, "moexbar": "1", "layers": 3}'))
    bad = Bad("compare.json: ", bad.damage)
    refused(folder, "compare.json", bad, ["report", "--unchecked"], capsys)

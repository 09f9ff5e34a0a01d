"""The comparison of two checkouts' outputs finds what changed, and leaves out what it shall."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.same_results.cases import Case
from benchmarks.same_results.compare import Comparison, compare_folders
from benchmarks.same_results.rules import Rules
from benchmarks.same_results.run import checkout_digest, run_case, run_kept

REPORT: dict[str, Any] = {
    "time_ns": 165904.25,
    "methods": [{"compile_seconds": 1.5}],
    "layers": [{"layer": 1, "value": 85, "seconds": 0.1}, {"layer": 3, "value": 77}],
}
TABLES = {"units": [{"name": "dpu.0", "kind": "dpu"}], "lockstep": []}
COLUMNS = {
    "id": pa.array([0, 1, 2], pa.int32()),
    "opcode": pa.array(["EMBED", "LOAD", "MVM"]).dictionary_encode(),
    "start_ps": pa.array([0, 4000, 9000], pa.int64()),
    "reads": pa.array([[], [0], [0, 1]], pa.list_(pa.int32())),
}
TEXT = "mean 0.5\nwritten to out\nall checks passed\n"


def written(folder: Path, **changes: Any) -> Path:
    """An output folder: report, program, routing and a text, with parts of them replaced."""
    out = folder / "out"
    out.mkdir(parents=True)
    (out / "report.json").write_text(json.dumps(changes.get("report", REPORT)))
    metadata = {b"moexbar": json.dumps(changes.get("tables", TABLES)).encode()}
    table = pa.table(COLUMNS | changes.get("columns", {})).replace_schema_metadata(metadata)
    pq.write_table(table, out / "program.parquet")
    scores = changes.get("scores", np.array([[0.5, np.nan]], np.float32))
    np.savez(out / "routing.npz", scores=scores)
    (out / "compile.txt").write_text(changes.get("text", TEXT))
    (out / "manifest.json").write_text(str(folder))  # not read
    return folder


def compared(tmp_path: Path, rules: Rules | None = None, **changes: Any) -> Comparison:
    """The folder with `changes` against the one without."""
    old, new = written(tmp_path / "old"), written(tmp_path / "new", **changes)
    return compare_folders(old, new, rules) if rules else compare_folders(old, new)


def told(tmp_path: Path, rules: Rules | None = None, **changes: Any) -> list[str]:
    return [str(found) for found in compared(tmp_path, rules, **changes).differences]


def test_the_same(tmp_path: Path) -> None:
    done = compared(tmp_path)
    assert done.differences == ()
    assert done.files == 4  # the manifest is none of them
    # report: 2 numbers and 3 + 2 in the layers; program: 3 columns, lengths and values of `reads`,
    # 2 of a unit and 1 empty list; 1 array of scores; 3 lines
    assert done.values == 7 + 5 + 3 + 1 + 3


COLUMN = {
    "start_ps": (pa.array([0, 4000, 9001], pa.int64()), "columns.start_ps[2]: 9000 -> 9001"),
    "opcode": (
        pa.array(["EMBED", "COMBINE", "MVM"]).dictionary_encode(),
        "columns.opcode[1]: LOAD -> COMBINE",
    ),
    "reads": (pa.array([[], [0], [0, 0]], pa.list_(pa.int32())), "columns.reads.values[2]: 1 -> 0"),
    "id": (pa.array([0, 1, 2], pa.int64()), "columns.id: int32 [3] -> int64 [3]"),
    "step": (pa.array([0, 0, 0], pa.int32()), "columns.step: missing -> int32 [3]"),
}


@pytest.mark.parametrize("name", COLUMN)
def test_a_column(name: str, tmp_path: Path) -> None:
    column, expected = COLUMN[name]
    found = told(tmp_path, columns={name: column})
    assert found == [f"out/program.parquet: {expected}"]


def test_where_a_list_of_reads_ends(tmp_path: Path) -> None:
    """The values of all lists are the same one after the other: 0, 0, 1."""
    lists = pa.array([[0], [], [0, 1]], pa.list_(pa.int32()))
    found = told(tmp_path, columns={"reads": lists})
    assert found == ["out/program.parquet: columns.reads.length[0]: 0 -> 1"]


def test_a_table_beside_the_columns(tmp_path: Path) -> None:
    found = told(tmp_path, tables=TABLES | {"lockstep": [3]})
    assert found == [
        "out/program.parquet: moexbar.lockstep: [] -> missing",
        "out/program.parquet: moexbar.lockstep[0]: missing -> 3",
    ]


def test_a_number(tmp_path: Path) -> None:
    found = told(tmp_path, report=REPORT | {"time_ns": 165904.0})
    assert found == ["out/report.json: time_ns: 165904.25 -> 165904.0"]


def test_a_number_of_another_type(tmp_path: Path) -> None:
    layers = [REPORT["layers"][0] | {"value": 85.0}, REPORT["layers"][1]]
    found = told(tmp_path, report=REPORT | {"layers": layers})
    assert found == ["out/report.json: layers[0].value: 85 -> 85.0"]


def test_a_key_that_is_missing(tmp_path: Path) -> None:
    report = {key: value for key, value in REPORT.items() if key != "time_ns"}
    assert told(tmp_path, report=report) == ["out/report.json: time_ns: 165904.25 -> missing"]


def test_seconds_are_not_compared(tmp_path: Path) -> None:
    layers = [REPORT["layers"][0] | {"seconds": 9.9}, REPORT["layers"][1]]
    done = compared(
        tmp_path, report=REPORT | {"methods": [{"compile_seconds": 9.9}], "layers": layers}
    )
    assert done.differences == ()
    assert done.needed == {"*.json: *.seconds", "*.json: *.compile_seconds"}


def test_an_array(tmp_path: Path) -> None:
    """One score of 0.5 becomes the next float32; the NaN beside it is no difference."""
    scores = np.array([[np.nextafter(np.float32(0.5), np.float32(1)), np.nan]], np.float32)
    assert told(tmp_path, scores=scores) == ["out/routing.npz: scores[0][0]: 0.5 -> 0.50000006"]


def test_a_line_of_text(tmp_path: Path) -> None:
    text = TEXT.replace("0.5", "0.6")
    assert told(tmp_path, text=text) == ["out/compile.txt: line 1: mean 0.5 -> mean 0.6"]


def test_a_file_of_one_side(tmp_path: Path) -> None:
    old, new = written(tmp_path / "old"), written(tmp_path / "new")
    (new / "out" / "weights.json").write_text('{"a": [1, 2]}')
    (new / "out" / ".lock").write_text("1")  # hidden: not read
    found = [str(difference) for difference in compare_folders(old, new).differences]
    assert found == [
        "out/weights.json: a[0]: missing -> 1",
        "out/weights.json: a[1]: missing -> 2",
    ]


def test_deliberate_changes(tmp_path: Path) -> None:
    """Places of lists, all that lies beneath a place, and lines; their neighbours still differ."""
    places = ("report.json: layers[].value", "report.json: methods", "compile.txt: written to *")
    layers = [{"layer": 2, "value": 86, "seconds": 0.1}, {"layer": 3, "values": 77}]
    report = REPORT | {"layers": layers, "methods": [{"name": "ours"}]}
    elsewhere = ("report.json: steps", "mapping.json: layers[].layer", "report.json: layers[].val")
    done = compared(
        tmp_path,
        Rules(dict.fromkeys((*elsewhere, *places), "meant"), {}),
        report=report,
        text=TEXT.replace("written to out", "written to build\nwritten to disk"),
    )
    assert done.needed == set(places)
    assert [str(found) for found in done.differences] == [
        "out/report.json: layers[0].layer: 1 -> 2",
        "out/report.json: layers[1].values: missing -> 77",
    ]


def test_a_place_that_moved(tmp_path: Path) -> None:
    """Every `value` goes to `found.slots`, where it must be the same: the second is not."""
    moved = {"report.json: layers[].value": "layers[].found.slots"}
    layers = [
        {"layer": 1, "found": {"slots": 85}, "seconds": 0.1},
        {"layer": 3, "found": {"slots": 78}},
    ]
    done = compared(tmp_path, Rules({}, moved), report=REPORT | {"layers": layers})
    assert done.needed == set(moved)
    assert [str(found) for found in done.differences] == [
        "out/report.json: layers[1].found.slots: 77 -> 78"
    ]


PACKAGE = """import pathlib, sys
print('{"slots": 85}')
pathlib.Path("ran").write_text(sys.argv[1])
sys.exit("no such model" if sys.argv[1] == "model" else 0)
"""
CASE = Case("one: case", {"chips": ("chips", "--json"), "model": ("model",)})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose moexbar prints a number and refuses `model`."""
    package = tmp_path / "checkout" / "moexbar"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(PACKAGE)
    return package.parent


def test_run(checkout: Path, tmp_path: Path) -> None:
    """Each command's words, exit code and errors lie beside what it writes; the folder is new."""
    folder = tmp_path / CASE.folder
    (folder / "out").mkdir(parents=True)
    assert run_case(CASE, checkout, folder) == ("model",)
    texts = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert texts == {
        "ran": "model",
        "printed/chips.json": '{"slots": 85}\n',
        "printed/chips.errors.txt": "exit code 0\n",
        "printed/model.txt": '{"slots": 85}\n',
        "printed/model.errors.txt": "no such model\nexit code 1\n",
    }
    assert not (folder / "out").exists()


def test_an_option_that_this_checkout_calls_otherwise(checkout: Path, tmp_path: Path) -> None:
    """Only of the command that it belongs to: `model --seed` stays what it is."""
    words: dict[str, tuple[str, ...]] = {n: (n, "--seed", "3") for n in ("chips", "model")}
    (checkout / "moexbar" / "__main__.py").write_text("import sys; print(sys.argv[1:])")
    case = Case("options", words)
    run_case(case, checkout, tmp_path / "run", {"chips --seed": "--start"})
    printed = tmp_path / "run" / "printed"
    assert (printed / "chips.txt").read_text() == "['chips', '--start', '3']\n"
    assert (printed / "model.txt").read_text() == "['model', '--seed', '3']\n"


def test_what_is_kept(checkout: Path, tmp_path: Path) -> None:
    """Nothing runs twice but after a change: of the source, a file that is read or a command."""
    model, folder = tmp_path / "model.onnx", tmp_path / "kept"
    model.write_text("1")
    case = Case("one", CASE.commands, (model,))
    digest = checkout_digest(checkout)
    assert not run_kept(case, checkout, folder, digest)
    (folder / "ran").write_text("not run")
    assert run_kept(case, checkout, folder, digest)
    assert (folder / "ran").read_text() == "not run"

    model.write_text("2")
    assert not run_kept(case, checkout, folder, digest)
    assert (folder / "ran").read_text() == "model"
    assert not run_kept(Case("one", {"chips": ("chips",)}, (model,)), checkout, folder, digest)

    (checkout / "moexbar" / "new.py").touch()
    assert checkout_digest(checkout) != digest
    (checkout / "moexbar" / "new.py").unlink()
    (checkout / "moexbar" / "notes.txt").touch()  # no source
    assert checkout_digest(checkout) == digest

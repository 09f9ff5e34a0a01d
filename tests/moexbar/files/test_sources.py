"""The files an output was made from are found again, wherever the two were moved together."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ir.errors import InputError
from moexbar.files.sources import digest, find_source, source_entry


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """models/m.onnx, and the output that was made from it in runs/out."""
    (tmp_path / "models").mkdir()
    (tmp_path / "runs" / "out").mkdir(parents=True)
    (tmp_path / "models" / "m.onnx").write_bytes(b"a model")
    return tmp_path


def manifest(place: Path) -> dict[str, object]:
    return {"model": source_entry(place / "models" / "m.onnx", place / "runs" / "out")}


def test_the_path_is_from_the_output_folder(place: Path) -> None:
    entry = source_entry(place / "models" / "m.onnx", place / "runs" / "out")
    assert entry["path"] == "../../models/m.onnx"
    assert (entry["file"], entry["bytes"]) == ("m.onnx", 7)


def test_moved_together_they_find_each_other(place: Path) -> None:
    known = manifest(place)
    moved = place.rename(place.parent / "elsewhere")
    found = find_source(known, "model", None, moved / "runs" / "out")
    assert found == moved / "models" / "m.onnx"


@pytest.mark.parametrize("where", ["runs/out/m.onnx", "runs/renamed.onnx"])
def test_a_moved_file_is_found_by_its_content(place: Path, where: str) -> None:
    known = manifest(place)
    (place / "runs" / "other.onnx").write_bytes(b"another")  # of the same size, comes first
    (place / "models" / "m.onnx").rename(place / where)
    assert find_source(known, "model", None, place / "runs" / "out") == (place / where).resolve()


def test_in_the_current_folder_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = manifest(place)
    (place / "here").mkdir()
    (place / "models" / "m.onnx").rename(place / "here" / "m.onnx")
    monkeypatch.chdir(place / "here")
    assert find_source(known, "model", None, place / "runs" / "out").name == "m.onnx"


def test_another_content_is_refused_with_what_to_do(place: Path) -> None:
    known = manifest(place)
    (place / "models" / "m.onnx").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"is not the model .*say where it is: --model"):
        find_source(known, "model", None, place / "runs" / "out")


def test_nothing_there_says_where_it_was_looked_for(place: Path) -> None:
    known = manifest(place)
    (place / "models" / "m.onnx").unlink()
    with pytest.raises(InputError, match=r"models/m\.onnx: cannot be read: No such file"):
        find_source(known, "model", None, place / "runs" / "out")


def test_one_that_is_given_must_be_the_one(place: Path) -> None:
    known, other = manifest(place), place / "other.onnx"
    other.write_bytes(b"a model")
    assert find_source(known, "model", other, place / "runs" / "out") == other
    assert digest(other) == digest(place / "models" / "m.onnx")
    other.write_bytes(b"b model")
    with pytest.raises(InputError, match="is not the model"):
        find_source(known, "model", other, place / "runs" / "out")


def test_without_an_entry_it_must_be_given(place: Path) -> None:
    with pytest.raises(InputError, match="compiled without inputs; give --inputs"):
        find_source({}, "inputs", None, place / "runs" / "out")


def test_without_an_entry_what_is_given_is_taken(place: Path) -> None:
    """A manifest of before says nothing of it, so there is nothing to compare with."""
    model = place / "models" / "m.onnx"
    assert find_source({}, "model", model, place / "runs" / "out") == model


def test_places_and_files_that_may_not_be_read_are_passed_over(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may not be listed, and a file of its size and ending that may not be opened."""
    known, moved = manifest(place), place / "runs" / "z.onnx"
    (place / "models" / "m.onnx").rename(moved)
    (place / "runs" / "a.onnx").write_bytes(b"another")
    scan, read = os.scandir, Path.open

    def listed(folder: Path) -> Any:
        if Path(folder).name == "out":
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scan(folder)

    def opened(path: Path, *words: Any) -> Any:
        if path.name == "a.onnx":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path, *words)

    monkeypatch.setattr(os, "scandir", listed)
    monkeypatch.setattr(Path, "open", opened)
    assert find_source(known, "model", None, place / "runs" / "out") == moved
    with pytest.raises(InputError, match=r"a\.onnx: cannot be read: Permission denied"):
        find_source(known, "model", place / "runs" / "a.onnx", place / "runs" / "out")

"""Folders of ours read back: what was changed since is named, unless that is not asked."""

import hashlib
import json
from pathlib import Path

import pytest

from ir.errors import InputError
from ir.infile import Infile, in_a_line
from moexbar.files import json_file
from moexbar.files.form import check_form
from moexbar.files.json_file import counted, parsed
from moexbar.files.manifest import MARK, read_manifest, write_manifest
from moexbar.files.output import read_output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.json").write_text("{}")
    write_manifest(out, "compile", {"inputs": {}})
    return out


def test_a_folder_as_it_was_written(folder: Path) -> None:
    output = read_output(folder, ("compile",))
    assert output.maker == "compile"
    assert output.file("a.json").read("a document", 10) == b"{}"
    assert output.has("a.json")
    assert not output.has("b.json")


def test_a_file_of_other_content(folder: Path) -> None:
    """What is refused was hashed as it was read; unchecked it is read as it is."""
    file = read_output(folder, ("compile",)).file("a.json")
    (folder / "a.json").write_text("[]")
    found, said = (hashlib.sha256(data).hexdigest()[:12] for data in (b"[]", b"{}"))
    with pytest.raises(InputError) as refused:
        file.read("a document", 10)
    assert str(refused.value) == (
        f"{folder}/a.json: SHA-256: {found}..., expected {said}... as in manifest.json; "
        "it was changed since; if that was meant: --unchecked"
    )
    assert read_output(folder, ("compile",), unchecked=True).file("a.json").read("", 10) == b"[]"


def test_a_file_that_is_not_listed(folder: Path) -> None:
    (folder / "b.json").write_text("{}")
    with pytest.raises(InputError, match=r"manifest\.json: files: does not list b\.json, which is"):
        read_output(folder, ("compile",)).file("b.json")
    assert read_output(folder, ("compile",), unchecked=True).file("b.json").read("", 9) == b"{}"


def test_a_manifest_of_the_first_form(folder: Path) -> None:
    """It had no form, and a seal or none: it counts; without hashes it is named."""
    found = json.loads((folder / MARK).read_text())
    del found["form"], found["seal"]
    (folder / MARK).write_text(json.dumps(found))
    assert read_output(folder, ("compile",)).maker == "compile"
    found["files"] = ["a.json"]
    (folder / MARK).write_text(json.dumps(found))
    assert read_manifest(folder / MARK) is not None
    with pytest.raises(InputError, match=r"manifest\.json: files: expected the SHA-256 of each"):
        read_output(folder, ("compile",))


def test_a_manifest_of_now_has_a_seal(folder: Path) -> None:
    found = json.loads((folder / MARK).read_text())
    del found["seal"]
    (folder / MARK).write_text(json.dumps(found))
    assert read_manifest(folder / MARK) is None
    with pytest.raises(InputError, match=r"manifest\.json: seal: does not fit the rest"):
        read_output(folder, ("compile",))


def test_no_folder(folder: Path, tmp_path: Path) -> None:
    for path, said in ((folder / "a.json", "is a file"), (tmp_path / "no", "there is no such")):
        with pytest.raises(InputError, match=f"{said}.*, expected an output folder of `moexbar c"):
            read_output(path, ("compile",))


def test_a_file_that_grows_is_read_no_further(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    with pytest.raises(InputError, match="5 bytes, expected numbers of at most 4 bytes"):
        Infile(path).read("numbers", 4)
    with pytest.raises(InputError, match="a folder, expected numbers"):
        Infile(tmp_path).read("numbers", 4)


def test_a_file_that_grew_since_its_size_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    monkeypatch.setattr("ir.infile._checked", lambda info, where, what, limit: 4)
    with pytest.raises(InputError, match="a: grew while it was read, expected 4 bytes at most"):
        Infile(tmp_path / "a").read("numbers", 4)


@pytest.mark.parametrize(
    ("text", "values", "depth"),
    [
        ("1", 1, 0),
        ("[1, 2]", 3, 1),
        ('{"a": [1, {"b": 2}]}', 5, 3),
        ('"[[[[,,,"', 1, 0),
        (r'["\"[[[", "\\", [1]]', 5, 2),
        ('["' + "\\\\" * 700_000 + '", [1, 2]]', 5, 2),
    ],
)
def test_values_and_levels_are_counted(text: str, values: int, depth: int) -> None:
    """Commas and brackets of texts are not of the document; of a megabyte and more, too."""
    assert counted(text.encode()) == (values, depth)
    parsed(text.encode(), "f", "")


def test_forms() -> None:
    assert check_form("f", "form", None, 3, "again") == 1
    assert check_form("f", "form", 3, 3, "again") == 3
    with pytest.raises(InputError, match="f: form: of form 2, expected 3; again"):
        check_form("f", "form", 2, 3, "again", oldest=3)
    with pytest.raises(InputError, match="f: form: of form 4, expected 1 to 3; read it with the"):
        check_form("f", "form", 4, 3, "again")
    others: tuple[object, ...] = (True, "3", 1.0, [], 0)
    for odd in others:
        with pytest.raises(InputError, match=r"f: form: of form .*, expected 1 to 3; again"):
            check_form("f", "form", odd, 3, "again")


def test_words_of_others_are_one_line_that_prints() -> None:
    assert in_a_line("a\n  b") == "a b"
    assert in_a_line("\x1b[2J") == r"\x1b[2J"
    assert len(in_a_line("x" * 999)) == 200


def test_a_backslash_at_the_end_of_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 4 bytes: what the backslash escapes is in the next one, or is nothing."""
    monkeypatch.setattr(json_file, "_CHUNK", 4)
    assert counted(b'["a\\",","b"]') == (3, 1)
    assert counted(b'["ab\\') == (2, 1)

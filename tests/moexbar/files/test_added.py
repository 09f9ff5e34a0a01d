"""A page written into an output folder is ours: the folder may still be replaced as a whole."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ir.errors import FolderBusyError, InputError
from moexbar.files.added import write_added
from moexbar.files.folder import publish
from moexbar.files.lock import only_one
from moexbar.files.manifest import MARK, maker_of


def output(folder: Path, text: str = "{}") -> Path:
    with publish(folder, "compare") as draft:
        (draft.folder / "result.txt").write_text(text)
    return folder


def test_a_folder_with_a_page_is_replaced_as_without(tmp_path: Path) -> None:
    folder = output(tmp_path / "out")
    for content in (b"<p>one", b"<p>two"):
        write_added(folder / "report.html", content)
        assert (folder / "report.html").read_bytes() == content
    write_added(folder / "time.svg", b"<svg/>")
    manifest = json.loads((folder / MARK).read_text())
    assert manifest["added"] == ["report.html", "time.svg"]
    assert sorted(manifest["files"]) == ["report.html", "result.txt", "time.svg"]
    assert list(manifest)[-1] == "seal"  # so that a manifest that is written anew is the same
    output(folder, "new")
    assert sorted(path.name for path in folder.iterdir()) == [MARK, "result.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    folder = output(tmp_path / "out")
    (folder / "report.html").write_text("mine")
    with pytest.raises(InputError, match="is not as moexbar wrote it; move it elsewhere"):
        write_added(folder / "report.html", b"<p>")
    assert (folder / "report.html").read_text() == "mine"
    (folder / "report.html").unlink()
    write_added(folder / "report.html", b"<p>")
    (folder / "report.html").write_text("<p>and a remark")
    with pytest.raises(InputError, match="is not as moexbar wrote it"):
        write_added(folder / "report.html", b"<p>")
    with pytest.raises(InputError, match=r"'report.html' \(changed since\)"):
        output(folder)


@pytest.mark.parametrize("name", ["result.txt", MARK])
def test_the_outputs_own_files_stay(name: str, tmp_path: Path) -> None:
    folder = output(tmp_path / "out")
    with pytest.raises(InputError, match="is a file of this output; choose another file with -o"):
        write_added(folder / name, b"<svg/>")
    output(folder)


def test_a_manifest_without_hashes_is_left(tmp_path: Path) -> None:
    """Written by an earlier version: by its age alone one tells what was changed since."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / MARK).write_text('{"moexbar": "0.0.1", "command": "compare", "files": []}')
    with pytest.raises(InputError, match="whose manifest has no hashes"):
        write_added(folder / "report.html", b"<p>")


def test_anywhere_else_it_is_a_file_like_others(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("before")
    write_added(tmp_path / "page.html", b"<p>")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_bytes() == b"<p>"
    with pytest.raises(InputError, match="cannot be written"):
        write_added(tmp_path / "nowhere" / "page.html", b"<p>")


def test_a_run_that_writes_the_folder_is_waited_for(tmp_path: Path) -> None:
    folder = output(tmp_path / "out")
    with only_one(folder), pytest.raises(FolderBusyError):
        write_added(folder / "report.html", b"<p>")


def test_who_wrote_a_folder(tmp_path: Path) -> None:
    assert maker_of(output(tmp_path / "out")) == "compare"
    (tmp_path / "file").touch()
    for path, problem in (
        (tmp_path, f"has no {MARK} of ours"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "nowhere", "there is no such folder"),
    ):
        with pytest.raises(InputError, match=f"{problem}, expected an output folder of moexbar"):
            maker_of(path)


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_has_the_pages_name_and_is_no_file_stays(kind: str, tmp_path: Path) -> None:
    folder = output(tmp_path / "out")
    page = folder / "report.html"
    page.mkdir() if kind == "folder" else page.symlink_to(folder / "result.txt")
    with pytest.raises(InputError, match="is not as moexbar wrote it"):
        write_added(page, b"<p>")
    assert page.is_dir() if kind == "folder" else page.is_symlink()


def test_an_output_that_is_gone_once_its_turn_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run held the folder and took the manifest away: what is left is any folder."""
    folder = output(tmp_path / "out")

    @contextlib.contextmanager
    def waited(target: Path) -> Iterator[None]:
        (target / MARK).unlink()
        yield

    monkeypatch.setattr("moexbar.files.added.only_one", waited)
    write_added(folder / "report.html", b"<p>")
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "result.txt"]

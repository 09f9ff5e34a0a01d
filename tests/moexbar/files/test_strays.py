"""What a killed run leaves is gone after the next; what is a living run's or anybody's stays."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.files.atomic import write_atomically
from moexbar.files.folder import publish
from moexbar.files.held import held_file, held_folder, prefix_of
from moexbar.files.lock import only_one
from moexbar.files.work_folder import NEW, OLD, OURS, make_work_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from moexbar.files import folder, work_folder
from moexbar.files.atomic import write_atomically

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

target, at = Path(sys.argv[1]), sys.argv[2]
if at == "file":
    with write_atomically(target) as file:
        file.write(b"half")
        kill()
if at == "made":
    os.close = kill  # the folder is there, its mark too
if at == "between":
    folder._check_unchanged = kill
if at == "replaced":
    folder._tidy = kill
with folder.publish(target, "compare") as draft:
    (draft.folder / "result.txt").write_text("new")
    if at == "writing":
        kill()
"""


def kill(target: Path, at: str) -> None:
    """A run that is killed at a place of its way."""
    done = subprocess.run([sys.executable, "-c", KILLED, target, at], check=False)
    assert done.returncode == -signal.SIGKILL


def write(out: Path, text: str) -> None:
    with publish(out, "compare") as draft:
        (draft.folder / "result.txt").write_text(text)


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("at", ["made", "writing", "between", "replaced"])
@pytest.mark.parametrize("before", [False, True])
def test_the_next_run_cleans_up(at: str, before: bool, tmp_path: Path) -> None:
    out = tmp_path / "out"
    if before:
        write(out, "old")
    elif at == "between":
        pytest.skip("there is nothing to move away")
    kill(out, at)
    assert hidden(tmp_path) != []
    if at in ("made", "writing"):
        assert out.exists() == before
    write(out, "next")
    assert hidden(tmp_path) == []
    assert (out / "result.txt").read_text() == "next"


def test_a_file_too(tmp_path: Path) -> None:
    target = tmp_path / "routing.npz"
    target.write_bytes(b"old")
    kill(target, "file")
    assert target.read_bytes() == b"old"
    (left,) = hidden(tmp_path)
    assert left.startswith(".routing.npz.moexbar-")
    with write_atomically(tmp_path / "other.npz") as file:
        file.write(b"x")
    assert hidden(tmp_path) == [left]  # another target's is not looked at
    with write_atomically(target) as file:
        file.write(b"new")
    assert hidden(tmp_path) == []
    assert target.read_bytes() == b"new"


def test_what_a_living_run_holds_stays(tmp_path: Path) -> None:
    work, handle = make_work_folder(tmp_path / "out")
    file, other = held_file(tmp_path / "a.csv")
    write(tmp_path / "out", "new")
    with write_atomically(tmp_path / "a.csv") as written:
        written.write(b"x")
    assert work.is_dir()
    assert file.is_file()
    os.close(handle)
    os.close(other)
    write(tmp_path / "out", "newer")
    with write_atomically(tmp_path / "a.csv") as written:
        written.write(b"y")
    assert hidden(tmp_path) == []


def strangers(out: Path) -> Iterator[Path]:
    """Folders beside the target that look like ours."""
    of = prefix_of(out)
    plain = out.parent / f"{of}backup"
    (plain / "thesis").mkdir(parents=True)
    yield plain
    named_as_ours = out.parent / f"{of}0123456789abcdef"
    (named_as_ours / NEW).mkdir(parents=True)
    (named_as_ours / NEW / "thesis.txt").write_text("precious")
    yield named_as_ours  # without our mark
    with_more = out.parent / f"{of}0123456789abcdee"
    with_more.mkdir()
    (with_more / OURS).touch()
    (with_more / "thesis.txt").write_text("precious")
    yield with_more
    changed = out.parent / f"{of}0123456789abcded"
    write(changed / OLD, "old")
    (changed / OURS).touch()
    (changed / OLD / "result.txt").write_text("with a remark")
    yield changed
    file = out.parent / f"{of}file"
    file.write_text("precious")
    yield file


def test_what_is_anybody_elses_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "old")
    theirs = list(strangers(out))
    write(out, "new")
    assert all(path.exists() for path in theirs)
    assert (theirs[3] / OLD / "result.txt").read_text() == "with a remark"
    assert (out / "result.txt").read_text() == "new"


@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_a_planted_lock_is_named_and_stays(kind: str, tmp_path: Path) -> None:
    lock = tmp_path / ".out.lock"
    if kind == "folder":
        lock.mkdir()
    elif kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.symlink_to(tmp_path / "nowhere")
    if kind == "fifo":
        with only_one(tmp_path / "out"):  # it holds as well as a file
            pass
    else:
        with pytest.raises(InputError, match=r"\.out\.lock: cannot be locked"):
            write(tmp_path / "out", "x")
    assert os.path.lexists(lock)


@pytest.mark.parametrize("length", [240, 255, 300])
def test_too_long_a_name(length: int, tmp_path: Path) -> None:
    for call in (write, lambda path, _: write_atomically(path).__enter__()):
        target = tmp_path / ("n" * length)
        if length == 240:
            write(target, "x")
            assert (target / "result.txt").read_text() == "x"
            return
        if call is not write and length == 255:
            continue  # a file's own name may have as many
        with pytest.raises(InputError, match=r"n: cannot be (written|read): File name too long"):
            call(target, "x")
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("call", ["mkdir", "open", "fsync", "rename", "flock"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_whatever_the_system_refuses_is_named(
    call: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each place of the way in turn, until the run comes through: the old output stays."""
    out, rename, places = tmp_path / "out", Path.rename, 0
    write(out, "old")
    for place in range(1, 40):
        count = 0

        def refuse(*words: object, before: object, at: int = place, **more: object) -> object:
            nonlocal count
            count += 1
            if count == at:
                raise OSError(code, os.strerror(code))
            return before(*words, **more)  # type: ignore[operator]

        with monkeypatch.context() as patch:
            owner = {"rename": (Path, "rename"), "flock": (__import__("fcntl"), "flock")}
            at, name = owner.get(call, (os, call))
            before = getattr(at, name)
            patch.setattr(at, name, lambda *w, b=before, **m: refuse(*w, before=b, **m))
            try:
                write(out, "new")
                if count < place:
                    break
            except InputError as error:
                assert str(out) in str(error) or ".out.lock" in str(error)
                assert os.strerror(code) in str(error)
                places += 1
        assert (out / "result.txt").read_text() in ("old", "new")
        assert Path.rename is rename
    assert places > 0
    write(out, "last")
    assert (out / "result.txt").read_text() == "last"


@pytest.mark.parametrize("make", [held_file, held_folder])
def test_what_is_made_is_made_again_where_it_was_cleaned_away(
    make: Callable[[Path], tuple[Path, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run takes the new one for a killed run's, between its making and its lock."""
    real, taken = fcntl.flock, list[Path]()

    def later(handle: int, how: int) -> None:
        if not taken:
            taken.extend(tmp_path.iterdir())
            taken[0].rmdir() if taken[0].is_dir() else taken[0].unlink()
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", later)
    path, handle = make(tmp_path / "out")
    os.close(handle)
    assert path.exists()
    assert path not in taken
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_that_cannot_be_held_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some network file systems have no locks."""

    def none(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    said = pytest.raises(InputError, match="out: cannot be written: No locks available")
    with said, write_atomically(tmp_path / "out"):
        pass

"""A file is replaced whole or not at all."""

from pathlib import Path

import pytest

from ir.errors import InputError
from moexbar.files.atomic import write_atomically


def test_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with write_atomically(target) as file:
        file.write(b"new")
        assert target.read_bytes() == b"old"  # until the block ends
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_keeps_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(failure), write_atomically(target) as file:
        file.write(b"half")
        raise failure
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_keeps_the_old_file_and_says_so(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    full = pytest.raises(InputError, match=r"out\.bin: cannot be written: No space left")
    with full, write_atomically(target) as file:
        file.write(b"half")
        raise OSError(28, "No space left on device")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_planted_symlink_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    target = tmp_path / "out.bin"
    target.symlink_to(victim)
    with write_atomically(target) as file:
        file.write(b"new")
    assert victim.read_bytes() == b"precious"
    assert not target.is_symlink() and target.read_bytes() == b"new"


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    ordinary, target = tmp_path / "ordinary", tmp_path / "out.bin"
    ordinary.write_bytes(b"")
    with write_atomically(target):
        pass
    assert target.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("name", ["missing/out.bin", "file/out.bin", "folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    refused = pytest.raises(InputError, match="cannot be written")
    with refused, write_atomically(tmp_path / name) as file:
        file.write(b"new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/.."])
def test_a_name_of_no_file_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="names a folder"), write_atomically(name):
        pytest.fail("nothing is to be written")

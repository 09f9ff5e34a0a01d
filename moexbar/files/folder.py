"""An output folder appears whole or not at all, and only one run writes it at a time."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ir.errors import FolderBusyError, InputError

MARK = "manifest.json"  # only a folder that holds it is ever replaced


@contextlib.contextmanager
def publish(target: Path) -> Iterator[Path]:
    """A scratch folder that becomes `target` by one rename when the block ends well.

    Raises FolderBusyError when another run writes the same target, InputError when the target
    exists and is not an earlier output of ours. An earlier output stays until the rename.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a symlink
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(str(target), "exists and is not a folder, expected a folder or nothing")
    if target.is_dir() and any(target.iterdir()) and not (target / MARK).is_file():
        raise InputError(
            str(target),
            f"is a folder without {MARK}, so not an earlier output",
            "choose another -o",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(target):
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            scratch.chmod(0o755)
            yield scratch
            _sync(scratch)
            _swap(scratch, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _only_one(target: Path) -> Iterator[None]:
    """Hold an advisory lock beside the target; the lock file is left for the next run to reuse."""
    lock = target.parent / f".{target.name}.lock"
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderBusyError(
                f"{target}: another run writes this folder; wait for it or choose another -o"
            ) from error
        yield
    finally:
        os.close(handle)


def _sync(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())


def _swap(scratch: Path, target: Path) -> None:
    if target.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        target.rename(old / "old")
        scratch.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        scratch.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)

"""Write a file so that a reader, a crash or a full disk never meets half of it."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ir.errors import InputError
from ir.undisturbed import undisturbed
from moexbar.files.held import held_file, remove_stray_files


@contextmanager
def write_atomically(path: Path | str) -> Generator[BinaryIO, None, None]:
    """Open a new file beside `path` for writing; put it in place of `path` when the block ends.

    If the block raises, what was at `path` stays as it was and the new file is gone; one that an
    earlier run left, which was killed, goes too. A symlink at `path` is replaced, never followed.
    Raises InputError where the file cannot be written.
    """
    target = Path(path)
    if target.name in ("", ".."):
        raise InputError(str(target), "names a folder, expected the name of a file")
    temporary: Path | None = None
    try:
        with suppress(FileNotFoundError):
            target.lstat()  # which refuses a name that is none, before any work
        remove_stray_files(target.parent, target)
        with undisturbed():
            temporary, handle = held_file(target)
        try:
            with os.fdopen(handle, "wb", closefd=False) as file:
                yield file
                file.flush()
                os.fsync(handle)
            temporary.replace(target)
        finally:
            os.close(handle)  # until here it is held
        _sync_folder(target.parent)
    except OSError as error:
        raise InputError(str(target), f"cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with undisturbed(), suppress(OSError):  # it is gone when all went well
                temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

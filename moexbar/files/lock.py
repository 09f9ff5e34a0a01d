"""One run at a time on an output: an advisory lock beside it, gone when the run is."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ir.errors import FolderBusyError, InputError
from ir.undisturbed import undisturbed
from moexbar.files.held import is_there

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def only_one(target: Path) -> Iterator[None]:
    """Hold `.NAME.lock` beside the target for the length of the block.

    Raises FolderBusyError when another run holds it, InputError where it cannot be made. The file
    is empty; one that is not was made by somebody else, and is left.
    """
    lock = target.parent / f".{target.name}.lock"
    handle: int | None = None
    try:  # a signal may be raised as soon as the lock is there
        with undisturbed():
            handle = _locked(lock, target)
        yield
    finally:
        if handle is not None:
            with undisturbed():
                _release(lock, handle)


def _locked(lock: Path, target: Path) -> int:
    """A descriptor that holds the lock on the file that is there now."""
    while True:
        try:
            handle = os.open(lock, _FLAGS, 0o644)
        except OSError as error:
            if os.path.lexists(lock):
                raise InputError(str(lock), f"cannot be locked: {error.strerror}") from error
            raise InputError(str(target), f"cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise FolderBusyError(
                f"{target}: another run writes this folder; wait for it or choose another -o"
            ) from error
        except OSError as error:
            os.close(handle)
            raise InputError(str(lock), f"cannot be locked: {error.strerror}") from error
        if is_there(lock, handle):
            return handle
        os.close(handle)  # the run before removed it between our open and our lock


def _release(lock: Path, handle: int) -> None:
    """Remove the file while it is held, so that nobody else's goes."""
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        with contextlib.suppress(OSError):
            lock.unlink()
    os.close(handle)

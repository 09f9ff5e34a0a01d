"""Files that are there only while a run writes, each held by a lock on itself.

The lock ends with the run, however that ends. So one that nobody holds and that bears our name is
of a run that was killed, and is removed by the next one that writes the same target.
"""

import contextlib
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

_RANDOM = 8  # bytes of a name, two digits each
_OWN = re.compile(r"\..+\.moexbar-[0-9a-f]{16}\.tmp", re.DOTALL)
_MOST_BYTES = 200  # of the target's name in ours, of 255 that a name may have


def prefix_of(target: Path) -> str:
    """How the names of what we put beside a target begin."""
    return f".{os.fsdecode(os.fsencode(target.name)[:_MOST_BYTES])}.moexbar-"


def held_file(target: Path) -> tuple[Path, int]:
    """A new file beside the target, open for writing and held; OSError where none can be made."""
    while True:
        name = f"{prefix_of(target)}{secrets.token_hex(_RANDOM)}.tmp"
        path = target.with_name(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path, flags, 0o666)
        if hold(path, handle):
            return path, handle


def held_folder(target: Path) -> tuple[Path, int]:
    """A new folder beside the target, held; OSError where none can be made."""
    while True:
        path = target.with_name(f"{prefix_of(target)}{secrets.token_hex(_RANDOM)}")
        path.mkdir(mode=0o700)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if hold(path, handle):
            return path, handle


def hold(path: Path, handle: int) -> bool:
    """Hold what was just made; closed and False where who cleans up was quicker."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if is_there(path, handle):
            return True
    except OSError:
        os.close(handle)
        raise
    os.close(handle)
    return False


def remove_stray_files(folder: Path, target: Path | None = None) -> None:
    """Remove our files in a folder that nobody holds: those of one target, or of all."""
    prefix = "." if target is None else prefix_of(target)
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        names = [entry.name for entry in found if _OWN.fullmatch(entry.name)]
        for path in [folder / name for name in names if name.startswith(prefix)]:
            with unheld(path) as free:
                if free and path.is_file():
                    path.unlink()


@contextlib.contextmanager
def unheld(path: Path) -> Iterator[bool]:
    """Whether nobody holds a file or folder; if so, we do for the length of the block."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        kind = os.fstat(handle).st_mode
        free = stat.S_ISREG(kind) or stat.S_ISDIR(kind)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            free = False
        yield free
    finally:
        os.close(handle)


def is_there(path: Path, handle: int) -> bool:
    """Whether the name still stands for what was opened."""
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(handle))
    except FileNotFoundError:
        return False

"""The hidden folder beside a target in which an output is made: ours, held, and cleaned away.

It has an empty file as our mark, `new`, which is the output in the making, and for a moment `old`,
the output that it replaces. One that nobody holds is of a run that was killed.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ir.errors import InputError
from moexbar.files.held import held_folder, prefix_of, unheld
from moexbar.files.manifest import is_ours, refuse_foreign

NEW, OLD, OURS = "new", "old", "moexbar"


def make_work_folder(target: Path) -> tuple[Path, int]:
    """A new one with an empty `new`, held by the descriptor; OSError where none can be made."""
    path, handle = held_folder(target)
    try:
        os.close(os.open(path / OURS, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        (path / NEW).mkdir()
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)
        raise
    return path, handle


def recover(target: Path) -> None:
    """Put back the output of a run that was killed between its two renames."""
    if os.path.lexists(target):
        return
    for work in _strays(target):
        if is_ours(work / OLD):
            (work / OLD).rename(target)
            return


def clear(target: Path, command: str) -> None:
    """Remove those of killed runs, as far as all in them is ours; who calls holds the target."""
    for work in _strays(target):
        with contextlib.suppress(OSError, InputError):
            _remove(work, command)


def _remove(work: Path, command: str) -> None:
    """Remove a work folder; InputError where its old output has anything of somebody else."""
    names = {path.name for path in work.iterdir()}
    if names and (OURS not in names or not names <= {OURS, NEW, OLD}):
        return
    if OLD in names:
        for name in refuse_foreign(work / OLD, command):
            (work / OLD / name).unlink()
        (work / OLD).rmdir()
    if NEW in names:
        shutil.rmtree(work / NEW)
    (work / OURS).unlink(missing_ok=True)
    work.rmdir()


def _strays(target: Path) -> Iterator[Path]:
    """The folders beside a target with our kind of name that nobody holds."""
    prefix = prefix_of(target)
    for path in sorted(p for p in target.parent.iterdir() if p.name.startswith(prefix)):
        with unheld(path) as free:
            if free and path.is_dir():
                yield path

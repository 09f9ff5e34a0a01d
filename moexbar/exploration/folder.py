"""The folder of a sweep: ours from its first moment, unfinished until all points are done."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ir.errors import InputError
from moexbar.exploration.journal import NAME
from moexbar.files.lock import only_one
from moexbar.files.manifest import facts_of, refuse_foreign, write_manifest

COMMAND = "explore"
RESULTS, TABLE, TIMINGS = "results.parquet", "results.csv", "timings.csv"
FILES = (NAME, RESULTS, TABLE, TIMINGS)


@contextlib.contextmanager
def held(target: Path, *, resume: bool) -> Iterator[Path]:
    """The folder, held against other runs, and whatever is in it to go on with.

    A finished one is emptied unless it is resumed, if nothing else is in it; an unfinished one is
    refused then. Raises InputError, FolderBusyError where another run writes it.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a symlink
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with only_one(target):
            _prepare(target, resume=resume)
            yield target
    except OSError as error:
        raise InputError(str(target), f"cannot be written: {error.strerror or error}") from error


def begin(folder: Path) -> None:
    """Say that it is ours, and not all is done."""
    write_manifest(folder, COMMAND, {"finished": False}, ())


def finish(folder: Path) -> None:
    """Say that all is done."""
    write_manifest(folder, COMMAND, {"finished": True}, FILES)


def _prepare(folder: Path, *, resume: bool) -> None:
    """Make the folder, empty it or find it to go on with."""
    where = str(folder)
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
        raise InputError(where, "exists and is not a folder, expected a folder or nothing")
    facts = facts_of(folder, COMMAND)
    if resume:
        if facts is None:
            raise InputError(where, "no sweep to go on with", "leave out --resume")
        return
    if facts is not None and not facts.get("finished"):
        raise InputError(
            where, "holds an unfinished sweep", "go on with it: --resume; or choose another -o"
        )
    if folder.is_dir():
        for name in refuse_foreign(folder, COMMAND):
            (folder / name).unlink()
    folder.mkdir(exist_ok=True)
    begin(folder)

"""The folder of a sweep: ours from its first moment, unfinished until all points are done."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ir.errors import InputError
from moexbar.exploration.journal import NAME
from moexbar.files.held import remove_stray_files
from moexbar.files.lock import only_one
from moexbar.files.manifest import facts_of, refuse_foreign, told_apart, write_manifest
from moexbar.files.sources import digest

COMMAND = "explore"
RESULTS, TABLE, TIMINGS = "results.parquet", "results.csv", "timings.csv"
FILES = (NAME, RESULTS, TABLE, TIMINGS)


@contextlib.contextmanager
def held(target: Path, *, resume: bool) -> Iterator[Path]:
    """The folder, held against other runs; nothing is written yet.

    One that holds a sweep is refused unless it is resumed: what took hours is not replaced. So is
    one with anything else in it. Raises InputError, FolderBusyError where another run writes it.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a symlink
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with only_one(target):
            _check(target, resume=resume)
            yield target
    except OSError as error:
        raise InputError(str(target), f"cannot be written: {error.strerror or error}") from error


def prepare(folder: Path) -> None:
    """Make the folder where there is none with a sweep in it."""
    if facts_of(folder, COMMAND) is None:
        folder.mkdir(exist_ok=True)
        begin(folder)


def begin(folder: Path) -> None:
    """Say that it is ours, and not all is done."""
    write_manifest(folder, COMMAND, {"finished": False}, ())


def finish(folder: Path) -> None:
    """Say that all is done."""
    write_manifest(folder, COMMAND, {"finished": True}, FILES, varying=(NAME, TIMINGS))


def _check_journal(folder: Path, digests: object) -> None:
    """InputError where the journal of a finished sweep was changed since; others go on changing."""
    path = folder / NAME
    listed = isinstance(digests, dict) and NAME in digests
    known = told_apart(path) if listed else None
    if known is not None and path.is_file() and digest(path) != known:
        problem = "SHA-256: not as in times.json, so it was changed since the sweep was finished"
        raise InputError(str(path), problem, "choose another -o")


def _check(folder: Path, *, resume: bool) -> None:
    """InputError where the folder can be neither begun nor gone on with."""
    where = str(folder)
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
        raise InputError(where, "exists and is not a folder, expected a folder or nothing")
    facts = facts_of(folder, COMMAND)
    if facts is not None:
        remove_stray_files(folder)
    if resume:
        if facts is None:
            raise InputError(where, "no sweep to go on with", "leave out --resume")
        _check_journal(folder, facts["files"])
        return
    if facts is not None:
        state = "a finished" if facts.get("finished") else "an unfinished"
        hint = "go on with it: --resume; or choose another -o, or remove it"
        raise InputError(where, f"holds {state} sweep", hint)
    if folder.is_dir():
        refuse_foreign(folder, COMMAND)

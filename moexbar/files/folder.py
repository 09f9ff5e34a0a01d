"""An output folder appears whole or not at all, and takes the place of nothing but its like."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ir.errors import InputError
from ir.undisturbed import undisturbed
from moexbar.files.held import prefix_of, remove_stray_files
from moexbar.files.lock import only_one
from moexbar.files.manifest import Seen, entries, is_ours, refuse_foreign, write_manifest
from moexbar.files.work_folder import NEW, OLD, OURS, clear, make_work_folder, recover


@dataclass
class Draft:
    """An output in the making: its files go into `folder`, what its manifest is to say to `facts`.

    target: where it will be; replaces: whether an earlier output is at the target; times: seconds
    by what they are of, for times.json.
    """

    folder: Path
    target: Path
    replaces: bool
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    times: dict[str, float] = field(default_factory=dict[str, float])
    wanted: bool = True

    def discard(self) -> None:
        """Leave the target as it is."""
        self.wanted = False


@contextlib.contextmanager
def publish(target: Path, command: str) -> Iterator[Draft]:
    """A draft that becomes `target`, with its manifest, when the block ends well.

    command: which of ours writes it. An earlier output of that command stays until then, and is
    replaced only if nothing else is in it. Raises FolderBusyError when another run writes the same
    target, InputError when something is there that may not be replaced. Where that came while the
    block ran, it stays too, and the message says where the output is.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100 - resolve() would follow a symlink
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(str(target.parent), f"cannot be made: {error.strerror}") from error
    with _told(target), only_one(target):
        seen = _replaceable(target, command)
        clear(target, command)
        made: tuple[Path, int] | None = None
        try:  # a signal may be raised as soon as the folder is there
            with undisturbed():
                made = work, _ = make_work_folder(target)
            draft = Draft(work / NEW, target, replaces=bool(seen))
            yield draft
            if draft.wanted:
                write_manifest(draft.folder, command, draft.facts, times=draft.times)
                for path in (*draft.folder.iterdir(), draft.folder):
                    _sync(path)
                _put(work, target, seen)
                _sync(target.parent)
        finally:
            if made is not None:
                with undisturbed():
                    _tidy(made[0], target, seen)
                    os.close(made[1])


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    """InputError naming the target where the system refuses to write there."""
    try:
        yield
    except InputError as error:  # of a file in the making, whose name says nothing to the user
        if prefix_of(target) not in error.where:
            raise
        raise InputError(str(target), error.problem, error.hint) from error
    except OSError as error:
        named = None if error.filename is None else Path(os.fsdecode(error.filename))
        if named is not None and target.parent not in (named, *named.parents):
            raise  # of something else, such as a model that was read
        raise InputError(str(target), f"cannot be written: {error.strerror or error}") from error


def _replaceable(target: Path, command: str) -> Seen:
    """What is at the target now, to be held against what is there in the end."""
    recover(target)
    if not os.path.lexists(target):
        return {}
    if target.is_symlink() or not target.is_dir():
        raise InputError(str(target), "exists and is not a folder, expected a folder or nothing")
    if is_ours(target):
        remove_stray_files(target)
    return refuse_foreign(target, command)


def _put(work: Path, target: Path, seen: Seen) -> None:
    """Move the draft to the target; beside it where the target is no longer as it was seen."""
    try:
        _swap(work, target, seen)
    except OSError as error:
        beside = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
        (work / NEW).rename(beside)
        problem = f"{error.strerror or 'changed during this run'}, so it was left as it is"
        raise InputError(str(target), problem, f"this run's output is in {beside}") from error


def _swap(work: Path, target: Path, seen: Seen) -> None:
    """Two renames; whatever ends us between them, the old output goes back to its place.

    Raises OSError, without a number where the target is not as it was seen.
    """
    old, new = work / OLD, work / NEW
    try:
        if os.path.lexists(target):
            target.rename(old)
            _check_unchanged(old, seen)
        new.rename(target)
    except BaseException:
        if os.path.lexists(old) and os.path.lexists(new):
            old.rename(target)
        raise


def _check_unchanged(old: Path, seen: Seen) -> None:
    """OSError where an output is no longer as it was when it was found to be ours alone."""
    if old.is_symlink() or not old.is_dir() or entries(old) != seen:
        raise OSError


def _tidy(work: Path, target: Path, seen: Seen) -> None:
    """Remove what a run leaves: of the old output, once replaced, the files known to be ours."""
    old, new = work / OLD, work / NEW
    with contextlib.suppress(OSError):
        if not os.path.lexists(new) and is_ours(target) and entries(old) == seen:
            for name in seen:
                (old / name).unlink()
            old.rmdir()
    shutil.rmtree(new, ignore_errors=True)
    (work / OURS).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        work.rmdir()


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

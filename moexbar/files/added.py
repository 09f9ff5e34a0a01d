"""A file written later into an output folder of ours, which stays one that may be replaced."""

import hashlib
import os
from pathlib import Path
from typing import Any

from ir.errors import InputError
from moexbar.files.atomic import write_atomically
from moexbar.files.lock import only_one
from moexbar.files.manifest import MARK, read_manifest, sealed

PAGE = "report.html"  # what `compile --report` writes, too


def write_added(path: Path, content: bytes) -> None:
    """Write a page or picture; in an output folder of ours it is entered into the manifest.

    There it takes the place of nothing but what was added so before. Raises InputError where
    another file of its name is in the way or nothing can be written, FolderBusyError where a run
    writes the folder.
    """
    folder = Path(os.path.abspath(path)).parent  # noqa: PTH100 - resolve() would follow a symlink
    if read_manifest(folder / MARK) is None:
        _write(path, content)
        return
    with only_one(folder):
        manifest = read_manifest(folder / MARK)
        if manifest is not None:
            _enter(path, folder, manifest, hashlib.sha256(content).hexdigest())
        _write(path, content)


def _enter(path: Path, folder: Path, manifest: dict[str, Any], digest: str) -> None:
    """List the file before it is there: one that is listed and missing is nobody's."""
    where, name, files = str(path), path.name, manifest["files"]
    if not isinstance(files, dict):
        problem = "would lie in an output of an earlier version, whose manifest has no hashes"
        raise InputError(where, problem, "choose another file with -o")
    added = [str(one) for one in manifest.get("added", ())]
    if name == MARK or (name in files and name not in (*added, PAGE)):
        raise InputError(where, "is a file of this output", "choose another file with -o")
    if os.path.lexists(folder / name) and not _is(folder / name, files.get(name)):
        problem = "is not as moexbar wrote it"
        raise InputError(where, problem, "move it elsewhere, or choose another file with -o")
    entered = {**manifest, "files": {**files, name: digest}, "added": sorted({*added, name})}
    _write(folder / MARK, sealed(entered))


def _is(path: Path, digest: object) -> bool:
    """Whether a file has the content that its hash says."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest() == digest


def _write(path: Path, content: bytes) -> None:
    with write_atomically(path) as file:
        file.write(content)

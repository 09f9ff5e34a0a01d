"""The files that an output was made from: named in its manifest, and found again."""

import hashlib
import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ir.errors import InputError
from ir.infile import check_file

MOST_BYTES = 1 << 40  # of a model
MOST_FILES = 2000  # looked at in a folder


def source_entry(path: Path, target: Path) -> dict[str, Any]:
    """What a manifest says of a file: its name, its path from the output folder, size, SHA-256.

    A link stands for itself: what lies beside it belongs to it.
    """
    here = path.parent.resolve() / path.name
    return {
        "file": path.name,
        "path": os.path.relpath(here, target.resolve()),
        "bytes": path.stat().st_size,
        "sha256": digest(path),
    }


def find_source(manifest: Mapping[str, Any], what: str, given: Path | None, folder: Path) -> Path:
    """The model, or the inputs, that `folder` was compiled from; those of another are refused.

    given: where they are now; None: where the manifest says, else where a file of the same content
    lies: in the output folder, beside it or in the current folder. Raises InputError where it is
    not found, or is another.
    """
    entry = manifest.get(what)
    if not isinstance(entry, dict):
        if given is not None:
            return given
        raise InputError(str(folder), f"compiled without {what}", f"give --{what}")
    if given is not None:
        return _checked(given, entry, what, folder)
    said = str(entry.get("path", ""))
    said = said if said.isprintable() else ascii(said)[1:-1]
    stated = Path(os.path.normpath(folder / said))
    for path in itertools.chain([stated], _alike(entry, folder)):
        with suppress(InputError):  # one that may not be read is not the one
            if path.is_file() and digest(path) == entry.get("sha256"):
                return path
    return _checked(stated, entry, what, folder)


def _checked(path: Path, entry: Mapping[str, Any], what: str, folder: Path) -> Path:
    """The file, if it is the one; InputError otherwise."""
    check_file(path, f"the {what} that {folder} was compiled from (--{what})", MOST_BYTES)
    if digest(path) != entry.get("sha256"):
        problem = f"is not the {what} that {folder} was compiled from"
        raise InputError(str(path), problem, f"say where it is: --{what}")
    return path


def _alike(entry: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Files of the same size and kind of name near the output, the same name first."""
    name, size = str(entry.get("file", "")), entry.get("bytes")
    for place in dict.fromkeys(p.resolve() for p in (folder, folder.parent, Path())):
        near = _of_size(place, Path(name).suffix, size)
        yield from sorted(near, key=lambda path: (path.name != name, path.name))


def _of_size(place: Path, suffix: str, size: object) -> list[Path]:
    """Files of a folder; none where it may not be listed."""
    try:
        with os.scandir(place) as found:
            return [
                Path(one.path)
                for one, _ in zip(found, range(MOST_FILES), strict=False)
                if one.name.endswith(suffix) and one.is_file() and one.stat().st_size == size
            ]
    except OSError:
        return []


def digest(path: Path) -> str:
    """SHA-256 of a file; InputError where it cannot be read."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}") from error

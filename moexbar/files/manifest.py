"""manifest.json: the mark of an output folder of ours, and the list of the files that we wrote.

What the list does not have, or has with another hash, is somebody else's and is never deleted.
What differs from run to run is not in it, so that equal runs write equal manifests: such files are
listed without a hash, and their hashes are in times.json (docs/decisions/0039).
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ir.errors import InputError
from moexbar import __version__
from moexbar.chips.fields import shown
from moexbar.files.atomic import write_atomically
from moexbar.files.json_file import read_json

MARK, TIMES = "manifest.json", "times.json"
FORM = 2  # since 2 it says its form; before, some had no seal, no hashes or no list
_SHOWN = 3  # names of foreign files in a message
_STAGES = ["1-workload.txt", "2-blocks.txt", "3-groups.txt", "4-slots.txt", "5-program.txt"]
NONE: dict[str, float] = {}
Seen = dict[str, tuple[int, ...]]  # of each entry: inode, size, times of last changes in ns


def write_manifest(
    folder: Path,
    command: str,
    facts: Mapping[str, Any],
    names: Collection[str] | None = None,
    *,
    times: Mapping[str, float] = NONE,
    varying: Collection[str] = (),
) -> None:
    """Mark a folder as written by `moexbar COMMAND`, with the SHA-256 of every file in it.

    facts: what else it is to say; names: of our files, where others may lie there too. A file that
    is one hole (an example's weights) has no hash. What was added to the folder since it was last
    marked (`moexbar.files.added`) stays listed as it was added. times: seconds by what they are of,
    for times.json; varying: names of files that differ from run to run, hashed there too.
    """
    unlike = {name: _fingerprint(folder / name) for name in varying}
    if times or unlike:
        with write_atomically(folder / TIMES) as file:
            said = {"form": FORM, "moexbar": __version__, "seconds": dict(times), "files": unlike}
            file.write(sealed(said))
    before = read_manifest(folder / MARK) or {}
    added = {name: before["files"][name] for name in before.get("added", ())}
    found = sorted(path.name for path in folder.iterdir())
    ours = [name for name in found if names is None or name in (*names, TIMES)]
    apart = {TIMES, *unlike}
    files = {name: None if name in apart else _fingerprint(folder / name) for name in ours}
    content = {"form": FORM, "moexbar": __version__, "command": command, **facts}
    content["files"] = files | added
    content |= {"added": sorted(added)} if added else {}
    with write_atomically(folder / MARK) as file:
        file.write(sealed(content))


def sealed(content: Mapping[str, Any]) -> bytes:
    """A manifest as the content of its file, with the seal of what it says now at its end."""
    whole = {**_unsealed(content), "seal": _seal(content)}
    return (json.dumps(whole, indent=1) + "\n").encode()


def entries(folder: Path) -> Seen:
    """What lies in a folder, so that a later look tells whether anything has changed."""
    with os.scandir(folder) as found:
        states = {entry.name: entry.stat(follow_symlinks=False) for entry in found}
    return {
        name: (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        for name, info in states.items()
    }


def refuse_foreign(folder: Path, command: str) -> Seen:
    """The entries of a folder that an output of `command` may replace.

    That is an empty one, or an earlier output of the same command with nothing else in it. Raises
    InputError saying what is in the way otherwise.
    """
    where = str(folder)
    try:
        seen = entries(folder)
    except OSError as error:
        raise InputError(where, f"cannot be read: {error.strerror}") from error
    if not seen:
        return seen
    if MARK not in seen:
        problem = f"is a folder without {MARK}, so not an earlier output"
        raise InputError(where, problem, "choose another folder")
    manifest = read_manifest(folder / MARK)
    if manifest is None:
        problem = f"its {MARK} is not one of moexbar's, so it is not an earlier output"
        raise InputError(where, problem, "choose another folder")
    maker = command_of(manifest)
    if maker != command:
        problem = f"holds an output of `moexbar {maker}`, expected one of `moexbar {command}`"
        raise InputError(where, problem, "choose another folder")
    others = list(_foreign(folder, seen, manifest))
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        problem = f"holds what moexbar did not write: {', '.join(others[:_SHOWN])}{more}"
        raise InputError(where, problem, "move it elsewhere, or choose another folder")
    return seen


def refuse_other(folder: Path, command: str) -> None:
    """InputError where a folder is an output of another command of ours than this."""
    manifest = read_manifest(folder / MARK)
    if manifest is not None and (maker := command_of(manifest)) != command:
        problem = (
            f"holds an output of `moexbar {shown(maker)}`, expected one of `moexbar {command}`"
        )
        raise InputError(str(folder), problem)


def facts_of(folder: Path, command: str) -> dict[str, Any] | None:
    """What the manifest of an output of `command` says; None for any other folder."""
    found = read_manifest(folder / MARK)
    return found if found is not None and command_of(found) == command else None


def is_ours(folder: Path) -> bool:
    """Whether a folder has a manifest of ours."""
    return read_manifest(folder / MARK) is not None


def maker_of(folder: Path) -> str:
    """The command of ours that wrote a folder; InputError where none did."""
    manifest = read_manifest(folder / MARK)
    if manifest is not None:
        return command_of(manifest)
    where, hint = str(folder), "give the folder that was written with -o"
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "there is no such folder"
        raise InputError(where, f"{found}, expected an output folder of moexbar", hint)
    raise InputError(where, f"has no {MARK} of ours, expected an output folder of moexbar", hint)


def read_manifest(path: Path) -> dict[str, Any] | None:
    """A manifest that moexbar wrote and nobody changed; None for anything else.

    Those of earlier versions count, though they have no seal and some no hashes or no list.
    """
    found = _read_sealed(path)
    if found is None:
        return None
    if "stages_of" in found:
        found.setdefault("files", _STAGES)
    return found if isinstance(found.get("files"), dict | list) else None


def _read_sealed(path: Path) -> dict[str, Any] | None:
    """What one of our sealed files says; None for any other, or where the seal is broken."""
    try:
        if path.is_symlink() or not path.is_file():
            return None
        found = read_json(path, "a manifest", "")
    except (OSError, InputError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("moexbar"), str):
        return None
    return found if is_sealed(found) and _is_known(found) else None


def is_sealed(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest says what it said when it was written; one of form 1 may have no seal."""
    own = _seal(manifest)
    return bool(manifest.get("seal", None if "form" in manifest else own) == own)


def _is_known(manifest: Mapping[str, Any]) -> bool:
    form = manifest.get("form", 1)
    return type(form) is int and 1 <= form <= FORM


def _seal(content: Mapping[str, Any]) -> str:
    """A hash of all else in the manifest, which no other tool's has and a change breaks."""
    said = json.dumps(_unsealed(content), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _unsealed(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "seal"}


def command_of(manifest: Mapping[str, Any]) -> str:
    """Who wrote it; earlier versions did not say."""
    if "command" in manifest:
        return str(manifest["command"])
    known = {"example": "example", "inputs": "compile", "stages_of": "compile --dump-dir"}
    return next((command for key, command in known.items() if key in manifest), "compare")


def _foreign(folder: Path, seen: Seen, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Every entry that is not a file as we wrote it, as words for a message."""
    listed, written = manifest["files"], seen[MARK][2]
    for name in sorted(seen.keys() - {MARK}):
        path = folder / name
        if name not in listed or path.is_symlink() or not path.is_file():
            yield repr(name)
        elif isinstance(listed, dict):
            if not _is_as_written(path, listed[name] or told_apart(path)):
                yield f"{name!r} (changed since)"
        elif seen[name][2] > written:  # without hashes: the manifest was written last
            yield f"{name!r} (changed since)"


def told_apart(path: Path) -> str | None:
    """The hash of a file that its manifest has none of, from times.json; None: not there either."""
    found = _read_sealed(path.parent / TIMES)
    if found is None:
        return None
    if path.name == TIMES:  # which vouches for itself
        return _fingerprint(path)
    files = found.get("files")
    return files.get(path.name) if isinstance(files, dict) else None


def _is_as_written(path: Path, expected: object) -> bool:
    try:
        return expected is not None and _fingerprint(path) == expected
    except OSError:
        return False


def _fingerprint(path: Path) -> str | None:
    """SHA-256; None for a file that is one hole, which may be as long as a model."""
    with path.open("rb") as handle:
        if os.fstat(handle.fileno()).st_size:
            try:
                os.lseek(handle.fileno(), 0, os.SEEK_DATA)
            except OSError:  # no data from the start on
                return None
            handle.seek(0)
        return hashlib.file_digest(handle, "sha256").hexdigest()

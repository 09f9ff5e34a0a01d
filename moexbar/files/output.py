"""An output folder of ours read back: its files are held against the hashes in its manifest.

That finds accidents and edits, not an enemy, who would write another manifest: what is read is
decoded with as little trust as any file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ir.errors import InputError
from ir.infile import UNCHECKED, Infile
from moexbar.chips.fields import shown
from moexbar.files.form import check_form
from moexbar.files.json_file import read_json
from moexbar.files.manifest import FORM, MARK, command_of, is_sealed

WRITE_IT = "write the folder again"


@dataclass(frozen=True)
class Output:
    """A folder, and what its manifest says; digests: SHA-256 by name, None: nothing is compared."""

    folder: Path
    manifest: Mapping[str, Any]
    digests: Mapping[str, str | None] | None

    @property
    def maker(self) -> str:
        """The command of ours that wrote it."""
        return command_of(self.manifest)

    def file(self, name: str) -> Infile:
        """One of its files; InputError where the manifest does not list it."""
        path = self.folder / name
        if self.digests is None:
            return Infile(path)
        if name not in self.digests and path.exists():
            problem = f"files: does not list {name}, which is there"
            raise InputError(str(self.folder / MARK), problem, f"{WRITE_IT}; {UNCHECKED}")
        return Infile(path, self.digests.get(name))

    def has(self, name: str) -> bool:
        """Whether it has that file now: not all that a command can write is always written."""
        return (self.folder / name).exists()


def read_output(folder: Path, commands: Collection[str], *, unchecked: bool = False) -> Output:
    """The folder that one of these commands of ours wrote, its files to be read once each.

    unchecked: whatever was changed since. Raises InputError for a folder of another command, and,
    but for those unchecked, for one whose manifest is missing or changed, or has no hashes.
    """
    path, words = folder / MARK, " or ".join(f"`moexbar {name}`" for name in commands)
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "there is no such folder"
        raise InputError(str(folder), f"{problem}, expected an output folder of {words}")
    if unchecked and not path.exists() and len(commands) == 1:
        return Output(folder, MappingProxyType({"command": next(iter(commands))}), None)
    found = _manifest(path)
    maker = command_of(found)
    if maker not in commands:
        problem = f"holds an output of `moexbar {shown(maker)}`, expected one of {words}"
        raise InputError(str(folder), problem)
    if unchecked:
        return Output(folder, found, None)
    if not is_sealed(found):
        problem = "seal: does not fit the rest, expected a manifest as it was written"
        raise InputError(str(path), problem, f"it was changed since; {UNCHECKED}")
    digests: Any = found.get("files")
    known = isinstance(digests, dict)
    if not known or not all(one is None or isinstance(one, str) for one in digests.values()):
        problem = "files: expected the SHA-256 of each, as later versions write it"
        raise InputError(str(path), problem, f"{WRITE_IT}; {UNCHECKED}")
    return Output(folder, found, digests)


def _manifest(path: Path) -> dict[str, Any]:
    """The object in a manifest; InputError for anything else, or of a later form."""
    if not path.exists():
        problem = f"has no {MARK} of ours, expected an output folder of moexbar"
        raise InputError(str(path.parent), problem, "give the folder that was written with -o")
    found = read_json(path, "the manifest of an output folder", WRITE_IT)
    if not isinstance(found, dict):
        raise InputError(str(path), "no object, expected a manifest", f"{WRITE_IT}; {UNCHECKED}")
    check_form(str(path), "form", found.get("form"), FORM, WRITE_IT)
    if not isinstance(found.get("moexbar"), str):
        raise InputError(str(path), "moexbar: expected a version", f"{WRITE_IT}; {UNCHECKED}")
    return found

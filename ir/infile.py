"""Opening what a user names: a regular file of a sane size, or an error that says what it is."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ir.errors import InputError

UNCHECKED = "if that was meant: --unchecked"


def in_a_line(said: object, most: int = 200) -> str:
    """What another library says, short and on a line that prints."""
    text = " ".join(str(said).split())
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= most else text[: most - 3] + "..."


def check_file(path: Path, what: str, limit: int | None = None) -> int:
    """The bytes of a regular file of at most `limit`; anything else is refused.

    A FIFO or a device would block or never end. `what` names what was expected in the message.
    """
    where = str(path)
    try:
        info = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(where, f"cannot be read: {reason}, expected {what}") from error
    return _checked(info, where, what, limit)


def _checked(info: os.stat_result, where: str, what: str, limit: int | None) -> int:
    if not stat.S_ISREG(info.st_mode):
        kind = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
        raise InputError(where, f"{kind}, expected {what}")
    if limit is not None and info.st_size > limit:
        raise InputError(where, f"{info.st_size} bytes, expected {what} of at most {limit} bytes")
    return info.st_size


@dataclass(frozen=True)
class Infile:
    """A file to be read once and whole, and the SHA-256 that its content must have, if any."""

    path: Path
    sha256: str | None = None

    def __str__(self) -> str:
        return str(self.path)

    def read(self, what: str, limit: int) -> bytes:
        """Its content; InputError for no regular file, more than `limit` bytes or other content.

        What is returned is what was hashed: the file is not looked at again.
        """
        check_file(self.path, what, limit)
        try:
            with self.path.open("rb") as file:
                _checked(os.fstat(file.fileno()), str(self), what, limit)
                data = file.read(limit + 1)
        except OSError as error:
            raise InputError(str(self), f"cannot be read: {error.strerror or error}") from error
        if len(data) > limit:
            raise InputError(str(self), f"grew while it was read, expected {limit} bytes at most")
        if self.sha256 is not None:
            self._compare(hashlib.sha256(data).hexdigest(), self.sha256)
        return data

    def _compare(self, found: str, expected: str) -> None:
        if found != expected:
            problem = f"SHA-256: {found[:12]}..., expected {expected[:12]}... as in manifest.json"
            raise InputError(str(self), problem, f"it was changed since; {UNCHECKED}")


def infile(path: Path | str | Infile) -> Infile:
    """A path as a file of any content; one that has been made already as it is."""
    return path if isinstance(path, Infile) else Infile(Path(path))

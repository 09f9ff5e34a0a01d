"""Opening what a user names: a regular file of a sane size, or an error that says what it is."""

import stat
from pathlib import Path

from ir.errors import InputError


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
    if not stat.S_ISREG(info.st_mode):
        kind = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
        raise InputError(where, f"{kind}, expected {what}")
    if limit is not None and info.st_size > limit:
        raise InputError(where, f"{info.st_size} bytes, expected {what} of at most {limit} bytes")
    return info.st_size

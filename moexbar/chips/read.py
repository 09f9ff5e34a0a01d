"""Read a chip file that may be hostile: refuse before the parser can be made to suffer.

TOML's parser takes time and memory that grow with the square of a dotted key's parts (20,000
parts: 1.5 GB) and recurses with nesting, so size, line length, dots and depth are checked first.
"""

import re
import stat
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from ir.errors import InputError

MAX_BYTES = 64 * 1024
CHIP = "a chip description (TOML)"
MAX_LINE = 1000
MAX_DOTS = 32
MAX_DEPTH = 16

_QUOTED = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'')


def read_toml(path: Path, where: str, what: str = CHIP, most: int = MAX_BYTES) -> dict[str, Any]:
    """Read and parse a file of at most `most` bytes; floats as Decimal, exactly as written.

    Raises InputError for anything that is not a regular, small, valid TOML file.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise InputError(where, f"not a regular file, expected {what}")
        if info.st_size > most:
            raise InputError(where, f"{info.st_size} bytes, expected at most {most}")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(where, f"cannot be read: {reason}") from error
    if len(data) > most:
        raise InputError(where, f"more than {most} bytes, expected at most that")
    return _parse(data, where)


def _parse(data: bytes, where: str) -> dict[str, Any]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(where, f"byte {error.start} is not UTF-8, expected UTF-8 text") from error
    _check_shape(text, where)
    try:
        return tomllib.loads(text, parse_float=_decimal)
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise InputError(where, f"not valid TOML: {error}") from error
    except RecursionError as error:
        raise InputError(where, "nested too deeply, expected tables of plain values") from error


def _check_shape(text: str, where: str) -> None:
    """Refuse long lines, long dotted keys and deep nesting, without parsing."""
    depth = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            found = f"{len(line)} characters, expected at most {MAX_LINE}"
            raise InputError(where, f"line {number}: {found}")
        bare = _QUOTED.sub("", line)
        if bare.count(".") > MAX_DOTS:
            found = f"{bare.count('.')} dots outside quotes, expected at most {MAX_DOTS}"
            raise InputError(where, f"line {number}: {found}")
        for character in bare:
            depth += (character in "[{") - (character in "]}")
            if depth > MAX_DEPTH:
                found = f"brackets nested deeper than {MAX_DEPTH}"
                raise InputError(where, f"line {number}: {found}")


def _decimal(text: str) -> Decimal:
    """Read a float exactly; beyond what Decimal can hold counts as not a number."""
    try:
        return Decimal(text.replace("_", ""))
    except ArithmeticError:
        return Decimal("NaN")

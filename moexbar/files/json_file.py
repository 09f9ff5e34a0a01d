"""JSON from a file that may be hostile: its size, values and nesting are counted before it is read.

A value of two bytes takes sixty once it is read, and a list in a list a frame of the parser.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ir.errors import InputError
from ir.infile import Infile, infile
from ir.limits import Limits

_CHUNK = 1 << 20
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_QUOTE, _COMMA = ord('"'), ord(",")


def read_json(path: Path | str | Infile, what: str, hint: str) -> Any:
    """What is in a file; InputError for anything but JSON within the limits.

    what: the file should be; hint: what to do where it is not.
    """
    limits, file = Limits.in_force(), infile(path)
    return parsed(file.read(what, limits.document_bytes), str(file), hint, limits)


def parsed(data: bytes, where: str, hint: str, limits: Limits | None = None) -> Any:
    """The same of bytes; where: they are from."""
    limits = limits or Limits.in_force()
    values, depth = counted(data)
    limits.check("document_values", values, where, "JSON")
    limits.check("document_depth", depth, where, "JSON")
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise InputError(where, f"byte {error.start}: not UTF-8, expected JSON", hint) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(where, f"{place}: {error.msg}, expected JSON", hint) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, NaN
        raise InputError(where, f"not readable as JSON: {str(error)[:80]}", hint) from error


def counted(data: bytes) -> tuple[int, int]:
    """(values, depth) of JSON, from its commas and brackets outside of strings; linear in it."""
    values, depth, deepest, inside = 1, 0, 0, 0
    for chunk in _chunks(data):
        found = np.frombuffer(chunk, dtype=np.uint8)
        odd = (inside + np.cumsum(found == _QUOTE)) & 1
        inside, bare = int(odd[-1]), odd == 0
        opens = bare & ((found == ord("[")) | (found == ord("{")))
        closes = bare & ((found == ord("]")) | (found == ord("}")))
        level = depth + np.cumsum(opens.astype(np.int64) - closes)
        depth, deepest = int(level[-1]), max(deepest, int(level.max()))
        values += int(np.count_nonzero(opens | (bare & (found == _COMMA))))
    return values, deepest


def _chunks(data: bytes) -> Iterator[bytes]:
    """Pieces in which what a backslash escapes is blotted out; none ends in half of that."""
    rest = b""
    for start in range(0, len(data), _CHUNK):
        piece = _ESCAPE.sub(b"..", rest + data[start : start + _CHUNK])
        rest = b"\\" if piece.endswith(b"\\") else b""
        piece = piece[: len(piece) - len(rest)]
        if piece:
            yield piece


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant}, expected finite numbers")

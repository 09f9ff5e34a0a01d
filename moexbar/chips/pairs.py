"""Pairs of numbers in a chip file: [[0, 1], [1, 2]], or in a word of a command line 0-1,1-2."""

import re

from ir.chip import Pairs
from ir.errors import InputError
from moexbar.chips.fields import shown

HIGHEST = 10**4  # as many dies as can be
_WORD = re.compile(r" *([0-9]{1,9})-([0-9]{1,9}) *")
_EXPECTED = "expected pairs of dies, such as [[0, 1], [1, 2]]"


def read_pairs(path: str, raw: object, where: str) -> Pairs:
    """Read pairs from a list of lists or from text; InputError names the pair that is none."""
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, list):
        raise InputError(where, f"{path}: found {shown(str(raw))}, {_EXPECTED}")
    return tuple(_pair(path, part, where) for part in parts)


def pairs_text(pairs: Pairs) -> str:
    """Pairs as a word of a command line has them: `0-1, 1-2`."""
    return ", ".join(f"{a}-{b}" for a, b in pairs)


def _pair(path: str, part: object, where: str) -> tuple[int, int]:
    if isinstance(part, str):
        match = _WORD.fullmatch(part)
        part = [int(number) for number in match.groups()] if match else part
    if not isinstance(part, list) or len(part) != 2 or any(type(one) is not int for one in part):
        raise InputError(where, f"{path}: found {shown(str(part))}, {_EXPECTED}")
    if not all(0 <= one < HIGHEST for one in part):
        found = f"found {shown(str(part))}"
        raise InputError(where, f"{path}: {found}, expected dies from 0 to {HIGHEST - 1}")
    return part[0], part[1]

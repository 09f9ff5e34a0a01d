"""When the tokens of a window come, as it is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ir.arrays import Ints
from ir.errors import InputError
from moexbar.arguments import check, whole
from moexbar.files.arrivals_file import read_arrivals

Asked: TypeAlias = int | Sequence[int] | Ints | Path | str | None
PER_SLOT = "-per-slot"


def named_arrivals(text: str) -> int | Path:
    """Tokens a slot of `one-per-slot` or `4-per-slot`; anything else is the path of a file."""
    if not text.endswith(PER_SLOT):
        return Path(text)
    number = text.removesuffix(PER_SLOT)
    if number == "one":
        return 1
    if not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise InputError("--arrivals", f"{text!r}, expected one-per-slot, 2-per-slot or a file")
    return int(number)


def arrivals_of(asked: Asked, window: int) -> Ints | None:
    """The slot in which each token of a window of `window` tokens comes; None: all are there.

    asked: so many a slot, in order; or the slots themselves, or a file of them, the same for every
    window. Raises InputError where they are not one for each token.
    """
    if asked is None:
        return None
    if isinstance(asked, Path | str):
        found = read_arrivals(Path(asked))
    elif isinstance(asked, list | tuple | np.ndarray):
        found = np.array([whole("arrivals", slot) for slot in asked], dtype=np.int64)
    else:
        check("arrivals", asked, int, "tokens a slot, a list of slots or the path of a file")
        return np.arange(window) // whole("arrivals", asked, 1)
    if len(found) != window:
        where = str(asked) if isinstance(asked, Path | str) else "arrivals"
        raise InputError(where, f"{len(found)} slots, expected {window}: one a token of a window")
    return found

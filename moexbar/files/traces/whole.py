"""Whole numbers out of what holds them: integers of any width, and floats that are integral."""

import numpy as np

from ir.arrays import Array, Bools, Ints
from ir.errors import InputError

MOST = 2**53  # beyond it a float is no longer exact


def whole(where: str, name: str, array: Array, *, missing: int | None = None) -> Array:
    """`array` as integers, unchanged where it is; floats must be integral, nan is `missing`.

    Raises InputError naming the first element that is no whole number, or nan where `missing` is
    None.
    """
    if array.dtype.kind != "f":
        if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
            raise InputError(where, f"{name}: {int(array.max())}, expected less than 2^63")
        return array.astype(np.int64) if array.dtype.kind == "u" else array
    bad = not_whole(array, missing_ok=missing is not None)
    if np.any(bad):
        at = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
        raise InputError(
            where,
            f"{name}: element {list(at)}: {array[at]}, expected a whole number",
            ""
            if missing is not None
            else "shares of tokens: multiply by a number of tokens, round",
        )
    found: Ints = np.where(np.isnan(array), 0 if missing is None else missing, array).astype(
        np.int64
    )
    return found


def not_whole(array: Array, *, missing_ok: bool) -> Bools:
    """Where floats are no whole numbers; nan is one where missing_ok."""
    array = array.astype(np.float64, copy=False)  # of 16 bits, MOST is no number
    with np.errstate(invalid="ignore"):
        bad: Bools = (array != np.rint(array)) | (np.abs(array) > MOST)
    return bad & ~np.isnan(array) if missing_ok else bad

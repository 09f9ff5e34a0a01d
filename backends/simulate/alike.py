"""Instructions that are alike in some columns, so that each kind is looked at once."""

from collections.abc import Iterable

import numpy as np

from ir.arrays import Array, Ints


def alike(columns: Iterable[Array]) -> tuple[Ints, Ints]:
    """The first row [kinds] of each kind, and the kind of every row [rows].

    Column by column, as sorting numbers is far faster than sorting rows of a table.
    """
    kind = first = np.zeros(0, dtype=np.int64)
    for at, column in enumerate(columns):
        values, code = np.unique(column, return_inverse=True)
        key = kind * len(values) + code if at else code
        _, first, kind = np.unique(key, return_index=True, return_inverse=True)
    return first, kind

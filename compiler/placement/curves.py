"""Orders in which a rectangle of cores is filled: each core is a neighbour of the one before.

Blocks laid along such a path in one piece keep their column chains on neighbouring cores and leave
no core part-empty but the last.
"""

from collections.abc import Callable

import numpy as np

from ir.arrays import Ints

Curve = Callable[[int, int], tuple[Ints, Ints]]


def by_rows(width: int, height: int) -> tuple[Ints, Ints]:
    """Row by row from the port at (0, 0), in turn to the right and to the left: (x, y) [cores]."""
    y, x = np.divmod(np.arange(width * height), width)
    return np.where(y % 2 == 0, x, width - 1 - x), y


def by_columns(width: int, height: int) -> tuple[Ints, Ints]:
    """Column by column, in turn away from the port's row and back."""
    y, x = by_rows(height, width)
    return x, y


def by_hooks(width: int, height: int) -> tuple[Ints, Ints]:
    """Squares around the port, each a hook larger than the one before.

    The first n cores lie in a box of the least half-perimeter that n cores can have (but for the
    second half of a hook); past the largest square the rest follows in lines across.
    """
    if height > width:
        y, x = by_hooks(height, width)
        return x, y
    xs, ys = [], []
    for n in range(height):
        out = np.arange(n)
        x = np.concatenate([out, np.full(n + 1, n)])
        y = np.concatenate([np.full(n, n), np.arange(n, -1, -1)])
        if (height - 1 - n) % 2:  # the last hook ends in the port's row, where the lines go on
            x, y = x[::-1], y[::-1]
        xs.append(x)
        ys.append(y)
    x, y = by_columns(width - height, height)
    return np.concatenate([*xs, x + height]), np.concatenate([*ys, y])


CURVES: tuple[Curve, ...] = (by_hooks, by_rows, by_columns)

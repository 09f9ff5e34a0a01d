"""Points that no other beats: the front of any figures, its knee, and the best under limits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ir.arrays import Bools
from ir.products import product

Floats = npt.NDArray[np.float64]


def front(values: Floats) -> Bools:
    """Which rows no other row beats: bool [rows].

    values: float64 [rows, figures], each the less the better. A row beats another where it is
    nowhere more and somewhere less; rows that are equal are all on the front. A row with a number
    that is missing (NaN) is not on it, and beats none.
    """
    whole = ~np.isnan(values).any(axis=1)
    kept = np.zeros(len(values), dtype=bool)
    places = np.flatnonzero(whole)
    # whoever beats a row comes before it in this order
    order = places[np.lexsort(values[places].T[::-1])]
    found: list[int] = []
    for place in order.tolist():
        here, before = values[place], values[found]
        beaten = (before <= here).all(axis=1) & (before < here).any(axis=1)
        if not beaten.any():
            found.append(place)
    kept[found] = True
    return kept


def knee(values: Floats) -> int | None:
    """The row of a front farthest below the plane through its ends; None for fewer than three rows.

    values: float64 [rows, figures], the front alone. Each figure is scaled to 0 at its best and 1
    at its worst; the end of a figure is the row where it is best, and the plane is that through all
    ends: with one row per figure at 0 there and at most 1 elsewhere. Das, "On characterizing the
    knee of the Pareto curve based on normal-boundary intersection", Structural Optimization 18
    (1999): the point at the greatest distance from the hull of the individual minima, towards the
    origin. None where no row lies below the plane, or the ends do not span one.
    """
    rows, figures = values.shape
    if rows < 3 or figures < 2:
        return None
    low, high = values.min(axis=0), values.max(axis=0)
    if (low == high).any():
        return None
    scaled = (values - low) / (high - low)
    ends = scaled[[_end(scaled, figure) for figure in range(figures)]]
    try:
        normal = np.linalg.solve(ends, np.ones(figures))  # the plane is normal . x = 1
    except np.linalg.LinAlgError:
        return None
    below = 1 - product(scaled, normal)
    best = int(np.argmax(np.round(below, 12)))
    return best if below[best] > 1e-9 else None


def _end(scaled: Floats, figure: int) -> int:
    """The row where a figure is best; of several that with the least of the others."""
    return int(np.lexsort((scaled.sum(axis=1), scaled[:, figure]))[0])


@dataclass(frozen=True)
class Condition:
    """A comparison of a column with a value: of numbers, or for equality of texts."""

    column: str
    sign: str
    value: float | str

    def holds(self, cells: Sequence[object]) -> Bools:
        """Of each cell whether it does; an empty one never does."""
        if isinstance(self.value, str):
            same = np.array([cell is not None and str(cell) == self.value for cell in cells])
            filled = np.array([cell is not None for cell in cells], dtype=bool)
            return same.astype(bool) if self.sign == "==" else filled & ~same.astype(bool)
        numbers = np.array([_number(cell) for cell in cells])
        with np.errstate(invalid="ignore"):
            found = {
                "<": numbers < self.value,
                "<=": numbers <= self.value,
                ">": numbers > self.value,
                ">=": numbers >= self.value,
                "==": numbers == self.value,
                "!=": (numbers != self.value) & ~np.isnan(numbers),
            }
        kept: Bools = found[self.sign]
        return kept


def _number(cell: object) -> float:
    """A cell as a number; NaN for what is none, which no comparison holds of."""
    try:
        return float(cell) if isinstance(cell, str | int | float) else float("nan")
    except ValueError:
        return float("nan")

"""Points of a sweep that no other beats in two figures, and the knee of these."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moexbar.fronts import front, knee


@dataclass(frozen=True)
class Axis:
    """A figure of points: its name, its unit, and whether more of it is better."""

    name: str
    unit: str
    more: bool

    @property
    def title(self) -> str:
        """The name with its unit, and which way is better."""
        unit = f", {self.unit}" if self.unit else ""
        return f"{self.name}{unit} ({'more' if self.more else 'less'} is better)"


@dataclass(frozen=True)
class Point:
    """A point: its number, its settings in words, and its figures (None where it has none)."""

    number: int
    words: str
    figures: Sequence[float | None]


@dataclass(frozen=True)
class Front:
    """Numbers of the points on a front, and of its knee, of which there may be none."""

    front: tuple[int, ...]
    knee: tuple[int, ...]


def front_of(points: Sequence[Point], axes: Sequence[Axis], across: int, up: int) -> Front:
    """Which points no other beats in two figures, by the places of these."""
    found = np.array(
        [[_better(one.figures[at], axes[at]) for at in (across, up)] for one in points],
        dtype=np.float64,
    ).reshape(len(points), 2)
    kept = np.flatnonzero(front(found))
    at = knee(found[kept])
    numbers = [points[place].number for place in kept.tolist()]
    return Front(tuple(numbers), () if at is None else (numbers[at],))


def _better(value: float | None, axis: Axis) -> float:
    """A number, the less the better; NaN for none."""
    return float("nan") if value is None else -value if axis.more else value

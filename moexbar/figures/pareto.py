"""Points of a sweep by two of their figures: those that no other beats, and the knee of these."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moexbar.figures.figure import Figure, Spec
from moexbar.figures.grammar import WIDE, hover, name, number, rows
from moexbar.figures.palette import BLUE, GREY, VERMILLION
from moexbar.fronts import front, knee

KINDS = {"knee": VERMILLION, "front": BLUE, "other": GREY}
SIZES = {"knee": 170, "front": 90}


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


def pareto(points: Sequence[Point], axes: Sequence[Axis], across: int, up: int) -> Figure:
    """All points that have two figures, by these."""
    found = front_of(points, axes, across, up)
    data = list(_rows(points, found, across, up))
    sides = axes[across].name, axes[up].name
    return Figure(
        "pareto",
        f"{sides[1]} over {sides[0]}: {len(found.front)} of {len(data)} points are on the front",
        CAPTION,
        pareto_spec(data, axes[across].title, axes[up].title),
        wide=True,
    )


CAPTION = (
    "Every dot is a point of the sweep. On the front: no other point is better in one of the two "
    "figures and as good in the other. Knee: farthest from the line between the ends of the front."
)


def _rows(points: Iterable[Point], found: Front, across: int, up: int) -> Iterable[dict[str, Any]]:
    for one in points:
        x, y = one.figures[across], one.figures[up]
        if x is not None and y is not None:
            at = one.number
            kind = "knee" if at in found.knee else "front" if at in found.front else "other"
            yield {"point": at, "words": one.words, "kind": kind, "x": x, "y": y}


def pareto_spec(data: Iterable[dict[str, Any]], across: str, up: str) -> Spec:
    """Points with their kind; rows of `point`, `words`, `kind`, `x` and `y`."""
    scale = {"domain": list(KINDS), "range": list(KINDS.values())}
    tips = hover(point="point", words="settings", x="across|,.5~g", y="up|,.5~g", kind="kind")
    line = {"type": "line", "color": BLUE, "strokeWidth": 1, "interpolate": "linear"}
    return {
        "width": WIDE,
        "height": 380,
        "data": rows(data),
        "encoding": {
            "x": number("x", across, scale={"zero": False}),
            "y": number("y", up, scale={"zero": False}),
        },
        "layer": [
            {"mark": line, "transform": [{"filter": "datum.kind !== 'other'"}]},
            {
                "mark": {"type": "point", "filled": True, "opacity": 0.9, "cursor": "pointer"},
                "encoding": {
                    "color": name("kind", None, scale=scale),
                    "size": {
                        "condition": [
                            {"test": f"datum.kind === '{kind}'", "value": value}
                            for kind, value in SIZES.items()
                        ],
                        "value": 50,
                    },
                    "tooltip": tips,
                },
            },
        ],
    }

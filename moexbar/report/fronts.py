"""What `moexbar pareto` tells: points that no other beats, or the best of one figure."""

from dataclasses import dataclass

from moexbar.report.plain import Document


@dataclass(frozen=True)
class SoughtRow:
    """A figure that counts.

    figure: column of the results.
    sense: `less` or `more`, whichever is better.
    """

    figure: str
    sense: str


@dataclass(frozen=True)
class FrontRow:
    """A point.

    point: its number.
    settings: that vary, by their names; null where the point does not have one.
    figures: those that count, that conditions are on and that the points are sorted by.
    knee: whether it is farthest from the line or plane through the ends of the front.
    command: what gives the point alone, in the folder of the sweep.
    """

    point: int
    settings: dict[str, str | int | float | bool | None]
    figures: dict[str, str | int | float | bool | None]
    knee: bool
    command: str


@dataclass(frozen=True)
class ParetoReport(Document):
    """Points of a sweep: `moexbar pareto --json`.

    of: figures whose front it is; none: all points, sorted.
    where: conditions, as they were typed.
    best: figure that the points are sorted by.
    done: points of the sweep with figures.
    kept: of these, points that the conditions hold of.
    front: of these, points that no other beats; all of them where no front is asked for.
    rows: of these, the first ones.
    """

    of: tuple[SoughtRow, ...]
    where: tuple[str, ...]
    best: SoughtRow
    done: int
    kept: int
    front: int
    rows: tuple[FrontRow, ...]

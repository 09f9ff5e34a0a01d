"""What `moexbar explore` tells of a sweep; the figures of its points are in its table."""

from dataclasses import dataclass

from moexbar.report.plain import Document


@dataclass(frozen=True)
class ReasonRow:
    """Why points failed.

    reason: of all of them.
    points: that failed so.
    first: number of the first one.
    """

    reason: str
    points: int
    first: int


@dataclass(frozen=True)
class ExploreReport(Document):
    """A sweep: `moexbar explore --json`.

    sweep: its file.
    kind: grid, list, random or search.
    points: of the sweep.
    done: with figures.
    failed: without.
    resumed: that were done when this run began.
    groupings: different ones that its points needed, each found once.
    reasons: why points failed, the most frequent first, ten at most.
    """

    sweep: str
    kind: str
    points: int
    done: int
    failed: int
    resumed: int
    groupings: int
    reasons: tuple[ReasonRow, ...]

"""Every kind of picture: by what it is asked for, what it shows, what it is drawn from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from moexbar.figures.area import area
from moexbar.figures.bands import bands
from moexbar.figures.before_after import before_after
from moexbar.figures.bounds import bounds
from moexbar.figures.coactivation import coactivation
from moexbar.figures.effects import effects
from moexbar.figures.energy import energy
from moexbar.figures.figure import Figure, Shown
from moexbar.figures.floorplan import floorplan
from moexbar.figures.loads import loads
from moexbar.figures.methods import methods
from moexbar.figures.objective import objective
from moexbar.figures.parallel import parallel
from moexbar.figures.pareto import pareto
from moexbar.figures.steps import steps
from moexbar.figures.swept import Sweep
from moexbar.figures.time import time
from moexbar.figures.timeline import timeline
from moexbar.figures.weights import weights
from moexbar.figures.window import timeline_window
from moexbar.report.traces import CompareReport

Of = TypeVar("Of")


@dataclass(frozen=True)
class Kind(Generic[Of]):
    """A kind of picture: of a compilation (Shown), a comparison of solvers, or a sweep.

    shows: in a line; source: files of the output folder that it is drawn from; of: the pictures,
    one or several or None where what they show is not there.
    """

    shows: str
    source: str
    of: Callable[[Of], Figure | tuple[Figure, ...] | None]

    def draw(self, shown: Of) -> tuple[Figure, ...]:
        """The pictures, none where what they show is not there."""
        found = self.of(shown)
        return () if found is None else found if isinstance(found, tuple) else (found,)


REPORT, MAPPING, PROGRAM = "report.json", "mapping.json", "program.parquet"
ROUTING = "routing.npz"
PLAN = f"{MAPPING}, {PROGRAM}"
GROUPS = f"{ROUTING}, {MAPPING}"

KINDS: Mapping[str, Kind[Shown]] = {
    "time": Kind("what the time of the program is bound by, and when layers work", PROGRAM, time),
    "methods": Kind("time and MoE time of every method, with lower bounds", REPORT, methods),
    "energy": Kind("energy of every method by opcode, and static energy", REPORT, energy),
    "area": Kind("area of every method by part, MoE layers apart", REPORT, area),
    "bounds": Kind("every decision over its proven lower bound", REPORT, bounds),
    "bands": Kind("which assumed numbers of the chip move each figure most", REPORT, bands),
    "timeline": Kind("how busy units are over time, of a program of any size", PROGRAM, timeline),
    "timeline-window": Kind(
        "every instruction of a stretch on its unit, and what it waited for",
        f"{PROGRAM}, {REPORT}",
        timeline_window,
    ),
    "floorplan": Kind("dies from above: use of every core, traffic through it", PLAN, floorplan),
    "loads": Kind("tokens of every expert and group over the mean", GROUPS, loads),
    "coactivation": Kind("experts that tokens use together, by layer", GROUPS, coactivation),
    "before-after": Kind(
        "groups of an MoE layer over slots, one token at a time and as the program runs",
        f"{PROGRAM}, {REPORT}",
        before_after,
    ),
    "weights": Kind(
        "where weights are by role and operator; fill", f"{REPORT}, {MAPPING}", weights
    ),
    "steps": Kind("how long every decode step takes, and at least", REPORT, steps),
}

COMPARED: Mapping[str, Kind[CompareReport]] = {
    "objective": Kind(
        "answers of every solver over time, with the bound", "compare.json", objective
    ),
}


def _pareto(swept: Sweep) -> Figure | None:
    """The first two figures against each other."""
    x, y = swept.figures[:2]
    return pareto(swept.table, x, y, swept.settings)


def _effects(swept: Sweep) -> tuple[Figure, ...]:
    """A picture for each figure."""
    drawn = (effects(swept.table, figure, swept.settings) for figure in swept.figures)
    return tuple(figure for figure in drawn if figure is not None)


def _parallel(swept: Sweep) -> Figure | None:
    return parallel(swept.table, swept.settings, swept.figures)


RESULTS = "results.parquet"
SWEPT: Mapping[str, Kind[Sweep]] = {
    "pareto": Kind("two figures of every point, the front joined, its knee", RESULTS, _pareto),
    "effects": Kind("each figure against each setting: median and range", RESULTS, _effects),
    "parallel": Kind("settings and figures of every point at once", RESULTS, _parallel),
}

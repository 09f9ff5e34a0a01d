"""Every kind of picture: by what it is asked for, what it shows, what it is drawn from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from moexbar.figures.area import area
from moexbar.figures.bands import bands
from moexbar.figures.bounds import bounds
from moexbar.figures.energy import energy
from moexbar.figures.figure import Figure, Shown
from moexbar.figures.methods import methods
from moexbar.figures.time import time


@dataclass(frozen=True)
class Kind:
    """A kind of picture of a compilation.

    shows: in a line; source: files of the output folder that it is drawn from; of: the pictures of
    a compilation, one or several or None where what they show is not there.
    """

    shows: str
    source: str
    of: Callable[[Shown], Figure | tuple[Figure, ...] | None]

    def draw(self, shown: Shown) -> tuple[Figure, ...]:
        """The pictures, none where what they show is not there."""
        found = self.of(shown)
        return () if found is None else found if isinstance(found, tuple) else (found,)


REPORT, PROGRAM = "report.json", "program.parquet"

KINDS: Mapping[str, Kind] = {
    "time": Kind("what the time of the program is bound by, and when layers work", PROGRAM, time),
    "methods": Kind("time and MoE time of every method, with lower bounds", REPORT, methods),
    "energy": Kind("energy of every method by opcode, and static energy", REPORT, energy),
    "area": Kind("area of every method by part, MoE layers apart", REPORT, area),
    "bounds": Kind("every decision over its proven lower bound", REPORT, bounds),
    "bands": Kind("which assumed numbers of the chip move each figure most", REPORT, bands),
}

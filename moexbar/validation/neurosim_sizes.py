"""Four sizes on NeuroSim 1.4 with its defaults, compared like with like.

The other runs' times have the interconnect in them, which ours have in LOAD and STORE. Here it is
left out of the times as out of the energies: reads and sums are left on both sides. The claims were
written down before ours were computed, by `ns`, `nj` and `converters_um2` as they were. Nothing of
the preset was set from these runs. Their arrays are those that the preset has its area from, so
those rows count as fitted. No run is left out.
"""

from dataclasses import dataclass
from functools import partial

from moexbar.chips import load_chip
from moexbar.validation.claim import Claim, Ours, Study
from moexbar.validation.matrix import Ran, product
from moexbar.validation.neurosim import RUN, converters_um2, nj, ns


@dataclass(frozen=True)
class Size:
    """A matrix and what NeuroSim printed of it.

    rows, columns: of weights; copies: how often NeuroSim holds it, so that copies take turns.
    ns: in all, of buffers, of interconnect; pj: the same; arrays_um2: of all arrays;
    converters_um2: ADCs, accumulators; slow: why ours takes less time, where it does.
    """

    rows: int
    columns: int
    copies: int
    ns: tuple[float, float, float]
    pj: tuple[float, float, float]
    arrays_um2: float
    converters_um2: tuple[float, float]
    slow: str = ""

    @property
    def name(self) -> str:
        """As in a title and in the keys."""
        return f"{self.rows} x {self.columns}"

    @property
    def key(self) -> str:
        """What the keys of its rows begin with."""
        return f"neurosim.{self.rows}x{self.columns}"


SIZES = (
    Size(
        256,
        256,
        copies=2,
        ns=(342.876, 275.828, 6.78962),
        pj=(6340.27, 36.9795, 131.566),
        arrays_um2=142103,
        converters_um2=(103949, 101254),
        slow="a copy's 120.5 ns are 108.6 of reads, 5.1 of sums and 6.8 of other circuits, 3 and 4 "
        "clocks; ours has a tree of one level for 2 arrays, 1 clock",
    ),
    Size(
        2048,
        512,
        copies=1,
        ns=(1789.06, 1624.42, 49.2247),
        pj=(100983, 130.421, 2097.06),
        arrays_um2=1136820,
        converters_um2=(831589, 859865),
    ),
    Size(
        1536,
        384,
        copies=1,
        ns=(694.239, 541.472, 30.5533),
        pj=(56728.3, 252.052, 937.624),
        arrays_um2=639464,
        converters_um2=(467769, 460092),
        slow="its 122.2 ns are 108.6 of reads, 8.5 of sums and 5.1 of other circuits, 5 and 3 "
        "clocks; ours has a tree of four levels for 12 arrays, 4 clocks",
    ),
    Size(
        8192,
        128,
        copies=1,
        ns=(1274.75, 1118.59, 37.3429),
        pj=(101675, 270.372, 3085.06),
        arrays_um2=1136820,
        converters_um2=(831589, 908986),
    ),
)


def _study(size: Size) -> Study:
    """The four rows of a run."""
    run = f"{RUN}, {size.name}"
    of = run if size.copies == 1 else f"{run}, held {size.copies} times: copies take turns"
    return Study(
        f"NeuroSim 1.4, {size.name}",
        "run",
        run,
        (
            Claim(
                f"{size.key}_time_alone",
                "time, no buffers and wires",
                "ns",
                round(_less(size.ns), 3),
                f"{of}: {_parts(size.ns)}",
                cause=size.slow,
            ),
            Claim(
                f"{size.key}_energy",
                "energy, no buffers and wires",
                "nJ",
                round(_less(size.pj) / 1000, 4),
                f"{of}: pJ, {_parts(size.pj)}",
            ),
            Claim(
                f"{size.key}_arrays",
                "area of the arrays",
                "um2",
                size.arrays_um2,
                of,
                fits="areas of neurosim: the same array again",
            ),
            Claim(
                f"{size.key}_converters",
                "area of ADCs and accumulators",
                "um2",
                sum(size.converters_um2),
                f"{of}: {size.converters_um2[0]} and {size.converters_um2[1]}",
            ),
        ),
    )


def _less(parts: tuple[float, float, float]) -> float:
    """All, less buffers and interconnect."""
    every, buffers, wires = parts
    return every - buffers - wires


def _parts(parts: tuple[float, float, float]) -> str:
    every, buffers, wires = parts
    return f"{every} less {buffers} of buffers and {wires} of interconnect"


STUDIES = tuple(_study(size) for size in SIZES)


def _run(size: Size) -> Ran:
    return product(load_chip("neurosim"), size.rows, size.columns)


def _time(size: Size) -> float:
    """A product takes one copy; copies take turns."""
    return ns(_run(size)) / size.copies


def _energy(size: Size) -> float:
    return nj(_run(size))


def _arrays(size: Size) -> float:
    return size.copies * _run(size).cost.area.parts_um2["arrays"]


def _converters(size: Size) -> float:
    return size.copies * converters_um2(_run(size))


OURS: Ours = {
    f"{size.key}_{name}": partial(measure, size)
    for size in SIZES
    for name, measure in (
        ("time_alone", _time),
        ("energy", _energy),
        ("arrays", _arrays),
        ("converters", _converters),
    )
}

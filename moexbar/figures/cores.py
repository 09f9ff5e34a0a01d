"""The cores of all dies as they lie in a picture: where each is, and what belongs to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, isqrt, sqrt

import numpy as np

from ir.arrays import Floats, Ints
from ir.placement import Placement, Region
from ir.program import Program
from ir.topology import ONE_DIE, Topology
from moexbar.report.mapped import MappingFile

MOST_CELLS = 12_000  # in a picture; of more cores neighbours are taken together
GAP = 0.25  # of a die's longer side, between two dies


@dataclass(frozen=True, eq=False)
class Field:
    """Cells of the picture: one core each, or square blocks of `side` x `side` of them.

    width, height: of a die in cores; columns: dies in a row of the picture; topology: of the dies.
    """

    width: int
    height: int
    topology: Topology
    columns: int
    side: int

    @property
    def gap(self) -> int:
        """Cores' widths between two dies."""
        return max(1, ceil(GAP * max(self.width, self.height))) if self.topology.count > 1 else 0

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of the picture in cores."""
        across, down = self.columns, -(-self.topology.count // self.columns)
        return (
            across * (self.width + self.gap) - self.gap,
            down * (self.height + self.gap) - self.gap,
        )

    def corner(self, die: int) -> tuple[int, int]:
        """Where a die begins."""
        down, across = divmod(die, self.columns)
        return across * (self.width + self.gap), down * (self.height + self.gap)

    def cells(self) -> tuple[Ints, Ints, Ints]:
        """Die and first core (x, y) on it of every cell, in the order of `blocks`."""
        x = np.arange(0, self.width, self.side)
        y = np.arange(0, self.height, self.side)
        die = np.arange(self.topology.count)
        found = np.meshgrid(die, y, x, indexing="ij")
        return found[0].ravel(), found[2].ravel(), found[1].ravel()

    def blocks(self, of_core: Floats) -> Floats:
        """What cores have, added up by cell: float64 [cells] of [dies * height * width]."""
        grid = of_core.reshape(self.topology.count, self.height, self.width)
        for axis, length in ((1, self.height), (2, self.width)):
            grid = np.add.reduceat(grid, np.arange(0, length, self.side), axis=axis)
        return grid.ravel()


def field_of(placement: Placement, most: int = MOST_CELLS) -> Field:
    """How the dies of a placement lie in a picture."""
    dies = placement.topology.count
    columns = placement.topology.columns or isqrt(max(dies - 1, 0)) + 1
    cores = dies * placement.mesh_width * placement.mesh_height
    return Field(
        placement.mesh_width,
        placement.mesh_height,
        placement.topology,
        min(columns, dies),
        max(1, ceil(sqrt(cores / most))),
    )


def placement_of(mapping: MappingFile) -> Placement:
    """Regions and cores of mapping.json, for the ways between them; without its tiles."""
    dies = mapping.dies
    pairs = np.array(mapping.pg_core, dtype=np.int64).reshape(-1, 2)
    core = np.repeat(pairs[:, 0], pairs[:, 1])
    return Placement(
        mesh_width=mapping.mesh.width,
        mesh_height=mapping.mesh.height,
        regions=tuple(
            Region(r.layer, r.x, r.y, r.width, r.height, r.guests or (), r.die or 0)
            for r in mapping.regions
        ),
        pg_start=np.zeros(0, dtype=np.int64),
        spots=np.zeros((0, 0, 3), dtype=np.int64),
        core=core,
        pg_class=np.zeros(len(core), dtype=np.int8),
        solver="not asked",
        topology=Topology(dies.count, dies.joined, dies.columns) if dies else ONE_DIE,
    )


def core_use(program: Program, placement: Placement) -> tuple[Floats, Floats]:
    """Peripheral groups of each core, and how long these are busy in all, ps: float64 [cores].

    A peripheral group that several fire groups share is busy for each of them.
    """
    busy_ps = np.bincount(program.unit, program.busy_ps, len(program.units))
    edges = np.zeros(placement.pgs + 1)
    for unit, ps in zip(program.units, busy_ps.tolist(), strict=True):
        if unit.kind == "group":
            edges[unit.first_pg] += ps
            edges[unit.first_pg + unit.pgs] -= ps
    cores = placement.topology.count * placement.mesh_width * placement.mesh_height
    groups = np.bincount(placement.core, minlength=cores)
    busy: Floats = np.bincount(placement.core, np.cumsum(edges)[:-1], cores).astype(np.float64)
    return groups.astype(np.float64), busy


def frames(field: Field, regions: Sequence[Region]) -> Iterator[dict[str, float | str]]:
    """The outline of each region, with the layers that are in it as its name."""
    for region in regions:
        x, y = field.corner(region.die)
        layers = region.layers
        yield {
            "x": x + region.x,
            "y": y + region.y,
            "x2": x + region.x + region.width,
            "y2": y + region.y + region.height,
            "cx": x + region.x + region.width / 2,
            "cy": y + region.y + region.height / 2,
            "name": " ".join(map(str, layers[:3])) + (" ..." if len(layers) > 3 else ""),
            "die": region.die,
        }

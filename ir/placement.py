"""Where on the dies every peripheral group is: regions of cores, and the ways between them."""

from collections.abc import Mapping as ByKey
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ir.arrays import Ints
from ir.certificate import Certificate
from ir.errors import InputError
from ir.topology import ONE_DIE, Topology


@dataclass(frozen=True)
class Region:
    """A rectangle of cores of one die: x..x+width-1, y..y+height-1.

    It holds one layer, or several that have a stack in common (`ir.stacks`): `layer` and, after
    it, `guests`. Each of them has a bus, a return link and digital units of its own in it. A layer
    on several dies has a region on each: see `Placement.regions`.
    """

    layer: int
    x: int
    y: int
    width: int
    height: int
    guests: tuple[int, ...] = ()
    die: int = 0

    @property
    def layers(self) -> tuple[int, ...]:
        """All layers that are in it, ascending."""
        return (self.layer, *self.guests)


@dataclass(frozen=True)
class Crossing:
    """Which die everything is on: bytes x links of the fitted tokens, and what is proven of them.

    baselines: the same of other ways on the same dies, by name; None where a way does not fit.
    least_dies: no assignment fits fewer.
    """

    solver: str
    certificate: Certificate
    baselines: tuple[tuple[str, int | None], ...]
    least_dies: int


@dataclass(frozen=True, eq=False)
class Placement:
    """PGs on the meshes of the dies, which are all of mesh_width x mesh_height cores.

    regions: a layer's first one is its home, where its digital and attention units work on whole
    vectors; others hold matrices of it on other dies. pg_start: [blocks] (see the module's
    numbering); spots: [blocks, 4, 3], for a block's tiles of each of TILE_KINDS the crossbar behind
    the PG, and the first row and column of its cells that the tile takes; core: [PGs] = (die * mesh
    height + y) * mesh width + x; pg_class: [PGs] 0 = of routed experts, 1 = of none. topology: how
    the dies are joined; values cross from one to the next at their ports, the cores (0, 0).
    crossing: what is proven of which die everything is on.
    """

    mesh_width: int
    mesh_height: int
    regions: tuple[Region, ...]
    pg_start: Ints
    spots: Ints
    core: Ints
    pg_class: npt.NDArray[np.int8]
    solver: str
    certificate: Certificate | None = None
    topology: Topology = ONE_DIE
    crossing: Crossing | None = None

    @property
    def pgs(self) -> int:
        """Number of peripheral groups."""
        return len(self.core)

    @cached_property
    def _region_of(self) -> tuple[ByKey[int, Region], ByKey[tuple[int, int], Region]]:
        """The home of each layer, and the region of each layer on each die."""
        homes: dict[int, Region] = {}
        parts: dict[tuple[int, int], Region] = {}
        for region in self.regions:
            for layer in region.layers:
                homes.setdefault(layer, region)
                parts[layer, region.die] = region
        return homes, parts

    def region(self, layer: int, die: int | None = None) -> Region:
        """The region that `layer` is in: its home, or that on `die`."""
        homes, parts = self._region_of
        region = homes.get(layer) if die is None else parts.get((layer, die))
        if region is None:
            on = "" if die is None else f" on die {die}"
            raise InputError("placement", f"no region for layer {layer}{on}")
        return region

    def die_of(self, pg: int) -> int:
        """The die that a PG is on."""
        return int(self.core[pg]) // (self.mesh_width * self.mesh_height)

    def hops_to_port(self, layer: int, first_pg: int, pgs: int) -> int:
        """Mesh links between a fire group's PGs and the port of its layer's region on that die.

        The port is the region's corner (x, y). The hops are the half-perimeter of the box around
        it and the group's cores: what a multicast to them takes, and the XY distance to the port
        from the box's far corner. 0 where all of them share the port's core.
        """
        region = self.region(layer, self.die_of(first_pg))
        y, x = np.divmod(self.core[first_pg : first_pg + pgs], self.mesh_width)
        y = y % self.mesh_height
        return int((x - region.x).max(initial=0) + (y - region.y).max(initial=0))

    def ports(self, first_pg: int, pgs: int) -> int:
        """Mesh ports of a fire group's PGs: one for each core that holds any."""
        return len(np.unique(self.core[first_pg : first_pg + pgs]))

    def hops_between(self, layer: int, other: int) -> int:
        """Mesh links from the port of one layer's home to that of another's.

        Where that is on another die, to the port of its own die.
        """
        a, b = self.region(layer), self.region(other)
        return abs(a.x - b.x) + abs(a.y - b.y) if a.die == b.die else a.x + a.y

    def hops_to_die_port(self, layer: int, die: int) -> int:
        """Mesh links from the port of a layer's region on a die to the port of the die."""
        region = self.region(layer, die)
        return region.x + region.y

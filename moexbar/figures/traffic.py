"""What goes over the mesh of cores and the links between dies: the XFERs of a program, way by way.

A way is what `Placement` counts hops on: between regions from port to port, between the stages of
an expert from the port of the region to the far corner of the box around it and the group's cores,
or back. Each goes along its row first, then along the column, so that bytes over links, added up,
are bytes x hops.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ir.arrays import Floats
from ir.placement import Placement
from ir.program import Opcode, Program, Unit

EAST, WEST, SOUTH, NORTH = range(4)


@dataclass(frozen=True)
class Way:
    """From one core of a die to another, in cores (x, y)."""

    die: int
    start: tuple[int, int]
    end: tuple[int, int]

    @property
    def hops(self) -> int:
        """Links on it."""
        return abs(self.start[0] - self.end[0]) + abs(self.start[1] - self.end[1])


@dataclass(frozen=True, eq=False)
class Traffic:
    """Bytes on every link and through every core.

    over_link: [4, dies, height, width] that leave a core to the EAST, WEST, SOUTH or NORTH;
    through: [dies, height, width] that begin in a core, end in it or pass it;
    between: {(die, to): bytes} over links between dies.
    """

    over_link: Floats
    through: Floats
    between: dict[tuple[int, int], int]


def traffic(program: Program, placement: Placement) -> Traffic:
    """Add up the XFERs of a program on their ways, and its CROSSes on the links between dies."""
    shape = placement.topology.count, placement.mesh_height, placement.mesh_width
    over, through = np.zeros((4, *shape)), np.zeros(shape)
    for way, sent in ways(program, placement):
        _add(over[:, way.die], through[way.die], way, float(sent))
    crossed = np.flatnonzero(program.opcode == Opcode.CROSS)
    by_unit = np.bincount(program.unit[crossed], program.bytes[crossed], len(program.units))
    between = {
        (unit.die, unit.to): int(sent)
        for unit, sent in zip(program.units, by_unit.tolist(), strict=True)
        if unit.kind == "d2d"
    }
    return Traffic(over, through, between)


def ways(program: Program, placement: Placement) -> Iterator[tuple[Way, int]]:
    """Every way that XFERs take, with the bytes of all that take it."""
    rows = np.flatnonzero(program.opcode == Opcode.XFER)
    inward = np.diff(program.dst.offsets)[rows] > 0
    key = np.stack([program.unit[rows], program.buffer[rows], inward])
    known, place = np.unique(key, axis=1, return_inverse=True)
    sent = np.bincount(place.ravel(), program.bytes[rows], known.shape[1])
    groups = {(u.layer, u.stage, u.group): u for u in program.units if u.kind == "group"}
    for (number, buffer, to_group), amount in zip(known.T.tolist(), sent.tolist(), strict=True):
        unit = program.units[number]
        if unit.kind == "link":
            group = groups[unit.layer, unit.stage, unit.group]
            way = _of_group(placement, group, inward=bool(to_group))
        else:
            to = program.buffers[buffer].layer if buffer >= 0 else unit.layer
            way = _between(placement, unit, to)
        yield way, int(amount)


def _of_group(placement: Placement, group: Unit, *, inward: bool) -> Way:
    """From the port of a group's region to the far corner of the box of both, or back."""
    die = placement.die_of(group.first_pg)
    region = placement.region(group.layer, die)
    y, x = np.divmod(
        placement.core[group.first_pg : group.first_pg + group.pgs], placement.mesh_width
    )
    far = int(x.max()), int((y % placement.mesh_height).max())
    port = region.x, region.y
    return Way(die, port, far) if inward else Way(die, far, port)


def _between(placement: Placement, mesh: Unit, to: int) -> Way:
    """From the port of a region to that of another's home, or to the port of its die."""
    source, home = placement.region(mesh.layer, mesh.die), placement.region(to)
    same = home.die == source.die and to != mesh.layer
    return Way(source.die, (source.x, source.y), (home.x, home.y) if same else (0, 0))


def _add(over: Floats, through: Floats, way: Way, sent: float) -> None:
    """Along the row first."""
    (x, y), (x2, y2) = way.start, way.end
    if x2 >= x:
        over[EAST, y, x:x2] += sent
        through[y, x : x2 + 1] += sent
    else:
        over[WEST, y, x2 + 1 : x + 1] += sent
        through[y, x2 : x + 1] += sent
    if y2 >= y:
        over[SOUTH, y:y2, x2] += sent
        through[y + 1 : y2 + 1, x2] += sent
    else:
        over[NORTH, y2 + 1 : y + 1, x2] += sent
        through[y2:y, x2] += sent

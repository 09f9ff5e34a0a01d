"""Each die is placed by itself; here its regions are cut out, and put together again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.placement.shelves import Shelves
from compiler.placement.sites import Sites
from ir.placement import Placement, Region


@dataclass(frozen=True)
class Placed:
    """The regions of one die on a mesh of its own, under their numbers.

    value, bound: packets x hops; deterministic: whether it repeats.
    """

    placement: Placement
    value: int = 0
    bound: int = 0
    deterministic: bool = True


def by_die(shelves: Shelves, sites: Sites) -> Iterator[Shelves]:
    """What is on each die that has something, in order: PGs numbered from 0, of its regions."""
    first = 0
    for die in sorted({site.die for site in sites.regions.values()}):
        own = {n: pgs for n, pgs in shelves.layer_pgs.items() if sites.regions[n].die == die}
        last = first + sum(own.values())
        yield replace(shelves, pg_class=shelves.pg_class[first:last], layer_pgs=own)
        first = last


def together(shelves: Shelves, sites: Sites, placed: Sequence[Placed]) -> Placement:
    """The dies as one placement: meshes as large as the largest, a layer's home before the rest.

    placed: the dies that have something, in order.
    """
    width = max(one.placement.mesh_width for one in placed)
    height = max(one.placement.mesh_height for one in placed)
    dies = sorted({site.die for site in sites.regions.values()})
    cores, regions = [], list[Region]()
    for die, one in zip(dies, placed, strict=True):
        y, x = np.divmod(one.placement.core, one.placement.mesh_width)
        cores.append((die * height + y) * width + x)
        for region in one.placement.regions:
            layer, *guests = sites.regions[region.layer].layers
            regions.append(replace(region, layer=layer, guests=tuple(guests), die=die))
    home = {layer: sites.regions[number].die for layer, number in sites.home.items()}
    regions.sort(key=lambda r: (r.layer, r.die != home[r.layer], r.die))
    return Placement(
        mesh_width=width,
        mesh_height=height,
        regions=tuple(regions),
        pg_start=shelves.pg_start,
        spots=shelves.spots,
        core=np.concatenate(cores),
        pg_class=shelves.pg_class,
        solver=placed[0].placement.solver,
        topology=sites.topology,
    )

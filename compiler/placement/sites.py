"""Which region every fire group is in, before any region has a place."""

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.fire_groups import numbered
from ir.mapping import Block, Grouping
from ir.stacks import Member, Stacking
from ir.topology import ONE_DIE, Topology


@dataclass(frozen=True)
class Site:
    """A region to be: the layers that are in it, and its die."""

    layers: tuple[int, ...]
    die: int = 0


@dataclass(frozen=True)
class Sites:
    """The regions by number, those of a die one after another.

    of_group: the region of each fire group; home: of each layer the one where its digital units
    work on whole vectors.
    """

    regions: Mapping[int, Site]
    of_group: Mapping[Member, int]
    home: Mapping[int, int]
    topology: Topology = ONE_DIE


def on_one_die(blocks: tuple[Block, ...], grouping: Grouping, stacking: Stacking) -> Sites:
    """A region per layer, with its number; layers with a stack in common are in one."""
    hosts = stacking.hosts(tuple(sorted({block.layer for block in blocks})))
    layers: dict[int, list[int]] = {}
    for layer, host in sorted(hosts.items()):
        layers.setdefault(host, []).append(layer)
    regions = {host: Site(tuple(found)) for host, found in layers.items()}
    return Sites(regions, {m: hosts[m.layer] for m in numbered(blocks, grouping)}, hosts)


def on_dies(die: Mapping[Member, int], home: Mapping[int, int], topology: Topology) -> Sites:
    """A region for each die that a layer has fire groups on; numbers go die by die.

    die: of each fire group; home: {layer: its home die}, one that has some of its fire groups.
    """
    found = sorted({(of, member.layer) for member, of in die.items()})
    number = {site: n for n, site in enumerate(found)}
    return Sites(
        {n: Site((layer,), of) for (of, layer), n in number.items()},
        {member: number[of, member.layer] for member, of in die.items()},
        {layer: number[of, layer] for layer, of in home.items()},
        topology,
    )

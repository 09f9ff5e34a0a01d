"""Chips of several dies for tests, and fire groups on their dies at random."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from compiler.fire_groups import numbered
from compiler.placement.sites import Sites, on_dies
from ir.chip import Chip, Dies, Link
from ir.compiled import Compiled
from ir.mapping import Block, Grouping
from ir.topology import Topology, topology_of
from tests.make import compile_small, small_chip, small_workload

LINK = Link("own", 8, edge_um=1000, latency_ps=2_000, bit_fj=500, um2_per_mm=100)
LARGE = 10**9  # um2: room for any test's model
JOINED = {
    "two": Dies(LARGE, count=2),
    "mesh of 5": Dies(LARGE, count=5),
    "mesh of 9": Dies(LARGE, count=9),
    "ring of 4": Dies(LARGE, count=4, topology="ring"),
    "ring of 7": Dies(LARGE, count=7, topology="ring"),
    "all of 3": Dies(LARGE, count=3, topology="all-to-all"),
    "a star": Dies(LARGE, count=4, topology="table", table=((0, 2), (1, 2), (2, 3))),
}


def on_several(chip: Chip, dies: Dies) -> Chip:
    """The chip in dies; its digital and attention units are each region's own."""
    digital = replace(chip.digital, dpus=0, mha_units=0)
    return replace(chip, digital=digital, dies=dies, link=LINK)


def die_chip(dies: Dies, **changes: Any) -> Chip:
    """SMALL_CHIP in dies, with fields changed like `small_chip`."""
    return on_several(small_chip(**changes), dies)


def at_random(dies: Dies, seed: int) -> Callable[[tuple[Block, ...], Grouping], Sites]:
    """What says a random die of every fire group, and one of them as the home of each layer."""
    topology = topology_of(dies)

    def sites(blocks: tuple[Block, ...], grouping: Grouping) -> Sites:
        return random_sites(blocks, grouping, topology, seed)

    return sites


def random_sites(
    blocks: tuple[Block, ...], grouping: Grouping, topology: Topology, seed: int
) -> Sites:
    """A random die of every fire group, and one of these as the home of each layer."""
    random = np.random.default_rng(seed)
    members = sorted(set(numbered(blocks, grouping)))
    die = {member: int(random.integers(topology.count)) for member in members}
    of_layer: dict[int, list[int]] = {}
    for member in members:
        of_layer.setdefault(member.layer, []).append(die[member])
    home = {layer: int(random.choice(found)) for layer, found in of_layer.items()}
    return on_dies(die, home, topology)


def compiled_on(dies: Dies, seed: int = 0, **changes: Any) -> Compiled:
    """A small program with a decode step, every fire group on a random die.

    changes: of the chip.
    """
    workload, sites = small_workload(k=3, shared=1), at_random(dies, seed)
    return compile_small(workload, die_chip(dies, **changes), decode=1, sites=sites)

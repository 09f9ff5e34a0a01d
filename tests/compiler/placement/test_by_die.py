"""Every die is placed by itself, as its layers alone would be."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.fire_groups import numbered
from compiler.options import PLACERS, PlacementOptions, Placer, SolverOptions
from compiler.partition import partition, with_dense_copies
from compiler.placement import Routed, place
from compiler.placement.sites import Sites, on_dies
from ir.chip import Dies
from ir.mapping import Block, Grouping
from ir.placement import Placement
from ir.topology import topology_of
from tests.dies import JOINED, LARGE, die_chip, random_sites
from tests.make import contiguous, random_routing, small_workload

WORKLOAD = small_workload(layers=3, shared=1)
QUICK = SolverOptions(time_s=0.05)
ONE = Dies(LARGE, count=1)
DIES = [JOINED[name] for name in ("two", "mesh of 5", "ring of 7")]


def on_one(blocks: tuple[Block, ...], grouping: Grouping) -> Sites:
    """All on the one die of a chip."""
    layers = {block.layer for block in blocks}
    everything = dict.fromkeys(numbered(blocks, grouping), 0)
    return on_dies(everything, dict.fromkeys(layers, 0), topology_of(ONE))


def of_model(dies: Dies, seed: int) -> tuple[tuple[Block, ...], Grouping, Sites]:
    """Blocks with two copies of dense ones, on random dies."""
    chip = die_chip(dies)
    grouping = contiguous(WORKLOAD, chip.pg.mux)
    blocks = with_dense_copies(partition(WORKLOAD, chip), WORKLOAD, 2)
    return blocks, grouping, random_sites(blocks, grouping, topology_of(dies), seed)


def placed(
    blocks: tuple[Block, ...], grouping: Grouping, sites: Sites, dies: Dies, solver: Placer
) -> Placement:
    """By a solver, judged by a routing where it asks for one."""
    routed = None
    if solver == "cp-sat":
        chosen = random_routing(WORKLOAD, np.zeros(8, dtype=np.int64))
        routed = Routed(WORKLOAD, chosen, 8)
    options, chip = PlacementOptions(solver), die_chip(dies)
    return place(blocks, grouping, chip, options, routed=routed, limits=QUICK, sites=sites)


@pytest.mark.parametrize("solver", PLACERS)
@pytest.mark.parametrize("dies", DIES, ids=lambda d: f"{d.topology} of {d.count}")
def test_regions_of_a_die_lie_apart(dies: Dies, solver: Placer) -> None:
    """And every peripheral group in the region of its layer on the die that it was put on."""
    blocks, grouping, sites = of_model(dies, 1)
    p = placed(blocks, grouping, sites, dies, solver)
    assert (p.topology, p.solver) == (topology_of(dies), solver)
    owner: dict[tuple[int, int, int], int] = {}
    for number, region in enumerate(p.regions):
        for x in range(region.x, region.x + region.width):
            for y in range(region.y, region.y + region.height):
                assert x < p.mesh_width and y < p.mesh_height
                assert owner.setdefault((region.die, x, y), number) == number
    for block, member, start in zip(
        blocks, numbered(blocks, grouping), p.pg_start.tolist(), strict=True
    ):
        die = sites.regions[sites.of_group[member]].die
        region = p.region(member.layer, die)
        assert (region.layer, region.die) == (member.layer, die)
        for pg in range(start, start + block.tiles):
            assert p.die_of(pg) == die
            y, x = divmod(int(p.core[pg]), p.mesh_width)
            assert p.regions[owner[die, x, y % p.mesh_height]] is region


@pytest.mark.parametrize("solver", ["in-order", "squares"])
def test_a_die_is_as_its_layers_alone(solver: Placer) -> None:
    """Layers 0 and 2 on die 3, layer 1 on die 0, each as on a chip of that die: the same cores."""
    dies, die_of = JOINED["mesh of 5"], {0: 3, 1: 0, 2: 3}
    blocks, grouping, _ = of_model(dies, 0)
    die = {member: die_of[member.layer] for member in numbered(blocks, grouping)}
    p = placed(blocks, grouping, on_dies(die, die_of, topology_of(dies)), dies, solver)
    for here in (0, 3):
        layers = {layer for layer, on in die_of.items() if on == here}
        mine = [i for i, block in enumerate(blocks) if block.layer in layers]
        some = tuple(blocks[i] for i in mine)
        own = Grouping(tuple(g for g in grouping.layers if g.layer in layers))
        q = placed(some, own, on_one(some, own), ONE, solver)
        for layer in layers:
            assert replace(p.region(layer), die=0) == q.region(layer)
        for i, start in zip(mine, q.pg_start.tolist(), strict=True):
            for pg in range(blocks[i].tiles):
                y, x = divmod(int(p.core[p.pg_start[i] + pg]), p.mesh_width)
                there, column = divmod(int(q.core[start + pg]), q.mesh_width)
                assert (x, y) == (column, here * p.mesh_height + there)


def test_homes_come_first_and_numbers_say_the_die() -> None:
    dies = JOINED["ring of 7"]
    blocks, grouping, sites = of_model(dies, 3)
    p = placed(blocks, grouping, sites, dies, "in-order")
    for layer, number in sites.home.items():
        assert p.region(layer).die == sites.regions[number].die
        first = next(region for region in p.regions if region.layer == layer)
        assert first is p.region(layer)
    assert p.core.max() < p.mesh_width * p.mesh_height * dies.count
    together = [(region.layer, region.die) for region in p.regions]
    assert len(set(together)) == len(together) == len(sites.regions)


def test_dies_without_anything_have_no_region() -> None:
    """On die 3 of 5 alone: cores of it, and a mesh of its size."""
    dies = JOINED["mesh of 5"]
    blocks, grouping, _ = of_model(dies, 0)
    members = dict.fromkeys(numbered(blocks, grouping), 3)
    sites = on_dies(members, dict.fromkeys(range(3), 3), topology_of(dies))
    p = placed(blocks, grouping, sites, dies, "in-order")
    assert {region.die for region in p.regions} == {3}
    assert {p.die_of(pg) for pg in range(p.pgs)} == {3}
    alone = placed(blocks, grouping, on_one(blocks, grouping), ONE, "in-order")
    assert (alone.mesh_width, alone.mesh_height) == (p.mesh_width, p.mesh_height)
    assert np.array_equal(alone.core, p.core - 3 * p.mesh_width * p.mesh_height)

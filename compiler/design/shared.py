"""Peripheral groups that serve several layers: what meets there, and all that they have to do.

A stack computes for one of its fire groups at a time. A token comes to that of one layer, and later
to that of another, while tokens behind it are still at the first. Two things are known without a
program. All that a stack does for the tokens from one to another is done between the arrival of the
first at the first layer and the leaving of the last from the last one (`add_shared`). And where
tokens of one layer come while another's are served, these wait for them (`meetings`). Where a wave
of tokens has left one layer before it is at the next one of the region, neither takes anything.
"""

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from compiler.design.flow import Site, Station, Use, Way, Whose, whose
from compiler.design.kernels import Kernel
from compiler.design.shared_kernels import Shared
from compiler.design.wave import Wave
from compiler.fire_groups import FireGroup
from ir.arrays import Ints
from ir.mapping import Block


def add_shared(way: Way) -> None:
    """A station for all that fire groups of a region's layers have to do, from first to last."""
    floor = way.floor
    for layers in dict.fromkeys(floor.together(n, way.stack) for n in floor.workload.regions):
        if len(layers) > 1:
            for first, last in _ends(way, layers):
                way.beside.setdefault(last, []).append(way.add(_station(way, first, last)))


def _ends(way: Way, layers: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """The stations that stacks may begin and end at: of like layers each with its like."""
    used = sorted({use.node for uses in way.uses.values() for use in uses})
    nodes = {n: [node for node in used if way.stations[node].region == n] for n in layers}
    if len({way.floor.kinds(n) for n in layers}) == 1:
        yield from zip(nodes[layers[0]], nodes[layers[-1]], strict=True)
        return
    for one, other in combinations(layers, 2):
        yield from product(nodes[one], nodes[other])


def _station(way: Way, first: int, last: int) -> Station:
    """All work of the stacks whose first products are of the one and last of the other."""
    one, other = way.stations[first], way.stations[last]
    end = next(use for uses in way.uses.values() for use in uses if use.node == last)

    def make(site: Site) -> Kernel:
        found, tokens = list(_work(way, site, first, last)), len(way.floor.tokens)
        each = np.array(found, dtype=np.int64).reshape(len(found), tokens)
        _, sums = end.cost(site.of(other.region))
        return Shared(each, sums.duration_ps)

    what, needs = f"{one.what} to layer {other.region}", way.sizes(one.region)
    return Station("group", one.region, what, needs, one.before, make, whole=True)


def _work(way: Way, site: Site, first: int, last: int) -> Iterator[Ints]:
    """[tokens] what each keeps a stack busy with, for each stack from `first` to `last`."""
    for stand in site.laid.stands[site.layers[0]]:
        uses = [(use, fire) for fire in stand for use in way.uses[whose(fire.blocks)]]
        nodes = [use.node for use, _ in uses]
        if len(stand) > 1 and (min(nodes), max(nodes)) == (first, last):
            yield np.sum([_busy(site, use, fire) for use, fire in uses], axis=0)


def _busy(site: Site, use: Use, fire: FireGroup) -> Ints:
    """[tokens] what each keeps a fire group busy with, its adders if these take longer."""
    own = site.of(fire.layer)
    return use.mvms(own, fire) * max(cost.busy_ps for cost in use.cost(own))


def meetings(way: Way, site: Site, blocks: tuple[Block, ...], groups: int = 0) -> Ints:
    """[groups, tokens] MVMs of other layers that stacks with such blocks do after each token's.

    groups: of experts; 0: a bank, of which all copies are one row. Who goes before whom is known of
    a wave of tokens (`Way.wave`). What is done before the first token's product on a stack, or
    after the last one's, keeps none of them waiting.
    """
    key = whose(blocks), site.laid_by
    if key not in way.met:
        way.met[key] = _meetings(way, site, key[0], groups)
    return way.met[key]


def _meetings(way: Way, site: Site, of: Whose, groups: int) -> Ints:
    found = np.zeros((max(groups, 1), len(way.floor.tokens)), dtype=np.int64)
    if not site.shares or way.floor.tokens.decode:
        return found
    wave, own = way.wave(site), way.uses[of][0]
    for stand in site.laid.stands[site.layers[0]]:
        for fire in (one for one in stand if whose(one.blocks) == of):
            tokens = np.flatnonzero(own.mvms(site, fire))
            row = found[fire.number if groups else 0]
            for other in (one for one in stand if one.layer != fire.layer):
                for use in way.uses[whose(other.blocks)]:
                    mvms = use.mvms(site.of(other.layer), other)
                    before = _before(wave, (own.node, tokens), use.node)
                    np.add.at(row, tokens[before[before >= 0]], mvms[before >= 0])
            row[tokens[-1:]] = 0
    return found


def _before(wave: Wave, own: tuple[int, Ints], other: int) -> Ints:
    """[tokens] of each of another station's the last of `own` that a stack serves before it, or -1.

    Of two that wait the lower token is first, which is that of the layer further on. It so goes
    before all that have not begun when it comes.
    """
    (node, tokens), theirs = own, wave[other]
    mine = wave[node].begun if other > node else wave[node].come
    times = theirs.come if other > node else theirs.begun
    return np.searchsorted(np.maximum.accumulate(mine[tokens]), times, side="right") - 1

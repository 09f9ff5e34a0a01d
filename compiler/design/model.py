"""A model on a chip to be designed: its stations, and what each takes under given decisions."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import TopologicalSorter
from typing import assert_never

import numpy as np

from compiler.design.choices import DECISIONS, Values, Whole, design_of
from compiler.design.experts import add_moe
from compiler.design.floor import Floor
from compiler.design.flow import Nodes, Site, Station, Way, add_wholes
from compiler.design.kernels import Kernel
from compiler.design.menus import enough
from compiler.design.shared import add_shared
from compiler.design.steps import add_attention, add_dense, add_digital, add_dram, add_sample
from compiler.design.wave import Passed, Wave
from ir.arrays import Ints
from ir.chip import Chip
from ir.workload import Attention, Dense, Digital, MoELayer


@dataclass(eq=False)
class Model:
    """Stations of a floor's model, on a chip that has `whole`.

    wave: who meets whom where layers share a region, None: as `wave_of` has it. Kernels are kept
    by the values of the decisions that they need, chips by those of all but group sizes.
    """

    floor: Floor
    whole: Whole
    wave: Wave | None = None
    _kernels: dict[tuple[int, tuple[int, ...]], Kernel] = field(default_factory=dict)
    _chips: dict[tuple[int, ...], Chip] = field(default_factory=dict)

    @cached_property
    def way(self) -> Way:
        """The stations, as the operators give them."""
        way = Way(self.floor, self.whole.stack, self._wave)
        for index, op in enumerate(self.floor.workload.operators):
            match op:
                case Digital():
                    add_digital(way, index, op)
                case Attention():
                    add_attention(way, index, op)
                case MoELayer():
                    add_moe(way, index, op)
                case Dense():
                    add_dense(way, index, op)
                case _:
                    assert_never(op)
        add_sample(way)
        add_wholes(way)
        add_shared(way)
        add_dram(way)
        return way

    def _wave(self, site: Site) -> Wave:
        """When tokens pass the products of all layers, with what a site's groups stand by."""
        if self.wave is not None:
            return self.wave
        size, copies, replicas = site.laid_by
        key = replace(self.whole, mux=size), copies, replicas
        if key not in self.floor.waves:
            self.floor.waves[key] = wave_of(self.floor, *key)
        return self.floor.waves[key]

    @property
    def leaders(self) -> tuple[int, ...]:
        """The layers whose group sizes are to be chosen."""
        return self.floor.leaders(self.whole.stack)

    @property
    def stations(self) -> list[Station]:
        """All stations."""
        return self.way.stations

    @cached_property
    def before(self) -> tuple[Nodes, ...]:
        """The stations before each, with those beside them."""
        beside = self.way.beside
        return tuple(
            tuple(b for node in station.before for b in (node, *beside.get(node, ())))
            for station in self.stations
        )

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The stations, each after those before it."""
        return tuple(TopologicalSorter(dict(enumerate(self.before))).static_order())

    def chip(self, values: Values) -> Chip:
        """The chip with these decisions."""
        key = tuple(values[name] for name in DECISIONS)
        if key not in self._chips:
            self._chips[key] = design_of(values, self.whole).on(self.floor.chip)
        return self._chips[key]

    def site(self, region: int, values: Values) -> Site:
        """A region of it."""
        return Site(self.floor, self.chip(values), values, region, self.whole.stack)

    def kernel(self, station: int, values: Values) -> Kernel:
        """A station under the values of its decisions."""
        asked = self.stations[station]
        key = station, tuple(values[need] for need in asked.needs)
        if key not in self._kernels:
            self._kernels[key] = asked.make(self.site(asked.region, values))
        return self._kernels[key]


def wave_of(floor: Floor, whole: Whole, copies: int, replicas: int) -> Wave:
    """When tokens pass the products of all layers, with enough of all else.

    Who meets whom depends on who waits, and that on who meets whom: they wait as they would meet if
    no layers shared a region. Who then comes later, and so meets more, is not made to wait for that
    as well: a program lets go first whom others wait for.
    """
    values = enough(floor) | {"copies": copies, "replicas": replicas}
    values |= dict.fromkeys(floor.expert_layers, whole.mux)
    wave = _passed(Model(floor, replace(whole, stack=1)), values)
    return _passed(Model(floor, whole, wave), values)


def _passed(model: Model, values: Values) -> dict[int, Passed]:
    """When tokens come to the stations with products, and when these begin with them."""
    left, found = dict[int, Ints](), dict[int, Passed]()
    products = {use.node for uses in model.way.uses.values() for use in uses}
    none: Ints = np.zeros(len(model.floor.tokens), dtype=np.int64)
    for node in model.order:
        come: Ints = np.max([none, *(left[b] for b in model.before[node])], axis=0)
        kernel = model.kernel(node, values)
        left[node] = kernel.run(come)
        if node in products:
            found[node] = Passed(come, left[node] - kernel.alone)
    return found

"""A model on a chip to be designed: its stations, and what each takes under given decisions."""

from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import assert_never

from compiler.design.choices import DECISIONS, Values, Whole, design_of
from compiler.design.experts import add_moe
from compiler.design.floor import Floor
from compiler.design.flow import Nodes, Site, Station, Way, add_wholes
from compiler.design.kernels import Kernel
from compiler.design.steps import add_attention, add_dense, add_digital, add_dram, add_sample
from ir.chip import Chip
from ir.workload import Attention, Dense, Digital, MoELayer


@dataclass(eq=False)
class Model:
    """Stations of a floor's model, on a chip that has `whole`.

    Kernels are kept by the values of the decisions that they need, chips
    by those of all but group sizes.
    """

    floor: Floor
    whole: Whole
    _kernels: dict[tuple[int, tuple[int, ...]], Kernel] = field(default_factory=dict)
    _chips: dict[tuple[int, ...], Chip] = field(default_factory=dict)

    @cached_property
    def way(self) -> Way:
        """The stations, as the operators give them."""
        way = Way(self.floor)
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
        add_dram(way)
        return way

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
        return Site(self.floor, self.chip(values), values, region)

    def kernel(self, station: int, values: Values) -> Kernel:
        """A station under the values of its decisions."""
        asked = self.stations[station]
        key = station, tuple(values[need] for need in asked.needs)
        if key not in self._kernels:
            self._kernels[key] = asked.make(self.site(asked.region, values))
        return self._kernels[key]

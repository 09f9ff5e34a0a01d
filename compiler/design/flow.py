"""The way of a token through a model on a chip: stations, and what each takes under a design.

A station is a unit, or a part of its work, that tokens come to in their order. It takes what
`ir.timing` says, and depends on a few decisions alone, its `needs`. Where tokens come to a unit
several times in a region (its bus, return link and digital units), one station more has all of that
work, beside the stations from the first to the last of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from compiler.design.choices import Key, Values
from compiler.design.floor import Counts, Floor
from compiler.design.kernels import Kernel
from compiler.design.laid import Laid
from compiler.design.queues import queue
from compiler.design.wave import Wave
from compiler.fire_groups import FireGroup
from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.links import bus_width, return_lanes
from ir.mapping import Block, Owner, RoutedOwner
from ir.program import UnitKind
from ir.timing import Cost, Extent
from ir.workload import Workload

Nodes = tuple[int, ...]
Make = Callable[["Site"], Kernel]
Whose = tuple[int, int, Owner | None]  # operator, stage and owner (none: experts) of fire groups


@dataclass(frozen=True, eq=False)
class Station:
    """One stop of the way; before: the stations that a token comes from.

    whole: it is all of a unit's work in a region, and no step of the way by itself.
    """

    unit: UnitKind
    region: int
    what: str
    needs: tuple[Key, ...]
    before: Nodes
    make: Make
    whole: bool = False

    @property
    def name(self) -> str:
        """The unit, and what it does."""
        return f"{self.unit}.{self.region} {self.what}"


@dataclass(frozen=True, eq=False)
class Site:
    """A region under the values of some decisions, where a station's times are asked for."""

    floor: Floor
    chip: Chip
    values: Values
    region: int
    stack: int = 1

    def size(self, layer: int) -> int:
        """Experts in a group of a layer at most."""
        return self.floor.size_at(self.values, layer, self.stack)

    @property
    def replicas(self) -> int:
        """Copies of experts that are added in each of its layers."""
        return self.floor.replicas_at(self.values, self.region, self.stack)

    def counts(self, layer: int) -> Counts:
        """The turns of the groups of an MoE layer in it."""
        return self.floor.counts(layer, self.size(self.region), self.replicas)

    @property
    def laid_by(self) -> tuple[int, int, int]:
        """What its groups stand by: their size, dense copies, and replicas."""
        return self.size(self.region), self.values["copies"], self.replicas

    @property
    def layers(self) -> tuple[int, ...]:
        """All layers in its rectangle and behind its peripheral groups, the host first."""
        return self.floor.together(self.region, self.stack)

    @property
    def shares(self) -> bool:
        """Whether there are others."""
        return len(self.layers) > 1

    def of(self, layer: int) -> "Site":
        """Another layer in it."""
        return replace(self, region=layer)

    @cached_property
    def laid(self) -> Laid:
        """Where the region's groups are."""
        return self.floor.laid(*self.laid_by, self.stack)

    @cached_property
    def extent(self) -> Extent:
        """How large it is."""
        return self.laid.extent(self.region)

    @property
    def bus_width(self) -> int:
        """Values that its bus is sized for."""
        return bus_width(self.floor.workload, self.region)

    def load(self, values: int) -> Cost:
        """A broadcast on its bus."""
        return timing.load(self.chip, values, self.bus_width, self.extent)

    def store(self, values: int, hops: int) -> Cost:
        """A result on its return link."""
        lanes = return_lanes(self.floor.workload, self.region, self.chip)
        return timing.store(self.chip, values, self.bus_width, lanes, hops)


def whose(blocks: tuple[Block, ...]) -> Whose:
    """Whose fire groups have such blocks: of a bank those of all copies, else all of experts."""
    first = blocks[0]
    if isinstance(first.owner, RoutedOwner):
        return first.operator, first.stage, None
    return first.operator, first.stage, replace(first.owner, copy=0)


@dataclass(frozen=True, eq=False)
class Use:
    """A station whose products are on fire groups.

    mvms: [tokens] how many of each one of them computes; cost: of one, and of its sums.
    """

    node: int
    mvms: Callable[[Site, FireGroup], Ints]
    cost: Callable[[Site], tuple[Cost, Cost]]


@dataclass(eq=False)
class Way:
    """The stations of a model, as they are found operator by operator.

    values: by name the region that holds a value and the stations that it comes from; moved: the
    XFERs, by value and region; sent: the LOADs, by value, region and how many numbers of it;
    beside: by station those that a token must be through as well when it leaves it; uses: of fire
    groups, the stations whose products are on them. stack: layers that share a region; wave: when
    tokens pass the products, with what a site's groups stand by; met: what stacks do for other
    layers, where that is known (`shared.meetings`).
    """

    floor: Floor
    stack: int
    wave: Callable[[Site], Wave]
    stations: list[Station] = field(default_factory=list)
    values: dict[str, tuple[int, Nodes]] = field(default_factory=dict)
    moved: dict[tuple[str, int], Nodes] = field(default_factory=dict)
    sent: dict[tuple[str, int, int], int] = field(default_factory=dict)
    beside: dict[int, list[int]] = field(default_factory=dict)
    uses: dict[Whose, list[Use]] = field(default_factory=dict)
    met: dict[tuple[Whose, tuple[int, int, int]], Ints] = field(default_factory=dict)

    @property
    def workload(self) -> Workload:
        """The model."""
        return self.floor.workload

    def add(self, station: Station) -> int:
        """Number a station."""
        self.stations.append(station)
        return len(self.stations) - 1

    def sizes(self, region: int) -> tuple[Key, ...]:
        """What a region's size depends on."""
        leader = self.floor.leader(region, self.stack)
        return ("copies",) if leader is None else (leader, "copies", "replicas")

    def use(self, blocks: tuple[Block, ...], use: Use) -> None:
        """Say that a station's products are on fire groups with these blocks."""
        self.uses.setdefault(whose(blocks), []).append(use)

    def rows(self, *, newest: bool = False) -> Ints:
        """[tokens] 1 for each, or for the newest of each sequence alone, else 0."""
        tokens = self.floor.tokens
        return (tokens.newest | (not newest)).astype(np.int64)

    def one_unit(self, *costs: Cost, servers: int = 1, newest: bool = False) -> Kernel:
        """A unit, or a pool, that does all of these for a token, one after another."""
        rows, busy = self.rows(newest=newest), sum(cost.busy_ps for cost in costs)
        after = sum(cost.duration_ps for cost in costs)
        energy = sum(cost.energy_fj for cost in costs) * int(rows.sum())
        return queue(rows * -(-busy // servers), rows * after, energy_fj=energy)

    def units(self, *costs: Cost, copies: int = 1, newest: bool = False) -> Kernel:
        """A unit for each of these, one after another, which pass tokens at the slowest's pace."""
        rows, busy = self.rows(newest=newest), max(cost.busy_ps for cost in costs)
        after = sum(cost.duration_ps for cost in costs)
        energy = sum(cost.energy_fj for cost in costs) * int(rows.sum())
        return queue(rows * busy, rows * after, copies, energy)

    def fetch(self, names: Iterable[str], region: int, width: int) -> Nodes:
        """Where values come from that are needed in a region; of another region over the mesh."""
        nodes: set[int] = set()
        for name in names:
            home, made = self.values.get(name, (region, ()))
            if home == region or not made:
                nodes.update(made)
                continue
            if (name, region) not in self.moved:
                self.moved[name, region] = (self._move(home, region, made, width),)
            nodes.update(self.moved[name, region])
        return tuple(sorted(nodes))

    def _move(self, home: int, region: int, made: Nodes, width: int) -> int:
        def make(site: Site) -> Kernel:
            hops = site.laid.placement.hops_between(home, region)
            cost = timing.xfer(site.chip, width, hops)
            return self.one_unit(cost)

        return self.add(Station("mesh", home, f"to {region}", self.sizes(home), made, make))

    def load(self, name: str, region: int, values: int, before: Nodes) -> int:
        """The broadcast of a value, one for all that multiply it in the region."""
        if (name, region, values) not in self.sent:
            needs = (*self.sizes(region), "transfers")

            def make(site: Site) -> Kernel:
                return self.one_unit(site.load(values))

            station = Station("bus", region, name, needs, before, make)
            self.sent[name, region, values] = self.add(station)
        return self.sent[name, region, values]


def add_wholes(way: Way) -> None:
    """All the work of a bus, return link or digital units in a region, where it is in parts."""
    parts: dict[tuple[UnitKind, int], list[int]] = {}
    for number, station in enumerate(way.stations):
        if station.unit in ("bus", "return", "dpu") and not station.whole:
            parts.setdefault((station.unit, station.region), []).append(number)
    for (unit, region), nodes in parts.items():
        if len(nodes) > 1:
            mine = [way.stations[node] for node in nodes]
            needs = tuple(dict.fromkeys(key for station in mine for key in station.needs))
            whole = Station(unit, region, "all", needs, mine[0].before, _whole(mine), whole=True)
            way.beside.setdefault(nodes[-1], []).append(way.add(whole))


def _whole(parts: list[Station]) -> Make:
    def make(site: Site) -> Kernel:
        kernels = [station.make(site) for station in parts]
        busy: Ints = np.sum([kernel.busy for kernel in kernels], axis=0)
        last = kernels[-1]
        return queue(busy, busy + np.maximum(last.alone - last.busy, 0))

    return make

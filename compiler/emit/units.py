"""The units a mapping uses on its chip, in one table."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from compiler.fire_groups import FireGroup, fire_groups
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.links import bus_width, return_lanes, sent_width
from ir.mapping import Mapping, Owner, RoutedOwner
from ir.placement import Placement, Region
from ir.program import Unit, UnitKind, circuits, stacked
from ir.units import attention_units, digital_units, operators_of, operators_with
from ir.workload import Workload

Group = tuple[UnitKind, int, int, int]  # kind, layer, stage, group
Site = tuple[UnitKind, int, int]  # kind, layer, die
WHOLE_CHIP = -1  # layer of units that serve every region


@dataclass
class Units:
    """Units by key in order of their numbers; `servers[first]` equal units stand together.

    groups: those of fire groups; sites: those of a layer on a die (the first unit of a pool).
    banks: (operator, whose blocks, stage) -> the bank of each of their copies. of_stage: those of a
    kind in a stage of a layer, {group: number}. links: from one die to another.
    """

    table: list[Unit] = field(default_factory=list)
    groups: dict[Group, int] = field(default_factory=dict)
    sites: dict[Site, int] = field(default_factory=dict)
    servers: dict[int, int] = field(default_factory=dict)
    banks: dict[tuple[int, Owner, int], list[FireGroup]] = field(default_factory=dict)
    of_stage: dict[tuple[UnitKind, int, int], dict[int, int]] = field(default_factory=dict)
    links: dict[tuple[int, int], int] = field(default_factory=dict)

    def add_group(self, unit: Unit) -> None:
        """Number a unit of a fire group."""
        self.groups[unit.kind, unit.layer, unit.stage, unit.group] = len(self.table)
        alike = self.of_stage.setdefault((unit.kind, unit.layer, unit.stage), {})
        alike[unit.group] = len(self.table)
        self.table.append(unit)

    def add_site(self, unit: Unit) -> None:
        """Number a unit that serves a layer on a die, or the whole chip."""
        self.sites[unit.kind, unit.layer, unit.die] = len(self.table)
        self.table.append(unit)

    def add_pool(self, kind: UnitKind, count: int, layer: int, die: int, name: str) -> None:
        """`count` equal units, of a region or the chip: any job of their kind runs on any."""
        self.servers[len(self.table)] = count
        self.sites[kind, layer, die] = len(self.table)
        self.table += [Unit(kind, f"{name}{i}", layer, die=die) for i in range(count)]

    def add_link(self, unit: Unit) -> None:
        """Number a link from one die to another."""
        self.links[unit.die, unit.to] = len(self.table)
        self.table.append(unit)

    def serving(self, kind: UnitKind, layer: int, die: int) -> int:
        """The (first) unit of a kind that serves a layer on a die: its own, or the chip's.

        -1 where there is none.
        """
        chips = self.sites.get((kind, WHOLE_CHIP, 0), -1)
        return self.sites.get((kind, layer, die), chips)

    def region_pgs(self) -> dict[tuple[int, int], int]:
        """Peripheral groups of each layer on each die."""
        pgs: dict[tuple[int, int], int] = {}
        for unit in self.table:
            where = unit.layer, unit.die
            pgs[where] = pgs.get(where, 0) + unit.pgs
        return pgs

    @cached_property
    def dies(self) -> Ints:
        """[units] the die of each, once the table is whole."""
        return np.array([unit.die for unit in self.table], dtype=np.int64)

    @cached_property
    def circuits(self) -> Ints:
        """[units] see `ir.program.circuits`, once the table is whole."""
        return circuits(self.table)

    @cached_property
    def stacked(self) -> Bools:
        """[units] whether a group is one of a stack, once the table is whole."""
        return stacked(self.table)


def build_units(workload: Workload, mapping: Mapping, chip: Chip, tokens: int) -> Units:
    """All units of the mapping: groups with their accumulators and links, buses, pools.

    tokens: of the longest sequence of the prefill.
    """
    units, sites = Units(), sites_of(mapping.placement)
    for site in sites:
        _add_links(units, workload, site, chip)
    for fire in fire_groups(mapping.blocks, mapping.grouping):
        first = fire.blocks[0]
        if fire.is_bank:
            key = first.operator, _first_copy(first.owner), fire.stage
            units.banks.setdefault(key, []).append(fire)
        sent = sent_width(workload.operators[first.operator], fire.stage, first.weight.rows)
        entry = -(-sent * chip.mvm.input_bits // 8)
        _add_group(units, fire, mapping, entry * chip.pg.input_buffers)
    _add_dpus(units, workload, mapping, sites, chip)
    _add_attention(units, workload, sites, chip, tokens, mapping.dense_copies)
    units.add_site(Unit("dram", "dram"))
    for a, b in mapping.placement.topology.links:
        units.add_link(Unit("d2d", f"d2d.{a}.{b}", die=a, to=b))
    return units


@dataclass(frozen=True)
class LayerSite:
    """A layer's region on a die; home: that of its digital work on whole vectors."""

    layer: int
    region: Region
    home: bool

    @property
    def die(self) -> int:
        """Its die."""
        return self.region.die

    def __str__(self) -> str:
        """As its units are named: `3`, on another die than its home `3@1`."""
        return f"{self.layer}" if self.home else f"{self.layer}@{self.die}"


def sites_of(placement: Placement) -> list[LayerSite]:
    """Every layer's regions, layer by layer, its home first."""
    every = [(layer, region) for region in placement.regions for layer in region.layers]
    every.sort(key=lambda site: site[0])
    return [LayerSite(n, r, r is placement.region(n)) for n, r in every]


def buffer_sites(workload: Workload, placement: Placement) -> list[tuple[int, int]]:
    """(layer, die) of every buffer: of each layer's home in order, then of its other regions."""
    every = sites_of(placement)
    home = {site.layer: site.die for site in every if site.home}
    layers = range(max(workload.layers, 1))
    others = [(site.layer, site.die) for site in every if not site.home]
    return [*((layer, home.get(layer, 0)) for layer in layers), *others]


def _add_links(units: Units, workload: Workload, site: LayerSite, chip: Chip) -> None:
    """A layer's bus in its region, its return link, and its link to other regions."""
    layer, region, die = site.layer, site.region, site.die
    width = bus_width(workload, layer)
    cores = {"columns": region.width, "rows": region.height}
    units.add_site(Unit("bus", f"bus.{site}", layer, width=width, die=die, **cores))
    lanes = return_lanes(workload, layer, chip)
    units.add_site(Unit("return", f"return.{site}", layer, width=width, lanes=lanes, die=die))
    if site.home:
        units.add_site(Unit("mesh", f"mesh.{site}", layer, die=die))


def _first_copy(owner: Owner) -> Owner:
    """The same matrix's first copy."""
    return owner if isinstance(owner, RoutedOwner) else replace(owner, copy=0)


def _add_dpus(
    units: Units, workload: Workload, mapping: Mapping, sites: list[LayerSite], chip: Chip
) -> None:
    """The chip's digital units, or every region's own."""
    if chip.digital.shares_dpus:
        units.add_pool("dpu", chip.digital.dpus, WHOLE_CHIP, 0, "dpu")
        return
    pgs, placement = units.region_pgs(), mapping.placement
    held: dict[tuple[int, int], set[int]] = {}
    for block, start in zip(mapping.blocks, placement.pg_start.tolist(), strict=True):
        held.setdefault((block.layer, placement.die_of(start)), set()).add(block.operator)
    for site in sites:
        where = site.layer, site.die
        here = operators_of(workload, site.layer)
        if not site.home:
            here = operators_with(workload, held[where])
        count = digital_units(here, pgs[where], chip, mapping.dense_copies)
        units.add_pool("dpu", count, site.layer, site.die, f"dpu.{site}.")


def _add_attention(
    units: Units,
    workload: Workload,
    sites: list[LayerSite],
    chip: Chip,
    tokens: int,
    copies: int,
) -> None:
    """The chip's attention units, one job on each; or every region's own, all on one job."""
    if chip.digital.shares_mha_units:
        units.add_pool("mha", chip.digital.mha_units, WHOLE_CHIP, 0, "mha")
        return
    homes = [(site.layer, site.die) for site in sites if site.home]
    for layer, die in homes or [(0, 0)]:
        count = attention_units(workload, layer, tokens, chip, copies)
        if count:
            units.add_site(Unit("mha", f"mha.{layer}", layer, units=count, die=die))


def _add_group(units: Units, fire: FireGroup, mapping: Mapping, input_bytes: int) -> None:
    """A fire group with its adders and its link; input_bytes: of its input buffer."""
    layer, stage, number = fire.layer, fire.stage, fire.number
    label = f"{layer}.{stage}.{number}"
    name = f"dense.{label}" if fire.is_bank else f"group.{label}"
    first_pg = fire.first_pg(mapping.placement.pg_start)
    place, die = (layer, stage, number), mapping.placement.die_of(first_pg)
    units.add_group(Unit("group", name, *place, first_pg, fire.pgs, input_bytes, die=die))
    units.add_group(Unit("acc", f"acc.{label}", *place, die=die))
    units.add_group(Unit("link", f"link.{label}", *place, die=die))

"""The units a mapping uses on its chip, in one table."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from compiler.fire_groups import FireGroup, fire_groups
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.links import bus_width, return_lanes, sent_width
from ir.mapping import Mapping, Owner, RoutedOwner
from ir.placement import Region
from ir.program import Unit, UnitKind, circuits, stacked
from ir.units import attention_units, digital_units, operators_of
from ir.workload import Workload

Key = tuple[str, int, int, int]  # kind, layer, stage, group


@dataclass
class Units:
    """Units by key in order of their numbers; `servers[first]` equal units stand together.

    banks: (operator, whose blocks, stage) -> the bank of each of their copies. of_stage: those of a
    kind in a stage of a layer, {group: number}.
    """

    table: list[Unit] = field(default_factory=list)
    numbers: dict[Key, int] = field(default_factory=dict)
    servers: dict[int, int] = field(default_factory=dict)
    banks: dict[tuple[int, Owner, int], list[FireGroup]] = field(default_factory=dict)
    of_stage: dict[tuple[UnitKind, int, int], dict[int, int]] = field(default_factory=dict)

    def add(self, unit: Unit) -> None:
        """Number a new unit."""
        self.numbers[unit.kind, unit.layer, unit.stage, unit.group] = len(self.table)
        alike = self.of_stage.setdefault((unit.kind, unit.layer, unit.stage), {})
        alike[unit.group] = len(self.table)
        self.table.append(unit)

    def add_pool(self, kind: UnitKind, count: int, layer: int = -1) -> None:
        """`count` equal units, of a region or the chip: any job of their kind runs on any."""
        self.servers[len(self.table)] = count
        self.numbers[kind, layer, -1, -1] = len(self.table)
        name = kind if layer < 0 else f"{kind}.{layer}."
        self.table += [Unit(kind, f"{name}{i}", layer) for i in range(count)]

    def dpu(self, layer: int) -> int:
        """First of the digital units that serve region `layer`: its own, or the chip's."""
        return self.numbers.get(("dpu", layer, -1, -1), self.numbers.get(("dpu", -1, -1, -1), -1))

    def mha(self, layer: int) -> int:
        """The attention units of region `layer`, or the first of the chip's."""
        return self.numbers.get(("mha", layer, -1, -1), self.numbers.get(("mha", -1, -1, -1), -1))

    def region_pgs(self) -> dict[int, int]:
        """Peripheral groups of each region."""
        pgs: dict[int, int] = {}
        for unit in self.table:
            pgs[unit.layer] = pgs.get(unit.layer, 0) + unit.pgs
        return pgs

    @cached_property
    def circuits(self) -> Ints:
        """[units] see `ir.program.circuits`, once the table is whole."""
        return circuits(self.table)

    @cached_property
    def stacked(self) -> Bools:
        """[units] whether a group is one of a stack, once the table is whole."""
        return stacked(self.table)

    def number(self, kind: UnitKind, layer: int = -1, stage: int = -1, group: int = -1) -> int:
        """The unit's row in the table (the first unit of a pool)."""
        return self.numbers[kind, layer, stage, group]


def build_units(workload: Workload, mapping: Mapping, chip: Chip, tokens: int) -> Units:
    """All units of the mapping: groups with their accumulators and links, buses, pools.

    tokens: of the longest sequence of the prefill.
    """
    units = Units()
    layers = sorted({block.layer for block in mapping.blocks})
    for layer in layers:
        _add_links(units, workload, layer, mapping.placement.region(layer), chip)
    for fire in fire_groups(mapping.blocks, mapping.grouping):
        first = fire.blocks[0]
        if fire.is_bank:
            key = first.operator, _first_copy(first.owner), fire.stage
            units.banks.setdefault(key, []).append(fire)
        sent = sent_width(workload.operators[first.operator], fire.stage, first.weight.rows)
        entry = -(-sent * chip.mvm.input_bits // 8)
        _add_group(units, fire, mapping, entry * chip.pg.input_buffers)
    _add_dpus(units, workload, layers, chip, mapping.dense_copies)
    _add_attention(units, workload, layers, chip, tokens, mapping.dense_copies)
    units.add(Unit("dram", "dram"))
    return units


def _add_links(units: Units, workload: Workload, layer: int, region: Region, chip: Chip) -> None:
    """A layer's bus in its region, its return link, and its link to other regions."""
    width = bus_width(workload, layer)
    columns, rows = region.width, region.height
    units.add(Unit("bus", f"bus.{layer}", layer, width=width, columns=columns, rows=rows))
    lanes = return_lanes(workload, layer, chip)
    units.add(Unit("return", f"return.{layer}", layer, width=width, lanes=lanes))
    units.add(Unit("mesh", f"mesh.{layer}", layer))


def _first_copy(owner: Owner) -> Owner:
    """The same matrix's first copy."""
    return owner if isinstance(owner, RoutedOwner) else replace(owner, copy=0)


def _add_dpus(units: Units, workload: Workload, layers: list[int], chip: Chip, copies: int) -> None:
    """The chip's digital units, or every region's own."""
    if chip.digital.shares_dpus:
        units.add_pool("dpu", chip.digital.dpus)
        return
    pgs = units.region_pgs()
    for layer in layers:
        here = operators_of(workload, layer)
        units.add_pool("dpu", digital_units(here, pgs[layer], chip, copies), layer)


def _add_attention(
    units: Units, workload: Workload, layers: list[int], chip: Chip, tokens: int, copies: int
) -> None:
    """The chip's attention units, one job on each; or every region's own, all on one job."""
    if chip.digital.shares_mha_units:
        units.add_pool("mha", chip.digital.mha_units)
        return
    for layer in layers or [0]:
        count = attention_units(workload, layer, tokens, chip, copies)
        if count:
            units.add(Unit("mha", f"mha.{layer}", layer, units=count))


def _add_group(units: Units, fire: FireGroup, mapping: Mapping, input_bytes: int) -> None:
    """A fire group with its adders and its link; input_bytes: of its input buffer."""
    layer, stage, number = fire.layer, fire.stage, fire.number
    label = f"{layer}.{stage}.{number}"
    name = f"dense.{label}" if fire.is_bank else f"group.{label}"
    first_pg = fire.first_pg(mapping.placement.pg_start)
    units.add(Unit("group", name, layer, stage, number, first_pg, fire.pgs, input_bytes))
    units.add(Unit("acc", f"acc.{label}", layer, stage, number))
    units.add(Unit("link", f"link.{label}", layer, stage, number))

"""The units a mapping uses on its chip, in one table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ir.chip import Chip
from ir.mapping import Block, Mapping
from ir.program import Unit, UnitKind
from ir.workload import Workload

Key = tuple[str, int, int, int]  # kind, layer, stage, group


@dataclass(frozen=True)
class Bank:
    """Blocks that fire together on PGs of their own: a dense matrix, one stage of a shared expert.

    group: its number within the layer, after the layer's expert groups.
    """

    group: int
    layer: int
    stage: int
    blocks: tuple[Block, ...]


@dataclass
class Units:
    """Units by key in order of their numbers; `servers[first]` equal units stand together.

    banks: (operator, shared expert or -1, stage) -> its bank.
    """

    table: list[Unit] = field(default_factory=list)
    numbers: dict[Key, int] = field(default_factory=dict)
    servers: dict[int, int] = field(default_factory=dict)
    banks: dict[tuple[int, int, int], Bank] = field(default_factory=dict)

    def add(self, unit: Unit) -> None:
        """Number a new unit."""
        self.numbers[unit.kind, unit.layer, unit.stage, unit.group] = len(self.table)
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

    def number(self, kind: UnitKind, layer: int = -1, stage: int = -1, group: int = -1) -> int:
        """The unit's row in the table (the first unit of a pool)."""
        return self.numbers[kind, layer, stage, group]


def build_units(workload: Workload, mapping: Mapping, chip: Chip) -> Units:
    """All units of the mapping: groups with their accumulators and links, buses, pools."""
    units = Units()
    for layer in sorted({block.layer for block in mapping.blocks}):
        units.add(Unit("bus", f"bus.{layer}", layer))
        units.add(Unit("return", f"return.{layer}", layer))
        units.add(Unit("mesh", f"mesh.{layer}", layer))
    blocks_of: dict[tuple[int, int, int, int], list[int]] = {}
    for i, b in enumerate(mapping.blocks):
        blocks_of.setdefault((b.layer, b.expert, b.replica, b.stage), []).append(i)
    for grouping in mapping.grouping.layers:
        copy_in = grouping.copy_in()
        for g, experts in enumerate(grouping.groups):
            for stage in (0, 1) if experts else ():
                copy = int(copy_in[experts[0], g])
                members = blocks_of[grouping.layer, experts[0], copy, stage]
                _add_group(units, mapping, chip, g, members, "group")
    for bank, members in _banks(mapping):
        first = mapping.blocks[members[0]]
        units.banks[first.operator, first.shared, bank.stage] = bank
        _add_group(units, mapping, chip, bank.group, members, "dense")
    _add_dpus(units, chip)
    units.add_pool("mha", chip.digital.mha_units)
    units.add(Unit("dram", "dram"))
    return units


def _add_dpus(units: Units, chip: Chip) -> None:
    """The chip's digital units, or every region's own in proportion to its PGs."""
    if not chip.digital.pgs_per_dpu:
        units.add_pool("dpu", chip.digital.dpus)
        return
    pgs: dict[int, int] = {}
    for unit in units.table:
        pgs[unit.layer] = pgs.get(unit.layer, 0) + unit.pgs
    for layer in sorted(pgs):
        units.add_pool("dpu", max(1, -(-pgs[layer] // chip.digital.pgs_per_dpu)), layer)


def _banks(mapping: Mapping) -> Iterator[tuple[Bank, list[int]]]:
    """Dense blocks, and each shared expert's stages, with their block indices."""
    members: dict[tuple[int, int, int], list[int]] = {}
    for index, block in enumerate(mapping.blocks):
        if block.expert < 0:
            members.setdefault((block.operator, block.shared, block.stage), []).append(index)
    next_group = {g.layer: len(g.groups) for g in mapping.grouping.layers}
    for indices in members.values():
        blocks = tuple(mapping.blocks[i] for i in indices)
        layer = blocks[0].layer
        group = next_group.get(layer, 0)
        next_group[layer] = group + 1
        yield Bank(group, layer, blocks[0].stage, blocks), indices


def _add_group(
    units: Units, mapping: Mapping, chip: Chip, group: int, members: Sequence[int], name: str
) -> None:
    blocks = [mapping.blocks[i] for i in members]
    layer, stage = blocks[0].layer, blocks[0].stage
    label = f"{layer}.{stage}.{group}"
    entry = -(-blocks[0].weight.rows * chip.mvm.input_bits // 8)
    first_pg = int(min(mapping.placement.pg_start[i] for i in members))
    pgs, input_bytes = sum(b.tiles for b in blocks), entry * chip.pg.input_buffers
    units.add(Unit("group", f"{name}.{label}", layer, stage, group, first_pg, pgs, input_bytes))
    units.add(Unit("acc", f"acc.{label}", layer, stage, group))
    units.add(Unit("link", f"link.{label}", layer, stage, group))

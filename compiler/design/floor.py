"""What designs occupy of the mesh: counts and distances, layer by layer, as the compiler lays them.

Experts are grouped and tiles placed in near-square regions for one group size of all layers and one
number of dense copies at a time. What a layer occupies, and how far its groups are from its port,
does not depend on the other layers; how far regions are from each other is that of layers alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from compiler.design.choices import Key
from compiler.design.window import Tokens, tokens_of
from compiler.fire_groups import FireGroup, fire_groups
from compiler.grouping import split_counts
from compiler.options import Options
from compiler.partition import partition, with_dense_copies, with_replicas
from compiler.pipeline import group_experts
from compiler.placement.shelves import number_pgs
from compiler.placement.squares import place_squares
from compiler.trace import routing_matrices
from ir.arrays import Ints
from ir.chip import Chip
from ir.mapping import Block, Grouping, LayerGrouping, Placement
from ir.routing import Routing
from ir.timing import Extent
from ir.workload import Workload

Distance = tuple[int, int]  # hops from a fire group to its region's port, and its mesh ports


@dataclass(frozen=True, eq=False)
class Laid:
    """One group size of all layers and one number of copies: what is where."""

    blocks: tuple[Block, ...]
    grouping: Grouping
    placement: Placement
    groups: tuple[FireGroup, ...]

    @cached_property
    def pgs(self) -> dict[int, int]:
        """Peripheral groups of each layer."""
        found: dict[int, int] = {}
        for fire in self.groups:
            found[fire.layer] = found.get(fire.layer, 0) + fire.pgs
        return found

    @cached_property
    def blocks_of(self) -> dict[int, list[Block]]:
        """The blocks of each layer."""
        found: dict[int, list[Block]] = {}
        for block in self.blocks:
            found.setdefault(block.layer, []).append(block)
        return found

    @cached_property
    def groups_of(self) -> dict[int, list[FireGroup]]:
        """The fire groups of each layer."""
        found: dict[int, list[FireGroup]] = {}
        for fire in self.groups:
            found.setdefault(fire.layer, []).append(fire)
        return found

    def extent(self, layer: int) -> Extent:
        """How large a layer's region is."""
        region = self.placement.region(layer)
        return Extent(region.width, region.height, self.pgs[layer])

    @cached_property
    def _ways(self) -> dict[tuple[int, int, int | None], list[Distance]]:
        """By layer, stage and the operator of a bank (None: expert groups)."""
        found: dict[tuple[int, int, int | None], list[Distance]] = {}
        for fire in self.groups:
            first = fire.first_pg(self.placement.pg_start)
            hops = self.placement.hops_to_port(fire.layer, first, fire.pgs)
            ports = self.placement.ports(first, fire.pgs)
            operator = fire.blocks[0].operator if fire.is_bank else None
            found.setdefault((fire.layer, fire.stage, operator), []).append((hops, ports))
        return found

    def to_bank(self, layer: int, operator: int, stage: int = 0) -> Distance:
        """The longest way of an operator's banks of a stage."""
        return max(self._ways[layer, stage, operator])

    def to_experts(self, layer: int, stage: int) -> list[Distance]:
        """The ways to a layer's expert groups of a stage: [groups]."""
        return self._ways[layer, stage, None]


@dataclass(frozen=True, eq=False)
class Counts:
    """Turns of a layer's groups: of token t `group` and `times` from first[t] to first[t + 1]."""

    first: Ints
    group: Ints
    times: Ints
    groups: int


@dataclass(eq=False)
class Floor:
    """A model, its tokens and what its layers occupy at every group size and number of copies."""

    workload: Workload
    routing: Routing
    chip: Chip
    options: Options
    _grouped: dict[int, Grouping] = field(default_factory=dict)
    _laid: dict[tuple[int, int], Laid] = field(default_factory=dict)
    _counts: dict[tuple[int, int], Counts] = field(default_factory=dict)

    @cached_property
    def tokens(self) -> Tokens:
        """What is to be run."""
        return tokens_of(self.workload, self.routing, self.options)

    @cached_property
    def expert_layers(self) -> tuple[int, ...]:
        """The MoE layers that hold experts, whose group size is to be chosen."""
        homes = self.workload.expert_homes
        return tuple(layer for layer in homes if homes[layer] == layer)

    @cached_property
    def _blocks(self) -> tuple[Block, ...]:
        return partition(self.workload, self.chip)

    def blocks_of(self, operator: int) -> tuple[Block, ...]:
        """The blocks of an operator that holds matrices, each once."""
        return tuple(block for block in self._blocks if block.operator == operator)

    def grouping(self, size: int) -> Grouping:
        """Every layer's experts in groups of at most `size`."""
        if size not in self._grouped:
            chip = replace(self.chip, pg=replace(self.chip.pg, mux=size))
            grouping = replace(self.options.grouping, size=size, sizes=())
            asked, work = replace(self.options, grouping=grouping), self.workload
            traced = routing_matrices(work, self.routing)
            found = group_experts(work, self._blocks, traced, self.routing, chip, asked)
            self._grouped[size] = found
        return self._grouped[size]

    def counts(self, layer: int, size: int) -> Counts:
        """The turns of an MoE layer's groups of at most `size` experts."""
        if (layer, size) not in self._counts:
            groups: LayerGrouping = self.grouping(size).of(self.workload.expert_homes[layer])
            table = split_counts(groups, self.tokens.chosen[layer])
            token, group = np.nonzero(table)
            first = np.searchsorted(token, np.arange(len(table) + 1))
            times = table[token, group].astype(np.int64)
            found = Counts(first, group.astype(np.int64), times, table.shape[1])
            self._counts[layer, size] = found
        return self._counts[layer, size]

    def laid(self, size: int, copies: int) -> Laid:
        """All layers with groups of `size`."""
        key = size, copies
        if key not in self._laid:
            chip = replace(self.chip, pg=replace(self.chip.pg, mux=size))
            grouping = self.grouping(size)
            blocks = with_replicas(self._blocks, grouping)
            blocks = with_dense_copies(blocks, self.workload, copies)
            placement = place_squares(number_pgs(blocks, grouping, chip), chip)
            self._laid[key] = Laid(blocks, grouping, placement, fire_groups(blocks, grouping))
        return self._laid[key]

    def size_at(self, values: Mapping[Key, int], layer: int) -> int:
        """The group size of a layer; 1 where it holds no experts."""
        return values[layer] if layer in self.expert_layers else 1

"""Where the fire groups of a model are, for one group size of all layers and one number of copies.

Layers that share a region are in the rectangle of its first one, the host.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.fire_groups import FireGroup
from ir.mapping import (
    Block,
    Grouping,
    Mapping,
    RoutedOwner,
)
from ir.placement import Placement
from ir.timing import Extent

Distance = tuple[int, int]  # hops from a fire group to its region's port, and its mesh ports


@dataclass(frozen=True, eq=False)
class Laid:
    """One group size of all layers and one number of copies: what is where."""

    blocks: tuple[Block, ...]
    grouping: Grouping
    placement: Placement
    groups: tuple[FireGroup, ...]

    @cached_property
    def stands(self) -> dict[int, tuple[tuple[FireGroup, ...], ...]]:
        """By host, the fire groups behind the same peripheral groups, alone or in stacks."""
        found: dict[int, dict[int, list[FireGroup]]] = {}
        for fire in self.groups:
            here = found.setdefault(self.placement.region(fire.layer).layer, {})
            here.setdefault(fire.first_pg(self.placement.pg_start), []).append(fire)
        return {host: tuple(map(tuple, here.values())) for host, here in found.items()}

    @cached_property
    def region_pgs(self) -> dict[int, int]:
        """Peripheral groups of each region, by its host: of a stack those of its largest."""
        return {
            host: sum(max(fire.pgs for fire in stand) for stand in stands)
            for host, stands in self.stands.items()
        }

    @cached_property
    def switched(self) -> dict[int, tuple[int, int]]:
        """By host, crossbars behind stacks' peripheral groups: routed experts', and others."""
        users = np.zeros(self.placement.pgs + 1, dtype=np.int64)
        for fire in self.groups:
            first = fire.first_pg(self.placement.pg_start)
            users[first] += 1
            users[first + fire.pgs] -= 1
        stacked = np.cumsum(users)[:-1] > 1
        found = {region.layer: (0, 0) for region in self.placement.regions}
        for index, pgs, _ in Mapping(self.blocks, self.grouping, self.placement).tiles():
            block, count = self.blocks[index], int(stacked[pgs].sum())
            host = self.placement.region(block.layer).layer
            routed, others = found[host]
            if isinstance(block.owner, RoutedOwner):
                found[host] = routed + count, others
            else:
                found[host] = routed, others + count
        return found

    @cached_property
    def pgs(self) -> dict[int, int]:
        """Peripheral groups that each layer uses."""
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

    def extent(self, layer: int) -> Extent:
        """How large the region of a layer is, and the peripheral groups that it uses of it."""
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

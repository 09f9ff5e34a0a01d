"""What designs occupy of the mesh: counts and distances, layer by layer, as the compiler lays them.

Experts are grouped and tiles placed in near-square regions for one group size of all layers, one
number of replicas and one of dense copies at a time. What a region occupies, and how far its groups
are from its port, does not depend on the others; how far regions are from each other is that of
layers alike. Layers that share a region have one group size: in larger groups beside smaller ones
experts would wait, and save nothing.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from compiler.design.choices import STACKS, Design, Key, Values, Whole, design_of
from compiler.design.laid import Laid
from compiler.design.wave import Wave
from compiler.design.window import Tokens, tokens_of
from compiler.fire_groups import fire_groups
from compiler.grouping import split_counts
from compiler.options import Options, PlacementOptions, SolverOptions
from compiler.partition import partition, with_dense_copies, with_replicas
from compiler.pipeline import group_experts
from compiler.placement import place
from compiler.stacks import choose_stacks
from compiler.stacks.by_time import candidates
from compiler.trace import routing_matrices
from ir.arrays import Ints
from ir.chip import Chip
from ir.mapping import Block, Grouping, LayerGrouping, Mapping
from ir.routing import Routing
from ir.stacks import Stacking
from ir.workload import Workload

SQUARES = PlacementOptions("squares")


@dataclass(frozen=True, eq=False)
class Counts:
    """Turns of a layer's groups: of token t `group` and `times` from first[t] to first[t + 1]."""

    first: Ints
    group: Ints
    times: Ints
    groups: int

    def of_group(self, group: int) -> Ints:
        """[tokens] how often each is run by a group."""
        found = np.zeros(len(self.first) - 1, dtype=np.int64)
        mine = np.flatnonzero(self.group == group)
        found[np.searchsorted(self.first, mine, side="right") - 1] = self.times[mine]
        return found


@dataclass(eq=False)
class Floor:
    """A model, its tokens and what its layers occupy at every group size and number of copies.

    power_mw: that the chip may draw in the mean, None: as much as it likes. waves: those that are
    known (`model.wave_of`), of a whole chip with so many copies and replicas.
    """

    workload: Workload
    routing: Routing
    chip: Chip
    options: Options
    power_mw: int | None = None
    _grouped: dict[tuple[int, int], Grouping] = field(default_factory=dict)
    _regions: dict[int, dict[int, tuple[int, ...]]] = field(default_factory=dict)
    _laid: dict[tuple[int, int, int, int], Laid] = field(default_factory=dict)
    _counts: dict[tuple[int, int, int], Counts] = field(default_factory=dict)
    waves: dict[tuple[Whole, int, int], Wave] = field(default_factory=dict)

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

    def kinds(self, layer: int) -> tuple[object, ...]:
        """What a layer's blocks are like, in order: those of like layers are the same."""
        here = (block for block in self._blocks if block.layer == layer)
        return tuple((b.role, b.stage, type(b.owner), b.rows, b.columns) for b in here)

    def grouping(self, size: int, replicas: int = 0) -> Grouping:
        """Every layer's experts and so many more copies of some, in groups of at most `size`."""
        if (size, replicas) not in self._grouped:
            chip = replace(self.chip, pg=replace(self.chip.pg, mux=size))
            grouping = self.options.grouping
            grouping = replace(grouping, size=size, sizes=(), replicas=replicas)
            asked, work = replace(self.options, grouping=grouping), self.workload
            traced = routing_matrices(work, self.routing)
            found = group_experts(work, self._blocks, traced, self.routing, chip, asked)
            self._grouped[size, replicas] = found
        return self._grouped[size, replicas]

    def counts(self, layer: int, size: int, replicas: int = 0) -> Counts:
        """The turns of an MoE layer's groups of at most `size` experts, of those that hold any.

        Copies of an expert share its pairs of each step, as the compiler shares them out.
        """
        key = layer, size, replicas
        if key not in self._counts:
            home = self.workload.expert_homes[layer]
            of: LayerGrouping = self.grouping(size, replicas).of(home)
            groups = sum(map(bool, of.groups))  # with more copies than are of use some are empty
            chosen, step = self.tokens.chosen[layer], self.tokens.step
            table = np.zeros((len(chosen), groups), dtype=np.int64)
            for rows in (step == number for number in np.unique(step)):
                table[rows] = split_counts(of, chosen[rows])[:, :groups]
            token, group = np.nonzero(table)
            first = np.searchsorted(token, np.arange(len(table) + 1))
            found = Counts(first, group.astype(np.int64), table[token, group], groups)
            self._counts[key] = found
        return self._counts[key]

    def laid(self, size: int, copies: int, replicas: int = 0, stack: int = 1) -> Laid:
        """All layers with groups of `size`; stack: layers that share a region."""
        key = size, copies, replicas, stack
        if key not in self._laid:
            chip = Whole(size, stack=stack).on(self.chip)
            grouping = self.grouping(size, replicas)
            blocks = with_replicas(self._blocks, grouping)
            blocks = with_dense_copies(blocks, self.workload, copies)
            placement = place(blocks, grouping, chip, SQUARES)
            if stack > 1:
                stacks = _stacks(Mapping(blocks, grouping, placement, copies), chip, stack)
                placement = place(blocks, grouping, chip, replace(SQUARES, stacks=stacks))
            self._laid[key] = Laid(blocks, grouping, placement, fire_groups(blocks, grouping))
        return self._laid[key]

    def together(self, layer: int, stack: int) -> tuple[int, ...]:
        """The layers that share a region with a layer, and itself, the host first.

        Of layers that are a whole number of regions apart, as few regions as can be.
        """
        if stack not in self._regions:
            layers = self.workload.regions
            regions = -(-len(layers) // stack)
            found = [layers[number::regions] for number in range(regions)]
            self._regions[stack] = {n: region for region in found for n in region}
        return self._regions[stack][layer]

    def leader(self, layer: int, stack: int) -> int | None:
        """The layer whose group size is that of all of its region; None where none has experts."""
        return next((n for n in self.together(layer, stack) if n in self.expert_layers), None)

    def leaders(self, stack: int) -> tuple[int, ...]:
        """The layers whose group sizes are to be chosen, one for each region that has experts."""
        return tuple(n for n in self.expert_layers if self.leader(n, stack) == n)

    def size_at(self, values: Values, layer: int, stack: int) -> int:
        """The group size of a layer and those of its region; 1 where they hold no experts."""
        leader = self.leader(layer, stack)
        return 1 if leader is None else values[leader]

    def replicas_at(self, values: Values, layer: int, stack: int) -> int:
        """Copies of experts added in a layer and those of its region; 0 where they hold none."""
        return 0 if self.leader(layer, stack) is None else values["replicas"]

    def design_of(self, values: Values, whole: Whole) -> Design:
        """The design of values of which the group sizes are those of leaders."""
        layers = self.expert_layers
        sizes: dict[Key, int] = {n: self.size_at(values, n, whole.stack) for n in layers}
        return design_of({**values, **sizes}, whole)


def _stacks(alone: Mapping, chip: Chip, layers: int) -> Stacking:
    """The stacks of so many layers, as the compiler makes them by rank."""
    found = candidates(alone)
    return choose_stacks(
        found,
        np.zeros((len(found), 1), dtype=np.int64),
        1,
        limit=chip.pg.most,
        budget=sum(one.pgs for one in found),
        layers_together=layers,
        solver=STACKS,
        limits=SolverOptions(),
    )

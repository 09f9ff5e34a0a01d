"""What goes over the mesh, and how far: the one number that every placement is judged by.

Packets of 256 values x hops, summed over the tokens of the fitted range, in exact integers, by the
instructions that carry them: results of a fire group to its region's port (XFER of the up and gate
sums, STORE of the others), hidden vectors from there to the down projections (XFER), and vectors
from region to region (XFER). LOADs go over the region's bus and are no part of it.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.fire_groups import fire_groups
from compiler.grouping.split import split_pairs
from compiler.placement.sites import Sites, on_one_die
from ir.arrays import Bools, Ints
from ir.chip import VALUES_PER_PACKET, Chip
from ir.mapping import (
    Block,
    DenseOwner,
    Grouping,
    LayerGrouping,
    RoutedOwner,
    owner_columns,
)
from ir.placement import Placement
from ir.stacks import NO_STACKS, Member
from ir.workload import Workload, is_constant

OBJECTIVE = "packets x hops"


@dataclass(frozen=True)
class Flow:
    """Of a fire group: `pgs` PGs from `first_pg` on, and the packets between it and its port.

    layer: the number of its region. chains: (PGs, how many) of the columns of row tiles in order;
    the PGs of one must be neighbours. Single PGs where partial sums do not hop.
    """

    layer: int
    first_pg: int
    pgs: int
    packets: int
    chains: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Traffic:
    """All flows within regions, in order of their PGs, and packets from region to region.

    moves: ((from region, to region), packets), ascending.
    """

    flows: tuple[Flow, ...]
    moves: tuple[tuple[tuple[int, int], int], ...]

    def among(self, regions: Collection[int], first_pg: int) -> "Traffic":
        """What goes on in some regions alone, whose PGs are numbered from `first_pg` on."""
        mine = (f for f in self.flows if f.layer in regions)
        flows = tuple(replace(f, first_pg=f.first_pg - first_pg) for f in mine)
        both = (move for move in self.moves if set(move[0]) <= set(regions))
        return Traffic(flows, tuple(both))

    @property
    def layers(self) -> list[int]:
        """The layers that have flows, ascending."""
        return sorted({flow.layer for flow in self.flows})

    def of(self, layer: int) -> tuple[Flow, ...]:
        """The flows of one layer's region."""
        return tuple(flow for flow in self.flows if flow.layer == layer)


def packet_hops(traffic: Traffic, placement: Placement) -> int:
    """Packets x hops of all traffic under `placement`."""
    inside = sum(
        f.packets * placement.hops_to_port(f.layer, f.first_pg, f.pgs)
        for f in traffic.flows
        if f.packets
    )
    return inside + sum(n * placement.hops_between(a, b) for (a, b), n in traffic.moves)


def traffic_of(
    workload: Workload,
    blocks: tuple[Block, ...],
    pg_start: Ints,
    grouping: Grouping,
    chip: Chip,
    chosen: Mapping[int, Bools],
    tokens: int,
    of_side: Sequence[int] = (),
    sites: Sites | None = None,
) -> Traffic:
    """Traffic of `tokens` tokens with the routing `chosen`: {MoE layer: bool [tokens, experts]}.

    pg_start: [blocks] first PG of each block; of_side: how many of the tokens each side of the
    model has; sites: the regions; None: every layer has its own. What goes to other dies is no part
    of it.
    """
    sites = sites or on_one_die(blocks, grouping, NO_STACKS)
    homes = workload.expert_homes
    pairs = {
        g.layer: _pairs(g, np.concatenate([chosen[n] for n in homes if homes[n] == g.layer]))
        for g in grouping.layers
    }
    crossings = _crossings(blocks, grouping, chip, pairs)
    worked_on = [tokens if op.side is None else of_side[op.side] for op in workload.operators]
    vectors, of_matrix = Counter[int](), Counter[int]()  # by who holds experts, or a matrix
    for home, matrix, count in zip(workload.homes, workload.matrix_homes, worked_on, strict=True):
        vectors[home] += count
        of_matrix[matrix] += count
    hopping = chip.accumulate.where == "pg"
    flows, fires = [], fire_groups(blocks, grouping)
    copies = Counter(_matrix_of(f.blocks[0]) for f in fires if f.is_bank)
    for fire in fires:
        crossing = crossings.get((fire.layer, fire.stage, fire.number), 0)
        if fire.is_bank:
            first = fire.blocks[0]
            held = of_matrix if isinstance(first.owner, DenseOwner) else vectors
            count = _dealt(held[first.operator], copies[_matrix_of(first)], first)
            crossing = _packets_per_vector(fire.blocks, chip) * count
        chains = tuple((b.rows, b.columns) if hopping else (1, b.tiles) for b in fire.blocks)
        region = sites.of_group[Member(fire.layer, fire.stage, fire.number)]
        flows.append(Flow(region, fire.first_pg(pg_start), fire.pgs, crossing, chains))
    return Traffic(_by_stack(flows), _moves(workload, chip, worked_on, sites.home))


def _by_stack(flows: Sequence[Flow]) -> tuple[Flow, ...]:
    """Flows in order of their PGs, those of a stack as one.

    It goes as far as the farthest of its PGs is; where the columns of its members are of unlike
    length, all of its PGs must be neighbours in turn.
    """
    stacks: dict[int, list[Flow]] = {}
    for flow in sorted(flows, key=lambda flow: flow.first_pg):
        stacks.setdefault(flow.first_pg, []).append(flow)
    out = []
    for members in stacks.values():
        pgs = max(flow.pgs for flow in members)
        alike = len({flow.chains for flow in members}) == 1
        chains = members[0].chains if alike else ((pgs, 1),)
        packed = sum(flow.packets for flow in members)
        out.append(Flow(members[0].layer, members[0].first_pg, pgs, packed, chains))
    return tuple(out)


def _matrix_of(block: Block) -> tuple[int, int, int]:
    """Operator, shared expert and stage of a bank, whichever copy it is."""
    return block.operator, owner_columns(block.owner)[2], block.stage


def _dealt(tokens: int, copies: int, block: Block) -> int:
    """Tokens that a copy has of those that are dealt to all of them in turn."""
    return -(-(tokens - owner_columns(block.owner)[1]) // copies)


def packets(values: int, chip: Chip) -> int:
    """Packets of a vector of results: ceil(values x output bits / (256 x 8))."""
    return -(-values * chip.mvm.output_bits // (VALUES_PER_PACKET * 8))


def _packets_per_vector(fired: Sequence[Block], chip: Chip) -> int:
    """Packets between blocks that fire together and their port, for each vector they multiply."""
    out = packets(sum(b.weight.columns for b in fired), chip)
    return out + packets(fired[0].weight.rows, chip) if fired[0].stage == 1 else out


def _crossings(
    blocks: tuple[Block, ...], grouping: Grouping, chip: Chip, pairs: Mapping[int, Ints]
) -> dict[tuple[int, int, int], int]:
    """(layer, stage, group) -> packets of its token-expert pairs, by the sizes of each expert.

    pairs: {layer: `_pairs`}.
    """
    fired: dict[tuple[int, int, RoutedOwner], list[Block]] = {}
    for block in blocks:
        if isinstance(block.owner, RoutedOwner):
            fired.setdefault((block.layer, block.stage, block.owner), []).append(block)
    copies = {g.layer: g.copies() for g in grouping.layers}
    out: dict[tuple[int, int, int], int] = {}
    for (layer, stage, owner), own in fired.items():
        group = copies[layer][owner.expert][owner.replica]
        key, run = (layer, stage, group), int(pairs[layer][owner.expert, group])
        out[key] = out.get(key, 0) + run * _packets_per_vector(own, chip)
    return out


def _pairs(grouping: LayerGrouping, chosen: Bools) -> Ints:
    """Tokens that each expert has in each group: int64 [experts, groups].

    Replicas are split over all the tokens `chosen`.
    """
    split, out = split_pairs(grouping, chosen), []
    for of_expert in split.T:
        out.append(np.bincount(of_expert[of_expert >= 0], minlength=len(grouping.groups)))
    return np.stack(out)


def _moves(
    workload: Workload, chip: Chip, worked_on: Sequence[int], hosts: Mapping[int, int]
) -> tuple[tuple[tuple[int, int], int], ...]:
    """Packets from region to region: each value once to each region that reads it elsewhere.

    worked_on: [operators] tokens.
    """
    operators = list(enumerate(workload.operators))
    maker = {name: i for i, op in operators for name in op.outputs if not is_constant(op)}
    seen: set[tuple[str, int]] = set()
    moves: dict[tuple[int, int], int] = {}
    for index, op in operators:
        if is_constant(op):
            continue
        there = _host(hosts, workload.region_at(index))
        for name in op.inputs:
            source = maker.get(name)
            if source is None or (name, there) in seen:
                continue
            seen.add((name, there))
            here = _host(hosts, workload.region_at(source))
            if here != there:
                amount = packets(workload.operators[source].width, chip) * worked_on[source]
                moves[here, there] = moves.get((here, there), 0) + amount
    return tuple(sorted(moves.items()))


def _host(hosts: Mapping[int, int], layer: int) -> int:
    """The layer whose region it is, itself where no crossbar is any layer's."""
    return hosts.get(layer, layer)

"""What fires together: one stage of an expert group, or a bank."""

from dataclasses import dataclass

from ir.arrays import Ints
from ir.mapping import Block, Grouping, Owner, RoutedOwner
from ir.stacks import Member


@dataclass(frozen=True)
class FireGroup:
    """Blocks that fire on one vector; of an expert group those of its widest expert.

    The blocks of its other experts are as large or smaller and stand behind the same PGs, tile by
    tile (`compiler.partition` refuses experts of which none is the largest). number: of the expert
    group; banks of a layer are numbered after its expert groups. members: indices of `blocks` among
    those of the mapping.
    """

    layer: int
    stage: int
    number: int
    members: tuple[int, ...]
    blocks: tuple[Block, ...]

    @property
    def is_bank(self) -> bool:
        """Whether it is a copy of a dense matrix, or of a stage of a shared expert."""
        return not isinstance(self.blocks[0].owner, RoutedOwner)

    @property
    def pgs(self) -> int:
        """PGs that fire, of an expert group at most."""
        return sum(block.tiles for block in self.blocks)

    def first_pg(self, pg_start: Ints) -> int:
        """The first of its PGs, from the first of each block: int64 [blocks]."""
        return int(min(pg_start[i] for i in self.members))


def fire_groups(blocks: tuple[Block, ...], grouping: Grouping) -> tuple[FireGroup, ...]:
    """The stages of every expert group that holds an expert, then the banks in block order."""
    return (*_of_experts(blocks, grouping), *_banks(blocks, grouping))


def _of_experts(blocks: tuple[Block, ...], grouping: Grouping) -> list[FireGroup]:
    members: dict[tuple[int, Owner, int], list[int]] = {}
    for index, b in enumerate(blocks):
        members.setdefault((b.layer, b.owner, b.stage), []).append(index)
    out = []
    for of in grouping.layers:
        copy_in = of.copy_in()
        for g, experts in enumerate(of.groups):
            copies = [RoutedOwner(e, int(copy_in[e, g])) for e in experts]
            for stage in (0, 1) if experts else ():
                every = [members.get((of.layer, copy, stage), []) for copy in copies]
                own = max(every, key=lambda some: _size([blocks[i] for i in some]))
                if own:  # an expert of a single matrix has one stage
                    out.append(_fire_group(blocks, own, g))
    return out


def _size(own: list[Block]) -> tuple[int, int]:
    """Tiles, and weights: of two experts on as many tiles the wider one has longer vectors."""
    return sum(b.tiles for b in own), sum(b.weight.macs for b in own)


def numbered(blocks: tuple[Block, ...], grouping: Grouping) -> list[Member]:
    """The fire group that each block is of: [blocks]."""
    copies = {of.layer: of.copies() for of in grouping.layers}
    next_number = {of.layer: len(of.groups) for of in grouping.layers}
    banks: dict[tuple[int, Owner, int], int] = {}
    out = []
    for b in blocks:
        if isinstance(b.owner, RoutedOwner):
            number = copies[b.layer][b.owner.expert][b.owner.replica]
        else:
            key = b.operator, b.owner, b.stage
            if key not in banks:
                banks[key] = next_number.get(b.layer, 0)
                next_number[b.layer] = banks[key] + 1
            number = banks[key]
        out.append(Member(b.layer, b.stage, number))
    return out


def _banks(blocks: tuple[Block, ...], grouping: Grouping) -> list[FireGroup]:
    members: dict[Member, list[int]] = {}
    for index, member in enumerate(numbered(blocks, grouping)):
        if not isinstance(blocks[index].owner, RoutedOwner):
            members.setdefault(member, []).append(index)
    return [_fire_group(blocks, own, member.group) for member, own in members.items()]


def _fire_group(blocks: tuple[Block, ...], members: list[int], number: int) -> FireGroup:
    own = tuple(blocks[i] for i in members)
    return FireGroup(own[0].layer, own[0].stage, number, tuple(members), own)

"""Stacks for tests: by the names of what is in them, and at random."""

import numpy as np

from compiler.fire_groups import numbered
from compiler.placement.spots import crossbars_behind
from ir.chip import Chip
from ir.mapping import Block, DenseOwner, Mapping, RoutedOwner, SharedOwner
from ir.stacks import Member, Stacking


def named(mapping: Mapping) -> dict[str, Member]:
    """The fire groups by name.

    `q0`: a dense matrix by its tensor; `moe1.0.2`: of layer 1 the first stage of group 2;
    `shared0.1.0`: of layer 0 the second stage of shared expert 0. Copy 1 is `q0 copy 1`.
    """
    members = numbered(mapping.blocks, mapping.grouping)
    return {_name(b, m): m for b, m in zip(mapping.blocks, members, strict=True)}


def _name(block: Block, member: Member) -> str:
    where = f"{block.layer}.{block.stage}"
    match block.owner:
        case RoutedOwner():
            return f"moe{where}.{member.group}"
        case SharedOwner(number, copy):
            name = f"shared{where}.{number}"
        case DenseOwner(copy):
            name = block.weight.tensor
    return f"{name} copy {copy}" if copy else name


def stacks_of(alone: Mapping, *stacks: tuple[str, ...]) -> Stacking:
    """Stacks of fire groups by their names. alone: the mapping without."""
    members = named(alone)
    return Stacking(tuple(tuple(members[name] for name in stack) for stack in stacks), "by hand")


def depths(alone: Mapping) -> dict[Member, int]:
    """Crossbars behind a peripheral group of each fire group, in a mapping without stacks."""
    out: dict[Member, int] = {}
    spots = alone.placement.spots
    for index, member in enumerate(numbered(alone.blocks, alone.grouping)):
        behind = crossbars_behind(alone.blocks[index], spots[index])
        out[member] = max(out.get(member, 0), behind)
    return out


def random_stacks(alone: Mapping, chip: Chip, seed: int) -> Stacking:
    """Fire groups in a random order, each with the one before as long as the chip has room.

    alone: the mapping without stacks. One in four begins a stack all the same, so that some are
    alone and stacks are of several sizes.
    """
    random, found = np.random.default_rng(seed), depths(alone)
    members = sorted(found)
    stacks: list[tuple[Member, ...]] = []
    room = 0
    for at in random.permutation(len(members)).tolist():
        member = members[at]
        if found[member] <= room and random.random() < 3 / 4:
            stacks[-1] = (*stacks[-1], member)
        else:
            stacks.append((member,))
            room = chip.pg.most
        room -= found[member]
    return Stacking(tuple(stack for stack in stacks if len(stack) > 1), "random")

"""Number the PGs: which PG and which crossbar behind it each block's tiles take.

The experts of one group share PGs: the blocks of the same role stand behind the same PGs, tile
(i, j) of each, at a crossbar of its own or packed. There are as many PGs as the widest of them has
tiles. Dense blocks and shared experts have PGs of their own, but for stacks (`ir.stacks`): all that
fires in one begins at the same PG, each on crossbars behind those of the one before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compiler.fire_groups import numbered
from compiler.placement.sites import Sites, on_one_die
from compiler.placement.spots import crossbars_behind, spots_alone, spots_packed
from ir.arrays import Ints
from ir.chip import Chip
from ir.errors import Amount, InfeasibleError, InputError
from ir.mapping import Block, Grouping, Owner, RoutedOwner
from ir.stacks import NO_STACKS, Member, Stacking


@dataclass(frozen=True, eq=False)
class Shelves:
    """PG numbers region by region, so that a region's PGs are consecutive.

    pg_start: [blocks]; spots: [blocks, 4, 3], see ir.placement.Placement; pg_class: [PGs]
    0 = expert, 1 = dense; layer_pgs: PGs of each region, by its number (`sites`).
    """

    pg_start: Ints
    spots: Ints
    pg_class: npt.NDArray[np.int8]
    layer_pgs: dict[int, int]


def number_pgs(
    blocks: tuple[Block, ...],
    grouping: Grouping,
    chip: Chip,
    *,
    pack: bool = False,
    stacking: Stacking = NO_STACKS,
    sites: Sites | None = None,
) -> Shelves:
    """Assign PG numbers in block order; raises InfeasibleError if a PG has too many crossbars.

    pack: ragged tiles of a group's experts share crossbars (see `spots`). sites: the region of each
    fire group; None: all are on one die.
    """
    sites = sites or on_one_die(blocks, grouping, stacking)
    pg_start = np.zeros(len(blocks), dtype=np.int64)
    seat = np.zeros(len(blocks), dtype=np.int64)  # among the experts of its group
    first_seat = np.zeros(len(blocks), dtype=np.int64)  # of those as large as it
    seats = _seats(blocks, grouping, chip)
    members = numbered(blocks, grouping)
    shelves: dict[Member, dict[object, list[int]]] = {}  # the blocks behind the same PGs, by role
    region = [sites.of_group[member] for member in members]
    for index in sorted(range(len(blocks)), key=lambda i: (region[i], blocks[i].layer)):
        block = blocks[index]
        key: object = index
        if isinstance(block.owner, RoutedOwner):
            _, seat[index], first_seat[index] = seats[block.layer, block.owner]
            key = block.role
        shelves.setdefault(members[index], {}).setdefault(key, []).append(index)
    spots = spots_packed(blocks, seat, chip, first_seat) if pack else spots_alone(seat)
    classes: list[npt.NDArray[np.int8]] = []
    layer_pgs: dict[int, int] = {}
    used = 0
    for stack in _in_turn(shelves, stacking):
        fires = [list(shelves[member].values()) for member in stack]
        kinds, depth = _seat_stack(fires, blocks, pg_start, spots, used)
        if depth > chip.pg.most:
            raise _too_deep(stack, depth, chip)
        here = sites.of_group[stack[0]]
        layer_pgs[here] = layer_pgs.get(here, 0) + len(kinds)
        classes.append(kinds)
        used += len(kinds)
    pg_class = np.concatenate(classes) if classes else np.zeros(0, dtype=np.int8)
    return Shelves(pg_start, spots, pg_class, layer_pgs)


def _in_turn(shelves: Mapping[Member, object], stacking: Stacking) -> Iterator[tuple[Member, ...]]:
    """The stacks in order of their first fire group, what is in none by itself.

    Raises InputError for a fire group that the model does not have.
    """
    place = {member: n for n, member in enumerate(shelves)}
    stack_of: dict[Member, tuple[Member, ...]] = {}
    for number, stack in enumerate(stacking.stacks):
        for member in stack:
            if member not in place:
                problem = f"holds {member}, expected a fire group of the model"
                raise InputError(f"stack {number}", problem)
        stack_of |= dict.fromkeys(stack, tuple(sorted(stack, key=place.__getitem__)))
    done: set[Member] = set()
    for member in shelves:
        if member not in done:
            stack = stack_of.get(member, (member,))
            done.update(stack)
            yield stack


def _seat_stack(
    fires: list[list[list[int]]], blocks: tuple[Block, ...], pg_start: Ints, spots: Ints, used: int
) -> tuple[npt.NDArray[np.int8], int]:
    """Give each fire group of a stack its PGs from `used` on, and crossbars behind those before it.

    fires: of each the blocks of every role, which are put one role after another. Writes pg_start
    and spots; returns the class of each PG of the stack, and the crossbars behind one at most.
    """
    kinds, depth = np.zeros(0, dtype=np.int8), 0
    for roles in fires:
        at, behind = used, depth
        for sharing in roles:
            pg_start[sharing] = at
            at += max(blocks[i].tiles for i in sharing)
            for i in sharing:
                depth = max(depth, behind + crossbars_behind(blocks[i], spots[i]))
                spots[i, :, 0] += behind
        dense = not isinstance(blocks[roles[0][0]].owner, RoutedOwner)
        mine = np.full(at - used, int(dense), dtype=np.int8)
        if len(mine) > len(kinds):
            kinds, mine = mine, kinds
        kinds[: len(mine)] = np.minimum(kinds[: len(mine)], mine)
    return kinds, depth


def _too_deep(stack: tuple[Member, ...], depth: int, chip: Chip) -> InfeasibleError:
    """The report that a stack, or a group, has more crossbars than a PG of the chip can have."""
    where = f"stack of {stack[0]}"
    return InfeasibleError(
        f"{where} and {len(stack) - 1} more" if len(stack) > 1 else where,
        Amount(depth, f"{depth} crossbars behind each peripheral group"),
        Amount(chip.pg.most, f"{chip.pg.most} at most on chip {chip.name}"),
        "crossbars",
        f"use smaller stacks or groups, or --set pg.stack_limit={depth}",
    )


def _seats(
    blocks: tuple[Block, ...], grouping: Grouping, chip: Chip
) -> dict[tuple[int, Owner], tuple[int, int, int]]:
    """(layer, copy of an expert) -> (group, place among its experts, the first of equal size).

    Experts of one size have places next to each other.
    """
    sizes: dict[tuple[int, Owner], list[tuple[int, int, int]]] = {}
    for block in blocks:
        size = (block.weight.rows, block.weight.columns, chip.crossbar.cells(block.weight))
        sizes.setdefault((block.layer, block.owner), []).append(size)
    seats: dict[tuple[int, Owner], tuple[int, int, int]] = {}
    for layer in grouping.layers:
        copy_in = layer.copy_in()
        for g, group in enumerate(layer.groups):
            if len(group) > chip.pg.most:
                raise InfeasibleError(
                    f"layer {layer.layer}, group {g}",
                    Amount(len(group), f"{len(group)} crossbars behind each peripheral group"),
                    Amount(chip.pg.most, f"mux {chip.pg.most} on chip {chip.name}"),
                    "crossbars",
                    f"use a chip with mux >= {len(group)} or smaller groups",
                )
            alike: dict[tuple[object, ...], list[RoutedOwner]] = {}
            for expert in group:
                copy = RoutedOwner(expert, int(copy_in[expert, g]))
                alike.setdefault(tuple(sizes[layer.layer, copy]), []).append(copy)
            taken = 0
            for copies in alike.values():
                for place, copy in enumerate(copies):
                    seats[layer.layer, copy] = (g, taken + place, taken)
                taken += len(copies)
    return seats

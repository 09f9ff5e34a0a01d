"""Where every weight tile lives: blocks cut into tiles, experts in groups, PGs on the mesh.

Numbering. A block's tile grid is `rows` x `columns`; its PGs are `pg_start + j * rows + i` for tile
(i, j), so that one column's row tiles (the chain that adds its partial sums) are neighbours. Blocks
of the experts of one group that stand at the same stage and role share these PGs, tile (i, j) of
each: of experts of unlike widths the longest column counts as `rows` for all (`column_lengths`).
`spots` says on which crossbar behind the PG a tile is, and from which row and column on: ragged
tiles of several experts may share one.
"""

from collections.abc import Iterator
from collections.abc import Mapping as ByKey
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, assert_never

import numpy as np

from ir.arrays import Bools, Ints
from ir.certificate import Certificate
from ir.errors import InputError
from ir.placement import Placement
from ir.stacks import NO_STACKS, Stacking
from ir.sums import sum_by_group
from ir.workload import Weight

Role = Literal["up", "gate", "down", "dense"]
PgClass = Literal["expert", "dense"]
TILE_KINDS = ("inner", "right", "bottom", "corner")  # 2 x (in the last row) + (in the last column)


@dataclass(frozen=True)
class DenseOwner:
    """No expert: a copy of an operator's own matrix, a dense product's or a router's."""

    copy: int = 0


@dataclass(frozen=True)
class RoutedOwner:
    """A copy of a routed expert; copies are numbered by the groups that hold them, ascending."""

    expert: int
    replica: int = 0


@dataclass(frozen=True)
class SharedOwner:
    """A copy of shared expert `number` of its layer, on peripheral groups of its own."""

    number: int
    copy: int = 0


Owner = DenseOwner | RoutedOwner | SharedOwner


def owner_columns(owner: Owner) -> tuple[int, int, int]:
    """(expert, replica, shared expert) as files and columns have them: no expert is -1."""
    match owner:
        case DenseOwner(copy):
            return -1, copy, -1
        case RoutedOwner(expert, replica):
            return expert, replica, -1
        case SharedOwner(number, copy):
            return -1, copy, number
        case _:
            assert_never(owner)


@dataclass(frozen=True)
class Block:
    """One matrix on crossbars: `rows` x `columns` tiles, the last of each row and column ragged.

    `operator` is the index of its operator in the workload, `owner` whose matrix of it this is;
    `stage` 0 for up, gate and dense, 1 for down.
    """

    operator: int
    layer: int
    role: Role
    stage: int
    owner: Owner
    weight: Weight
    rows: int
    columns: int

    @property
    def tiles(self) -> int:
        """Crossbars that an MVM of this block fires."""
        return self.rows * self.columns

    def tile_kinds(self) -> Ints:
        """Place in TILE_KINDS of every tile: int64 [rows, columns]."""
        kinds = np.zeros((self.rows, self.columns), dtype=np.int64)
        kinds[-1] += 2
        kinds[:, -1] += 1
        return kinds


@dataclass(frozen=True)
class LayerGrouping:
    """The experts of one MoE layer in groups: `groups[g]` lists expert ids.

    Every expert is in at least one group, but for those that are `digital`: digital units multiply
    their matrices, and no crossbar holds them. An expert in several groups has replicas, whose
    tokens are split window by window; two copies in one group would share their PGs and gain
    nothing.
    """

    layer: int
    groups: tuple[tuple[int, ...], ...]
    solver: str
    certificate: Certificate
    digital: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        where = f"grouping of layer {self.layer}"
        placed = {e for group in self.groups for e in group}
        if placed & set(self.digital):
            found = sorted(placed & set(self.digital))
            raise InputError(where, f"experts {found} are in groups, expected digital ones in none")
        experts = sorted(placed | set(self.digital))
        if experts != list(range(len(experts))):
            raise InputError(
                where,
                f"experts {experts[:8]}..., expected each of 0 to {experts[-1]} at least once",
            )
        for g, group in enumerate(self.groups):
            if len(set(group)) != len(group):
                raise InputError(where, f"group {g} holds an expert twice, expected one copy")

    @property
    def experts(self) -> int:
        """Number of experts."""
        return len({e for group in self.groups for e in group}) + len(self.digital)

    @property
    def replicas(self) -> int:
        """Copies of experts beyond the first of each."""
        return sum(len(group) for group in self.groups) - self.experts + len(self.digital)

    def on_crossbars(self, chosen: Bools) -> Bools:
        """Of pairs [tokens, experts] those whose expert is on crossbars."""
        out = chosen.copy()
        out[:, list(self.digital)] = False
        return out

    def copies(self) -> tuple[tuple[int, ...], ...]:
        """Groups that hold each expert, ascending: one tuple per expert."""
        held: list[list[int]] = [[] for _ in range(self.experts)]
        for g, group in enumerate(self.groups):
            for e in group:
                held[e].append(g)
        return tuple(map(tuple, held))

    def copy_in(self) -> Ints:
        """Number of the copy of each expert in each group: int64 [experts, groups], -1 for none."""
        out = np.full((self.experts, len(self.groups)), -1, dtype=np.int64)
        for e, groups in enumerate(self.copies()):
            out[e, list(groups)] = np.arange(len(groups))
        return out

    def group_of(self) -> Ints:
        """Group of each expert: int64 [experts], -1 of digital ones.

        InputError where an expert has replicas.
        """
        if self.replicas:
            raise InputError(
                f"grouping of layer {self.layer}",
                f"{self.replicas} replicas, expected every expert in one group: "
                "which copy a token goes to is decided window by window",
            )
        out = np.full(self.experts, -1, dtype=np.int64)
        for g, group in enumerate(self.groups):
            out[list(group)] = g
        return out

    def counts(self, chosen: Bools) -> Ints:
        """c[t, g]: experts of group g that token t uses, from chosen: bool [tokens, experts].

        Raises InputError where an expert has replicas: see compiler.grouping.split_counts.
        """
        return sum_by_group(chosen, self.group_of(), len(self.groups))


@dataclass(frozen=True)
class Grouping:
    """One LayerGrouping per MoE layer that holds its experts, in the workload's order."""

    layers: tuple[LayerGrouping, ...]

    def for_layers(self, homes: ByKey[int, int]) -> "Grouping":
        """One for every MoE layer, under its number: that of the layer on whose experts it works.

        homes: {MoE layer: the one that holds its experts}, see `Workload.expert_homes`.
        """
        return Grouping(tuple(replace(self.of(home), layer=layer) for layer, home in homes.items()))

    def of(self, layer: int) -> LayerGrouping:
        """The grouping of MoE layer `layer`."""
        for grouping in self.layers:
            if grouping.layer == layer:
                return grouping
        raise InputError("grouping", f"no layer {layer}, expected one of its MoE layers")


@dataclass(frozen=True, repr=False)
class Mapping:
    """What is deployed: every weight tile on one crossbar, for one model and one chip.

    dense_copies: how often every matrix that is no routed expert's stands, but for those that
    multiply the newest token alone, which stand once. stacks: which fire groups have peripheral
    groups in common.
    """

    blocks: tuple[Block, ...]
    grouping: Grouping
    placement: Placement
    dense_copies: int = 1
    stacks: Stacking = NO_STACKS

    def __repr__(self) -> str:
        placement = self.placement
        return (
            f"<Mapping of {len(self.blocks)} blocks on {placement.pgs} peripheral groups, "
            f"{placement.mesh_width} x {placement.mesh_height} cores>"
        )

    @cached_property
    def of_operator(self) -> ByKey[int, tuple[Block, ...]]:
        """The blocks of each operator that has some, in order."""
        found: dict[int, list[Block]] = {}
        for block in self.blocks:
            found.setdefault(block.operator, []).append(block)
        return {operator: tuple(blocks) for operator, blocks in found.items()}

    def tiles(self) -> Iterator[tuple[int, Ints, Ints]]:
        """(block index, PG of each tile [rows, columns], its spot [rows, columns, 3]) by block."""
        for index, block in enumerate(self.blocks):
            start = int(self.placement.pg_start[index])
            column = start + self.column_lengths[index] * np.arange(block.columns)
            grid = np.arange(block.rows)[:, None] + column
            yield index, grid, self.placement.spots[index][block.tile_kinds()]

    @cached_property
    def column_lengths(self) -> Ints:
        """PGs from one column of each block's tiles to the next: int64 [blocks]."""
        return column_lengths(self.blocks, self.grouping)


def column_lengths(blocks: tuple[Block, ...], grouping: Grouping) -> Ints:
    """PGs from one column of each block's tiles to the next: int64 [blocks].

    Of an expert's block the most rows of tiles among those of its role in its group.
    """
    copies = {layer.layer: layer.copies() for layer in grouping.layers}
    shelf: list[tuple[int, int, Role] | None] = []
    longest: dict[tuple[int, int, Role] | None, int] = {}
    for block in blocks:
        key = None
        if isinstance(block.owner, RoutedOwner):
            group = copies[block.layer][block.owner.expert][block.owner.replica]
            key = block.layer, group, block.role
            longest[key] = max(longest.get(key, 0), block.rows)
        shelf.append(key)
    lengths = [longest.get(key, block.rows) for key, block in zip(shelf, blocks, strict=True)]
    return np.array(lengths, dtype=np.int64)

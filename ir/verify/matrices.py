"""What the workload asks of a mapping: its matrices, their tiles, and what must fire together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from ir.chip import Chip
from ir.mapping import (
    Block,
    DenseOwner,
    Grouping,
    Mapping,
    Owner,
    Role,
    RoutedOwner,
    SharedOwner,
)
from ir.workload import (
    AnyOperator,
    Attention,
    Dense,
    Digital,
    Expert,
    MoELayer,
    Weight,
    Workload,
)

MatrixKey = tuple[int, Role, Owner]  # operator, role, whose


@dataclass(frozen=True)
class Matrix:
    """A constant matrix of the workload: where it belongs (its first copy).

    newest: it multiplies the newest token of a sequence alone.
    """

    operator: int
    layer: int
    role: Role
    owner: Owner
    weight: Weight
    newest: bool

    @property
    def key(self) -> MatrixKey:
        """What tells it from all others."""
        return (self.operator, self.role, self.owner)


def matrices(workload: Workload, chip: Chip) -> Iterator[Matrix]:
    """Every matrix that belongs on crossbars; the router only where the chip says so.

    What several dense products multiply with is there once, as the first one's; so are the experts
    that several MoE layers work on, and their router's matrix where it is the same.
    """
    holder, of_router = holders(workload), router_holders(workload)
    for index, op in enumerate(workload.operators):
        layer = max(workload.operators[holder[index]].layer, 0)
        match op:
            case Dense() if holder[index] != index:
                pass
            case Dense():
                yield Matrix(index, layer, "dense", DenseOwner(), op.weight, op.newest)
            case MoELayer():
                on_crossbars = chip.digital.router_on == "crossbar" and of_router[index] == index
                if on_crossbars and op.router.projection is not None:
                    scores = op.router.projection
                    yield Matrix(index, layer, "dense", DenseOwner(), scores, op.newest)
                if holder[index] != index:
                    continue
                for number, expert in enumerate(op.experts):
                    for role, weight in of_expert(expert):
                        yield Matrix(index, layer, role, RoutedOwner(number), weight, op.newest)
                for number, expert in enumerate(op.shared):
                    for role, weight in of_expert(expert):
                        yield Matrix(index, layer, role, SharedOwner(number), weight, op.newest)
            case Attention() | Digital():
                pass
            case _:
                assert_never(op)


def holders(workload: Workload) -> list[int]:
    """Operator that holds the matrix of each dense product, the experts of each MoE layer.

    Of others, themselves. Experts stand once where all of them, and shared ones, have the same
    matrices, the same curve between these and vectors as long.
    """
    held = [_multiplied_with(op) for op in workload.operators]
    first = {what: i for i, what in reversed(list(enumerate(held)))}
    return [i if what is None else first[what] for i, what in enumerate(held)]


def _multiplied_with(op: AnyOperator) -> tuple[object, ...] | None:
    """What stands on the crossbars of an operator, and what tells how it is worked with."""
    match op:
        case Dense():
            return (op.weight,)
        case MoELayer():
            return op.experts, op.shared, op.activation, op.d_model
        case Attention() | Digital():
            return None
        case _:
            assert_never(op)


def router_holders(workload: Workload) -> list[int]:
    """Operator that holds the matrix of each MoE layer's router, where it is on crossbars.

    The first of the layers on the same experts with the same matrix; of others as `holders`.
    """
    out = holders(workload)
    first: dict[tuple[int, Weight | None], int] = {}
    for i, op in moe_operators(workload).items():
        out[i] = first.setdefault((out[i], op.router.projection), i)
    return out


def moe_operators(workload: Workload) -> dict[int, MoELayer]:
    """MoE layers by operator number."""
    return {i: op for i, op in enumerate(workload.operators) if isinstance(op, MoELayer)}


def of_expert(expert: Expert) -> tuple[tuple[Role, Weight], ...]:
    """The matrices of one expert by role."""
    gate: tuple[tuple[Role, Weight], ...] = (("gate", expert.gate),) if expert.gate else ()
    down: tuple[tuple[Role, Weight], ...] = (("down", expert.down),) if expert.down else ()
    return (("up", expert.up), *gate, *down)


def cells_per_weight(weight: Weight, chip: Chip) -> int:
    """Cells side by side that hold a weight: ceil(bits / cell bits), twice if differential.

    Of a ternary weight a positive and a negative cell, or one that holds both signs.
    """
    if weight.format == "ternary":
        return 2 - int(chip.crossbar.signed_cells)
    bits = min(weight.bits, chip.crossbar.weight_bits)
    return -(-bits // chip.crossbar.cell_bits) * (2 if chip.crossbar.differential else 1)


def weights_side_by_side(weight: Weight, chip: Chip) -> int:
    """Weights in a crossbar row."""
    return chip.crossbar.columns // cells_per_weight(weight, chip)


def tile_grid(weight: Weight, chip: Chip) -> tuple[int, int]:
    """(row tiles, column tiles) of a matrix; the last of each may be part-empty."""
    across = weights_side_by_side(weight, chip)
    return -(-weight.rows // chip.crossbar.rows), -(-weight.columns // across)


def tile_sizes(weight: Weight, chip: Chip) -> list[tuple[int, int]]:
    """(rows, columns) of cells that each tile of a matrix uses."""
    tall, wide = chip.crossbar.rows, weights_side_by_side(weight, chip)
    rows = [min(tall, weight.rows - at) for at in range(0, weight.rows, tall)]
    columns = [min(wide, weight.columns - at) for at in range(0, weight.columns, wide)]
    cells = cells_per_weight(weight, chip)
    return [(r, c * cells) for r in rows for c in columns]


def copies_held(grouping: Grouping) -> dict[tuple[int, int], int]:
    """(layer, expert) -> groups that hold the expert, 0 of digital ones."""
    held: dict[tuple[int, int], int] = {}
    for layer in grouping.layers:
        held |= {(layer.layer, expert): 0 for expert in layer.digital}
        for group in layer.groups:
            for expert in group:
                held[layer.layer, expert] = held.get((layer.layer, expert), 0) + 1
    return held


def first_copy(owner: Owner) -> Owner:
    """The first copy of the same matrix."""
    match owner:
        case RoutedOwner(expert):
            return RoutedOwner(expert)
        case SharedOwner(number):
            return SharedOwner(number)
        case DenseOwner():
            return DenseOwner()
        case _:
            assert_never(owner)


def copies_of(matrix: Matrix, held: dict[tuple[int, int], int], dense: int) -> list[Owner]:
    """Every copy that a matrix must have.

    held: {(layer, expert): groups that hold the expert}; dense: copies of what is no routed
    expert's, but for what multiplies the newest token alone.
    """
    owner, dense = matrix.owner, 1 if matrix.newest else dense
    match owner:
        case RoutedOwner(expert):
            return [RoutedOwner(expert, n) for n in range(held.get((matrix.layer, expert), 1))]
        case SharedOwner(number):
            return [SharedOwner(number, n) for n in range(dense)]
        case DenseOwner():
            return [DenseOwner(n) for n in range(dense)]
        case _:
            assert_never(owner)


@dataclass(frozen=True)
class FireGroup:
    """PGs that fire together: one stage of an expert group or shared expert, or a dense matrix.

    Of a group all that any of its experts fires. group: number of the expert group, -1 for none;
    owner: whose blocks, of a group one of its experts; rows: length of the longest vector that its
    input buffer holds.
    """

    operator: int
    layer: int
    stage: int
    first_pg: int
    pgs: int
    rows: int
    group: int
    owner: Owner


def fire_groups(mapping: Mapping, workload: Workload) -> list[FireGroup]:
    """Every fire group of a mapping whose blocks and groups are those of the workload."""
    operator = {op.layer: i for i, op in moe_operators(workload).items()}
    members: dict[tuple[int, Owner, int], list[int]] = {}
    for index, block in enumerate(mapping.blocks):
        members.setdefault((block.operator, block.owner, block.stage), []).append(index)

    def fire(members: list[int], group: int) -> FireGroup:
        blocks: list[Block] = [mapping.blocks[i] for i in members]
        start = min(int(mapping.placement.pg_start[i]) for i in members)
        tall, wide = dict[Role, int](), dict[Role, int]()
        for block in blocks:
            tall[block.role] = max(tall.get(block.role, 0), block.rows)
            wide[block.role] = max(wide.get(block.role, 0), block.columns)
        pgs = sum(tall[role] * wide[role] for role in tall)
        one, rows = blocks[0], max(block.weight.rows for block in blocks)
        return FireGroup(one.operator, one.layer, one.stage, start, pgs, rows, group, one.owner)

    own = [blocks for (_, o, _), blocks in members.items() if not isinstance(o, RoutedOwner)]
    out = [fire(blocks, -1) for blocks in own]
    for grouping in mapping.grouping.layers:
        for g, experts in enumerate(grouping.groups):
            before = [sum(e in group for group in grouping.groups[:g]) for e in experts]
            copies = [RoutedOwner(e, n) for e, n in zip(experts, before, strict=True)]
            for stage in (0, 1):
                keys = [(operator[grouping.layer], copy, stage) for copy in copies]
                found = [index for key in keys for index in members.get(key, ())]
                if found:
                    out.append(fire(found, g))
    return out

"""Cut every constant matrix into crossbar tiles."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise
from typing import assert_never

from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import Block, DenseOwner, Grouping, Owner, Role, RoutedOwner, SharedOwner
from ir.workload import Attention, Dense, Digital, Expert, MoELayer, Weight, Workload


def partition(workload: Workload, chip: Chip) -> tuple[Block, ...]:
    """Blocks of all matrices that go on crossbars, in the workload's order.

    Dense products with the same matrix have one, MoE layers with the same experts one of each of
    theirs. A block has ceil(rows / R) x ceil(columns / floor(C / slices)) tiles; edge tiles are
    part-empty.
    The router joins them only where the chip puts it on crossbars. Raises InputError for a model
    without any such matrix.
    """
    blocks: list[Block] = []
    for index, op in enumerate(workload.operators):
        match op:
            case Dense() if workload.homes[index] != index:
                pass  # on the crossbars of another
            case Dense():
                blocks.append(_block(chip, index, op.layer, "dense", DenseOwner(), op.weight))
            case MoELayer():
                blocks += _moe_blocks(chip, workload, index, op)
            case Attention() | Digital():
                pass
            case _:
                assert_never(op)
    if not blocks:
        raise InputError(
            workload.name,
            "no matrix product with constant weights, so nothing to place on crossbars",
        )
    return tuple(blocks)


def with_replicas(blocks: tuple[Block, ...], grouping: Grouping) -> tuple[Block, ...]:
    """Add the blocks of further copies of experts, each copy after the one before.

    Copy n is the one in the n-th of the groups that hold the expert.
    """
    copies = {
        (layer.layer, e): len(groups)
        for layer in grouping.layers
        for e, groups in enumerate(layer.copies())
    }
    out: list[Block] = []
    for (layer, owner), of_owner in groupby(blocks, lambda b: (b.layer, b.owner)):
        once = list(of_owner)
        match owner:
            case RoutedOwner(expert):
                for n in range(copies.get((layer, expert), 1)):
                    out += [replace(block, owner=RoutedOwner(expert, n)) for block in once]
            case DenseOwner() | SharedOwner():
                out += once
            case _:
                assert_never(owner)
    return tuple(out)


def with_dense_copies(
    blocks: tuple[Block, ...], workload: Workload, copies: int
) -> tuple[Block, ...]:
    """Add the blocks of further copies of what is no routed expert's, each after the one before.

    What multiplies the newest token alone stands once: its crossbars have time.
    """
    out: list[Block] = []
    for (operator, owner), of_owner in groupby(blocks, lambda b: (b.operator, b.owner)):
        once = list(of_owner)
        many = 1 if workload.operators[operator].newest else copies
        match owner:
            case RoutedOwner():
                out += once
            case DenseOwner() | SharedOwner():
                for n in range(many):
                    out += [replace(block, owner=replace(owner, copy=n)) for block in once]
            case _:
                assert_never(owner)
    return tuple(out)


def _check_linear(op: MoELayer) -> None:
    """Gates on the experts' input multiply the first stage's sums: without a bias the same."""
    first = [w for e in op.experts for w in (e.up, e.gate) if w is not None]
    biased = next((w for w in first if w.bias is not None), None)
    if op.weight_on == "input" and biased is not None:
        raise InputError(
            op.name,
            f"multiplies its experts' input by a gate, but {biased.tensor!r} has a bias",
            "gates are applied after the product, which a bias does not allow",
        )


def _check_nested(chip: Chip, op: MoELayer) -> None:
    """Of any two experts one has all tiles of the other: it says how many PGs a group has."""
    grids = {
        tuple(n for _, weight in _matrices(expert) for n in _grid(chip, weight))
        for expert in op.experts
    }
    for small, large in pairwise(sorted(grids, key=sum)):
        if any(a > b for a, b in zip(small, large, strict=True)):
            raise InputError(
                op.name,
                f"experts whose matrices have {small} and {large} rows and columns of tiles",
                "experts may differ in width, but not in the bits of their weights as well",
            )


def _moe_blocks(chip: Chip, workload: Workload, index: int, op: MoELayer) -> Iterator[Block]:
    """Router and experts, as far as no layer before it holds them; all where the experts are."""
    _check_linear(op)
    _check_nested(chip, op)
    on_crossbars = chip.digital.router_on == "crossbar" and workload.matrix_homes[index] == index
    if on_crossbars and op.router.projection is not None:
        region = workload.region_at(index)
        yield _block(chip, index, region, "dense", DenseOwner(), op.router.projection)
    if workload.homes[index] != index:
        return
    for number, expert in enumerate(op.experts):
        for role, weight in _matrices(expert):
            yield _block(chip, index, op.layer, role, RoutedOwner(number), weight)
    for number, expert in enumerate(op.shared):
        for role, weight in _matrices(expert):
            yield _block(chip, index, op.layer, role, SharedOwner(number), weight)


def _matrices(expert: Expert) -> Iterator[tuple[Role, Weight]]:
    yield "up", expert.up
    if expert.gate is not None:
        yield "gate", expert.gate
    if expert.down is not None:
        yield "down", expert.down


def _block(
    chip: Chip, operator: int, layer: int, role: Role, owner: Owner, weight: Weight
) -> Block:
    rows, columns = _grid(chip, weight)
    return Block(
        operator=operator,
        layer=max(layer, 0),
        role=role,
        stage=1 if role == "down" else 0,
        owner=owner,
        weight=weight,
        rows=rows,
        columns=columns,
    )


def _grid(chip: Chip, weight: Weight) -> tuple[int, int]:
    """Rows and columns of tiles of a matrix."""
    per_tile = chip.crossbar.weights_per_row(weight)
    return -(-weight.rows // chip.crossbar.rows), -(-weight.columns // per_tile)

"""Tiles of a matrix: ragged edges and bit slices."""

import pytest

from compiler.partition import partition, with_replicas
from ir.certificate import Certificate
from ir.errors import InputError
from ir.mapping import DenseOwner, Grouping, LayerGrouping, Owner, RoutedOwner, SharedOwner
from ir.verify.matrices import cells_per_weight
from ir.workload import Dense, Weight, Workload
from moexbar.chips import load_chip
from tests.make import small_workload


def one_dense(rows: int, columns: int, bits: int) -> Workload:
    weight = Weight("w", rows, columns, bits)
    op = Dense("dense", 0, ("x",), ("y",), ("node",), columns, weight)
    return Workload("one", "0" * 64, ("x",), ("y",), (op,))


@pytest.mark.parametrize(
    ("chip", "rows", "columns", "bits", "grid"),
    [
        ("hermes", 256, 256, 16, (1, 1)),
        ("hermes", 257, 256, 16, (2, 1)),  # one row too many
        ("hermes", 128, 384, 16, (1, 2)),  # the shipped models' up: 384 = 256 + 128 columns
        ("hermes", 384, 128, 16, (2, 1)),  # and down
        # isaac: 16-bit weights of 2-bit cells = 8 cells, 16 weights in a row of 128
        ("isaac", 128, 16, 16, (1, 1)),
        ("isaac", 128, 17, 16, (1, 2)),
        # an 8-bit model needs 4 cells of 2 bits: 32 weights in a row
        ("isaac", 128, 32, 8, (1, 1)),
        # a 32-bit model is stored with the array's 16 bits
        ("isaac", 128, 16, 32, (1, 1)),
        # tiny: 8x8, 8-bit weights of 4-bit cells = 2 cells, 4 weights in a row
        ("tiny", 20, 9, 8, (3, 3)),
    ],
)
def test_tile_grid(chip: str, rows: int, columns: int, bits: int, grid: tuple[int, int]) -> None:
    (block,) = partition(one_dense(rows, columns, bits), load_chip(chip))
    assert (block.rows, block.columns) == grid


@pytest.mark.parametrize(
    ("chip", "cells", "grid"),
    [
        # a pair of 2 cells on chips of unsigned cells: 64 weights in a row of 128, so 384 columns
        # take 6 tiles; as 16-bit weights in 2-bit cells (8 of them) they took 24
        ("isaac", 2, (1, 6)),
        ("puma", 2, (1, 6)),
        ("neurosim", 2, (1, 6)),  # of 1-bit cells: 8 for 8 bits, so 24 as well
        ("tiny", 2, (16, 96)),  # 4 weights in a row of 8, as 8-bit weights in two 4-bit cells
        ("hermes", 1, (1, 2)),  # a unit cell is a pair of devices: the same as 8 bits
    ],
)
def test_ternary_weights_take_one_pair(chip: str, cells: int, grid: tuple[int, int]) -> None:
    weight = Weight("w", 128, 384, 16, format="ternary")
    op = Dense("dense", 0, ("x",), ("y",), ("node",), 384, weight)
    workload = Workload("one", "0" * 64, ("x",), ("y",), (op,))
    target = load_chip(chip)
    (block,) = partition(workload, target)
    assert (block.rows, block.columns) == grid
    assert target.crossbar.cells(weight) == cells_per_weight(weight, target) == cells


def test_experts_have_a_block_per_matrix() -> None:
    workload = small_workload(layers=1, experts=4, shared=1)
    blocks = partition(workload, load_chip("tiny"))
    roles = [b.role for b in blocks if b.owner == RoutedOwner(2)]
    assert roles == ["up", "gate", "down"]
    assert [b.stage for b in blocks if b.owner == RoutedOwner(2)] == [0, 0, 1]
    assert len([b for b in blocks if b.owner == SharedOwner(0)]) == 3
    assert len([b for b in blocks if b.role == "dense"]) == 5  # q, k, v, o, head
    assert len([b for b in blocks if b.owner == DenseOwner()]) == 5


def test_copies_of_an_expert_follow_it_whole() -> None:
    unknown = Certificate("slots", 0, 0, "heuristic")
    groups = ((0, 1), (0, 2), (0, 3))  # expert 0 three times
    layers = tuple(LayerGrouping(i, groups, "by hand", unknown) for i in (0, 1))
    once = partition(small_workload(), load_chip("tiny"))
    blocks = with_replicas(once, Grouping(layers))
    owners: list[Owner] = [RoutedOwner(0, replica) for replica in range(3)]
    first = [b for b in blocks if b.layer == 0 and b.owner in owners]
    assert [(b.role, owners.index(b.owner)) for b in first] == [
        ("up", 0),
        ("gate", 0),
        ("down", 0),
        ("up", 1),
        ("gate", 1),
        ("down", 1),
        ("up", 2),
        ("gate", 2),
        ("down", 2),
    ]
    assert [b for b in blocks if b.owner not in owners[1:]] == list(once)


def test_gates_on_the_input_and_biases_do_not_go_together() -> None:
    """A gate times (x @ W + b) is not (gate * x) @ W + b."""
    workload = small_workload(layers=1, weight_on="input", bias=True)
    with pytest.raises(InputError, match=r"'moe0.up' has a bias"):
        partition(workload, load_chip("tiny"))

"""What fires together: by hand, and against the verifier's own derivation."""

from typing import Any

import pytest

from compiler.fire_groups import fire_groups
from compiler.partition import partition, with_replicas
from ir.certificate import Certificate
from ir.mapping import Grouping, LayerGrouping, RoutedOwner
from ir.verify.matrices import fire_groups as fire_groups_of_the_verifier
from ir.workload import Workload
from tests.make import contiguous, map_small, small_chip, small_workload

NOTHING_KNOWN = Certificate("slots", 0, 0, "heuristic")


def grouped(*groups: tuple[int, ...]) -> Grouping:
    return Grouping((LayerGrouping(0, groups, "by hand", NOTHING_KNOWN),))


def test_groups_come_before_banks_and_are_numbered_with_them() -> None:
    # One layer: q, k, v, o, then a MoE layer of 3 gated experts and a shared one, then the head.
    workload, grouping = small_workload(layers=1, experts=3, shared=1), grouped((2, 0), (1,))
    found = fire_groups(partition(workload, small_chip()), grouping)
    told = [(f.number, f.stage, f.is_bank, [b.weight.tensor for b in f.blocks]) for f in found]
    assert told == [
        (0, 0, False, ["moe0.up", "moe0.gate"]),
        (0, 1, False, ["moe0.down"]),
        (1, 0, False, ["moe0.up", "moe0.gate"]),
        (1, 1, False, ["moe0.down"]),
        (2, 0, True, ["q0"]),
        (3, 0, True, ["k0"]),
        (4, 0, True, ["v0"]),
        (5, 0, True, ["o0"]),
        (6, 0, True, ["shared0.0.up", "shared0.0.gate"]),
        (7, 1, True, ["shared0.0.down"]),
        (8, 0, True, ["head"]),
    ]
    owners = [b.owner for f in found[:4] for b in f.blocks]
    assert owners == [RoutedOwner(2)] * 3 + [RoutedOwner(1)] * 3  # the first of each


def test_a_group_of_a_copy_fires_that_copy() -> None:
    # Expert 1 is in both groups, first in the second: its copy 1 stands there.
    workload, grouping = small_workload(layers=1, experts=3), grouped((0, 1), (1, 2))
    blocks = with_replicas(partition(workload, small_chip()), grouping)
    first, _, second, _ = fire_groups(blocks, grouping)[:4]
    assert {b.owner for b in first.blocks} == {RoutedOwner(0)}
    assert {b.owner for b in second.blocks} == {RoutedOwner(1, replica=1)}
    assert all(blocks[i] is b for i, b in zip(second.members, second.blocks, strict=True))


def test_a_group_has_the_pgs_of_its_widest_expert() -> None:
    # d 20: up of 12 is 3 x 3 tiles, of 5 it is 3 x 2; down is 2 x 5 and 1 x 5.
    workload = small_workload(layers=1, widths=(5, 12))
    blocks = partition(workload, small_chip())
    mixed = fire_groups(blocks, grouped((0, 1), (2, 3)))[:4]
    assert [(f.stage, f.pgs, f.blocks[0].owner) for f in mixed] == [
        (0, 9 + 9, RoutedOwner(1)),
        (1, 10, RoutedOwner(1)),
        (0, 9 + 9, RoutedOwner(3)),
        (1, 10, RoutedOwner(3)),
    ]
    apart = fire_groups(blocks, grouped((0, 2), (1, 3)))[:4]
    assert [f.pgs for f in apart] == [6 + 6, 5, 9 + 9, 10]


def test_an_empty_group_fires_nothing_but_has_its_number() -> None:
    workload, grouping = small_workload(layers=1, experts=2), grouped((0, 1), ())
    found = fire_groups(partition(workload, small_chip()), grouping)
    assert [f.number for f in found] == [0, 0, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("workload", "chip"),
    [
        ({}, {}),
        ({"shared": 2, "layers": 3, "experts": 5}, {}),
        ({"gated": False, "dense_layers": (1,)}, {}),
        ({}, {"digital": {"router_on": "crossbar"}}),
        ({"widths": (5, 12, 17), "experts": 5}, {}),
    ],
)
def test_the_verifier_finds_the_same(workload: dict[str, Any], chip: dict[str, Any]) -> None:
    model: Workload = small_workload(**workload)
    mapping = map_small(model, small_chip(**chip), contiguous(model, 2))
    start = mapping.placement.pg_start
    found = fire_groups(mapping.blocks, mapping.grouping)
    own = {(f.layer, f.stage, f.first_pg(start), f.pgs, not f.is_bank) for f in found}
    theirs = fire_groups_of_the_verifier(mapping, model)
    assert own == {(f.layer, f.stage, f.first_pg, f.pgs, f.group >= 0) for f in theirs}
    assert len(own) == len(found) == len(theirs)
    assert sum(f.pgs for f in found) == mapping.placement.pgs

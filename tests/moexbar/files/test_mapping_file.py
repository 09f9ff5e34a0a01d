"""mapping.json: whose matrix a block holds, and every peripheral group's core from its runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from ir.certificate import Certificate
from ir.chip import Dies
from ir.errors import InputError
from ir.mapping import DenseOwner, Grouping, LayerGrouping, Mapping, Owner, RoutedOwner, SharedOwner
from ir.topology import topology_of
from ir.verify import verify_mapping
from ir.workload import Workload
from moexbar.files.mapping_file import _runs, mapping_json
from moexbar.files.mapping_reader import _topology, read_mapping
from moexbar.report.mapped import DiesRow
from tests.make import map_small, small_chip, small_workload
from tests.stacks import stacks_of

OWNERS: dict[Owner, tuple[int, int, int]] = {  # expert, replica, shared
    DenseOwner(): (-1, 0, -1),
    RoutedOwner(0): (0, 0, -1),
    RoutedOwner(0, 1): (0, 1, -1),
    RoutedOwner(3): (3, 0, -1),
    SharedOwner(0): (-1, 0, 0),
    SharedOwner(1): (-1, 0, 1),
}


def small() -> tuple[Workload, Mapping]:
    """Every kind of owner: expert 0 twice, two shared experts, the router on crossbars."""
    workload = small_workload(layers=1, experts=4, shared=2)
    unknown = Certificate("slots", 0, 0, "heuristic")
    layer = LayerGrouping(0, ((0, 1), (0, 2), (3,)), "by hand", unknown)
    chip = small_chip(digital={"router_on": "crossbar"})
    return workload, map_small(workload, chip, Grouping((layer,)))


def test_copies_of_dense_blocks_come_back(tmp_path: Path) -> None:
    """Copy n of a matrix that is no routed expert's is its `replica`; the file says how many."""
    workload = small_workload(layers=1, experts=4, shared=2)
    mapping = map_small(workload, small_chip(), copies=2)
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(mapping_json(mapping, workload)))
    found = read_mapping(path, workload)
    assert found.dense_copies == 2
    assert found.blocks == mapping.blocks
    assert DenseOwner(1) in {b.owner for b in found.blocks}
    assert SharedOwner(1, 1) in {b.owner for b in found.blocks}
    assert "dense_copies" not in mapping_json(small()[1], workload)


def stacked() -> tuple[Workload, Mapping]:
    """Stacks across layers, and of a dense matrix that is longer than the experts it is with."""
    workload, chip = small_workload(layers=3, widths=(12, 5)), small_chip(pg={"stack_limit": 4})
    names = (("q0", "v2"), ("head", "moe1.0.0"), ("k1", "moe2.1.0"))
    stacks = stacks_of(map_small(workload, chip), *names)
    return workload, map_small(workload, chip, stacks=stacks)


def test_stacks_come_back_with_the_region_they_are_in(tmp_path: Path) -> None:
    """Which layers share a region, who shares peripheral groups, and of which class these are."""
    workload, mapping = stacked()
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(mapping_json(mapping, workload)))
    found = read_mapping(path, workload)
    assert found.stacks.stacks == mapping.stacks.stacks
    assert len(found.stacks.stacks) == 3
    assert found.placement.regions == mapping.placement.regions
    assert [region.layers for region in found.placement.regions] == [(0, 1, 2)]
    assert np.array_equal(found.placement.pg_class, mapping.placement.pg_class)
    assert np.array_equal(found.placement.pg_start, mapping.placement.pg_start)
    for (_, pg, spot), (_, back, there) in zip(mapping.tiles(), found.tiles(), strict=True):
        assert np.array_equal(pg, back)
        assert np.array_equal(spot, there)
    verify_mapping(found, workload, small_chip(pg={"stack_limit": 4}))


def test_a_file_without_stacks_does_not_speak_of_them() -> None:
    workload, mapping = small()
    found = mapping_json(mapping, workload)
    assert "stacks" not in found
    assert all("guests" not in region for region in found["regions"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: m["stacks"][0].append(m["stacks"][1][0]), "each once"),
        (lambda m: m["stacks"][0][0].pop("stage"), r"stacks\[0\]\[0\]\.stage: missing"),
        (lambda m: m["stacks"][0][0].update(group="two"), "'two', expected a whole number"),
        (lambda m: m.update(stacks=7), "stacks: found 7, expected a list"),
        (lambda m: m["regions"][0].update(guests=["1"]), "'1', expected a whole number"),
    ],
)
def test_stacks_that_cannot_be(
    change: Callable[[dict[str, Any]], object], problem: str, tmp_path: Path
) -> None:
    workload, mapping = stacked()
    found, path = mapping_json(mapping, workload), tmp_path / "mapping.json"
    found = json.loads(json.dumps(found))
    change(found)
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=problem):
        read_mapping(path, workload)


def written(
    folder: Path, change: Callable[[list[dict[str, Any]]], object]
) -> tuple[Path, Workload]:
    """mapping.json of `small` with its blocks changed, and the workload."""
    workload, mapping = small()
    found = mapping_json(mapping, workload)
    change(found["blocks"])
    path = folder / "mapping.json"
    path.write_text(json.dumps(found))
    return path, workload


def test_blocks_come_back_as_they_were(tmp_path: Path) -> None:
    path, workload = written(tmp_path, lambda _: None)
    blocks = small()[1].blocks
    assert read_mapping(path, workload).blocks == blocks
    assert OWNERS.keys() <= {block.owner for block in blocks}


def test_tiles_of_unlike_experts_come_back_where_they_were(tmp_path: Path) -> None:
    # down of 12 is 2 x 5 tiles, of 5 it is 1 x 5, behind every other of those peripheral groups
    workload = small_workload(layers=1, widths=(12, 5))
    mapping, path = map_small(workload, small_chip()), tmp_path / "mapping.json"
    path.write_text(json.dumps(mapping_json(mapping, workload)))
    for (_, pg, spot), (_, back, there) in zip(
        mapping.tiles(), read_mapping(path, workload).tiles(), strict=True
    ):
        assert np.array_equal(pg, back)
        assert np.array_equal(spot, there)


def test_a_tile_beyond_the_last_peripheral_group_is_refused(tmp_path: Path) -> None:
    # the last group's narrow down, 1 x 5 tiles in columns of two, ends at the 9th of its 10 PGs;
    # begun at the third from the end it fits by its number of tiles, 5 - 1 > 2, not by its columns
    workload = small_workload(layers=1, widths=(12, 5))
    mapping = map_small(workload, small_chip())
    found, path = mapping_json(mapping, workload), tmp_path / "mapping.json"
    narrow = next(b for b in found["blocks"] if (b["role"], b["expert"]) == ("down", 3))
    narrow["pg_start"] = mapping.placement.pgs - 5
    path.write_text(json.dumps(found))
    last = mapping.placement.pgs - 5 + 4 * 2
    with pytest.raises(InputError, match=f"PG {last} of {mapping.placement.pgs}"):
        read_mapping(path, workload)


def test_a_copy_in_no_group_is_refused(tmp_path: Path) -> None:
    def change(blocks: list[dict[str, Any]]) -> None:
        next(b for b in blocks if b["expert"] == 3)["replica"] = 1

    path, workload = written(tmp_path, change)
    with pytest.raises(
        InputError, match=r"blocks.*replica: copy 1 of expert 3 is in no group of layer 0"
    ):
        read_mapping(path, workload)


def test_no_expert_is_minus_one_in_the_file() -> None:
    workload, mapping = small()
    rows = mapping_json(mapping, workload)["blocks"]
    for block, row in zip(mapping.blocks, rows, strict=True):
        if block.owner in OWNERS:
            assert (row["expert"], row["replica"], row["shared"]) == OWNERS[block.owner]


@pytest.mark.parametrize(
    ("role", "expert", "replica", "shared", "problem"),
    [
        ("dense", -1, 1, -1, "expert -1, replica 1, shared expert -1 of a block"),
        ("up", 0, 0, 1, "expert 0, replica 0, shared expert 1 of a block"),
        ("up", -1, 1, 0, "expert -1, replica 1, shared expert 0 of a block"),
        ("up", -1, 0, -1, "has no matrix 'up' of DenseOwner"),
        ("dense", 0, 0, -1, "has no matrix 'dense' of RoutedOwner"),
        ("up", 4, 0, -1, "has no matrix 'up' of RoutedOwner"),
        ("up", -2, 0, -1, "expert: -2, expected a whole number from -1 to"),
    ],
)
def test_owners_that_cannot_be(
    role: str, expert: int, replica: int, shared: int, problem: str, tmp_path: Path
) -> None:
    def change(blocks: list[dict[str, Any]]) -> None:
        block = next(b for b in blocks if b["role"] == "up")  # of an MoE layer
        block.update(role=role, expert=expert, replica=replica, shared=shared)

    path, workload = written(tmp_path, change)
    with pytest.raises(InputError, match=problem):
        read_mapping(path, workload)


@pytest.mark.parametrize(
    ("cores", "runs"),
    [
        ([], []),
        ([0], [(0, 1)]),
        ([0, 0, 1, 1, 1, 0], [(0, 2), (1, 3), (0, 1)]),
        ([7, 6, 5], [(7, 1), (6, 1), (5, 1)]),
    ],
)
def test_runs(cores: list[int], runs: list[tuple[int, int]]) -> None:
    found = _runs(np.array(cores, dtype=np.int64))
    assert found == tuple(runs)
    assert [core for core, length in found for _ in range(length)] == cores


def test_a_million_groups_are_few_runs() -> None:
    core = np.arange(1_000_000) // 16  # as placed in order: 16 neighbours on each core
    assert len(_runs(core)) == 62_500


@pytest.mark.parametrize("topology", ["mesh", "ring", "all-to-all"])
def test_dies_come_back_in_the_order_that_they_are_joined_in(topology: Literal["ring"]) -> None:
    """Pairs ascend by their first die, but where all are joined by their second."""
    known = topology_of(Dies(1, topology=topology), 5)
    assert _topology(DiesRow(known.count, known.joined, known.columns)) == known

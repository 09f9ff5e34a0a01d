"""Stacks, executed: each product on the cells of its own crossbars behind the common PGs."""

from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from backends.functional import Case, compare, execute
from backends.functional.crossbars import Crossbars
from backends.functional.order import check_order
from ir.errors import CheckError
from ir.mapping import DenseOwner, Mapping, Owner, RoutedOwner, SharedOwner, owner_columns
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode, stacked
from ir.stacks import Member, Stacking
from tests.backends.functional.small import run_case, small_case
from tests.backends.simulate.by_hand import UNITS
from tests.backends.simulate.test_stacks import for_both, in_turn, moved
from tests.compiler.frontend import models as m
from tests.make import small_chip
from tests.stacks import named, random_stacks

LIMIT = 6
CHIP = small_chip(pg={"stack_limit": LIMIT}, digital={"router_on": "crossbar"})
BLOCK = m.dense_masked(shared=m.gated_shared)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="module")
def alone(folder: Path, runtime: Runtime) -> Mapping:
    """Two layers of projections, a gated shared expert, a router and experts, without stacks."""
    return small_case(runtime, folder, BLOCK, layers=2, chip=CHIP).mapping


def dense(alone: Mapping, layer: int) -> list[Member]:
    """The dense matrices of a layer, in order of the model: q, k, v, o, the router..."""
    members = named(alone)
    blocks = [b for b in alone.blocks if isinstance(b.owner, DenseOwner) and b.layer == layer]
    return [members[b.weight.tensor] for b in blocks]


def experts(alone: Mapping, layer: int, stage: int) -> list[Member]:
    """The fire groups of a stage of a layer's routed experts."""
    prefix = f"moe{layer}.{stage}."
    return [member for name, member in named(alone).items() if name.startswith(prefix)]


def across_layers(alone: Mapping) -> Stacking:
    """Each dense matrix of the first layer with that of the second."""
    return Stacking(tuple(zip(dense(alone, 0), dense(alone, 1), strict=False)))


def dense_with_experts(alone: Mapping) -> Stacking:
    """Projections behind the PGs of the experts of their layer."""
    pairs = [
        pair for n in (0, 1) for pair in zip(dense(alone, n), experts(alone, n, 0), strict=False)
    ]
    return Stacking(tuple(pairs))


def within_a_layer(alone: Mapping) -> Stacking:
    """All groups of a stage of a layer behind one another, which then compute in turn."""
    stages = [experts(alone, layer, stage) for layer in (0, 1) for stage in (0, 1)]
    return Stacking(tuple(tuple(stage[: LIMIT // 2]) for stage in stages))


def stages_of_experts(alone: Mapping) -> Stacking:
    """Both stages of a group behind the same PGs, and those of a group of the other layer."""
    stages = [(*experts(alone, layer, 0)[:1], *experts(alone, layer, 1)[:1]) for layer in (0, 1)]
    return Stacking((stages[0], stages[1]))


def routers_with_shared(alone: Mapping) -> Stacking:
    """The router and the shared expert of each layer: the same operator and stage."""
    shared = {m.layer: m for name, m in named(alone).items() if ".0." in name and name[0] == "s"}
    return Stacking(tuple((dense(alone, layer)[-1], shared[layer]) for layer in (0, 1)))


KINDS = {
    "across layers": across_layers,
    "dense with experts": dense_with_experts,
    "within a layer": within_a_layer,
    "both stages": stages_of_experts,
    "a router with the shared expert": routers_with_shared,
}


@pytest.mark.parametrize("kind", KINDS)
def test_computes_the_model(kind: str, alone: Mapping, folder: Path, runtime: Runtime) -> None:
    stacks = KINDS[kind](alone)
    case = small_case(
        runtime, folder, BLOCK, layers=2, chip=CHIP, decode=3, sequences=2, tokens=7, stacks=stacks
    )
    assert case.mapping.stacks == stacks
    assert case.mapping.placement.pgs < alone.placement.pgs
    assert stacked(case.program.units).any()
    done = run_case(runtime, case)
    assert (done.culprit, done.near_ties) == (-1, 0)
    assert done.worst < 2e-6


@pytest.mark.parametrize("seed", range(4))
def test_random_stacks_of_random_copies_compute_the_model(
    seed: int, folder: Path, runtime: Runtime
) -> None:
    """Packed and not, of gated and plain experts, with one to three copies of dense blocks."""
    asked = {"dense_copies": 1 + seed % 3, "pack": bool(seed % 2)}
    block = BLOCK if seed < 2 else m.dense_masked(expert=m.plain, shared=m.plain)
    apart = small_case(runtime, folder, block, layers=2, chip=CHIP, **asked)
    stacks = random_stacks(apart.mapping, CHIP, seed)
    case = small_case(runtime, folder, block, layers=2, chip=CHIP, stacks=stacks, **asked)
    assert len(case.mapping.stacks.stacks) > 2
    done = run_case(runtime, case)
    assert (done.culprit, done.near_ties) == (-1, 0)
    assert done.worst < 2e-6


@pytest.fixture(scope="module")
def mixed(alone: Mapping, folder: Path, runtime: Runtime) -> Case:
    """A stack of a projection, a group of experts and a stage of a shared expert."""
    shared = [member for name, member in named(alone).items() if name.startswith("shared1.1")]
    stack = (dense(alone, 0)[0], experts(alone, 1, 0)[0], shared[0])
    return small_case(runtime, folder, BLOCK, layers=2, chip=CHIP, stacks=Stacking((stack,)))


@pytest.mark.parametrize("kind", [DenseOwner, RoutedOwner, SharedOwner])
def test_other_numbers_behind_the_same_pgs_are_named(
    mixed: Case, runtime: Runtime, kind: type[Owner]
) -> None:
    """Cells of one of the stack a hundredth too large: an MVM of its own is named, no other's."""
    crossbars, first = Crossbars(mixed.mapping, mixed.chip, mixed.source), first_pg(mixed)
    tiles = next(
        t for t in crossbars.tiles if isinstance(t.block.owner, kind) and t.pg[0, 0] == first
    )
    crossbars.cells[first, int(tiles.spot[0, 0, 0])] *= np.float32(1.01)
    p, culprit = mixed.program, compare(execute(mixed, runtime, crossbars)).culprit
    assert p.opcode[culprit] == Opcode.MVM
    unit, block = p.units[int(p.unit[culprit])], tiles.block
    assert (unit.layer, unit.stage, unit.first_pg) == (block.layer, block.stage, first)
    assert p.expert[culprit] == owner_columns(block.owner)[0]


def first_pg(mixed: Case) -> int:
    """The PG that the stack begins at."""
    member = mixed.mapping.stacks.stacks[0][0]
    (unit,) = (
        u
        for u in mixed.program.units
        if (u.kind, u.layer, u.stage, u.group) == ("group", *astuple(member))
    )
    return unit.first_pg


def test_one_vector_more_than_the_stack_s_buffer_holds_is_refused() -> None:
    """Of either group; and one for both is needed until the second has used it."""
    for made, load, early in ((in_turn, 2, 14), (for_both, 2, 15)):
        check_order(made(), 2)
        with pytest.raises(CheckError, match=rf"#{load} .*overwrites an entry of group\.0\.0\.0"):
            check_order(moved(made(), load, early), 2)
    apart = replace(moved(in_turn(), 2, 14), units=UNITS)
    check_order(apart, 2)  # each with a buffer of its own

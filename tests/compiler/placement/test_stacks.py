"""Peripheral groups of stacks: their numbers, what is behind them, their region and traffic."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.fire_groups import fire_groups, numbered
from compiler.options import PLACERS, PlacementOptions, Placer, SolverOptions
from compiler.partition import partition
from compiler.placement import Routed, place
from compiler.placement.shelves import number_pgs
from compiler.placement.sites import on_one_die
from compiler.placement.traffic import Flow, Traffic, traffic_of
from ir.chip import Chip
from ir.errors import InfeasibleError, InputError
from ir.mapping import Mapping
from ir.stacks import Member, Stacking
from ir.verify import verify_mapping
from ir.workload import Workload
from tests.make import contiguous, map_small, random_routing, small_chip, small_workload
from tests.stacks import named, random_stacks, stacks_of

# 8 x 8 cells hold 8 x 4 weights. A matrix of 20 x 20 is 3 x 5 tiles; up and gate of an expert, 20 x
# 12, are 3 x 3 each, 18 PGs for two experts; down, 12 x 20, is 2 x 5; the head, 20 x 30, is 3 x 8.
MODEL = small_workload()
CHIP = small_chip(pg={"stack_limit": 4})
ALONE = map_small(MODEL, CHIP)


def seats(mapping: Mapping, name: str) -> set[tuple[int, int, int]]:
    """(first PG, PGs, crossbar behind them) of the blocks of a fire group, by name."""
    placement, member = mapping.placement, named(mapping)[name]
    of_block = enumerate(numbered(mapping.blocks, mapping.grouping))
    own = [n for n, other in of_block if other == member]
    first, behind = placement.pg_start.tolist(), placement.spots[:, 0, 0].tolist()
    return {(first[n], mapping.blocks[n].tiles, behind[n]) for n in own}


def stacked(*stacks: tuple[str, ...], chip: Chip = CHIP, model: Workload = MODEL) -> Mapping:
    """MODEL with these stacks, checked."""
    alone = map_small(model, chip)
    mapping = map_small(model, chip, stacks=stacks_of(alone, *stacks))
    verify_mapping(mapping, model, chip)
    return mapping


def test_a_stack_begins_at_one_pg_each_behind_the_one_before() -> None:
    mapping = stacked(("q0", "o0", "v1"))
    first = next(iter(seats(mapping, "q0")))[0]
    assert seats(mapping, "q0") == {(first, 15, 0)}
    assert seats(mapping, "o0") == {(first, 15, 1)}
    assert seats(mapping, "v1") == {(first, 15, 2)}
    # three of 15 PGs became one
    assert mapping.placement.pgs == ALONE.placement.pgs - 2 * 15


def test_order_is_that_of_the_model_whatever_the_stack_says() -> None:
    one, other = (stacked(names).placement for names in (("q0", "v1"), ("v1", "q0")))
    assert one.pg_start.tolist() == other.pg_start.tolist()
    assert one.spots.tolist() == other.spots.tolist()


def test_two_experts_of_a_group_take_two_crossbars_of_the_stack() -> None:
    """q0 is behind 15 of the 18 PGs of group 0's first stage, on the third crossbar."""
    mapping = stacked(("moe0.0.0", "q0"))
    at = min(first for first, _, _ in seats(mapping, "moe0.0.0"))
    # q0 is the first of the model: it is on crossbar 0, the experts are on 1 and 2
    assert seats(mapping, "q0") == {(at, 15, 0)}
    assert seats(mapping, "moe0.0.0") == {
        (at + shift, 9, behind) for shift in (0, 9) for behind in (1, 2)
    }
    assert mapping.placement.pgs == ALONE.placement.pgs - 15
    # PG 15 to 17 of the stack hold experts alone, and all 18 count as experts'
    assert mapping.placement.pg_class[at : at + 18].tolist() == [0] * 18


def test_what_is_longer_than_the_first_has_the_stack_s_pgs_to_the_end() -> None:
    mapping = stacked(("q0", "head"))
    ((first, _, behind),) = seats(mapping, "head")
    assert (behind, seats(mapping, "q0")) == (1, {(first, 15, 0)})
    assert mapping.placement.pgs == ALONE.placement.pgs - 15
    assert (mapping.placement.pg_class[first : first + 24] == 1).all()


def test_a_dense_pg_beyond_the_experts_of_its_stack_is_no_expert_s() -> None:
    """Behind the head's 24 PGs stand 18 of group 0: the last 6 hold no routed expert's tile."""
    mapping = stacked(("head", "moe1.0.0"))
    ((first, _, _),) = seats(mapping, "head")
    assert mapping.placement.pg_class[first : first + 24].tolist() == [0] * 18 + [1] * 6


def test_packed_tiles_take_as_many_crossbars_as_the_fullest_pg() -> None:
    """Four experts packed: full tiles are on four crossbars, so that q0 is on the fifth."""
    chip = small_chip(pg={"mux": 4, "stack_limit": 5})
    alone = map_small(MODEL, chip, pack=True)
    mapping = map_small(MODEL, chip, pack=True, stacks=stacks_of(alone, ("moe0.0.0", "o0")))
    verify_mapping(mapping, MODEL, chip)
    # o0 comes before the MoE layer in the model
    assert {behind for _, _, behind in seats(mapping, "o0")} == {0}
    assert {behind for _, _, behind in seats(mapping, "moe0.0.0")} == {1, 2, 3, 4}


def test_a_stack_as_deep_as_the_limit_fits_and_no_deeper() -> None:
    names = ("moe0.0.0", "moe0.0.1")  # two experts each
    assert stacked(names, chip=small_chip(pg={"stack_limit": 4})).stacks.stacks
    with pytest.raises(InfeasibleError) as error:
        stacked((*names, "q0"), chip=small_chip(pg={"stack_limit": 4}))
    said = str(error.value)
    assert "5 crossbars behind each peripheral group" in said
    assert "4 at most on chip small" in said
    assert "--set pg.stack_limit=5" in said
    assert "stack of layer 0 stage 0 group 2 and 2 more" in said  # q0: after groups 0 and 1
    assert stacked((*names, "q0"), chip=small_chip(pg={"stack_limit": 5})).stacks.stacks


def test_mux_is_room_for_a_stack_where_it_is_more_than_the_limit() -> None:
    assert stacked(("q0", "k0"), chip=small_chip(pg={"mux": 2, "stack_limit": 0})).stacks.stacks
    with pytest.raises(InfeasibleError, match="stack_limit=3"):
        stacked(("q0", "k0", "v0"), chip=small_chip(pg={"mux": 2, "stack_limit": 1}))


@pytest.mark.parametrize(
    "nobody",
    [Member(0, 0, 99), Member(0, 1, 2), Member(7, 0, 0)],
    ids=["group", "stage", "layer"],
)
def test_a_fire_group_that_the_model_does_not_have_is_named(nobody: Member) -> None:
    """Group 2 of layer 0 is q0, which has no second stage."""
    stacks = Stacking(((Member(0, 0, 2), Member(1, 0, 2)), (Member(0, 0, 3), nobody)))
    expected = f"stack 1: holds {nobody}, expected a fire group of the model"
    with pytest.raises(InputError, match=expected):
        number_pgs(ALONE.blocks, ALONE.grouping, CHIP, stacking=stacks)


# -- regions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", PLACERS)
def test_layers_with_a_common_stack_are_in_one_region(solver: Placer) -> None:
    model = small_workload(layers=3)
    alone = map_small(model, CHIP)
    stacks = stacks_of(alone, ("q0", "q2"), ("k1", "o1"))
    blocks, grouping = partition(model, CHIP), contiguous(model, CHIP.pg.mux)
    options = PlacementOptions(solver, stacks=stacks)
    sequence = np.zeros(6, dtype=np.int64)
    routed = Routed(model, random_routing(model, sequence), 6)
    placement = place(
        blocks, grouping, CHIP, options, routed=routed, limits=SolverOptions(time_s=1)
    )
    assert [region.layers for region in placement.regions] == [(0, 2), (1,)]
    assert placement.region(2) is placement.region(0)
    assert placement.hops_between(0, 2) == 0
    mapping = Mapping(blocks, grouping, placement, stacks=stacks)
    verify_mapping(mapping, model, CHIP)
    for index, pgs, _ in mapping.tiles():
        region = placement.region(mapping.blocks[index].layer)
        y, x = np.divmod(placement.core[pgs], placement.mesh_width)
        assert np.all((region.x <= x) & (x < region.x + region.width))
        assert np.all((region.y <= y) & (y < region.y + region.height))


def test_without_stacks_nothing_changes() -> None:
    plain = replace(CHIP, pg=replace(CHIP.pg, stack_limit=0))
    one, other = map_small(MODEL, plain).placement, ALONE.placement
    assert one.pg_start.tolist() == other.pg_start.tolist()
    assert one.spots.tolist() == other.spots.tolist()
    assert one.regions == other.regions
    assert [region.guests for region in one.regions] == [(), ()]


@pytest.mark.parametrize("seed", range(12))
def test_random_stacks_pass_the_checks_of_a_mapping(seed: int) -> None:
    random = np.random.default_rng(seed)
    limit, mux, copies = (int(n) for n in random.integers([2, 1, 1], [9, 4, 3]))
    chip = small_chip(pg={"mux": mux, "stack_limit": limit}, digital={"router_on": "crossbar"})
    gated, pack = (bool(n) for n in random.integers(0, 2, 2))
    model = small_workload(shared=2, gated=gated, widths=(12, 5), bias=bool(seed % 2))
    alone = map_small(model, chip, copies=copies, pack=pack)
    stacks = random_stacks(alone, chip, seed)
    assert stacks.stacks
    mapping = map_small(model, chip, copies=copies, pack=pack, stacks=stacks)
    verify_mapping(mapping, model, chip)
    fires = fire_groups(alone.blocks, alone.grouping)
    pgs = {Member(f.layer, f.stage, f.number): f.pgs for f in fires}
    saved = sum(sum(pgs[m] for m in stack) - max(pgs[m] for m in stack) for stack in stacks.stacks)
    assert mapping.placement.pgs == alone.placement.pgs - saved


# -- traffic -------------------------------------------------------------------------------------


def traffic(mapping: Mapping, stacks: Stacking) -> Traffic:
    """Six tokens, two experts each, all to experts 0 and 1 of either layer."""
    chosen = {n: np.tile([True, True, False, False], (6, 1)) for n in (0, 1)}
    first, sites = mapping.placement.pg_start, on_one_die(mapping.blocks, mapping.grouping, stacks)
    return traffic_of(MODEL, mapping.blocks, first, mapping.grouping, CHIP, chosen, 6, sites=sites)


def flow(found: Traffic, mapping: Mapping, name: str) -> Flow:
    """The flow at the first PG of a fire group."""
    first = min(at for at, _, _ in seats(mapping, name))
    (one,) = (f for f in found.flows if f.first_pg == first)
    return one


def test_a_stack_s_flows_are_one_of_all_their_packets() -> None:
    """q0 and v1 are chains alike: one flow of both, as many PGs, the chains of either."""
    mapping = stacked(("q0", "v1"))
    before, after = traffic(ALONE, ALONE.stacks), traffic(mapping, mapping.stacks)
    one, two = (flow(before, ALONE, name) for name in ("q0", "v1"))
    both = flow(after, mapping, "q0")
    assert both.packets == one.packets + two.packets
    assert (both.layer, both.pgs, both.chains) == (0, 15, one.chains)
    assert one.chains == ((3, 5),)
    assert len(after.flows) == len(before.flows) - 1
    assert sum(f.packets for f in after.flows) == sum(f.packets for f in before.flows)


def test_pgs_of_unlike_chains_are_neighbours_in_turn() -> None:
    """q0 has columns of 3, group 0's down of 2: no row of PGs is a chain of both."""
    mapping = stacked(("q0", "moe0.1.0"))
    both = flow(traffic(mapping, mapping.stacks), mapping, "q0")
    assert (both.pgs, both.chains) == (15, ((15, 1),))


def test_layers_in_one_region_send_each_other_nothing_over_the_mesh() -> None:
    assert [pair for pair, _ in traffic(ALONE, ALONE.stacks).moves] == [(0, 1)]
    mapping = stacked(("q0", "v1"))
    found = traffic(mapping, mapping.stacks)
    assert found.moves == ()
    assert {f.layer for f in found.flows} == {0}

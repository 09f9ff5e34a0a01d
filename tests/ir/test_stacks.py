"""Stacks as a value, and what units of a program that stand behind the same circuits are."""

import numpy as np
import pytest

from ir.errors import InputError
from ir.program import Lists, Opcode, Unit, circuits, in_common, stacked
from ir.stacks import NO_STACKS, Member, Stacking
from tests.backends.simulate.by_hand import BUS, GROUP, OTHER, Job, program

# -- which layers share a region -----------------------------------------------------------------


def of_layers(*stacks: tuple[int, ...]) -> Stacking:
    """Stacks of one fire group of each of these layers, each a different one."""
    number = iter(range(100))
    return Stacking(
        tuple(tuple(Member(layer, 0, next(number)) for layer in stack) for stack in stacks)
    )


@pytest.mark.parametrize(
    ("stacks", "hosts"),
    [
        ((), {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}),
        (((0, 0, 0), (3,)), {0: 0, 1: 1, 2: 2, 3: 3, 4: 4}),  # within a layer
        (((3, 1),), {0: 0, 1: 1, 2: 2, 3: 1, 4: 4}),
        # 1 with 2 and 2 with 4: all three in the region of the first, whichever is said first
        (((1, 2), (4, 2)), {0: 0, 1: 1, 2: 1, 3: 3, 4: 1}),
        (((4, 2), (2, 1)), {0: 0, 1: 1, 2: 1, 3: 3, 4: 1}),
        # two regions of several layers become one by a stack of a layer of each
        (((1, 2), (3, 4), (4, 1)), {0: 0, 1: 1, 2: 1, 3: 1, 4: 1}),
        (((0, 1, 2, 3, 4),), {0: 0, 1: 0, 2: 0, 3: 0, 4: 0}),
    ],
)
def test_layers_with_a_common_stack_share_the_region_of_the_first(
    stacks: tuple[tuple[int, ...], ...], hosts: dict[int, int]
) -> None:
    assert of_layers(*stacks).hosts((0, 1, 2, 3, 4)) == hosts


def test_what_is_before_the_layers_may_share_too() -> None:
    """An embedding on crossbars is of layer -1."""
    assert of_layers((1, -1)).hosts((-1, 0, 1)) == {-1: -1, 0: 0, 1: -1}


@pytest.mark.parametrize(
    "stacks",
    [
        ((Member(1, 0, 2), Member(0, 0, 0), Member(1, 0, 2)),),
        ((Member(1, 0, 2), Member(0, 0, 0)), (Member(1, 0, 1), Member(1, 0, 2))),
    ],
    ids=["in one stack", "in two"],
)
def test_a_fire_group_is_in_one_stack_once(stacks: tuple[tuple[Member, ...], ...]) -> None:
    with pytest.raises(InputError, match=r"stack \d.* layer 1 stage 0 group 2.*each once"):
        Stacking(stacks)


def test_stages_of_a_group_are_fire_groups_of_their_own() -> None:
    both = Stacking(((Member(0, 0, 1), Member(0, 1, 1)),))
    assert both.hosts((0,)) == {0: 0}
    assert NO_STACKS.stacks == ()


# -- which units are the same circuits -----------------------------------------------------------


def group(first_pg: int, pgs: int, number: int) -> tuple[Unit, Unit]:
    """A group on so many PGs, and its accumulators."""
    label = f"0.0.{number}"
    return (
        Unit("group", f"group.{label}", 0, 0, number, first_pg, pgs),
        Unit("acc", f"acc.{label}", 0, 0, number),
    )


def test_groups_on_common_pgs_are_one_circuit_and_so_are_their_accumulators() -> None:
    # groups at 1, 3, 5, 7; accumulators after each. PGs 0-1, 2-4, 2, 5: the middle two are a stack
    units = [Unit("bus", "bus.0", 0)]
    for number, (first, pgs) in enumerate([(0, 2), (2, 3), (2, 1), (5, 1)]):
        units += group(first, pgs, number)
    assert circuits(units).tolist() == [0, 1, 2, 3, 4, 3, 4, 7, 8]
    assert np.flatnonzero(stacked(units)).tolist() == [3, 5]


def test_groups_that_overlap_one_through_another_are_one_circuit() -> None:
    # PGs 0-1, 1-2, 2-3 overlap in a chain: the first and the last have none in common
    units = [unit for n, first in enumerate((1, 0, 2)) for unit in group(first, 2, n)]
    assert circuits(units).tolist() == [2, 3, 2, 3, 2, 3]
    assert np.flatnonzero(stacked(units)).tolist() == [0, 2, 4]


def test_a_short_group_does_not_end_a_stack() -> None:
    # PGs 0-5, 1 and 4: the last overlaps the first, though not the one before it
    units = [
        unit for n, at in enumerate([(0, 6), (1, 1), (4, 1), (6, 2)]) for unit in group(*at, n)
    ]
    assert circuits(units).tolist() == [0, 1, 0, 1, 0, 1, 6, 7]


def test_so_many_of_its_pgs_another_group_has_too() -> None:
    # PGs 0-5, 1 and 4, 4-6: of the first 1, 4 and 5, of the last 4 and 5
    units = [
        unit for n, at in enumerate([(0, 6), (1, 1), (4, 1), (4, 3)]) for unit in group(*at, n)
    ]
    assert in_common(units).tolist() == [3, 0, 1, 0, 1, 0, 2, 0]
    assert in_common([Unit("bus", "bus.0", 0)]).tolist() == [0]
    assert in_common([]).tolist() == []


def test_neighbours_share_nothing() -> None:
    units = [unit for n, first in enumerate((0, 2, 4)) for unit in group(first, 2, n)]
    assert circuits(units).tolist() == list(range(6))
    assert not stacked(units).any()


def test_sums_that_digital_units_add_have_no_accumulators() -> None:
    units = [group(0, 2, 0)[0], Unit("dpu", "dpu0"), group(0, 1, 1)[0]]
    assert circuits(units).tolist() == [0, 1, 0]
    assert circuits([]).tolist() == []


def test_a_list_names_each_circuit_once() -> None:
    # a vector for 3, 1 and 2, of which 3 and 1 are the same, for none, and for 2 alone
    lists = Lists(np.array([0, 3, 3, 4]), np.array([3, 1, 2, 2], dtype=np.int32))
    found = lists.renamed(np.array([0, 1, 2, 1]))
    assert [found[row].tolist() for row in range(len(found))] == [[1, 2], [], [2]]
    nothing = Lists(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32))
    assert len(nothing.renamed(np.zeros(0, dtype=np.int64))) == 0


def test_mvms_are_told_apart_by_what_they_share() -> None:
    """A switch is in front of experts' crossbars where mux > 1, and of all of a stack."""
    bus, one, other, *others = program().units
    two = Unit("group", "dense.0.0.2", 0, 0, 2, 1, 1)  # on the PG of `other`
    jobs = (
        Job(Opcode.LOAD, BUS, 0, 5, dst=(GROUP, OTHER, 3)),
        Job(Opcode.MVM, GROUP, 5, 10, expert=4),
        Job(Opcode.MVM, OTHER, 5, 10, expert=0),
        Job(Opcode.MVM, 3, 15, 10),
        Job(Opcode.MVM, GROUP, 15, 10),
    )
    p = program(*jobs, units=(bus, one, other, two, *others))
    found = {(shared, of_stack): np.flatnonzero(rows) for shared, of_stack, rows in p.mvm_kinds()}
    rows = {kind: rows.tolist() for kind, rows in found.items()}
    assert rows == {(True, False): [1], (True, True): [2], (False, True): [3], (False, False): [4]}

"""What the compiler's stages refuse before they work: experts, items and what is sent, by name."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compiler.design.choices import Whole
from compiler.design.figures import figures
from compiler.dies import Cast, Flow, Item, Problem
from compiler.dies.areas import Areas, areas_of
from compiler.digital import among_all, digital_by_layer
from compiler.fire_groups import fire_groups
from compiler.grouping import Calibration, group_layer
from compiler.grouping.costs import costs_on
from compiler.grouping.objective import check_room
from compiler.options import GroupingOptions, Shape
from compiler.partition import partition
from compiler.residency.stream import stream_of
from ir.certificate import Certificate
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.sides import Side
from ir.workload import MoELayer, Workload
from tests.compiler.design.make import CHIP, design_for, floor_of, streaming, traced
from tests.make import contiguous, small_workload


def problem(
    item: int = 1, overhead: int = 0, flow: Flow | None = None, cast: Cast | None = None
) -> Problem:
    """Two items of a layer, and what is sent between them."""
    flows, casts = (flow,) if flow else (), (cast,) if cast else ()
    return Problem((Item(0, 1), Item(0, item)), {0: overhead}, 10, flows, casts)


def weighted_before() -> Workload:
    """Experts whose input is weighted, not their result."""
    workload = small_workload()
    operators = tuple(
        replace(op, weight_on="input") if isinstance(op, MoELayer) else op
        for op in workload.operators
    )
    return replace(workload, operators=operators)


def two_sided() -> Workload:
    """A model of an encoder and a decoder."""
    sides = Side(("ids",), 4), Side(("decoder_ids",), 3)
    return replace(small_workload(), sides=sides)


def unpublished() -> Chip:
    return replace(CHIP, crossbar=replace(CHIP.crossbar, array_um2=None))


def digital_alone() -> Workload:
    workload = small_workload()
    return replace(workload, operators=tuple(workload.digital()))


def on_dies(workload: Workload, chip: Chip) -> Areas:
    grouping = contiguous(workload, 2)
    fires = fire_groups(partition(workload, chip), grouping)
    return areas_of(workload, grouping, fires, chip, 4, 4, 1)


FIT = Calibration(np.ones((2, 2), dtype=np.bool_), [(0, 2)])
FREE = replace(CHIP, bus=replace(CHIP.bus, bit_fj=0))  # nor does idling cost any


REFUSED: dict[str, Callable[[], object]] = {
    "item 1: -1 um2, expected at least 0": lambda: problem(item=-1),
    "layer 0: an overhead below 0": lambda: problem(overhead=-1),
    "(0, 2) are sent to, expected items that there are": lambda: problem(flow=Flow(0, 2, 1)),
    "(-1, 1) are sent to, expected items that there are": lambda: problem(cast=Cast(-1, (1,), 1)),
    "-3 bytes are sent, expected at least 0": lambda: problem(flow=Flow(0, 1, -3)),
    "no matrix product with constant weights, so nothing to place": lambda: partition(
        digital_alone(), CHIP
    ),
    "1 digital experts, expected none: groups are of the others": lambda: group_layer(
        FIT, 0, 2, GroupingOptions(digital=((0, 1),))
    ),
    "mux 0, expected at least 1": lambda: check_room(4, 0, None, 0),
    "-1 replicas, expected at least 0": lambda: check_room(4, 2, None, -1),
    "neither idle power nor broadcasts cost any on chip small": lambda: costs_on(
        FREE, "energy", 20, partition(small_workload(), CHIP)[:1], 2
    ),
    "prefill: 0 tokens, expected at least 1": lambda: stream_of(
        traced(small_workload(), 4), (0, 4), 0
    ),
    "groups of 4, expected at most mux 2": lambda: replace(
        design_for(floor_of(streaming(), Shape(4)), 4), whole=Whole(2)
    ),
    "crossbar.array_um2 is not published, expected both": lambda: figures(
        floor := floor_of(streaming(), Shape(4), unpublished()), design_for(floor)
    ),
    "inputs of several sides, expected one": lambda: floor_of(two_sided(), Shape(4)).tokens,
    "several dies, but the areas of a crossbar and its circuits are not published": lambda: on_dies(
        small_workload(), unpublished()
    ),
    "layer 7, expected one of the MoE layers [0, 1]": lambda: digital_by_layer(
        small_workload(), [(7, 0)]
    ),
    "layer 1: expert 4, expected 0 to 3": lambda: digital_by_layer(small_workload(), [(1, 4)]),
    "layer 1: expert -1, expected 0 to 3": lambda: digital_by_layer(small_workload(), [(1, -1)]),
    "layer 0: all 4, expected at least one on crossbars": lambda: digital_by_layer(
        small_workload(), [(0, e) for e in range(4)]
    ),
    "layer 0: experts of a single matrix, with a weighted": lambda: digital_by_layer(
        weighted_before(), [(0, 1)]
    ),
    "layer 1: experts of a single matrix, with a weighted": lambda: digital_by_layer(
        small_workload(tied=True), [(1, 1)]
    ),
}


@pytest.mark.parametrize("says", REFUSED)
def test_refused(says: str) -> None:
    with pytest.raises(InputError) as found:
        REFUSED[says]()
    assert says in str(found.value)


def test_experts_that_may_be_digital() -> None:
    """All but one of a layer; the groups of the others are numbered among all again."""
    assert digital_by_layer(small_workload(), [(1, 2), (1, 0)]) == {0: (), 1: (0, 2)}
    groups = LayerGrouping(1, ((0, 1),), "given", Certificate("given", 0, 0, "heuristic"))
    assert among_all(groups, (0, 2)).groups == ((1, 3),)
    assert among_all(groups, ()) is groups


def test_what_fits_on_dies() -> None:
    """No items do everywhere; two on three dies have to be on some of those."""
    assert Problem((), {}, 1, (), ()).fits(np.zeros(0, dtype=np.int64), 1)
    Problem((), {}, 1, (), ()).check_items()
    assert problem().fits(np.array([0, 2]), 3)
    for die in ([0], [0, 3], [-1, 0]):
        assert not problem().fits(np.array(die), 3)
    assert not problem(item=10).fits(np.array([0, 0]), 1)

"""What the compiler's stages refuse before they work: experts, items and what is sent, by name."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compiler.dies import Cast, Flow, Item, Problem
from compiler.digital import among_all, digital_by_layer
from ir.certificate import Certificate
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.workload import MoELayer, Workload
from tests.make import small_workload


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


REFUSED: dict[str, Callable[[], object]] = {
    "item 1: -1 um2, expected at least 0": lambda: problem(item=-1),
    "layer 0: an overhead below 0": lambda: problem(overhead=-1),
    "(0, 2) are sent to, expected items that there are": lambda: problem(flow=Flow(0, 2, 1)),
    "(-1, 1) are sent to, expected items that there are": lambda: problem(cast=Cast(-1, (1,), 1)),
    "-3 bytes are sent, expected at least 0": lambda: problem(flow=Flow(0, 1, -3)),
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

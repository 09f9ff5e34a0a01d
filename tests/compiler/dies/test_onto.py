"""Dies that are too small or too few are told in the words of the chip file."""

from dataclasses import replace

import pytest

from compiler.dies import Item, Problem
from compiler.dies.onto import fitted
from compiler.fire_groups import FireGroup, fire_groups
from ir.chip import Dies
from ir.errors import InfeasibleError
from tests.dies import LINK, die_chip
from tests.make import contiguous, map_small, small_workload

CHIP = die_chip(Dies(10**9))
FREE = replace(LINK, um2_per_mm=0)  # a link that takes no room
FIRES: tuple[FireGroup, ...] = fire_groups(
    map_small(small_workload(), CHIP).blocks, contiguous(small_workload(), 2)
)


def three(area_um2: int) -> Problem:
    """Items of three layers, with 1 um2 for what each layer has on every die that it is on."""
    items = tuple(Item(layer, area_um2) for layer in range(3))
    return Problem(items, dict.fromkeys(range(3), 1), 10, (), ())


def of(dies: Dies, area_um2: int) -> int:
    """Dies that they are put on."""
    _, topology = fitted(three(area_um2), FIRES, CHIP, dies, FREE)
    return topology.count


def test_as_many_as_it_takes() -> None:
    """5 + 1 of 10 um2 on each of three, 4 + 1 on one of two."""
    assert of(Dies(10), 5) == 3
    assert of(Dies(10), 4) == 2
    assert of(Dies(10, count=4), 5) == 4


def test_too_few() -> None:
    """Three items of 5 + 1 um2 need three dies of 10."""
    with pytest.raises(InfeasibleError, match=r"die.count 2 on chip small") as raised:
        of(Dies(10, count=2), 5)
    assert (raised.value.demand.value, raised.value.supply.value) == (3, 2)
    assert "set die.count to 3 or auto" in str(raised.value)


def test_too_small() -> None:
    """A fire group of 12 um2 and its layer's 1 are on no die of 10; of experts a mux may help."""
    with pytest.raises(InfeasibleError, match=r"die for layer \d+ stage 0 group 0") as raised:
        of(Dies(10, count=3), 12)
    assert (raised.value.demand.value, raised.value.supply.value) == (13, 10)
    assert "set die.area_mm2 to 0.001" in str(raised.value)

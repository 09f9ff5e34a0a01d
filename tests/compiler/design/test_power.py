"""Chips that may draw so much power in the mean, and wait to keep it."""

from dataclasses import replace
from itertools import product

import pytest

from compiler.design.choices import Design, Menu, Whole
from compiler.design.designer import Designer
from compiler.design.figures import WAITS, figures
from compiler.design.floor import Floor
from compiler.design.power import left_mw, paced_ps
from compiler.design.problem import Asked
from compiler.options import Shape
from ir.errors import InfeasibleError, InputError
from tests.compiler.design.make import CHIP, design_for, floor_of, streaming

MENU = Menu((1, 2), (1, 2), (1, 4), (1, 2), (1, 2), (1, 3), (1,))
FLOOR = floor_of(streaming(), Shape(16))
STEPS = floor_of(streaming(), Shape(6, 2, 3))


def drawn_mw(floor: Floor) -> int:
    """What a design with enough of everything draws in the mean: fJ over ps is mW."""
    told = figures(floor, design_for(floor))
    return told.total_fj // told.time_ps


def limited(floor: Floor, power_mw: int) -> Floor:
    """The same for a chip that may draw so much."""
    return replace(floor, power_mw=power_mw)


def test_what_is_left_is_beside_the_passive_power() -> None:
    """1,500 uW are 2 mW of 12; nothing is left of 2. 100 fJ at 3 mW take 34 ps."""
    chip = replace(CHIP, memory=replace(CHIP.memory, passive_uw=1500))
    assert left_mw(12, chip) == 10
    with pytest.raises(InputError, match=r"0.002 W, expected more than the 0.002 W"):
        left_mw(2, chip)
    assert paced_ps(100, 3) == 34


@pytest.mark.parametrize("floor", [FLOOR, STEPS], ids=["prefill", "decode"])
@pytest.mark.parametrize("passive_uw", [0, 900])
def test_a_chip_waits_as_long_as_it_must(floor: Floor, passive_uw: int) -> None:
    """With half the power it takes at least twice as long, and draws what it may to 1 %."""
    chip = replace(floor.chip, memory=replace(floor.chip.memory, passive_uw=passive_uw))
    floor = replace(floor, chip=chip)
    free, most = figures(floor, design_for(floor)), drawn_mw(floor) // 2
    told = figures(limited(floor, most), design_for(floor))
    assert told.time_ps >= 2 * free.time_ps
    assert told.made_of[WAITS] == told.time_ps - free.time_ps
    assert told.total_fj <= most * told.time_ps
    assert told.total_fj > 0.99 * (most - 1) * told.time_ps
    assert figures(limited(floor, 4 * most), design_for(floor)) == free


@pytest.mark.parametrize("floor", [FLOOR, STEPS], ids=["prefill", "decode"])
def test_the_best_within_a_power_is_the_best_of_all_designs(floor: Floor) -> None:
    """128 designs of each mux and power, figured one by one; this chip's groups do not rest."""
    free = drawn_mw(floor)
    for most in (free // 3, free * 2 // 3, free):
        mine = limited(floor, most)
        told = [figures(mine, design) for design in every_design(mine)]
        middle = sorted(one.time_ps for one in told)[len(told) // 3]
        designer = Designer(mine, MENU)
        fast = designer.best(Asked("time"))
        assert fast.figures.time_ps == fast.best.value == min(one.time_ps for one in told)
        small = designer.best(Asked("area", (("time", middle),)))
        least = min(one.total_um2 for one in told if one.time_ps <= middle)
        assert (small.figures.total_um2, small.best.gap) == (least, 0)


def every_design(floor: Floor) -> list[Design]:
    """All of MENU, on chips of either mux."""
    found = list[Design]()
    for mux in MENU.sizes:
        menu = MENU.up_to(mux)
        keys = list(menu.keys(floor.leaders(1)))
        for values in product(*(menu.of(key) for key in keys)):
            found.append(floor.design_of(dict(zip(keys, values, strict=True)), Whole(mux)))
    return found


def test_groups_that_rest_are_waited_for_too() -> None:
    """The search knows no rests: what is told takes longer, by no more than they do."""
    pg = replace(CHIP.pg, idle_uw=500, wake_fj=None)
    floor = floor_of(streaming(), Shape(16), replace(CHIP, pg=pg))
    most = drawn_mw(floor) // 2
    chosen = Designer(limited(floor, most), MENU).best(Asked("time"))
    assert chosen.figures.energy_fj["peripheral groups resting"] > 0
    assert chosen.figures.total_fj <= most * chosen.figures.time_ps
    assert chosen.best.bound < chosen.best.value == chosen.figures.time_ps


def test_too_little_power_for_the_time_is_named_with_what_would_do() -> None:
    """What is named as enough is enough, and a mW less is not."""
    fast = Designer(FLOOR, MENU).best(Asked("time")).figures.time_ps
    asked = Asked("area", (("time", 2 * fast),))
    with pytest.raises(InfeasibleError, match="power of a design: needs") as raised:
        Designer(limited(FLOOR, 1), MENU).best(asked)
    enough = raised.value.demand.value
    assert Designer(limited(FLOOR, enough), MENU).best(asked).figures.time_ps <= 2 * fast
    with pytest.raises(InfeasibleError, match="power of a design"):
        Designer(limited(FLOOR, enough - 1), MENU).best(asked)

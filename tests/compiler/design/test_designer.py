"""Chips chosen for small models: the best of all, or what is short."""

from dataclasses import replace
from itertools import pairwise, product

import pytest

from backends.cost import cost
from compiler.design.choices import Menu, Whole, design_of
from compiler.design.designer import Designer
from compiler.design.figures import figures
from compiler.design.floor import Floor
from compiler.design.model import Model
from compiler.design.problem import Asked, Point, Quantity
from compiler.design.search import Search
from compiler.design.tables import problem_of
from compiler.options import Shape
from ir.errors import InfeasibleError, InputError
from tests.compiler.design.make import CHIP, design_for, floor_of, program_of, streaming

MENU = Menu((1, 2), (1, 2), (1, 4), (1, 2), (1, 2), (1, 3), (1,))
COPIED = replace(MENU, lanes=(2,), replicas=(0, 2))
FLOOR = floor_of(streaming(), Shape(16))
STEPS = floor_of(streaming(), Shape(6, 2, 3))
SEARCHED = floor_of(streaming(), Shape(16), solver="local-search")
SEARCHED_STEPS = floor_of(streaming(), Shape(6, 2, 3), solver="local-search")


@pytest.mark.parametrize("stack", [1, 2])
@pytest.mark.parametrize(
    ("floor", "menu"),
    [(FLOOR, MENU), (STEPS, MENU), (SEARCHED, COPIED), (SEARCHED_STEPS, COPIED)],
    ids=["prefill", "decode", "replicas", "replicas of decode"],
)
def test_the_tables_of_a_model_give_the_best_of_all_its_designs(
    floor: Floor, menu: Menu, stack: int
) -> None:
    """128 designs of two layers, tried one by one; time and area by the model, not its tables.

    64 where both share a region, and have one group size. Replicas take the place of lanes.
    """
    model = Model(floor, Whole(2, stack=stack))
    problem = problem_of(model, menu)
    search = Search(problem)
    points: list[Point] = []
    for values in product(*problem.menu.values()):
        design = dict(zip(problem.menu, values, strict=True))
        points.append(problem.point(design, ("area", "time", "energy")))
    some = len(points) // (4 - stack)  # of fewer designs fewer have both little area and time
    middle = sorted(point.of("time") for point in points)[some]
    small = sorted(point.of("area") for point in points)[some]
    for asked in (
        Asked("area"),
        Asked("time"),
        Asked("area", (("time", middle),)),
        Asked("time", (("area", small),)),
        Asked("energy", (("time", middle), ("area", small))),
    ):
        least = min(point.of(asked.minimise) for point in points if asked.met(point))
        found = search.best(asked).best
        assert found is not None
        assert (found.value, found.status) == (least, "optimal (solver)")


def test_a_chosen_chip_is_as_large_and_as_fast_as_it_is_told() -> None:
    """Within 3 us: its program takes as long, but for a twentieth, and is as large."""
    chosen = Designer(FLOOR, MENU).best(Asked("area", (("time", 6_000_000),)))
    done = program_of(FLOOR, chosen.design)
    told = chosen.figures
    assert told.time_ps <= 6_000_000
    assert done.program.makespan_ps == pytest.approx(told.time_ps, rel=0.05)
    theirs = cost(done.program, done.chip).area.total_um2
    assert theirs == pytest.approx(told.total_um2, rel=0.01, abs=2000)
    assert chosen.best.gap == 0


def test_the_frontier_goes_from_small_to_fast() -> None:
    found = Designer(FLOOR, MENU).frontier(5)
    assert len(found) >= 3
    for small, large in pairwise(found):
        assert small.figures.total_um2 < large.figures.total_um2
        assert small.figures.time_ps > large.figures.time_ps


def test_what_is_short_is_named_with_the_least_that_helps() -> None:
    designer = Designer(FLOOR, MENU)
    fast, small = designer.best(Asked("time")), designer.best(Asked("area"))
    with pytest.raises(InfeasibleError, match="time of a design: needs") as raised:
        designer.best(Asked("area", (("time", fast.figures.time_ps - 1),)))
    assert raised.value.demand.value == fast.figures.time_ps
    both: tuple[tuple[Quantity, int], ...]
    both = (("time", fast.figures.time_ps), ("area", small.figures.total_um2))
    with pytest.raises(InfeasibleError, match="or allow") as raised:
        designer.best(Asked("energy", both))
    relaxed = {"um2": "area", "ps": "time"}[raised.value.unit]
    limits = tuple((q, raised.value.demand.value if q == relaxed else most) for q, most in both)
    assert designer.best(Asked("energy", limits)).figures.time_ps <= limits[0][1]


def test_a_mesh_of_fixed_size_is_no_chip_to_design() -> None:
    chip = replace(CHIP, mesh=replace(CHIP.mesh, width=4, height=4))
    with pytest.raises(InputError, match=r"mesh.width: 4, expected auto"):
        Designer(floor_of(streaming(), Shape(16), chip))


def test_a_design_is_figured_on_its_own_mesh() -> None:
    """Values of a design give it back, and more copies of dense blocks take more area."""
    one = design_for(FLOOR, 2, transfers=4, buffers=2, dpus=2, mha=1)
    assert design_of(one.values, Whole(2)) == one
    two = replace(one, copies=2)
    assert figures(FLOOR, one).total_um2 < figures(FLOOR, two).total_um2


def test_fewer_converters_save_area_and_take_time() -> None:
    """A converter for two columns, read in turn: an MVM of twice the time, half the converters.

    Where a source does not say what converters take, other ones have no cost, and are refused.
    """
    split = replace(CHIP.split, adc_area=1, adc_energy=1, columns_per_adc=1)
    mvm = replace(CHIP.mvm, adc_kind="integrating")
    floor = floor_of(streaming(), Shape(16), replace(CHIP, split=split, mvm=mvm))
    menu = replace(MENU, columns=(1, 2))
    small, fast = (Designer(floor, menu).best(Asked(q)) for q in ("area", "time"))
    assert (small.design.whole.columns, fast.design.whole.columns) == (2, 1)
    assert small.design.settings["mvm.columns_per_adc"] == 2
    with pytest.raises(InputError, match="no share of converters"):
        Designer(FLOOR, menu)


def test_energy_is_of_one_step() -> None:
    """What a step of the design with the least energy takes is enough for one, and not less."""
    designer = Designer(STEPS, MENU)
    least = designer.best(Asked("energy"))
    assert least.best.value == pytest.approx(least.figures.total_fj, rel=0.01)
    enough = least.figures.total_fj
    assert designer.best(Asked("area", (("energy", enough),))).figures.total_fj <= enough
    with pytest.raises(InfeasibleError, match="energy of a design: needs"):
        designer.best(Asked("area", (("energy", enough * 97 // 100),)))


def test_least_energy_is_that_of_the_solver_whatever_rests_take() -> None:
    """Rests are told and not minimised, so that they keep no mux from being looked at.

    Groups of 2 have as many turns as of 1, and fewer hops: nothing of a mux of 2 is dearer but
    what is behind it, so the least of both is found with either menu.
    """
    pg = replace(CHIP.pg, idle_uw=5000, wake_fj=None)
    floor = floor_of(streaming(), Shape(16), replace(CHIP, pg=pg))
    both = Designer(floor, MENU).best(Asked("energy"))
    each = [Designer(floor, replace(MENU, sizes=(n,))).best(Asked("energy")) for n in (1, 2)]
    assert both.best.value <= min(one.best.value for one in each)
    assert both.figures.total_fj > both.best.value

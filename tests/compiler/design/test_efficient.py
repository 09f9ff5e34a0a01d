"""The least product of energy and area, which has the most GOPS/W/mm2."""

from fractions import Fraction
from itertools import product

import pytest

from compiler.design.choices import Menu
from compiler.design.designer import Designer
from compiler.design.efficient import Line, _crossing, _least_corner, _weights
from compiler.design.floor import Floor
from compiler.design.model import Model
from compiler.design.problem import Asked, Point, Quantity
from compiler.design.tables import problem_of
from compiler.options import Shape
from ir.errors import InfeasibleError, InputError
from tests.compiler.design.make import floor_of, streaming

MENU = Menu((1, 2), (1, 2), (1, 4), (1, 2), (1, 2), (1, 3), (1,), stack=(1, 2))
FLOOR = floor_of(streaming(), Shape(16))
STEPS = floor_of(streaming(), Shape(6, 2, 3))


def points_of(floor: Floor) -> list[Point]:
    """All designs of MENU on chips of every kind."""
    found = list[Point]()
    for whole in MENU.wholes():
        problem = problem_of(Model(floor, whole), MENU)
        for values in product(*problem.menu.values()):
            design = dict(zip(problem.menu, values, strict=True))
            found.append(problem.point(design, ("area", "time", "energy")))
    return found


@pytest.mark.parametrize("floor", [FLOOR, STEPS], ids=["prefill", "decode"])
def test_no_design_has_a_product_less_than_the_bound(floor: Floor) -> None:
    """Of all designs, and of those that keep a time or an area, within a hundredth."""
    points, designer = points_of(floor), Designer(floor, MENU)
    times = sorted(point.of("time") for point in points)
    areas = sorted(point.of("area") for point in points)
    every: list[tuple[tuple[Quantity, int], ...]] = [
        (),
        (("time", times[len(times) // 4]),),
        (("area", areas[len(areas) // 8]),),
        (("time", times[len(times) // 2]), ("area", areas[len(areas) // 2])),
    ]
    for limits in every:
        kept = [point for point in points if Asked("area", limits).met(point)]
        least = min(point.of("energy") * point.of("area") for point in kept)
        found = designer.best(Asked("product", limits)).best
        assert found.bound <= least <= found.value <= 1.01 * found.bound
        assert found.value == found.point.of("energy") * found.point.of("area")


def test_corners_are_where_lines_meet_that_nothing_is_below() -> None:
    """E >= 2, A >= 3 and E + A >= 7: corners (2, 5) and (4, 3), the products 10 and 12."""
    lines = [Line(0, 1, 3), Line(1, 0, 2), Line(1, 1, 7)]
    assert _crossing(lines[0], lines[1]) == (Fraction(2), Fraction(3))
    assert _crossing(lines[0], Line(0, 2, 9)) is None
    assert _least_corner(lines) == (Fraction(2), Fraction(5))


def test_energy_and_area_count_as_much_in_a_corner() -> None:
    """In whole numbers, fine enough: 1/3 fJ a um2 is 100 of 300 energies."""
    assert _weights((Fraction(10**11), Fraction(10**8))) == (1, 1000)
    assert _weights((Fraction(10), Fraction(30))) == (300, 100)


def test_what_keeps_no_limit_is_told_as_for_any_other_question() -> None:
    designer = Designer(FLOOR, MENU)
    with pytest.raises(InfeasibleError, match="time of a design: needs"):
        designer.best(Asked("product", (("time", 1),)))
    with pytest.raises(InputError, match="a limit on energy and most GOPS/W/mm2"):
        designer.best(Asked("product", (("energy", 1),)))

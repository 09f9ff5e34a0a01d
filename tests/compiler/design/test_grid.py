"""Bounds of all combinations of the chip's decisions are below all that is to be had."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from compiler.design.choices import Key
from compiler.design.grid import NONE, Grid
from compiler.design.problem import Asked, Path, Point, Problem, Quantity, Sum, Term
from ir.arrays import Ints
from tests.compiler.design.test_search import QUANTITIES, asked, every, problem

ONE: tuple[Key, ...] = ("copies",)


def least(tried: Problem, points: Iterable[Point], question: Asked) -> Ints:
    """[combinations] the least that keeps the limits, NONE where there is none."""
    shape = tried.shape(tried.shared)
    found = np.full(shape, NONE)
    for point in points:
        at = tuple(tried.menu[key].index(point.values[key]) for key in tried.shared)
        if question.met(point):
            found[at] = min(found[at], point.of(question.minimise))
    return found.reshape(-1)


def paths_of(tried: Problem, points: list[Point]) -> list[Path]:
    """Those of all designs, each once."""
    return list({id(path): path for path in (tried.longest(p.values) for p in points)}.values())


@pytest.mark.parametrize("first", range(0, 45, 15))
def test_no_bound_is_above_the_least_that_layers_can_have(first: int) -> None:
    """45 problems, a question for each quantity: with no path, with all, and with means of them.

    Means are of half of the paths, each up to 9 times, and are also given a price near some of
    what the limits are worth.
    """
    bounds = np.zeros(2, dtype=int)  # of all: those that are as good as can be, those that are not
    for seed in range(first, first + 15):
        tried, rng = problem(seed), np.random.default_rng(seed)
        points = list(every(tried))
        paths = paths_of(tried, points)
        for minimise in QUANTITIES:
            question = Asked(minimise, asked_limits(rng, points, minimise))
            true = least(tried, points, question)
            grid = Grid(tried, question, [])
            assert np.all(grid.bound <= true)
            for path in paths:
                grid.add(path)
            assert np.all(grid.bound <= true)
            for price in (0.0, 0.1, 3.0):
                half = rng.permutation(len(paths))[: -(-len(paths) // 2)]
                mean = Path.mean((paths[n], int(rng.integers(1, 10))) for n in half)
                grid.add(mean, price)
                assert np.all(grid.bound <= true)
            bounds += np.sum(grid.bound == true), np.sum(grid.bound < true)
    assert bounds.min() > bounds.sum() / 5


def asked_limits(
    rng: np.random.Generator, points: list[Point], minimise: Quantity
) -> tuple[tuple[Quantity, int], ...]:
    """Those of a random question in which `minimise` is minimised."""
    while True:
        question = asked(rng, points)
        if question.minimise == minimise:
            return question.limits


def hand_made(power: int = 0) -> Problem:
    """Two layers, each with two sizes: area 11 or 4 in time 2 or 6, and one copy or two.

    The second copy takes an area of 1 and saves a time of 1.
    """
    menu: dict[Key, tuple[int, ...]] = {"copies": (1, 2), 0: (1, 2), 1: (1, 2)}
    layers = (0,), (1,)
    area = Sum.of([*(Term(n, np.array([11, 4])) for n in layers), Term(ONE, np.array([0, 1]))])
    slow = Term(ONE, np.array([1, 0]))
    path = Path(Sum.of([*(Term(n, np.array([2, 6])) for n in layers), slow]))
    energy = Sum.of([Term((0,), np.array([5, 3]))])
    return Problem(menu, lambda: (area,), lambda: energy, power, lambda v: path, lambda v, s: path)


def test_a_multiple_of_a_limit_says_more_than_the_least_of_each_layer() -> None:
    """Within a time of 10, each ps is worth 7 / 4 = 1.75 um2.

    Without the limit the layers take 4 + 4 = 8, in 13 ps, and with two copies 9 in 12 ps. With one
    copy the bound is 8 + 1.75 x (13 - 10) = 13.25, whole 13, where the best take 4 + 11 = 15; with
    two it is 9 + 1.75 x (12 - 10) = 12.5, whole 12.
    """
    tried = hand_made()
    path = tried.longest({})
    assert Grid(tried, Asked("area"), [path]).bound.tolist() == [8, 9]
    within = Grid(tried, Asked("area", (("time", 10),)), [path])
    assert within.bound.tolist() == [13, 12]


def test_means_of_several_areas_say_more_than_each() -> None:
    """Two models of a layer each within 10 ps: the largest of 11 or 4 each.

    By either alone it is 4, as the other may be fast. The mean of both is half of what the test
    above has: 13.25 / 2 with one copy, and 11.5 / 2 with two, whose own um2 is no model's here. A
    limit of 4 leaves 6 + 6 ps, and one more with one copy, of which floats lose the last; by either
    alone it would leave 6 + 2.
    """
    tried = hand_made()
    path, areas = tried.longest({}), [Sum.of([Term((n,), np.array([11, 4]))]) for n in (0, 1)]
    both, within = replace(tried, area=lambda: tuple(areas)), Asked("area", (("time", 10),))
    assert Grid(replace(tried, area=lambda: (areas[0],)), within, [path]).bound.tolist() == [4, 4]
    assert Grid(both, within, [path]).bound.tolist() == [6, 5]
    limited = Asked("time", (("area", 4),))
    assert Grid(both, limited, [path]).bound.tolist() == [12, 11]
    assert Grid(both, Asked("time", (("area", 3),)), [path]).bound.tolist() == [NONE, NONE]


def test_what_no_layers_can_keep_has_no_bound() -> None:
    """One copy takes 5 ps at least, two take 4: 23 um2, of which floats lose the last."""
    tried = hand_made()
    path = tried.longest({})
    assert Grid(tried, Asked("area", (("time", 4),)), [path]).bound.tolist() == [NONE, 22]
    assert Grid(tried, Asked("area", (("time", 3),)), [path]).bound.tolist() == [NONE, NONE]
    assert Grid(tried, Asked("time", (("area", 8),)), [path]).bound.tolist() == [12, NONE]


def test_a_limited_area_bounds_the_time() -> None:
    """Within 14 um2: 5 + (22 - 14) x 4 / 7 = 9.6 with one copy, 4 + (23 - 14) x 4 / 7 = 9.1."""
    tried = hand_made()
    grid = Grid(tried, Asked("time", (("area", 14),)), [tried.longest({})])
    assert grid.bound.tolist() == [9, 9]


def test_energy_counts_the_time_of_a_path() -> None:
    """2 fJ for each ps: layer 0 saves 8 by 4 ps and takes 2 more, 5 + 2 x 5 = 15 in all.

    With two copies it is 5 + 2 x 4 = 13, so a limit of 14 leaves these alone.
    """
    tried = hand_made(power=2000)
    path = tried.longest({})
    assert Grid(tried, Asked("energy"), [path]).bound.tolist() == [15, 13]
    within = Grid(tried, Asked("area", (("energy", 14),)), [path])
    assert within.bound[0] == NONE
    assert within.bound[1] <= 23


def test_of_steps_a_path_is_divided_by_their_number() -> None:
    """13 ps of four steps are 3 of each; within 2 of each there may be 11 of four."""
    tried = hand_made()
    four = Path(tried.longest({}).sum, 4)
    assert Grid(tried, Asked("time", (("area", 8),)), [four]).bound.tolist() == [3, NONE]
    within = Grid(tried, Asked("area", (("time", 2),)), [four])
    assert within.bound.tolist() == [11, 10]  # 8 + 1.75 x (13 - 11), 9 + 1.75 x (12 - 11)


def test_of_steps_a_time_is_rounded_down_before_it_costs_energy() -> None:
    """7 ps of four steps are 1 of each, which takes 2 fJ beside the 3 of layer 0, not 3.5."""
    tried = hand_made(power=2000)
    four = Path(Sum.of([Term(ONE, np.array([7, 7]))]), 4)
    assert Grid(tried, Asked("energy"), [four]).bound.tolist() == [5, 5]


def test_decisions_may_stand_in_any_order() -> None:
    """Terms of the same numbers with their decisions turned round give the same bounds."""
    tried, question = problem(7), Asked("energy", (("area", 250), ("time", 130)))
    paths = paths_of(tried, list(every(tried)))
    turned = replace(
        tried,
        area=lambda: (turned_round(tried, tried.area()[0]),),
        energy=lambda: turned_round(tried, tried.energy()),
    )
    other = [Path(turned_round(tried, path.sum), path.times) for path in paths]
    bound = Grid(tried, question, paths).bound
    assert 0 < np.sum(bound < NONE) < len(bound)
    assert Grid(turned, question, other).bound.tolist() == bound.tolist()


def turned_round(tried: Problem, total: Sum) -> Sum:
    """The same sum, the decisions of each term from the last to the first."""
    return Sum.of(
        Term(needs[::-1], numbers.reshape(tried.shape(needs)).T.reshape(-1))
        for needs, numbers in total.blocks.items()
    )


def test_decisions_are_minor_that_hardly_change_the_area() -> None:
    """A copy takes 1 um2 of at least 8, an eighth; with a layer of 100 more, not a hundredth."""
    tried = hand_made()
    assert Grid(tried, Asked("area"), []).minor() == ()
    parts = [Term(needs, numbers) for needs, numbers in tried.area()[0].blocks.items()]
    large = Sum.of([Term((0,), np.array([100, 100])), *parts])
    grid = Grid(replace(tried, area=lambda: (large,)), Asked("area"), [])
    assert grid.minor() == ("copies",)
    assert grid.common(large).tolist() == [0, 1]

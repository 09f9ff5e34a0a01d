"""Figures of several programs as those of one chip."""

import pytest

from compiler.options import Shape
from moexbar.designs.means import mean_of
from moexbar.designs.programs import Programmed
from moexbar.report.designed import DesignFigures
from tests.compiler.design.make import design_for, floor_of, program_of, streaming

FLOOR = floor_of(streaming(), Shape(4))
DONE = program_of(FLOOR, design_for(FLOOR))


def program(area: dict[str, int], macs: int, ns: float, nj: float | None = None) -> Programmed:
    """That gives 5 tokens."""
    told = DesignFigures(ns, 5e9 / ns, sum(area.values()), nj)
    return Programmed(DONE, told, area, macs)


def test_means_are_by_weights_and_areas_have_enough_for_each() -> None:
    """Three runs of four take 10 ns, one takes 30: 15 ns for 5 tokens, and 5 nJ, 1/3 W.

    The first has 70 of groups and their buffers, the second 65, and 20 of buses, the first 8: 90.
    Of 400 operations in the mean 800 are 160 / nJ, 160e9 / J, 160 / 90 GOPS/W/um2.
    """
    one = program({"peripheral groups": 60, "input buffers": 10, "buses": 8}, 500, 10, 4)
    other = program({"arrays": 65, "buses": 20}, 100, 30, 8)
    found = mean_of([one, other], (3, 1))
    assert (found.time_ns, found.area_um2, found.energy_nj) == (15, 90, 5)
    assert found.tokens_per_s == pytest.approx(5 / 15e-9)
    assert found.power_w == pytest.approx(1 / 3)
    assert found.gops_per_w_mm2 == pytest.approx(160 / 90e-6)


def test_of_one_program_they_are_its_own() -> None:
    one = program({"buses": 8}, 5, 10)
    assert mean_of([one], (1,)) is one.figures
    both = mean_of([one, program({"buses": 8}, 5, 10, 3.0)], (1, 2))
    assert (both.energy_nj, both.power_w, both.gops_per_w_mm2) == (None, None, None)

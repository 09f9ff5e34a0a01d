"""Bars of parts: what is small everywhere becomes one part, and nothing is lost."""

from dataclasses import replace

import pytest

from moexbar.figures.area import area, area_rows
from moexbar.figures.energy import energy, energy_rows
from moexbar.figures.figure import Shown
from moexbar.figures.methods import fitting
from moexbar.figures.stacked import OTHER, with_rest


def test_a_part_is_named_where_it_is_large_in_any_bar() -> None:
    found = [
        {"method": "a", "part": "large", "value": 90.0},
        {"method": "a", "part": "once", "value": 1.0},
        {"method": "a", "part": "small", "value": 4.0},
        {"method": "a", "part": "tiny", "value": 5.0},
        {"method": "b", "part": "large", "value": 5.0},
        {"method": "b", "part": "once", "value": 5.0},
    ]
    shares = {(r["method"], r["part"]): (r["value"], r["share"]) for r in with_rest(found, 0.1)}
    assert shares == {
        ("a", "large"): (90, 0.9),
        ("a", "once"): (1, 0.01),  # half of b's
        ("a", OTHER): (4 + 5, 0.09),
        ("b", "large"): (5, 0.5),
        ("b", "once"): (5, 0.5),
    }


def test_nothing_at_all_has_no_share() -> None:
    assert list(with_rest([{"method": "a", "part": "p", "value": 0.0}], 0.1)) == []
    assert list(with_rest([], 0.1)) == []


def test_every_bar_is_the_whole(shown: Shown) -> None:
    energies, areas = list(energy_rows(shown.report)), list(area_rows(shown.report))
    for row in fitting(shown.report):
        mine = [r["value"] for r in energies if r["method"] == row.method]
        assert sum(mine) == pytest.approx(row.energy_nj.total / 1000, abs=1e-4)
        for of, found in (("whole chip", row.area_mm2), ("MoE layers", row.moe_area_mm2)):
            mine = [r["value"] for r in areas if (r["method"], r["of"]) == (row.method, of)]
            assert sum(mine) == pytest.approx(found.total, abs=1e-4)


def test_without_methods_there_is_no_picture(shown: Shown) -> None:
    none = replace(shown, report=replace(shown.report, methods=()))
    assert (energy(none), area(none)) == (None, None)

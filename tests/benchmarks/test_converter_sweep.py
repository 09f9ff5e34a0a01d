"""The sweep of converters: which rows are marked, and what is drawn."""

from dataclasses import replace

from backends.cost import cost
from benchmarks.converter_plot import picture
from benchmarks.converter_sweep import Point, panel, table
from tests.make import compile_small, small_workload


def points() -> list[Point]:
    """8 columns are `neurosim`'s own; 16 take a third of the energy and three times as long."""
    done = compile_small(small_workload(layers=1))
    figures = cost(done.program, done.chip)
    less = {name: fj // 3 for name, fj in figures.energy.dynamic_fj.items()}
    slow = replace(
        figures, time_ps=3 * figures.time_ps, energy=replace(figures.energy, dynamic_fj=less)
    )
    return [Point(8, 5, 8, 16, figures), Point(16, 5, 8, 8, slow)]


def test_the_best_of_each_efficiency_is_bold_and_the_presets_setting_has_a_star() -> None:
    _, _, own, slow = table("neurosim", "mvm.columns_per_adc", points())
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in (own, slow)]
    assert [row[0] for row in cells] == ["8*", "16"]
    assert ["**" in cells[0][6], "**" in cells[0][7]] == [True, False]
    assert ["**" in cells[1][6], "**" in cells[1][7]] == [False, True]


def test_lines_are_multiples_of_the_presets_own_and_the_best_is_ringed() -> None:
    found = panel("neurosim", "mvm.columns_per_adc", points())
    assert (found.own, found.best, found.lines["time"]) == (8, 16, (1.0, 3.0))
    drawn = picture([[found]])
    assert (drawn.count("<circle"), drawn.count("<polyline")) == (1, 3)
    assert "neurosim: mvm.columns_per_adc" in drawn

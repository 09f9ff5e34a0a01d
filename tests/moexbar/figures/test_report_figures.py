"""Pictures of the report alone: methods, bounds and bands."""

from dataclasses import replace

from moexbar.figures.bands import LEAST, MOST_OF, TOGETHER, bands, tornado_rows
from moexbar.figures.bounds import PROVEN, RULED, bounds, layer_rows, whole_rows
from moexbar.figures.figure import Shown
from moexbar.figures.methods import methods, time_rows
from moexbar.report.banded import AssumptionRow, BandsRow, EndsRow, FigureRow, RangeRow
from moexbar.report.certificates import CertificateRow, OrderRow
from moexbar.report.compiled import LayerRow
from moexbar.report.methods import Shortage, UnfitRow

LAYER = LayerRow(
    3,
    ((0, 1), (2, 3)),
    0,
    CertificateRow("slots", 12, 8, 1 / 3, "heuristic", 0.1, 0, True),
    OrderRow("token-order", 10, 10, 9, 6, 5, "heuristic", True),
)


def test_a_decision_is_held_against_its_bound() -> None:
    rows = {row["what"]: (row["over"], row["proof"]) for row in layer_rows(LAYER)}
    assert rows == {
        "grouping": (12 / 8, RULED),
        "slots": (1.0, PROVEN),  # 10 of at least 10
        "transfers": (9 / 6, RULED),
    }


def test_a_bound_of_nothing() -> None:
    order = replace(LAYER.schedule, transfers=4, transfers_bound=0, slots=0, slots_bound=0)
    over = {row["what"]: row["over"] for row in layer_rows(replace(LAYER, schedule=order))}
    assert (over["transfers"], over["slots"]) == (None, 1.0)


def test_a_model_without_moe_layers_has_its_time(shown: Shown) -> None:
    none = replace(shown, report=replace(shown.report, layers=()))
    assert [row["what"] for row in whole_rows(none.report)][-1] == "time"
    assert len(bounds(none).spec["vconcat"]) == 1


def test_each_method_has_its_range_over_the_runs(shown: Shown) -> None:
    jitter, rows = shown.report.jitter, list(time_rows(shown.report))
    assert jitter is not None
    assert len(rows) == 2 * len(shown.report.methods)
    first = rows[0]
    assert (first["low"], first["high"]) == (
        jitter.methods[0].time_ns.low / 1000,
        jitter.methods[0].time_ns.high / 1000,
    )
    alone = replace(shown.report, jitter=None, bands=None)
    assert {row.get("low") for row in time_rows(alone)} == {None}


def test_the_asked_method_has_its_band_where_there_are_no_runs(shown: Shown) -> None:
    found = [row for row in time_rows(replace(shown.report, jitter=None)) if row.get("high")]
    assert [row["method"] for row in found] == ["moexbar"]


def test_a_method_that_does_not_fit_is_named(shown: Shown) -> None:
    short = Shortage("crossbars", 2, 1, "", "2 of 1")
    unfit = UnfitRow(short, "<img src=x>", "chip", 1, "sorted", "serial")
    report = replace(shown.report, methods=(unfit, *shown.report.methods))
    figure = methods(replace(shown, report=report))
    assert figure is not None
    assert "does not fit the chip: <img src=x>." in figure.caption  # text: who shows it escapes it
    assert len(list(time_rows(report))) == 2 * len(shown.report.methods)
    assert methods(replace(shown, report=replace(report, methods=(unfit,)))) is None


FIGURE = FigureRow("time_ns", 1000.0, RangeRow(900, 1300), RangeRow(800, 1400), "b")
FOUND = BandsRow(
    seed=0,
    draws=4,
    unfit=0,
    figures=(FIGURE,),
    assumptions=(
        AssumptionRow("a", 5, 4, 6, "time", {"time_ns": EndsRow(900, 1000, 0.1)}),
        AssumptionRow("b", 5, 4, 6, "cost", {"time_ns": EndsRow(1100, 1300, 0.3)}),
        AssumptionRow("c", 5, 4, 6, "cost", {"time_ns": EndsRow(1000, 1000, 0.0)}),
        AssumptionRow("d", 5, 4, 6, "cost", {"energy_nj": EndsRow(1, 2, 1.0)}),
    ),
    left_out=(),
)


def test_a_tornado_has_the_largest_swing_first_and_of_two_ends_the_longer_one() -> None:
    rows = [(r["field"], r["end"], r["at"]) for r in tornado_rows(FIGURE, FOUND)]
    assert rows == [
        (TOGETHER, 1.4, TOGETHER),
        (TOGETHER, 0.8, TOGETHER),
        ("b", 1.3, MOST_OF),
        ("b", 1.1, LEAST),
        ("a", 0.9, LEAST),
        ("a", 1.0, MOST_OF),
    ]
    assert {r["value"] for r in tornado_rows(FIGURE, FOUND)} == {1.0}  # us


def test_a_figure_that_is_not_known_or_that_nothing_moves_has_no_tornado(shown: Shown) -> None:
    unknown = replace(FIGURE, value=None)
    still = replace(FIGURE, together=RangeRow(1000, 1000), name="area_mm2")
    for figure in (unknown, still):
        found = replace(FOUND, figures=(figure,))
        assert bands(replace(shown, report=replace(shown.report, bands=found))) is None
    assert bands(replace(shown, report=replace(shown.report, bands=None))) is None

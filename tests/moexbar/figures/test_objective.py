"""Solvers over time: their answers as they came, and the same picture from a file."""

from moexbar.figures.draw import complete
from moexbar.figures.objective import SHORTEST, layer_objective, objective, trail_rows
from moexbar.report.certificates import CertificateRow
from moexbar.report.traces import ComparedLayer, CompareReport, CompareRow
from tests.moexbar.figures.test_golden import VL, shortened


def solver(name: str, seconds: float, *progress: tuple[float, int]) -> CompareRow:
    """The row of a solver whose last answer came last."""
    value = progress[-1][1] if progress else 7
    known = CertificateRow("slots", value, 5, 0.0, "feasible", seconds, 0, True)
    return CompareRow(name, known, 9, ((0,),), progress)


LAYER = ComparedLayer(3, 5, (solver("<b>a</b>", 2.0, (0.0, 9), (0.5, 8)), solver("none", 0.25)))


def test_each_answer_holds_until_the_solver_ended() -> None:
    found = [(r["solver"], r["s"], r["slots"], r["end"]) for r in trail_rows(LAYER)]
    assert found == [
        ("<b>a</b>", SHORTEST, 9, False),
        ("<b>a</b>", 0.5, 8, False),
        ("<b>a</b>", 2.0, 8, True),
        ("none", 0.25, 7, False),
        ("none", 0.25, 7, True),
    ]


def test_the_title_has_the_best_and_the_bound() -> None:
    assert layer_objective(LAYER).title == "Layer 3: 7 slots by the best solver, at least 5"
    unknown = layer_objective(ComparedLayer(3, None, LAYER.solvers))
    assert unknown.title == "Layer 3: 7 slots by the best solver"
    assert len(unknown.spec["layer"]) == 1  # no bound


def test_solvers_are_told_apart_the_best_first() -> None:
    spec = layer_objective(LAYER).spec
    colour = spec["layer"][1]["layer"][0]["encoding"]["color"]
    assert colour["scale"]["domain"] == ["none", "<b>a</b>"]
    assert VL.vegalite_to_vega(complete(layer_objective(LAYER)))["marks"]
    assert shortened(spec)["layer"][1]["data"]["values"][0]["solver"] == "<b>a</b>"


def test_a_layer_that_nobody_has_answered_has_no_picture() -> None:
    report = CompareReport("0", 8, 2, 0, 1.0, True, (LAYER, ComparedLayer(4, None, ())))
    assert [figure.title[:7] for figure in objective(report)] == ["Layer 3"]

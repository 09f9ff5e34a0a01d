"""The picture of a sweep: where a mean stands, and its range."""

import pytest

from benchmarks.accuracy_sweep import Setting, settings
from benchmarks.sweep_plot import LEAST, Line, Panel, picture, points
from moexbar.figures.draw import draw

PANEL = Panel("bits", (8, 4), [Line("a", [(8, (0.01, 0.03)), (4, (-0.1, -0.1))])])


def test_a_point_and_its_range() -> None:
    """1 and 3 % are 2 % in the mean; what is better than float stands on the axis."""
    first, second = points(PANEL)
    assert (first["mean"], first["low"], first["high"]) == (0.02, 0.01, 0.03)
    assert (second["mean"], second["low"], second["high"]) == (LEAST, LEAST, LEAST)
    assert second["change"] == pytest.approx(-0.1)  # as it is, where one hovers


def test_it_is_drawn() -> None:
    pytest.importorskip("vl_convert")
    assert draw(picture("a title", [PANEL, PANEL]), "svg").count(b">bits<") == 2


def test_the_settings() -> None:
    """5 converters by 3 groups of rows, and 4 cells by 2 scales less the one of both."""
    found = list(settings())
    assert len(found) == len(set(found)) == 5 * 3 + 4 * 2 - 1
    assert Setting(8, 16, 8, "column").fields["mvm.rows_per_read"] == "16"
    assert "mvm.rows_per_read" not in Setting(8, 0, 8, "column").fields

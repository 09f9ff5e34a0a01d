"""The picture of a sweep: where a mean stands, and its range."""

from xml.etree import ElementTree

import pytest

from benchmarks.accuracy_sweep import Setting, settings
from benchmarks.sweep_plot import Line, Panel, plot

SVG = "{http://www.w3.org/2000/svg}"


def test_a_point_and_its_range() -> None:
    """From 0.2 to 10 %, a factor of 50, over 280 pixels up from 344: 2 % is ln 10 / ln 50 of it.

    344 - 280 x 0.5886 = 179.2; 1 to 3 % are 344 - 280 x 0.4114 and x 0.6922: 228.8 and 150.2.
    Below 0.2 % (better than float) a point stands on the axis.
    """
    line = Line("a", [(8, (0.01, 0.03)), (4, (-0.1, -0.1))])
    root = ElementTree.fromstring(plot("t", [Panel("bits", (8, 4), [line])]))  # noqa: S314
    at = [float(circle.attrib["cy"]) for circle in root.iter(f"{SVG}circle")]
    assert at == pytest.approx([179.2, 344.0], abs=0.05)
    bars = [
        (float(one.attrib["y1"]), float(one.attrib["y2"]))
        for one in root.iter(f"{SVG}line")
        if one.attrib["stroke"] == "#4477aa"
    ]
    assert bars[0] == pytest.approx((228.8, 150.2), abs=0.05)


def test_the_settings() -> None:
    """5 converters by 3 groups of rows, and 4 cells by 2 scales less the one of both."""
    found = list(settings())
    assert len(found) == len(set(found)) == 5 * 3 + 4 * 2 - 1
    assert Setting(8, 16, 8, "column").fields["mvm.rows_per_read"] == "16"
    assert "mvm.rows_per_read" not in Setting(8, 0, 8, "column").fields

"""What the area of a chip is taken by, and that of its MoE layers."""

from collections.abc import Iterator
from typing import Any

from moexbar.figures.figure import Figure, Shown
from moexbar.figures.grammar import hover
from moexbar.figures.methods import fitting, unfit_words
from moexbar.figures.palette import AREAS
from moexbar.figures.stacked import OTHER, stacked, with_rest
from moexbar.report.compiled import Report

LEAST = 0.003  # of an area, to be named


def area(shown: Shown) -> Figure | None:
    """The area of every method by part, the MoE layers' apart; None where no method has one."""
    data = list(area_rows(shown.report))
    if not data:
        return None
    asked = list(fitting(shown.report))[-1]
    missing = sorted({part for row in fitting(shown.report) for part in row.area_mm2.not_published})
    left = f" Not published, and left out: {', '.join(missing)}." if missing else ""
    return Figure(
        "area",
        f"Where the area goes: {asked.area_mm2.total:.4g} mm2",
        "What the mapping of each method occupies of the chip, and of that what the routed experts "
        "and their regions' buses, digital units and buffers do. "
        f"{OTHER}: what takes less than {LEAST:.1%} everywhere.{left}{unfit_words(shown.report)}",
        stacked(
            data,
            "mm2",
            AREAS,
            hover(
                method="method", of="of", part="part", value="area, mm2|,.4~f", share="of it|.1%"
            ),
        ),
        wide=True,
    )


def area_rows(report: Report) -> Iterator[dict[str, Any]]:
    """Parts of each method's areas in mm2, small ones together."""
    found = [
        {"method": row.method, "of": of, "part": part, "value": mm2}
        for row in fitting(report)
        for of, area in (("whole chip", row.area_mm2), ("MoE layers", row.moe_area_mm2))
        for part, mm2 in area.parts.items()
        if mm2
    ]
    return with_rest(found, LEAST)

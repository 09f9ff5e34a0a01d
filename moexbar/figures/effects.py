"""A figure of many compilations against each setting that varies: median and range."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from moexbar.figures.figure import Figure, Spec
from moexbar.figures.grammar import hover, number, rows
from moexbar.figures.palette import BLUE, SKY
from moexbar.figures.swept import by_size, known, numbers, word

if TYPE_CHECKING:
    import pandas as pd

ACROSS = 3  # panels in a row
PLACES = 34  # letters under a panel
MOST = 24  # values of a setting that have a place each; more are taken together in order


def effects(table: "pd.DataFrame", figure: str, settings: Sequence[str]) -> Figure | None:
    """A panel for each setting that has several values; None without any.

    figure: a column of numbers. Raises InputError naming a column that is not there.
    """
    known(table, settings)
    panels = [(name, list(effect_rows(table, figure, name))) for name in settings]
    panels = [(name, data) for name, data in panels if len(data) > 1]
    if not panels:
        return None
    return Figure(
        "effects",
        f"{figure} against each setting",
        "Dots: the median over all compilations with the same value of a setting, whatever the "
        "others are; lines: least to largest, and thick the middle half. All panels have one axis.",
        {
            "concat": [
                _panel(name, data, figure, first=n % ACROSS == 0)
                for n, (name, data) in enumerate(panels)
            ],
            "columns": ACROSS,
            "resolve": {"scale": {"x": "independent", "y": "shared"}},
        },
        wide=True,
    )


def effect_rows(table: "pd.DataFrame", figure: str, setting: str) -> Iterator[dict[str, Any]]:
    """Least, quartiles and largest of a figure for each value of a setting, in their order."""
    values = numbers(table, figure)
    cells = np.array([word(cell) for cell in table[setting]], dtype=object)
    kept = np.isfinite(values)
    order = sorted(dict.fromkeys(cells[kept].tolist()), key=by_size)
    size = -(-len(order) // MOST)
    for first in range(0, len(order), max(size, 1)):
        run = order[first : first + size]
        mine = values[kept & np.isin(cells, run)]
        low, left, middle, right, high = np.quantile(mine, [0, 0.25, 0.5, 0.75, 1]).tolist()
        yield {
            "value": run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}",
            "low": low,
            "left": left,
            "middle": middle,
            "right": right,
            "high": high,
            "n": len(mine),
        }


def _angle(data: list[dict[str, Any]]) -> int:
    """Words that are too long to stand side by side are turned."""
    return -30 if sum(len(row["value"]) + 2 for row in data) > PLACES else 0


def _panel(setting: str, data: list[dict[str, Any]], figure: str, *, first: bool) -> Spec:
    tips = hover(
        value="value",
        middle="median|,.6~g",
        low="least|,.6~g",
        high="largest|,.6~g",
        n="compilations|,",
    )
    scale = {"zero": False}

    def ends(low: str, high: str) -> Spec:
        return {"y": number(low, figure if first else "", scale=scale), "y2": {"field": high}}

    return {
        "width": 200,
        "height": 180,
        "data": rows(data),
        "encoding": {
            "x": {
                "field": "value",
                "type": "ordinal",
                "sort": None,
                "title": setting,
                "scale": {"type": "point", "padding": 0.5},
                "axis": {"labelAngle": _angle(data), "labelLimit": 90, "labelOverlap": True},
            },
            "tooltip": tips,
        },
        "layer": [
            {
                "mark": {"type": "rule", "color": SKY, "strokeWidth": 1.5},
                "encoding": ends("low", "high"),
            },
            {
                "mark": {"type": "rule", "color": SKY, "strokeWidth": 5},
                "encoding": ends("left", "right"),
            },
            {
                "mark": {"type": "line", "color": BLUE, "point": {"color": BLUE, "size": 40}},
                "encoding": {"y": number("middle", figure if first else "", scale=scale)},
            },
        ],
    }

"""Two figures of many compilations: every point, the front joined, its knee marked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from moexbar.figures.figure import Figure, Spec
from moexbar.figures.grammar import columns, hover, number
from moexbar.figures.palette import BLUE, LIGHT, VERMILLION
from moexbar.figures.swept import drawn, flags, in_words, numbers, points

if TYPE_CHECKING:
    import pandas as pd

REST, FRONT, KNEE = "other", "front", "knee"
COLOURS = {"domain": [REST, FRONT, KNEE], "range": [LIGHT, BLUE, VERMILLION]}


def pareto(
    table: "pd.DataFrame",
    x: str,
    y: str,
    settings: Sequence[str],
    front: str = "front",
    knee: str = "knee",
) -> Figure | None:
    """A point for each row that has both figures; None without any.

    x, y: columns of figures; settings: columns that a tooltip tells; front, knee: columns of true
    and false. Raises InputError naming a column that is not there.
    """
    across, up = numbers(table, x), numbers(table, y)
    best, at = flags(table, front), flags(table, knee)
    rows = np.flatnonzero(np.isfinite(across) & np.isfinite(up))
    if not len(rows):
        return None
    rows = drawn(rows, best | at)
    named, kinds = points(table), np.where(at, KNEE, np.where(best, FRONT, REST))
    data = columns(
        {
            "x": across[rows].tolist(),
            "y": up[rows].tolist(),
            "kind": kinds[rows].tolist(),
            "point": [named[n] for n in rows.tolist()],
            "set": in_words(table, settings, rows),
        }
    )
    many = int((best[rows] | at[rows]).sum())
    return Figure(
        "pareto",
        f"{y} against {x}: {many} of {len(rows):,} points are on the front",
        "Every compilation by two of its figures. Joined: those that no other beats in the figures "
        "that count, which may be more than these two; ring: their knee, farthest from the line "
        "through their ends.",
        pareto_spec(data, x, y),
    )


def pareto_spec(data: Spec, x: str, y: str) -> Spec:
    """Points of `x`, `y`, `kind` (of COLOURS), `point` and `set`, its settings in words.

    x, y: titles of the axes.
    """
    at = {
        "x": number("x", x, scale={"zero": False, "padding": 14}, axis={"tickCount": 6}),
        "y": number("y", y, scale={"zero": False, "padding": 14}),
    }
    kind = {"field": "kind", "type": "nominal", "title": None, "scale": COLOURS}
    tips = hover(point="point", set="settings", x=f"{x}|,.6~g", y=f"{y}|,.6~g", kind="it is")
    marked = {"filter": f"datum.kind !== '{REST}'"}
    return {
        "width": 480,
        "height": 320,
        "data": data,
        "encoding": at,
        "layer": [
            {
                "transform": [{"filter": f"datum.kind === '{REST}'"}],
                "mark": {"type": "point", "filled": True, "size": 30, "opacity": 0.9},
                "encoding": {
                    "color": {**kind, "legend": {"symbolType": "circle"}},
                    "tooltip": tips,
                },
            },
            {
                "transform": [marked],
                "mark": {"type": "line", "color": BLUE, "strokeWidth": 1.4},
                "encoding": {"order": {"field": "x", "type": "quantitative"}},
            },
            {
                "transform": [marked],
                "mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
                "encoding": {"color": kind, "tooltip": tips},
            },
            {
                "transform": [{"filter": f"datum.kind === '{KNEE}'"}],
                "mark": {"type": "point", "size": 190, "color": VERMILLION, "strokeWidth": 1.8},
                "encoding": {"tooltip": tips},
            },
        ],
    }

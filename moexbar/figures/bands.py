"""What of the chip's assumed numbers moves each figure most: a tornado for each figure."""

from collections.abc import Iterator
from typing import Any

from moexbar.figures.figure import Figure, Shown, Spec
from moexbar.figures.grammar import NARROW, hover, name, number, rows
from moexbar.figures.palette import BLUE, ORANGE
from moexbar.report.banded import BandsRow, FigureRow

MOST = 8  # numbers in a tornado, the largest swing first
LEAST_SWING = 0.01  # of the largest of a figure, to be drawn
TOGETHER = "all at random"
LEAST, MOST_OF = "at the least number", "at the largest number"
UNITS = {  # by the report's key: title of the axis, what one of the key's units is in it
    "time_ns": ("time, us", 1e-3),
    "energy_nj": ("energy, uJ", 1e-3),
    "area_mm2": ("area, mm2", 1.0),
    "moe_gops_per_mm2": ("MoE GOPS/mm2", 1.0),
    "gops_per_w_mm2": ("GOPS/W/mm2", 1.0),
    "sharing": ("gain of sharing", 1.0),
    "over_paper": ("gain over the paper's method", 1.0),
    "break_even_programs": ("break-even share of a core, %", 100.0),
}
Row = dict[str, Any]


def bands(shown: Shown) -> Figure | None:
    """A tornado for each figure that some number moves; None where no bands were asked for."""
    found = shown.report.bands
    tornados = [_tornado(row, found) for row in found.figures] if found else []
    drawn = [spec for spec in tornados if spec is not None]
    if found is None or not drawn:
        return None
    return Figure(
        "bands",
        "What of the chip's assumed numbers moves each figure most",
        "Bars: each figure with one number of the chip at the least and at the largest of its "
        f"band, the {MOST} that move it most. Line: the figure with the numbers as they are. First "
        f"row: least to largest of {found.draws} draws of all numbers at random (seed "
        f"{found.seed}).",
        {
            "concat": drawn,
            "columns": 2,
            "resolve": {"scale": {"x": "independent", "y": "independent", "color": "shared"}},
        },
        wide=True,
    )


def tornado_rows(figure: FigureRow, found: BandsRow) -> Iterator[Row]:
    """Two rows a number, from the figure's value to each end; the first two of all together."""
    scale = UNITS[figure.name][1]
    value = figure.value
    if value is None:
        return
    together = (figure.together.low, figure.together.high)
    yield from _pair(TOGETHER, value, together, scale, "", "")
    moving = [(a.figures[figure.name], a) for a in found.assumptions if figure.name in a.figures]
    moving.sort(key=lambda each: -each[0].swing)
    for ends, moved in moving[:MOST]:
        if ends.swing > LEAST_SWING * moving[0][0].swing:
            words = f"{moved.low} to {moved.high}, here {moved.value}"
            yield from _pair(moved.field, value, (ends.low, ends.high), scale, words, moved.effect)


def _pair(
    field: str,
    value: float,
    ends: tuple[float | None, float | None],
    scale: float,
    band: str,
    effect: str,
) -> Iterator[Row]:
    """The longer one first, so that the other is seen before it."""
    named = zip(ends, (LEAST, MOST_OF), strict=True)
    known = [(end, which) for end, which in named if end is not None]
    for end, which in sorted(known, key=lambda each: -abs(each[0] - value)):
        yield {
            "field": field,
            "value": round(value * scale, 6),
            "end": round(end * scale, 6),
            "at": which if band else TOGETHER,
            "band": band,
            "again": effect,
        }


def _tornado(figure: FigureRow, found: BandsRow) -> Spec | None:
    data = list(tornado_rows(figure, found)) if figure.name in UNITS else []
    if not any(row["end"] != row["value"] for row in data):
        return None
    title = UNITS[figure.name][0]
    axis = {"scale": {"zero": False}, "axis": {"tickCount": 5}}
    tips = hover(
        field="number",
        band="its band",
        end=f"{title}|,.4~f",
        at="with it",
        value="as it is|,.4~f",
        again="done again",
    )
    colours = {"domain": [LEAST, MOST_OF, TOGETHER], "range": [BLUE, ORANGE, "#999999"]}
    return {
        "width": NARROW * 0.62,
        "height": {"step": 18},
        "data": rows(data),
        "layer": [
            {
                "mark": {"type": "bar", "height": {"band": 0.7}},
                "encoding": {
                    "y": name("field", None),
                    "x": number("value", title, **axis),
                    "x2": {"field": "end"},
                    "color": name("at", None, scale=colours, legend={"orient": "top"}),
                    "tooltip": tips,
                },
            },
            {
                "mark": {"type": "rule", "strokeWidth": 1},
                "encoding": {"x": number("value", title, aggregate="min")},
            },
        ],
    }

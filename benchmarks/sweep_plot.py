"""A picture of settings and what they cost a model's perplexity: panels side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moexbar.figures.figure import Figure, Spec
from moexbar.figures.grammar import hover, name, number, rows
from moexbar.figures.palette import cycled

LEAST = 0.002  # the logarithmic axis begins there
WIDTH, HEIGHT = 320, 260


@dataclass(frozen=True)
class Line:
    """One line: (setting, changes of the seeds) in the order of the settings."""

    name: str
    points: Sequence[tuple[int, Sequence[float]]]


@dataclass(frozen=True)
class Panel:
    """Lines over the same settings, which stand at equal distances."""

    label: str
    settings: Sequence[int]
    lines: Sequence[Line]


def picture(title: str, panels: Sequence[Panel]) -> Figure:
    """Means joined, with a line over the range of the seeds; changes on one logarithmic axis."""
    return Figure(
        "sweep",
        title,
        "Mean and range of the seeds; what is below the axis stands on it.",
        {
            "hconcat": [_panel(panel) for panel in panels],
            "resolve": {"scale": {"y": "shared", "x": "independent", "color": "independent"}},
        },
        wide=True,
    )


def points(panel: Panel) -> Iterator[dict[str, Any]]:
    """A row for each setting of each line: mean, least and largest change, on the axis at least."""
    for line in panel.lines:
        for setting, changes in line.points:
            ends = {"mean": sum(changes) / len(changes), "low": min(changes), "high": max(changes)}
            drawn = {key: max(round(value, 6), LEAST) for key, value in ends.items()}
            yield {"line": line.name, "setting": setting, "change": ends["mean"], **drawn}


def _panel(panel: Panel) -> Spec:
    names = [line.name for line in panel.lines]
    scale = {
        "scale": {"type": "log", "domainMin": LEAST, "nice": False, "padding": 10},
        "axis": {"format": "+~%", "tickCount": 6},
    }
    mean = number("mean", "change of perplexity", **scale)
    place = {"type": "band", "paddingInner": 0.4, "domain": list(panel.settings)}
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "data": rows(points(panel)),
        "encoding": {
            "x": {
                "field": "setting",
                "type": "ordinal",
                "title": panel.label,
                "scale": place,
                "axis": {"labelAngle": 0},
            },
            "xOffset": {**name("line", None), "scale": {"domain": names}},
            "color": {
                **name("line", None, scale=cycled(names)),
                "legend": {"orient": "top", "symbolType": "circle"},
            },
            "tooltip": hover(
                line="line",
                setting=panel.label,
                change="in the mean|+.2%",
                low="least|+.2%",
                high="largest|+.2%",
            ),
        },
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 1.8}, "encoding": {"y": mean}},
            {
                "mark": {"type": "rule", "strokeWidth": 1.4},
                "encoding": {"y": number("low", "change of perplexity"), "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 40, "opacity": 1},
                "encoding": {"y": mean},
            },
        ],
    }

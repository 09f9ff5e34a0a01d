"""Solvers at work: the objective over time, one line for each."""

from collections.abc import Iterator
from typing import Any

from moexbar.figures.figure import Figure
from moexbar.figures.grammar import WIDE, hover, name, number, rows
from moexbar.figures.palette import cycled
from moexbar.report.traces import ComparedLayer, CompareRow

SOONEST = 1e-3  # s: what was there at once is drawn here, as time is logarithmic


def trails(layer: ComparedLayer) -> Figure:
    """Better and better answers of every solver on a layer, and the best bound proven."""
    data = [entry for row in layer.solvers for entry in _trail(row)]
    bound = "" if layer.bound is None else f" Dashed: no groups take fewer than {layer.bound:,}."
    return Figure(
        f"trails-{layer.layer}",
        f"Layer {layer.layer}: slots of the best groups so far",
        f"Slots over the fitted windows, by the time at which a solver found them; each line ends "
        f"when its solver did.{bound}",
        {
            "width": WIDE,
            "height": 240,
            "layer": [*_bound(layer), _lines(data)],
            "resolve": {"scale": {"y": "shared"}},
        },
        wide=True,
    )


def _trail(row: CompareRow) -> Iterator[dict[str, Any]]:
    """Its answers, and the last one once more where it ended."""
    ends = max(row.certificate.seconds, SOONEST)
    answers = row.progress or ((ends, row.certificate.value),)
    for seconds, value in (*answers, (ends, row.certificate.value)):
        yield {"solver": row.solver, "s": max(round(seconds, 4), SOONEST), "slots": value}


def _lines(data: list[dict[str, Any]]) -> dict[str, Any]:
    solvers = (entry["solver"] for entry in data)
    return {
        "data": rows(data),
        "mark": {"type": "line", "interpolate": "step-after", "point": {"size": 24}},
        "encoding": {
            "x": number("s", "seconds", scale={"type": "log"}),
            "y": number("slots", "slots", scale={"zero": False}),
            "color": name("solver", None, scale=cycled(solvers), legend={"symbolLimit": 0}),
            "tooltip": hover(**{"solver": "solver", "s": "seconds|,.3~f", "slots": "slots|,d"}),
        },
    }


def _bound(layer: ComparedLayer) -> list[dict[str, Any]]:
    if layer.bound is None:
        return []
    return [
        {
            "data": rows([{"slots": layer.bound}]),
            "mark": {"type": "rule", "strokeDash": [6, 4], "style": "quiet"},
            "encoding": {"y": {"field": "slots", "type": "quantitative"}},
        }
    ]

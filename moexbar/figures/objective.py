"""Solvers at work: the value of their answers over time, with what is proven to be the least."""

from collections.abc import Iterator
from typing import Any

from moexbar.figures.figure import Figure, Spec
from moexbar.figures.grammar import hover, name, number, rows
from moexbar.figures.palette import cycled
from moexbar.report.traces import ComparedLayer, CompareReport, CompareRow

SHORTEST = 0.001  # s: an axis of time begins there, and answers before it stand there


def objective(compared: CompareReport) -> tuple[Figure, ...]:
    """A picture for each layer that some solver has answered."""
    return tuple(layer_objective(layer) for layer in compared.layers if layer.solvers)


def layer_objective(layer: ComparedLayer) -> Figure:
    """Better and better answers of every solver, each until the next or until the solver ended."""
    best = min((row.certificate.value for row in layer.solvers), default=0)
    bound = "" if layer.bound is None else f", at least {layer.bound:,}"
    return Figure(
        "objective",
        f"Layer {layer.layer}: {best:,} slots by the best solver{bound}",
        "Slots over the fitted windows of the best answer so far of every solver, by time on a "
        "logarithmic axis, until it ended (dot). Dashed: the best bound that any solver has "
        "proven.",
        _spec(layer),
    )


def trail_rows(layer: ComparedLayer) -> Iterator[dict[str, Any]]:
    """A row for each answer of each solver, in order of time, and one for its end."""
    for row in layer.solvers:
        took = row.certificate.seconds or 0.0
        points = row.progress or ((took, row.certificate.value),)
        ended = max(took, points[-1][0])
        for seconds, value in points:
            yield _row(row, seconds, value, end=False)
        yield _row(row, ended, points[-1][1], end=True)


def _row(row: CompareRow, seconds: float, value: int, *, end: bool) -> dict[str, Any]:
    return {
        "solver": row.solver,
        "s": max(round(seconds, 4), SHORTEST),
        "slots": value,
        "end": end,
        "status": row.certificate.status,
    }


def _spec(layer: ComparedLayer) -> Spec:
    best_first = sorted(layer.solvers, key=lambda row: row.certificate.value)
    colour = {
        **name("solver", None, scale=cycled(row.solver for row in best_first)),
        "legend": {"symbolType": "stroke", "symbolStrokeWidth": 3},
    }
    x = number(
        "s",
        "seconds",
        scale={"type": "log", "nice": False, "padding": 12},
        axis={"format": "~g", "tickCount": 5, "grid": False},
    )
    y = number("slots", "slots", scale={"zero": False, "padding": 22})
    lines: list[Spec] = [
        {
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.8},
            "encoding": {"x": x, "y": y, "color": colour},
        },
        {
            "transform": [{"filter": "datum.end"}],
            "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "tooltip": hover(
                    solver="solver",
                    slots="slots|,",
                    s="ended after, s|,.4~g",
                    status="status",
                ),
            },
        },
    ]
    bound = [] if layer.bound is None else [_bound(layer.bound)]
    return {
        "width": 480,
        "height": 280,
        "layer": [*bound, {"data": rows(trail_rows(layer)), "layer": lines}],
    }


def _bound(value: int) -> Spec:
    """A dashed line with its value."""
    y = number("slots", "slots")
    words = {
        "type": "text",
        "style": "aside",
        "align": "right",
        "x": {"expr": "width - 4"},
        "dy": 11,
    }
    return {
        "data": rows([{"slots": value, "words": f"lower bound {value:,}"}]),
        "layer": [
            {
                "mark": {"type": "rule", "strokeDash": [6, 4]},
                "encoding": {"y": y, "tooltip": hover(words="proven")},
            },
            {"mark": words, "encoding": {"y": y, "text": {"field": "words"}}},
        ],
    }

"""The same grouping problem through several solvers: their answers side by side, as plain data."""

from typing import Any

from compiler.grouping import REPLICATING, LayerAnswer, window_slots
from compiler.grouping.parallel import Answers
from compiler.options import GROUPING_SOLVERS
from ir.arrays import Bools, Span
from ir.errors import InputError
from moexbar import __version__
from moexbar.objective_plot import Trail, plot
from moexbar.traces.scope import Scope


def chosen_solvers(text: str, size: int, replicas: int) -> list[str]:
    """Names asked for, each once, or all that can solve the problem."""
    if not text:
        able = REPLICATING if replicas else GROUPING_SOLVERS
        return [name for name in able if name != "matching" or size == 2]
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in GROUPING_SOLVERS:
            raise InputError(
                "--solvers", f"{name!r}, expected some of {', '.join(GROUPING_SOLVERS)}"
            )
    return names


def comparison_json(solved: Answers, scope: Scope, time_s: float) -> dict[str, Any]:
    """All that is told of the answers: a row a layer and solver."""
    done = [answer for answer in solved.answers if answer is not None]
    return {
        "moexbar": __version__,
        "window": scope.window,
        "size": scope.size,
        "seed": scope.seed,
        "time_s": time_s,
        "interrupted": solved.interrupted,
        "layers": [
            _layer(i, [a for a in done if a.grouping.layer == i], scope) for i in scope.layers
        ],
    }


def _layer(layer: int, answers: list[LayerAnswer], scope: Scope) -> dict[str, Any]:
    """Rows of one layer; the best bound of any solver holds for all."""
    chosen = scope.routing.matrix(scope.routing.row(layer))
    spans = scope.score_spans()
    bound = max((a.grouping.certificate.bound for a in answers), default=None)
    return {
        "layer": layer,
        "bound": bound,
        "solvers": [_row(a, chosen, spans, bound or 0) for a in answers],
    }


def _row(answer: LayerAnswer, chosen: Bools, spans: list[Span], bound: int) -> dict[str, Any]:
    grouping, found = answer.grouping, answer.found
    known = grouping.certificate
    points = found.progress or ((known.seconds, known.value),)
    return {
        "solver": grouping.solver,
        "objective": known.objective,
        "fit": known.value,
        "score": int(window_slots(grouping, chosen, spans).sum()),
        "bound": known.bound,
        "gap": (known.value - bound) / known.value if known.value else 0.0,
        "status": "optimal (other solver)"
        if known.value == bound and not known.proven
        else known.status,
        "seconds": round(known.seconds, 3),
        "seed": known.seed,
        "deterministic": known.deterministic,
        "groups": [list(group) for group in grouping.groups],
        "progress": [[round(seconds, 4), value] for seconds, value in points],
    }


def layer_plot(layer: dict[str, Any]) -> str:
    """Objective over time of every solver of a layer: SVG."""
    trails = [
        Trail(
            row["solver"],
            tuple((seconds, value) for seconds, value in row["progress"]),
            max(row["seconds"], row["progress"][-1][0]),
        )
        for row in layer["solvers"]
    ]
    title = f"layer {layer['layer']}: slots over the fitted windows, by time"
    return plot(title, trails, layer["bound"])

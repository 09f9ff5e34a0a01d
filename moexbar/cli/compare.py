"""`moexbar compare`: the same grouping problem through every solver, side by side."""

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.grouping import REPLICATING, SOLVERS, window_slots
from compiler.grouping.parallel import Answer, Job, solve_jobs
from ir.errors import InputError
from ir.routing_file import load_routing
from moexbar import __version__
from moexbar.artifacts.folder import MARK, publish
from moexbar.cli.console import note, out, print_json, progress, table
from moexbar.cli.options import (
    ChipName,
    Fit,
    Json,
    Score,
    Seed,
    Settings,
    Window,
    overlap,
    read_chip,
    solver_options,
    token_spans,
)
from moexbar.cli.scope import (
    INTERRUPTED,
    Groups,
    GroupSize,
    Processes,
    Replicas,
    Robust,
    Scope,
    Shuffles,
    Stride,
    layers_of,
)
from moexbar.objective_plot import Trail, plot

Solvers = Annotated[
    str, typer.Option(help="Comma-separated; default all that can do what is asked.")
]
Time = Annotated[
    float,
    typer.Option(help="Limit per layer and solver, seconds (cp-sat: deterministic).", min=0.01),
]
Folder = Annotated[
    Path | None, typer.Option("-o", "--output", help="Folder for compare.json and plots.")
]


def compare(
    routing_file: Annotated[Path, typer.Argument(metavar="ROUTING.npz", help="Routing trace.")],
    chip: ChipName = "hermes-mux2",
    settings: Settings = None,
    layer: Annotated[int | None, typer.Option(help="One layer id; default all.")] = None,
    solvers: Solvers = "",
    groups: Groups = None,
    group_size: GroupSize = None,
    replicas: Replicas = 0,
    robust: Robust = False,
    window: Window = 512,
    stride: Stride = None,
    shuffles: Shuffles = 3,
    fit: Fit = "0:0.5",
    score: Score = "0.5:1",
    time: Time = 30.0,
    seed: Seed = 0,
    processes: Processes = 2,
    output: Folder = None,
    json: Json = False,
) -> None:
    """Group each layer with every solver: objective, bound, gap, status, time; plots with -o.

    The objective is the slots summed over the fitted windows; score is the slots summed over
    aligned windows of the score range. The gap is to the best bound any solver has proven. Ctrl-C
    keeps the best so far.

    Example: moexbar compare routing.npz --chip hermes-mux4 --layer 3 --time 30 -o comparison
    """
    size = group_size or read_chip(chip, settings).pg.mux
    names, options = _chosen(solvers, size, replicas), solver_options(time, seed)
    routing = load_routing(routing_file)
    fitted, scored = token_spans(routing, fit, score)
    if overlap(fitted, scored):
        note("note: --fit and --score overlap, so the score is no test of the fit")
    scope = Scope(routing, fitted, scored, window, stride, shuffles, seed, robust)
    scope.score_spans()  # refuses a range without a window before any work
    layers = layers_of(routing, layer)
    fits = {i: scope.calibration(i) for i in layers}
    jobs = [
        Job(i, fits[i], size, name, groups, replicas, options) for i in layers for name in names
    ]
    with progress(len(jobs), "comparing") as advance:
        solved = solve_jobs(jobs, processes, advance)
    done = [answer for answer in solved.answers if answer is not None]
    result = {
        "moexbar": __version__,
        "window": window,
        "size": size,
        "seed": seed,
        "time_s": time,
        "interrupted": solved.interrupted,
        "layers": [_layer(i, [a for a in done if a[0].layer == i], scope) for i in layers],
    }
    if output is not None:
        _write(output, result)
    if json:
        print_json(result)
    else:
        _print(result)
    if solved.interrupted:
        note(f"note: the best so far, {len(done)} of {len(jobs)} answers")
        raise typer.Exit(INTERRUPTED)


def _chosen(text: str, size: int, replicas: int) -> list[str]:
    """Names asked for, each once, or all that can solve the problem."""
    if not text:
        able = REPLICATING if replicas else tuple(SOLVERS)
        return [name for name in able if name != "matching" or size == 2]
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in SOLVERS:
            raise InputError("--solvers", f"{name!r}, expected some of {', '.join(SOLVERS)}")
    return names


def _layer(layer: int, answers: list[Answer], scope: Scope) -> dict[str, Any]:
    """Rows of one layer; the best bound of any solver holds for all."""
    chosen = scope.routing.matrix(scope.routing.row(layer))
    spans = scope.score_spans()
    bound = max((grouping.certificate.bound for grouping, _ in answers), default=None)
    return {
        "layer": layer,
        "bound": bound,
        "solvers": [_row(a, chosen, spans, bound or 0) for a in answers],
    }


def _row(answer: Answer, chosen: Any, spans: list[tuple[int, int]], bound: int) -> dict[str, Any]:
    grouping, found = answer
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
        if known.value == bound and not known.status.startswith("optimal")
        else known.status,
        "seconds": round(known.seconds, 3),
        "seed": known.seed,
        "deterministic": known.deterministic,
        "groups": [list(group) for group in grouping.groups],
        "progress": [[round(seconds, 4), value] for seconds, value in points],
    }


def _write(output: Path, result: dict[str, Any]) -> None:
    """Write compare.json and one plot per layer, all or nothing."""
    with publish(output) as folder:
        files = ["compare.json"]
        (folder / "compare.json").write_text(jsonlib.dumps(result, indent=1), encoding="utf-8")
        for layer in result["layers"]:
            name = f"layer-{layer['layer']}.svg"
            (folder / name).write_text(_plot(layer), encoding="utf-8")
            files.append(name)
        manifest = {"moexbar": __version__, "files": files}
        (folder / MARK).write_text(jsonlib.dumps(manifest, indent=1), encoding="utf-8")


def _plot(layer: dict[str, Any]) -> str:
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


def _print(result: dict[str, Any]) -> None:
    shown = table("layer", "solver", "status", "fit", "bound", "gap %", "score", "seconds", left=3)
    for layer in result["layers"]:
        for row in layer["solvers"]:
            shown.add_row(
                str(layer["layer"]),
                row["solver"],
                row["status"],
                str(row["fit"]),
                str(row["bound"]),
                f"{100 * row['gap']:.2f}",
                str(row["score"]),
                f"{row['seconds']:.2f}",
            )
    console = out()
    console.print(shown)
    console.print(f"seed {result['seed']}; gap is to the best bound of the layer")

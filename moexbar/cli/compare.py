"""`moexbar compare`: the same grouping problem through every solver, side by side."""

import json as jsonlib
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.frontend import read_model
from compiler.grouping import REPLICATING, SOLVERS, window_slots
from compiler.grouping.parallel import Answer, Answers, solve_jobs
from compiler.profiling.profile import load_inputs, profile
from ir.errors import InputError
from ir.routing import Routing
from moexbar import __version__
from moexbar.cli.options import Json, flattened, solver_options
from moexbar.cli.scope import INTERRUPTED, Asked, Scope
from moexbar.console import note, out, print_json, progress, table
from moexbar.files.folder import Draft, publish
from moexbar.files.routing_file import load_routing
from moexbar.objective_plot import Trail, plot

Source = Annotated[
    Path,
    typer.Argument(metavar="MODEL|ROUTING", help="Routing trace (NPZ), or a model with --inputs."),
]
Inputs = Annotated[Path | None, typer.Option(help="NPZ with the model's inputs: profiled first.")]
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


@flattened
def compare(
    source: Source,
    asked: Asked,
    inputs: Inputs = None,
    solvers: Solvers = "",
    time: Time = 30.0,
    output: Folder = None,
    json: Json = False,
) -> None:
    """Group each layer with every solver: objective, bound, gap, status, time; plots with -o.

    The objective is the slots summed over the fitted windows; score is the slots summed over
    aligned windows of the score range. The gap is to the best bound any solver has proven. Ctrl-C
    prints the best so far; it goes into the folder only if no earlier result is there.

    Example: moexbar compare routing.npz --chip hermes-mux4 --layer 3 --time 30 -o comparison

    Example: moexbar compare model.onnx --inputs tokens.npz --window 128 --solvers lpt,cp-sat
    """
    chip = asked.read_chip()
    names = _chosen(solvers, asked.group_size or chip.pg.mux, asked.replicas)
    with publish(output, "compare") if output else nullcontext() as draft:
        scope = asked.scope(_routing(source, inputs), chip)
        jobs = scope.jobs(names, solver_options(time, asked.seed))
        with progress(len(jobs), "comparing") as advance:
            solved = solve_jobs(jobs, asked.processes, advance)
        result = _result(solved, scope, time)
        if draft is not None:
            _write(draft, result)
    if json:
        print_json(result)
    else:
        _print(result)
    if solved.interrupted:
        done = sum(answer is not None for answer in solved.answers)
        kept = "" if draft is None or draft.wanted else f"; {output} is left as it was"
        note(f"note: the best so far, {done} of {len(jobs)} answers{kept}")
        raise typer.Exit(INTERRUPTED)


def _routing(source: Path, inputs: Path | None) -> Routing:
    """The trace given, or one recorded now by running the model given."""
    if inputs is None:
        if source.suffix == ".onnx":
            raise InputError(str(source), "a model without its inputs", "give --inputs X.npz")
        return load_routing(source)
    workload, arrays = read_model(source), load_inputs(inputs)
    with progress(len(next(iter(arrays.values()))), "profiling") as advance:
        return profile(source, workload, arrays, progress=advance)


def _result(solved: Answers, scope: Scope, time: float) -> dict[str, Any]:
    """All that is printed and saved, as plain data."""
    done = [answer for answer in solved.answers if answer is not None]
    return {
        "moexbar": __version__,
        "window": scope.asked.window,
        "size": scope.size,
        "seed": scope.asked.seed,
        "time_s": time,
        "interrupted": solved.interrupted,
        "layers": [_layer(i, [a for a in done if a[0].layer == i], scope) for i in scope.layers],
    }


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


def _write(draft: Draft, result: dict[str, Any]) -> None:
    """Write compare.json and one plot per layer, unless that would lose an earlier result.

    A comparison that was interrupted never replaces another, nor stands there without an answer.
    """
    answered = any(layer["solvers"] for layer in result["layers"])
    if result["interrupted"] and (draft.replaces or not answered):
        draft.discard()
        return
    folder = draft.folder
    (folder / "compare.json").write_text(jsonlib.dumps(result, indent=1), encoding="utf-8")
    for layer in result["layers"]:
        name = f"layer-{layer['layer']}.svg"
        (folder / name).write_text(_plot(layer), encoding="utf-8")


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

"""`moexbar compare`: the same grouping problem through every solver, side by side."""

import json as jsonlib
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ir.errors import InputError
from moexbar.cli.complete import solver_list
from moexbar.cli.options import INPUTS, METHODS, OUTPUT, Json, flattened, solver_options
from moexbar.cli.scope import INTERRUPTED, GroupingRequest
from moexbar.console import bar, note, out, print_json, progress, table
from moexbar.report.plain import as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from compiler.options import GroupingSolver
    from ir.chip import Chip
    from ir.routing import Routing
    from moexbar.files.folder import Draft
    from moexbar.report.traces import CompareReport

Source = Annotated[
    Path,
    typer.Argument(metavar="MODEL|ROUTING", help="Routing trace, or a model with --inputs."),
]
Inputs = Annotated[
    Path | None,
    typer.Option(help="NPZ with the model's inputs: profiled first.", rich_help_panel=INPUTS),
]
Solvers = Annotated[
    str,
    typer.Option(
        help="Comma-separated names of solvers.",
        metavar="SOLVER,...",
        show_default="all that can do what is asked",
        autocompletion=solver_list,
        rich_help_panel=METHODS,
    ),
]
Time = Annotated[
    float,
    typer.Option(
        help="Limit per layer and solver, seconds (cp-sat: deterministic).",
        min=0.01,
        rich_help_panel=METHODS,
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Folder for compare.json and plots.", rich_help_panel=OUTPUT
    ),
]


@flattened
def compare(
    source: Source,
    asked: GroupingRequest,
    inputs: Inputs = None,
    solvers: Solvers = "",
    time: Time = 30,
    output: Folder = None,
    json: Json = False,
) -> None:
    """Group each layer with every solver, side by side.

    Objective, bound, gap, status and time; plots with -o. The objective is the slots summed over
    the fitted windows; score is the slots summed over aligned windows of the score range. The gap
    is to the best bound any solver has proven. Slots are counted, no program is scheduled, so there
    is no noise of a list schedule in them (compile --jitter). Ctrl-C prints the best so far; it
    goes into the folder only if no earlier result is there.

    Example: moexbar compare routing.npz --chip hermes-mux4 --layer 3 --time 30 -o comparison

    Example: moexbar compare model.onnx --inputs tokens.npz --window 128 --solvers lpt,cp-sat
    """
    from moexbar.files.folder import publish
    from moexbar.traces.compared import able_solvers, named_solvers

    chip, groups = asked.read_chip(), asked.grouping_options()
    names = named_solvers(solvers) or able_solvers(groups, groups.size or chip.pg.mux)
    with publish(output, "compare") if output else nullcontext() as draft:
        routing = _routing(source, inputs, asked)
        asked.note_overlap(routing)
        tell = print_json if json else _print
        result = _compared(routing, chip, names, asked, time, tell)
        if draft is not None:
            _write(draft, result)
    if result.interrupted:
        done = sum(len(layer.solvers) for layer in result.layers)
        kept = "" if draft is None or draft.wanted else f"; {output} is left as it was"
        note(f"note: the best so far, {done} of {len(names) * len(result.layers)} answers{kept}")
        raise typer.Exit(INTERRUPTED)


def _compared(
    routing: "Routing",
    chip: "Chip",
    names: list["GroupingSolver"],
    asked: GroupingRequest,
    time: float,
    tell: "Callable[[CompareReport], None]",
) -> "CompareReport":
    """The answers of the solvers, with a bar on a terminal; told as soon as they are there."""
    from moexbar.traces.tasks import compare as compare_solvers

    fit, score = asked.spans
    with bar() as shown:
        return compare_solvers(
            routing,
            chip,
            names,
            options=asked.grouping_options(),
            layer=asked.layer,
            window=asked.window,
            fit=fit,
            score=score,
            stride=asked.stride,
            shuffles=asked.shuffles,
            robust=asked.robust,
            limits=solver_options(time, asked.seed),
            processes=asked.processes,
            progress=shown,
            done=tell,
        )


def _routing(source: Path, inputs: Path | None, asked: GroupingRequest) -> "Routing":
    """The trace given, or one recorded now by running the model given."""
    from compiler.frontend import read_model
    from compiler.profiling.feeds import load_inputs, sequences_given
    from compiler.profiling.profile import profile
    from ir.onnxdoor.load import open_model
    from moexbar.files.routing_file import only_routing
    from moexbar.files.traces.read import read_trace

    if inputs is None:
        if source.suffix == ".onnx":
            raise InputError(str(source), "a model without its inputs", "give --inputs X.npz")
        return only_routing(read_trace(source, asked.reading))
    model, arrays = open_model(source), load_inputs(inputs)
    workload = read_model(model)
    with progress(sequences_given(model, arrays, None), "profiling") as advance:
        return profile(model, workload, arrays, progress=advance)


def _write(draft: "Draft", result: "CompareReport") -> None:
    """Write compare.json and one plot per layer, unless that would lose an earlier result.

    A comparison that was interrupted never replaces another, nor stands there without an answer.
    """
    from moexbar.figures.draw import can_draw, draw
    from moexbar.figures.objective import layer_objective

    answered = any(layer.solvers for layer in result.layers)
    if result.interrupted and (draft.replaces or not answered):
        draft.discard()
        return
    folder = draft.folder
    (folder / "compare.json").write_text(
        jsonlib.dumps(as_json(result), indent=1, allow_nan=False), encoding="utf-8"
    )
    if not can_draw():
        note("note: no plots without what draws them: pip install 'moexbar[plots]'")
        return
    for layer in result.layers:
        (folder / f"layer-{layer.layer}.svg").write_bytes(draw(layer_objective(layer), "svg"))


def _print(result: "CompareReport") -> None:
    shown = table(
        "layer",
        "solver",
        "status",
        "fit",
        "bound",
        "gap %",
        "score",
        "seconds",
        left=3,
        least=("seconds",),
    )
    for layer in result.layers:
        for row in layer.solvers:
            shown.add_row(
                str(layer.layer),
                row.solver,
                row.certificate.status,
                str(row.certificate.value),
                str(row.certificate.bound),
                f"{100 * row.certificate.gap:.2f}",
                str(row.score),
                row.certificate.took,
            )
    console = out()
    console.print(shown)
    console.print(f"seed {result.seed}; gap is to the best bound of the layer")

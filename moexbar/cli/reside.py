"""`moexbar reside`: which experts stand on crossbars where there are too few for all."""

import json as text_of
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.residency.names import Objective, Share
from moexbar.cli.options import (
    INPUTS,
    METHODS,
    OUTPUT,
    WINDOW,
    AxisNames,
    ChipName,
    Fit,
    Json,
    NumExperts,
    RoutingFile,
    Score,
    Seed,
    Settings,
    Time,
    TraceLimits,
    flattened,
    fraction_span,
    read_chip,
    solver_options,
    trace_reading,
)
from moexbar.cli.scope import INTERRUPTED
from moexbar.console import note, print_json, stages

if TYPE_CHECKING:
    from ir.chip import Chip
    from ir.routing import Routing
    from moexbar.report.resident import ResideReport

Capacity = Annotated[
    float,
    typer.Option(
        help="Fraction of the experts that there are crossbars for.", rich_help_panel=METHODS
    ),
]
Of = Annotated[
    Share,
    typer.Option(
        "--of",
        help="Whether each layer has room of its own, or all one pool.",
        rich_help_panel=METHODS,
    ),
]
Aim = Annotated[
    Objective,
    typer.Option(
        help="Fewest misses of experts, or fewest tokens at a layer that wait for any.",
        rich_help_panel=METHODS,
    ),
]
Prefill = Annotated[
    int,
    typer.Option(
        help="Tokens of a sequence that go through a layer together; 1: decoding.",
        min=1,
        rich_help_panel=WINDOW,
    ),
]
Bypass = Annotated[
    bool,
    typer.Option(
        "--bypass/--no-bypass",
        help="Whether a missed expert may be computed digitally, or must be written.",
        rich_help_panel=METHODS,
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="ONNX file or config.json whose experts' sizes time and energy are told for.",
        show_default="none told",
        rich_help_panel=INPUTS,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        help="Tokens a second, for years until the endurance is used up.",
        metavar="TOKENS/S",
        show_default="none told",
        rich_help_panel=METHODS,
    ),
]
Writers = Annotated[
    int | None,
    typer.Option(
        help="Crossbars written at once.",
        min=1,
        show_default="a band from all of a visit's experts to one",
        rich_help_panel=METHODS,
    ),
]
Residents = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="File for the same as --json, which `compile --digital-experts` reads.",
        show_default="none",
        rich_help_panel=OUTPUT,
    ),
]


@dataclass(frozen=True)
class Asked:
    """Options but for the chip and what is printed (`moexbar.cli.options.flattened`)."""

    model: ModelOption = None
    fit: Fit = "0:0.5"
    score: Score = "0.5:1"
    axes: AxisNames = None
    num_experts: NumExperts = None
    limits: TraceLimits = None
    prefill: Prefill = 1
    capacity: Capacity = 0.5
    share: Of = "layer"
    objective: Aim = "misses"
    bypass: Bypass = True
    rate: Rate = None
    writers: Writers = None
    time: Time = 5
    seed: Seed = 0

    def report(self, trace: "Routing", chip: "Chip") -> "ResideReport":
        """Residents of a trace, with progress to standard error."""
        from moexbar.residency.task import reside

        with stages() as progress:
            return reside(
                trace,
                chip,
                capacity=self.capacity,
                share=self.share,
                objective=self.objective,
                prefill=self.prefill,
                bypass=self.bypass,
                model=self.model,
                rate=self.rate,
                writers=self.writers,
                fit=fraction_span(self.fit, "--fit"),
                score=fraction_span(self.score, "--score"),
                limits=solver_options(self.time, self.seed),
                progress=progress,
            )


@flattened
def reside_command(
    routing_file: RoutingFile,
    asked: Asked,
    chip: ChipName = "hermes-mux2",
    settings: Settings = None,
    output: Residents = None,
    json: Json = False,
) -> None:
    """Choose the experts that stay on crossbars where there are too few for all.

    The others are written when they are needed, or computed digitally. Fixed choices (cp-sat with a
    bound, SlimCaching's greedy, the most used, none) and changing ones (lru, lfu, and belady, who
    knows what comes) side by side, fitted to one part of the trace and scored on another. Programs
    write no crossbars: of these the fixed ones can be compiled. Ctrl-C gives the best so far.

    Example: moexbar reside routing.npz --capacity 0.5 --objective stalls --rate 100

    Example: moexbar reside routing.npz --model model.onnx --capacity 0.75 -o residents.json
    """
    from moexbar.cli.reside_text import print_residents
    from moexbar.files.atomic import write_atomically
    from moexbar.files.routing_file import only_routing
    from moexbar.files.traces.read import read_trace
    from moexbar.report.plain import as_json

    reading = trace_reading(asked.axes, asked.num_experts, asked.limits)
    trace = only_routing(read_trace(routing_file, reading))
    report = asked.report(trace, read_chip(chip, settings))
    if output is not None:
        with write_atomically(output) as file:
            file.write(text_of.dumps(as_json(report), allow_nan=False).encode())
        _note_empty_layers(report, trace)
    if json:
        print_json(report)
    else:
        print_residents(report, output)
    if report.interrupted:
        note("note: ended early, the best so far")
        raise typer.Exit(INTERRUPTED)


def _note_empty_layers(report: "ResideReport", trace: "Routing") -> None:
    """Say which layers the file leaves nothing of: those a compilation refuses."""
    away = Counter(pair.layer for pair in report.digital)
    experts = zip(trace.layer.tolist(), trace.num_experts.tolist(), strict=True)
    if empty := [layer for layer, n in experts if away[layer] == n]:
        named = ", ".join(map(str, empty[:8])) + (", ..." if len(empty) > 8 else "")
        note(
            f"note: no expert of {len(empty)} layers is resident ({named}); compile asks for at "
            "least one of each, as --of layer has"
        )

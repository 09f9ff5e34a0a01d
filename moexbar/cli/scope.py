"""What `group` and `compare` are asked in common: groups to make, tokens to fit to and score on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from compiler.grouping import Calibration, Job, calibration, robust_calibration
from compiler.options import SolverOptions
from ir.arrays import Span
from ir.chip import Chip
from ir.errors import InputError
from ir.routing import Routing, overlap, token_spans, windows
from moexbar.cli.options import (
    ChipName,
    Fit,
    Score,
    Seed,
    Settings,
    Window,
    fraction_span,
    read_chip,
)
from moexbar.console import note

INTERRUPTED = 130

Stride = Annotated[
    int | None, typer.Option(help="Tokens between fit windows; default a quarter window.", min=1)
]
Shuffles = Annotated[
    int, typer.Option(help="Also fit to this many random orders of the sequences.", min=0, max=64)
]
Groups = Annotated[
    int | None, typer.Option(help="Number of groups; default the fewest that hold all.", min=1)
]
GroupSize = Annotated[
    int | None, typer.Option(help="Experts in a group at most; default the chip's mux.", min=1)
]
Replicas = Annotated[
    int, typer.Option(help="Copies of experts to add, of the solver's choice.", min=0, max=8)
]
Robust = Annotated[
    bool,
    typer.Option("--robust", help="Fit to the worst domain (without domains: quarter)."),
]
Processes = Annotated[int, typer.Option(help="Layers solved at a time.", min=1, max=64)]


@dataclass(frozen=True)
class Asked:
    """Options of both commands (`moexbar.cli.options.flattened`)."""

    chip: ChipName = "hermes-mux2"
    settings: Settings = None
    layer: Annotated[int | None, typer.Option(help="One layer id; default all.")] = None
    groups: Groups = None
    group_size: GroupSize = None
    replicas: Replicas = 0
    robust: Robust = False
    window: Window = 512
    stride: Stride = None
    shuffles: Shuffles = 3
    fit: Fit = "0:0.5"
    score: Score = "0.5:1"
    seed: Seed = 0
    processes: Processes = 2

    def read_chip(self) -> Chip:
        """The chip with the changes of --set."""
        return read_chip(self.chip, self.settings)

    def scope(self, routing: Routing, chip: Chip) -> "Scope":
        """Split the trace; refuses a range without a window before any work."""
        fitted, scored = token_spans(
            routing, fraction_span(self.fit, "--fit"), fraction_span(self.score, "--score")
        )
        if overlap(fitted, scored):
            note("note: --fit and --score overlap, so the score is no test of the fit")
        scope = Scope(self, routing, self.group_size or chip.pg.mux, fitted, scored)
        scope.score_spans()
        return scope


@dataclass(frozen=True, eq=False)
class Scope:
    """Which tokens of a trace are fitted to and scored on, and how windows are cut."""

    asked: Asked
    routing: Routing
    size: int
    fitted: Span
    scored: Span

    @property
    def layers(self) -> list[int]:
        """Layer ids to do: the one asked for, or all."""
        if self.asked.layer is None:
            return [int(i) for i in self.routing.layer]
        self.routing.row(self.asked.layer)
        return [self.asked.layer]

    def jobs(self, solvers: Sequence[str], options: SolverOptions) -> list[Job]:
        """Every layer by every solver, layer by layer."""
        groups, replicas = self.asked.groups, self.asked.replicas
        fits = {layer: self.calibration(layer) for layer in self.layers}
        return [
            Job(layer, fit, self.size, solver, groups, replicas, options)
            for layer, fit in fits.items()
            for solver in solvers
        ]

    def calibration(self, layer: int) -> Calibration:
        """Windows to fit `layer` to; with expert choice only aligned ones occur."""
        start, stop = self.fitted
        routing, asked = self.routing, self.asked
        chosen = routing.matrix(routing.row(layer))[start:stop]
        sequence = routing.sequence[start:stop]
        aligned_only = routing.expert_choice and asked.stride is None
        stride = asked.window if aligned_only else asked.stride
        if not asked.robust:
            return calibration(
                chosen,
                sequence,
                asked.window,
                stride=stride,
                shuffles=asked.shuffles,
                seed=asked.seed,
            )
        domain = None if routing.domain is None else routing.domain[start:stop]
        return robust_calibration(
            chosen,
            sequence,
            asked.window,
            domain,
            stride=stride,
            shuffles=asked.shuffles,
            seed=asked.seed,
        )

    def fit_spans(self) -> list[Span]:
        """Aligned windows of the fit range."""
        return aligned(self.fitted, self.asked.window, "--fit")

    def score_spans(self) -> list[Span]:
        """Aligned windows of the score range."""
        return aligned(self.scored, self.asked.window, "--score")


def aligned(tokens: Span, window: int, option: str) -> list[Span]:
    """Whole windows of a token range; InputError if there is none."""
    start, stop = tokens
    spans = [(start + a, start + b) for a, b in windows(stop - start, window)]
    if not spans:
        raise InputError(
            option,
            f"{stop - start} tokens, expected at least one window of {window}",
            "use a smaller --window or a wider range",
        )
    return spans

"""What `group` and `compare` share: which tokens to fit to and score on, and their options."""

from dataclasses import dataclass
from typing import Annotated

import typer

from compiler.grouping import Calibration, calibration, robust_calibration
from ir.errors import InputError
from ir.routing import Routing, windows

INTERRUPTED = 130
Span = tuple[int, int]

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


@dataclass(frozen=True, eq=False)
class Scope:
    """Which tokens of a trace are fitted to and scored on, and how windows are cut."""

    routing: Routing
    fitted: Span
    scored: Span
    window: int
    stride: int | None
    shuffles: int
    seed: int
    robust: bool = False

    def calibration(self, layer: int) -> Calibration:
        """Windows to fit `layer` to; with expert choice only aligned ones occur."""
        start, stop = self.fitted
        routing = self.routing
        chosen = routing.matrix(routing.row(layer))[start:stop]
        sequence = routing.sequence[start:stop]
        stride = self.window if routing.expert_choice and self.stride is None else self.stride
        if self.robust:
            domain = None if routing.domain is None else routing.domain[start:stop]
            return robust_calibration(
                chosen,
                sequence,
                self.window,
                domain,
                stride=stride,
                shuffles=self.shuffles,
                seed=self.seed,
            )
        return calibration(
            chosen,
            sequence,
            self.window,
            stride=stride,
            shuffles=self.shuffles,
            seed=self.seed,
        )

    def fit_spans(self) -> list[Span]:
        """Aligned windows of the fit range."""
        return aligned(self.fitted, self.window, "--fit")

    def score_spans(self) -> list[Span]:
        """Aligned windows of the score range."""
        return aligned(self.scored, self.window, "--score")


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


def layers_of(routing: Routing, layer: int | None) -> list[int]:
    """Layer ids to do: the one asked for, or all."""
    if layer is None:
        return [int(i) for i in routing.layer]
    routing.row(layer)
    return [layer]

"""Which layers and tokens of a trace are grouped and scored, and how their windows are cut."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from compiler.grouping import Calibration, Job
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from compiler.trace import calibrate
from ir.arrays import Span
from ir.chip import Chip
from ir.errors import InputError
from ir.routing import FIT, SCORE, Routing, token_spans, windows


@dataclass(frozen=True, eq=False)
class Scope:
    """A trace, its layers to group, and what is asked of the groups.

    mux: experts that a group of the chip holds. fitted, scored: token ranges; window: tokens in
    flight together; stride, shuffles, robust: of the windows to fit to
    (`compiler.trace.calibrate`).
    """

    routing: Routing
    layers: tuple[int, ...]
    mux: int
    options: GroupingOptions
    fitted: Span
    scored: Span
    window: int
    stride: int | None
    shuffles: int
    robust: bool
    seed: int

    @classmethod
    def of(
        cls,
        routing: Routing,
        chip: Chip,
        options: GroupingOptions,
        *,
        layer: int | None = None,
        fit: tuple[float, float] = FIT,
        score: tuple[float, float] = SCORE,
        window: int = 512,
        stride: int | None = None,
        shuffles: int = 3,
        robust: bool = False,
        seed: int = 0,
    ) -> "Scope":
        """A trace with its tokens split; refuses a layer or a range that it does not have.

        layer: one, or all; fit, score: fractions of the trace's sequences.
        """
        if layer is not None:
            routing.row(layer)
        scope = cls(
            routing,
            tuple(int(i) for i in routing.layer) if layer is None else (layer,),
            chip.pg.mux,
            options,
            *token_spans(routing, fit, score),
            window,
            stride,
            shuffles,
            robust,
            seed,
        )
        scope.score_spans()
        return scope

    @property
    def size(self) -> int:
        """Experts in a group at most."""
        return self.options.size or self.mux

    def jobs(self, solvers: Sequence[GroupingSolver], limits: SolverOptions) -> list[Job]:
        """Every layer by every solver in place of the one of `options`, layer by layer."""
        fits = {layer: self.calibration(layer) for layer in self.layers}
        return [
            Job(layer, fit, self.mux, replace(self.options, solver=solver), limits)
            for layer, fit in fits.items()
            for solver in solvers
        ]

    def calibration(self, layer: int) -> Calibration:
        """Windows to fit `layer` to."""
        return calibrate(
            self.routing.matrix(self.routing.row(layer)),
            self.routing,
            self.fitted,
            self.window,
            stride=self.stride,
            shuffles=self.shuffles,
            robust=self.robust,
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

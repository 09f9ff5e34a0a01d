"""What `group` and `compare` are asked in common: groups to make, tokens to fit to and score on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ir.errors import InputError
from moexbar.cli.options import (
    METHODS,
    ROUTING,
    WINDOW,
    AxisNames,
    ChipName,
    Fit,
    NumExperts,
    Score,
    Seed,
    Settings,
    TraceLimits,
    Window,
    fraction_span,
    read_chip,
    trace_reading,
)
from moexbar.console import note

if TYPE_CHECKING:
    from compiler.options import GroupingOptions, GroupingSolver
    from ir.chip import Chip
    from ir.load import Load
    from ir.routing import Routing
    from moexbar.files.traces.reading import Reading
    from moexbar.traces.balanced import LoadScope
    from moexbar.traces.scope import Scope

INTERRUPTED = 130

LayerId = Annotated[
    int | None,
    typer.Option(help="One layer id.", show_default="all", rich_help_panel=ROUTING),
]
Stride = Annotated[
    int | None,
    typer.Option(
        help="Tokens between fit windows.",
        min=1,
        show_default="a quarter window",
        rich_help_panel=WINDOW,
    ),
]
Shuffles = Annotated[
    int,
    typer.Option(
        help="Also fit to this many random orders of the sequences.",
        min=0,
        max=64,
        rich_help_panel=WINDOW,
    ),
]
Robust = Annotated[
    bool,
    typer.Option(
        "--robust",
        help="Fit to the worst domain (without domains: quarter).",
        rich_help_panel=WINDOW,
    ),
]
Groups = Annotated[
    int | None,
    typer.Option(
        help="Number of groups.",
        min=1,
        show_default="the fewest that hold all",
        rich_help_panel=METHODS,
    ),
]
GroupSize = Annotated[
    int | None,
    typer.Option(
        help="Experts in a group at most.",
        min=1,
        show_default="the chip's mux",
        rich_help_panel=METHODS,
    ),
]
Replicas = Annotated[
    int,
    typer.Option(
        help="Copies of experts to add, of the solver's choice.",
        min=0,
        max=64,
        rich_help_panel=METHODS,
    ),
]
Processes = Annotated[
    int, typer.Option(help="Layers solved at a time.", min=1, max=64, rich_help_panel=METHODS)
]


@dataclass(frozen=True)
class GroupingRequest:
    """Options of both commands (`moexbar.cli.options.flattened`)."""

    chip: ChipName = "hermes-mux2"
    settings: Settings = None
    layer: LayerId = None
    fit: Fit = "0:0.5"
    score: Score = "0.5:1"
    window: Window = 512
    stride: Stride = None
    shuffles: Shuffles = 3
    robust: Robust = False
    groups: Groups = None
    group_size: GroupSize = None
    replicas: Replicas = 0
    seed: Seed = 0
    processes: Processes = 2
    axes: AxisNames = None
    num_experts: NumExperts = None
    limits: TraceLimits = None

    @property
    def reading(self) -> "Reading":
        """How to read the trace."""
        return trace_reading(self.axes, self.num_experts, self.limits)

    def grouping_options(self, solver: "GroupingSolver" = "cp-sat") -> "GroupingOptions":
        """The groups to make."""
        from compiler.options import GroupingOptions

        return GroupingOptions(solver, self.groups, self.group_size, self.replicas)

    def read_chip(self) -> "Chip":
        """The chip with the changes of --set."""
        return read_chip(self.chip, self.settings)

    @property
    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Sequences to fit to and to score on, as fractions of the trace."""
        return fraction_span(self.fit, "--fit"), fraction_span(self.score, "--score")

    def note_overlap(self, routing: "Routing") -> None:
        """Say where the score is no test of the fit."""
        from ir.routing import overlap, token_spans

        if overlap(*token_spans(routing, *self.spans)):
            note("note: --fit and --score overlap, so the score is no test of the fit")

    def scope(
        self, routing: "Routing", chip: "Chip", solver: "GroupingSolver" = "cp-sat"
    ) -> "Scope":
        """Split the trace; refuses a layer or range that it does not have before any work."""
        from moexbar.traces.scope import Scope

        fit, score = self.spans
        scope = Scope.of(
            routing,
            chip,
            self.grouping_options(solver),
            layer=self.layer,
            fit=fit,
            score=score,
            window=self.window,
            stride=self.stride,
            shuffles=self.shuffles,
            robust=self.robust,
            seed=self.seed,
        )
        self.note_overlap(routing)
        return scope

    def load_scope(self, load: "Load", chip: "Chip", solver: "GroupingSolver") -> "LoadScope":
        """Counts to be grouped by; refuses options that ask something of tokens."""
        from moexbar.traces.balanced import LoadScope

        plain = GroupingRequest()
        for name in ("fit", "score", "window", "stride", "shuffles", "robust"):
            if getattr(self, name) != getattr(plain, name):
                raise InputError(
                    f"--{name}", f"{load.source} holds counts, which have no tokens", "leave it out"
                )
        return LoadScope.of(load, chip, self.grouping_options(solver), self.layer)

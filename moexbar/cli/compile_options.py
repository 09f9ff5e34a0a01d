"""What `moexbar compile` is asked: the model's window and caches, methods, tokens to fit to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from compiler.options import (
    GROUPING_SOLVERS,
    POLICIES,
    STACK_RULES,
    DieOptions,
    DieRule,
    GroupingOptions,
    GroupingSolver,
    Objective,
    PlacementOptions,
    Placer,
    SlotOptions,
    SolverOptions,
    StackOptions,
)
from compiler.options import (
    Scheduling as Scheduled,
)
from ir.errors import InputError
from ir.schedule import Caches
from ir.stacks import NO_STACKS, Stacking
from moexbar.cli.group_sizes import GroupSizes, Sizes
from moexbar.cli.options import (
    INPUTS,
    METHODS,
    WINDOW,
    AxisNames,
    Buffer,
    Bus,
    ChipName,
    Fit,
    Lengths,
    NumExperts,
    Score,
    Seed,
    Settings,
    TraceLimits,
    lengths,
    trace_reading,
)
from moexbar.cli.scope import Groups, Replicas
from moexbar.files.digital_file import read_digital
from moexbar.files.stacks_file import read_stacks
from moexbar.least_placed import LEAST_PLACED

if TYPE_CHECKING:
    from moexbar.files.traces.reading import Reading

Switch = Literal["on", "off"]

LayerTime = Annotated[
    float,
    typer.Option(
        "--time",
        help="Solver limit per layer, deterministic seconds; proofs of groups: of 4 layers in all.",
        min=0.01,
        rich_help_panel=METHODS,
    ),
]
Trace = Annotated[
    Path | None,
    typer.Option(
        help="Routing trace of this model; the word synthetic: made up (docs/examples.md).",
        metavar="TRACE|synthetic",
        rich_help_panel=INPUTS,
    ),
]
Inputs = Annotated[
    Path | None,
    typer.Option(help="NPZ with model inputs: profiled first.", rich_help_panel=INPUTS),
]
Prefill = Annotated[
    Lengths | None,
    typer.Option(
        help="Tokens of a sequence run together; of an encoder and a decoder S,T.",
        metavar="T|S,T",
        parser=lengths,
        show_default="128, or as the inputs of both",
        rich_help_panel=WINDOW,
    ),
]
Batch = Annotated[int, typer.Option(help="Sequences.", min=1, rich_help_panel=WINDOW)]
Decode = Annotated[
    int, typer.Option(help="Decode steps after the prefill.", min=0, rich_help_panel=WINDOW)
]
Kv = Annotated[
    Switch, typer.Option(help="Cache keys and values between steps.", rich_help_panel=WINDOW)
]
Go = Annotated[
    Switch,
    typer.Option(help="Cache gate scores and outputs (expert choice).", rich_help_panel=WINDOW),
]
Grouping = Annotated[
    GroupingSolver,
    typer.Option(
        help=f"Who groups the experts: {', '.join(GROUPING_SOLVERS)}.",
        metavar="SOLVER",
        rich_help_panel=METHODS,
    ),
]
GroupingFile = Annotated[
    Path | None,
    typer.Option(
        help="Groups of every MoE layer, as `moexbar group --json` prints them, instead.",
        rich_help_panel=METHODS,
    ),
]
Placement = Annotated[Placer, typer.Option(help="Who places the tiles.", rich_help_panel=METHODS)]
Scheduling = Annotated[
    Scheduled,
    typer.Option(
        help=f"Order of the slots: auto (by the program's time), {', '.join(POLICIES)}.",
        metavar="POLICY",
        rich_help_panel=METHODS,
    ),
]
Minimised = Annotated[
    Objective, typer.Option(help="What groups minimise.", rich_help_panel=METHODS)
]
Experts = Annotated[
    Literal["stored", "ternary"],
    typer.Option(
        help="ternary: round those of the finished model to -1, 0, 1 times a scale, one cell pair "
        "each.",
        rich_help_panel=METHODS,
    ),
]
DigitalExperts = Annotated[
    str | None,
    typer.Option(
        help="Routed experts that digital units multiply: LAYER:EXPERT,... or a file of "
        "`moexbar accuracy --json`.",
        metavar="LIST|FILE",
        rich_help_panel=METHODS,
    ),
]
LeastPlaced = Annotated[
    float,
    typer.Option(
        help="Per cent of the matrix elements outside lookup tables that crossbars must hold.",
        metavar="PERCENT",
        min=0,
        max=100,
        rich_help_panel=INPUTS,
    ),
]
Pack = Annotated[
    bool,
    typer.Option(
        "--pack",
        help="Let ragged tiles of a group's experts share crossbars.",
        rich_help_panel=METHODS,
    ),
]
DenseCopies = Annotated[
    int,
    typer.Option(
        help="Copies of every block but routed experts; tokens take them in turn.",
        min=1,
        rich_help_panel=METHODS,
    ),
]
Stacks = Annotated[
    str | None,
    typer.Option(
        help="What shares peripheral groups, across layers too: auto (by the program's time), "
        "cp-sat, apart, uniform, none, or a file of stacks.",
        metavar="SOLVER|FILE",
        rich_help_panel=METHODS,
    ),
]
StackLayers = Annotated[
    int,
    typer.Option(help="Layers whose stacks share a region.", min=2, rich_help_panel=METHODS),
]
StackPgs = Annotated[
    int | None,
    typer.Option(
        help="Peripheral groups in all, at most.",
        min=1,
        show_default="as the layers of a region need",
        rich_help_panel=METHODS,
    ),
]
Dies = Annotated[
    DieRule,
    typer.Option(
        help="Who says which die everything is on, where the chip has several (docs/dies.md).",
        rich_help_panel=METHODS,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        help="Layers grouped at a time.",
        min=1,
        show_default="all cores for many layers",
        rich_help_panel=METHODS,
    ),
]


@dataclass(frozen=True)
class CompileRequest:
    """The command's options (`moexbar.cli.options.flattened`), but for what is done with it all."""

    chip: ChipName = "hermes-mux2"
    settings: Settings = None
    routing: Trace = None
    inputs: Inputs = None
    prefill: Prefill = None
    batch: Batch = 1
    decode: Decode = 0
    kv: Kv = "on"
    go: Go = "on"
    fit: Fit = "0:0.5"
    score: Score = "0.5:1"
    grouping: Grouping = "cp-sat"
    grouping_file: GroupingFile = None
    placement: Placement = "in-order"
    scheduling: Scheduling = "auto"
    objective: Minimised = "slots"
    groups: Groups = None
    group_size: GroupSizes = None
    replicas: Replicas = 0
    bus: Bus = None
    buffer: Buffer = None
    experts: Experts = "stored"
    digital_experts: DigitalExperts = None
    least_placed: LeastPlaced = LEAST_PLACED
    pack: Pack = False
    dense_copies: DenseCopies = 1
    stacks: Stacks = None
    stack_layers: StackLayers = 2
    stack_pgs: StackPgs = None
    dies: Dies = "auto"
    time: LayerTime = 1
    seed: Seed = 0
    processes: Processes = None
    axes: AxisNames = None
    num_experts: NumExperts = None
    limits_of_trace: TraceLimits = None

    @property
    def reading(self) -> "Reading":
        """How to read the routing trace."""
        return trace_reading(self.axes, self.num_experts, self.limits_of_trace)

    @property
    def caches(self) -> Caches:
        """What decode steps keep."""
        return Caches(kv=self.kv == "on", go=self.go == "on")

    @property
    def grouping_options(self) -> GroupingOptions | Path:
        """How experts are grouped, or the file that says it."""
        if self.grouping_file is not None and self.digital_experts is not None:
            raise InputError(
                "--digital-experts",
                "with --grouping-file, whose groups hold every expert",
                "leave one of them out",
            )
        digital = () if self.digital_experts is None else read_digital(self.digital_experts)
        sizes = self.group_size or Sizes()
        found = self.groups, sizes.every, self.replicas, self.objective, digital, sizes.layers
        return self.grouping_file or GroupingOptions(self.grouping, *found)

    @property
    def placement_options(self) -> PlacementOptions:
        """How tiles are placed."""
        dies = DieOptions(self.dies)
        return PlacementOptions(self.placement, self.pack, self.dense_copies, self._stacks, dies)

    @property
    def _stacks(self) -> Stacking | StackOptions:
        """The stacks of a file, or how they are chosen."""
        if self.stacks is None:
            return NO_STACKS
        for rule in STACK_RULES:
            if self.stacks == rule:
                return StackOptions(rule, self.stack_layers, self.stack_pgs)
        return read_stacks(Path(self.stacks))

    @property
    def slot_options(self) -> SlotOptions:
        """How slots are ordered."""
        return SlotOptions(self.scheduling, self.bus, self.buffer)

    @property
    def limits(self) -> SolverOptions:
        """Limits of the solvers, for one layer."""
        return SolverOptions(time_s=self.time, seed=self.seed)

"""What `moexbar compile` is asked: the model's window and caches, methods, tokens to fit to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from compiler.options import (
    GroupingOptions,
    GroupingSolver,
    Objective,
    PlacementOptions,
    Placer,
    Policy,
    SlotOptions,
    SolverOptions,
)
from ir.schedule import Caches
from moexbar.cli.options import (
    Buffer,
    Bus,
    ChipName,
    Fit,
    Score,
    Seed,
    Settings,
    Time,
)
from moexbar.cli.scope import Groups, GroupSize, Replicas

Switch = Literal["on", "off"]

Trace = Annotated[Path | None, typer.Option(help="Routing trace of this model.")]
Inputs = Annotated[Path | None, typer.Option(help="NPZ with model inputs: profiled first.")]
Prefill = Annotated[int, typer.Option(help="Tokens of a sequence run together.", min=1)]
Batch = Annotated[int, typer.Option(help="Sequences.", min=1)]
Decode = Annotated[int, typer.Option(help="Decode steps after the prefill.", min=0)]
Kv = Annotated[Switch, typer.Option(help="Cache keys and values between steps.")]
Go = Annotated[Switch, typer.Option(help="Cache gate scores and outputs (expert choice).")]
Experts = Annotated[
    Literal["stored", "ternary"],
    typer.Option(
        help="ternary: round their matrices to -1, 0, 1 times a scale, one cell pair each."
    ),
]
Pack = Annotated[
    bool, typer.Option("--pack", help="Let ragged tiles of a group's experts share crossbars.")
]
Processes = Annotated[
    int | None,
    typer.Option(help="Layers grouped at a time; default: all cores for many layers.", min=1),
]


@dataclass(frozen=True)
class CompileRequest:
    """The command's options (`moexbar.cli.options.flattened`), but for what is done with it all."""

    chip: ChipName = "hermes-mux2"
    settings: Settings = None
    routing: Trace = None
    inputs: Inputs = None
    prefill: Prefill = 128
    batch: Batch = 1
    decode: Decode = 0
    kv: Kv = "on"
    go: Go = "on"
    grouping: Annotated[GroupingSolver, typer.Option(help="Who groups the experts.")] = "cp-sat"
    placement: Annotated[Placer, typer.Option(help="Who places the tiles.")] = "in-order"
    scheduling: Annotated[Policy, typer.Option(help="Order of the slots.")] = "min-transfer"
    objective: Annotated[Objective, typer.Option(help="What groups minimise.")] = "slots"
    groups: Groups = None
    group_size: GroupSize = None
    replicas: Replicas = 0
    bus: Bus = None
    buffer: Buffer = None
    experts: Experts = "stored"
    pack: Pack = False
    fit: Fit = "0:0.5"
    score: Score = "0.5:1"
    time: Time = 1.0
    seed: Seed = 0
    processes: Processes = None

    @property
    def caches(self) -> Caches:
        """What decode steps keep."""
        return Caches(kv=self.kv == "on", go=self.go == "on")

    @property
    def grouping_options(self) -> GroupingOptions:
        """How experts are grouped."""
        return GroupingOptions(
            self.grouping, self.groups, self.group_size, self.replicas, self.objective
        )

    @property
    def placement_options(self) -> PlacementOptions:
        """How tiles are placed."""
        return PlacementOptions(self.placement, self.pack)

    @property
    def slot_options(self) -> SlotOptions:
        """How slots are ordered."""
        return SlotOptions(self.scheduling, self.bus, self.buffer)

    @property
    def limits(self) -> SolverOptions:
        """Limits of the solvers, for one layer."""
        return SolverOptions(time_s=self.time, seed=self.seed)

"""What `moexbar compile` is asked: the model's window and caches, methods, tokens to fit to."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from compiler.grouping import SOLVERS
from compiler.grouping.costs import OBJECTIVES
from compiler.pipeline import Options
from compiler.placement import PLACERS
from compiler.profiling.profile import load_inputs, profile
from compiler.slots import POLICIES
from compiler.trace import Shape, no_routing
from ir.chip import Chip
from ir.errors import InputError
from ir.routing import Routing
from ir.schedule import Caches
from ir.workload import Workload
from moexbar.cli.options import (
    Buffer,
    Bus,
    ChipName,
    Fit,
    Score,
    Seed,
    Settings,
    Time,
    read_chip,
    solver_options,
    token_spans,
)
from moexbar.cli.scope import Groups, GroupSize, Replicas
from moexbar.console import progress
from moexbar.files.routing_file import load_routing

MANY_LAYERS = 8
Switch = Literal["on", "off"]

Trace = Annotated[Path | None, typer.Option(help="Routing trace of this model.")]
Inputs = Annotated[Path | None, typer.Option(help="NPZ with model inputs: profiled first.")]
Prefill = Annotated[int, typer.Option(help="Tokens of a sequence run together.", min=1)]
Batch = Annotated[int, typer.Option(help="Sequences.", min=1)]
Decode = Annotated[int, typer.Option(help="Decode steps after the prefill.", min=0)]
Kv = Annotated[Switch, typer.Option(help="Cache keys and values between steps.")]
Go = Annotated[Switch, typer.Option(help="Cache gate scores and outputs (expert choice).")]
Grouping = Annotated[str, typer.Option(help=f"One of {', '.join(SOLVERS)}.")]
Placement = Annotated[str, typer.Option(help=f"One of {', '.join(PLACERS)}.")]
Scheduling = Annotated[str, typer.Option(help=f"One of {', '.join(POLICIES)}.")]
Objective = Annotated[str, typer.Option(help=f"What groups minimise: {', '.join(OBJECTIVES)}.")]
Experts = Annotated[
    Literal["stored", "ternary"],
    typer.Option(
        help="ternary: round their matrices to -1, 0, 1 times a scale, one cell pair each."
    ),
]
Pack = Annotated[
    bool, typer.Option("--pack", help="Let ragged tiles of a group's experts share crossbars.")
]


@dataclass(frozen=True)
class Asked:
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
    grouping: Grouping = "cp-sat"
    placement: Placement = "in-order"
    scheduling: Scheduling = "min-transfer"
    objective: Objective = "slots"
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

    @property
    def shape(self) -> Shape:
        """The window."""
        return Shape(self.prefill, self.batch, self.decode)

    def read_chip(self) -> Chip:
        """The chip with the changes of --set."""
        return read_chip(self.chip, self.settings)

    def trace(self, model: Path, workload: Workload) -> Routing:
        """The trace given, or one recorded now; a model without MoE layers needs neither."""
        shape = self.shape
        if not workload.moe_layers:
            return no_routing(shape.length, shape.batch)
        if self.routing is not None and self.inputs is not None:
            raise InputError("compile", "both --routing and --inputs", "give one of them")
        if self.routing is not None:
            trace = load_routing(self.routing)
            if trace.expert_choice:
                _check_expert_choice(trace, shape)
            return trace
        if self.inputs is None:
            raise InputError("compile", "no routing", "give --routing R.npz or --inputs X.npz")
        arrays = load_inputs(self.inputs)
        with progress(len(next(iter(arrays.values()))), "profiling") as advance:
            return profile(
                model,
                workload,
                arrays,
                progress=advance,
                tokens=shape.length,
                batch=shape.batch,
                decode=shape.decode,
            )

    def options(self, workload: Workload, trace: Routing) -> Options:
        """What the pipeline is asked, with the token ranges of this trace."""
        fitted, scored = token_spans(trace, self.fit, self.score, self.batch * self.shape.length)
        return Options(
            self.shape,
            fitted,
            scored,
            grouping=self.grouping,
            placement=self.placement,
            scheduling=self.scheduling,
            caches=Caches(kv=self.kv == "on", go=self.go == "on"),
            groups=self.groups,
            group_size=self.group_size,
            replicas=self.replicas,
            bus=self.bus,
            buffer=self.buffer,
            pack=self.pack,
            objective=self.objective,
            processes=_processes(workload),
            solver=solver_options(self.time, self.seed),
        )


def _check_expert_choice(trace: Routing, shape: Shape) -> None:
    """Experts chose among whole sequences, so the window must be one of them."""
    whole = int((trace.sequence == trace.sequence[0]).sum())
    first = whole - trace.decode
    if (first, trace.decode) != (shape.prefill, shape.decode):
        raise InputError(
            trace.source,
            f"recorded at {first} tokens a sequence and {trace.decode} decode steps, but --prefill "
            f"is {shape.prefill} and --decode {shape.decode}: experts chose among whole sequences",
            f"use --prefill {first} --decode {trace.decode}, or --inputs to record anew",
        )


def _processes(workload: Workload) -> int:
    """Layers grouped at a time: starting a process takes longer than a few small layers."""
    return os.cpu_count() or 1 if len(workload.moe_layers) >= MANY_LAYERS else 1

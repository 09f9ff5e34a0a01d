"""A compilation as values: what is asked, with model and routing read, and its carrying out.

A `Case` needs no file and no ONNX Runtime, so that another process or machine can carry it out; it
is what `moexbar compile` and `moexbar explore` have in common.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from backends.dies import refuse_full
from compiler.baselines import Pair, Unfit, methods
from compiler.frontend.proof.traced import refuse_missing
from compiler.grouping.given import check_given
from compiler.options import (
    GroupingOptions,
    Options,
    PlacementOptions,
    Shape,
    SlotOptions,
    SolverOptions,
)
from compiler.stages import PLAIN, Stages
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import Grouping
from ir.parts import in_parts
from ir.routing import Routing, token_spans
from ir.schedule import Caches
from ir.workload import Workload
from moexbar.bands.jitter import jitter_row
from moexbar.by_methods import by_methods
from moexbar.files.grouping_file import read_grouping
from moexbar.given import Given, routed
from moexbar.least_placed import refuse_unplaced
from moexbar.model import Experts, Inputs, Model
from moexbar.progress import Progress, Quiet
from moexbar.report.building import compile_report
from moexbar.report.compiled import Report
from moexbar.report.executed import Executed, Skipped
from moexbar.report.gains import MethodResult

MANY_LAYERS = 8  # starting a process takes longer than grouping a few small layers
PREFILL = 128  # tokens, where nothing is asked for
GROUPING, QUIET = GroupingOptions(), Quiet()


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked of a compilation beside model, routing and chip: see `moexbar.compile`.

    grouping: how, or groups; pairs: methods; processes: layers grouped at a time, None: as cores.
    """

    shape: Shape
    fit: tuple[float, float]
    score: tuple[float, float]
    grouping: GroupingOptions | Grouping
    placement: PlacementOptions
    slots: SlotOptions
    caches: Caches
    limits: SolverOptions
    pairs: tuple[Pair, ...]
    jitter: int = 1
    processes: int | None = None


@dataclass(frozen=True, eq=False)
class Read:
    """A model as the compiler sees it, and the routing of what it is to run."""

    workload: Workload
    trace: Routing


@dataclass(frozen=True, eq=False)
class Case:
    """A compilation that only has to be carried out."""

    read: Read
    chip: Chip
    asked: Asked

    @property
    def workload(self) -> Workload:
        """The model in the parts that the chip's dies ask for."""
        return in_parts(self.read.workload, self.chip)

    def options(self, workload: Workload) -> Options:
        """What every stage is asked; InputError for ranges that the trace does not have.

        And for more copies of dense blocks than a pass has tokens, which they take in turn.
        """
        asked, trace = self.asked, self.read.trace
        copies, tokens = asked.placement.dense_copies, asked.shape.batch * asked.shape.prefill
        if copies > tokens:
            told = f"{copies}, expected at most the {tokens} tokens of a pass, one for each"
            raise InputError("dense copies", told)
        spans = token_spans(trace, asked.fit, asked.score, asked.shape.batch * asked.shape.length)
        own = asked.grouping if isinstance(asked.grouping, GroupingOptions) else GROUPING
        many = _processes(workload) if asked.processes is None else asked.processes
        return Options(
            asked.shape,
            *spans,
            own,
            asked.placement,
            asked.slots,
            asked.caches,
            asked.limits,
            many,
        )


@dataclass(frozen=True, eq=False)
class Carried:
    """What came out: of the other methods, and of the asked one."""

    case: Case
    before: tuple[MethodResult | Unfit, ...]
    ours: MethodResult

    def report(self, executed: Executed | Skipped, progress: Progress = QUIET) -> Report:
        """All that is told of it, with what executing the program gave."""
        asked = self.case.asked
        found = (*self.before, self.ours)
        noise = jitter_row(found, asked.jitter, asked.limits.seed, progress)
        told = compile_report(self.case.read.trace, self.before, self.ours, executed)
        return replace(told, jitter=noise)


def read_case(
    model: Model,
    shape: Shape,
    given: Given,
    *,
    experts: Experts,
    least_placed: float,
    progress: Progress = QUIET,
) -> Read:
    """The model's workload for a window, and its routing: given, recorded or made up.

    What was found in the model is told before anything is refused. Raises InputError,
    InfeasibleError where crossbars hold too little of it.
    """
    found = model.workload(
        tokens=shape.tokens, batch=shape.batch, decodes=shape.decode > 0, experts=experts
    )
    for line in dict.fromkeys(found.notes):
        progress.note(line)
    if not given.trust_traced:
        refuse_missing(model.path, found)
    refuse_unplaced(model.path, found, least_placed)
    return Read(*routed(model, found, shape, given, progress))


def carry_out(case: Case, progress: Progress = QUIET, stages: Stages = PLAIN) -> Carried:
    """Compile by every method that is asked for; see `moexbar.compile` for what it raises."""
    workload = case.workload
    every = methods(case.chip, case.options(workload), case.asked.pairs)
    asked = case.asked.grouping
    given = check_given(asked, workload, case.chip) if isinstance(asked, Grouping) else None
    before, ours = by_methods(workload, case.read.trace, every, progress, given, stages)
    refuse_full(ours.compiled)
    return Carried(case, before, ours)


def shape_of_inputs(shape: Shape, model: Model, inputs: Inputs | None) -> Shape:
    """The shape with the lengths of the inputs' sides, where there are sides and those differ."""
    if inputs is None or model.configuration is not None:
        return shape
    found = model.lengths(inputs)
    return shape if found is None else Shape.of(found, shape.batch, shape.decode)


def groups_in(
    grouping: GroupingOptions | Grouping | Path, workload: Workload
) -> GroupingOptions | Grouping:
    """How experts are grouped; groups of a file are read, InputError where they do not fit."""
    if not isinstance(grouping, Path):
        return grouping
    experts: Mapping[int, int] = {op.layer: op.router.experts for op in workload.moe_layers}
    return read_grouping(grouping, dict(experts))


def _processes(workload: Workload) -> int:
    """Layers grouped at a time."""
    return os.cpu_count() or 1 if len(workload.moe_layers) >= MANY_LAYERS else 1

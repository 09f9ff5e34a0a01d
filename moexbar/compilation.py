"""A model, a chip and its routing compiled by every method, executed and reported: the main job.

`compile` is what `moexbar compile` runs and what `import moexbar` gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compiler.baselines import ASKED, BASELINES, Baselines, Pair, Unfit
from compiler.options import (
    GroupingOptions,
    PlacementOptions,
    Shape,
    SlotOptions,
    SolverOptions,
    one_of,
)
from ir.chip import Chip
from ir.compiled import Compiled
from ir.errors import InputError, OtherRoutingError, RefusedError
from ir.lengths import Tokens
from ir.mapping import Grouping
from ir.program import Program
from ir.routing import Routing
from ir.schedule import Caches
from moexbar.annotated import annotated_model
from moexbar.arguments import check, check_spans, lengths, whole
from moexbar.case import PREFILL, Asked, Case, carry_out, groups_in, read_case, shape_of_inputs
from moexbar.chips import load_chip
from moexbar.execution import (
    MOST_WEIGHTS,
    execute_program,
    executed_row,
    program_case,
    refuse_wrong,
    small,
)
from moexbar.files.folder import Draft, publish
from moexbar.files.outputs import hashes, write_outputs
from moexbar.files.parts import USUAL, Part
from moexbar.files.traces.reading import Reading
from moexbar.given import Given
from moexbar.least_placed import LEAST_PLACED
from moexbar.model import Experts, Inputs, Model, arrays_of, open_model
from moexbar.progress import Progress, Quiet
from moexbar.report.compiled import Report
from moexbar.report.executed import Executed, Skipped
from moexbar.report.gains import MethodResult

LIMITS = SolverOptions(time_s=1.0)
CACHES, GROUPING, PLACEMENT = Caches(), GroupingOptions(), PlacementOptions()
SLOTS, QUIET, READING = SlotOptions(), Quiet(), Reading()
FIT, SCORE = (0.0, 0.5), (0.5, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class Compilation:
    """What a compilation gave: the program of each method, and all that is told of them.

    baselines: what the other methods gave, or that the chip is too small for them; ours: what the
    asked one gave; sources: what was read, by what it is, for the manifest.
    """

    model: Model
    routing: Routing
    baselines: tuple[MethodResult | Unfit, ...]
    ours: MethodResult
    report: Report
    sources: dict[str, Path]

    def __repr__(self) -> str:
        told = repr(self.compiled).replace("<Compiled ", "<Compilation ", 1)
        jitter = self.report.jitter
        if jitter is None:
            return told
        time = jitter.methods[-1].time_ns
        ends = f"{time.low / 1000:.2f}-{time.high / 1000:.2f}"
        return f"{told[:-1]} ({ends} over {jitter.runs} runs)>"

    def _repr_html_(self) -> str:
        """For a notebook: its report."""
        return self.report._repr_html_()

    @property
    def compiled(self) -> Compiled:
        """The compilation by the method that was asked for."""
        return self.ours.compiled

    @property
    def program(self) -> Program:
        """Its program."""
        return self.compiled.program

    @property
    def chip(self) -> Chip:
        """The chip it is for."""
        return self.compiled.chip

    def save(self, folder: Path | str, write: Sequence[Part] = USUAL) -> None:
        """Write its files into `folder`, which is replaced whole (docs/formats.md)."""
        with publish(Path(folder), "compile") as draft:
            self.write(draft, write)

    def write(self, draft: Draft, write: Sequence[Part] = USUAL) -> None:
        """Write its files into a folder that is being published."""
        draft.times |= write_outputs(draft.folder, self.compiled, self.routing, self.report, write)
        if "annotated" in write:
            graph = annotated_model(self.compiled, self.model.source)
            (draft.folder / "annotated.onnx").write_bytes(graph)
        draft.facts["inputs"] = hashes(self.chip, self.sources, draft.target)


def compile(
    model: Model | Path | str,
    chip: Chip | str = "hermes-mux2",
    *,
    inputs: Inputs | None = None,
    routing: Routing | Path | str | None = None,
    reading: Reading = READING,
    prefill: Tokens | None = None,
    batch: int = 1,
    decode: int = 0,
    caches: Caches = CACHES,
    grouping: GroupingOptions | Grouping | Path = GROUPING,
    placement: PlacementOptions = PLACEMENT,
    slots: SlotOptions = SLOTS,
    fit: tuple[float, float] = FIT,
    score: tuple[float, float] = SCORE,
    limits: SolverOptions = LIMITS,
    experts: Experts = "stored",
    baselines: Baselines = "all",
    jitter: int = 1,
    execute: bool = True,
    trust_traced: bool = False,
    least_placed: float = LEAST_PLACED,
    processes: int | None = None,
    progress: Progress = QUIET,
) -> Compilation:
    """Compile a prefill of `batch` sequences, and `decode` steps after it, for a chip.

    prefill: tokens, or those of an encoder and a decoder; None: 128, or as the inputs of both have
    them. chip: a preset, a TOML file or a `Chip`. inputs: the model's, profiled and executed;
    routing: a trace instead, or "synthetic", made up; `reading`: of a file. grouping: how, groups,
    or the file of `moexbar group --json`. fit, score: fractions of the trace's sequences. experts:
    see `Model.workload`. baselines: also by other methods, if they fit (`compiler.baselines`).
    jitter: schedules of each method with times that differ a little (docs/bands.md); 1: none.
    execute: run small programs against ONNX Runtime. trust_traced: take an export that recorded one
    input's routing. least_placed: per cent of matrix elements outside tables that crossbars must
    hold. processes: layers grouped at a time, None: as cores. Raises InputError, InfeasibleError,
    CheckError.
    """
    shape, pairs = _shape(prefill, batch, decode), _pairs(baselines)
    runs = whole("jitter", jitter, 1)
    _check_kinds(grouping, placement, slots, caches, limits, fit=fit, score=score)
    model, chip = _opened(model, chip)
    shape = shape_of_inputs(shape, model, inputs) if prefill is None else shape
    given = Given(routing, reading, inputs, limits.seed, trust_traced)
    read = read_case(
        model, shape, given, experts=experts, least_placed=least_placed, progress=progress
    )
    groups = groups_in(grouping, read.workload)
    many = None if processes is None else whole("processes", processes, 1)
    decided = groups, placement, slots, caches, limits
    asked = Asked(shape, fit, score, *decided, pairs, runs, many)
    done, traced = carry_out(Case(read, chip, asked), progress), routing is not None
    compiled = done.ours.compiled
    executed = _executed(model, compiled, read.trace, inputs, wanted=execute, given=traced)
    report = done.report(executed, progress)
    sources = _files(model=model.path, routing=given.file, inputs=inputs)
    return Compilation(model, read.trace, done.before, done.ours, report, sources)


def _opened(model: Model | Path | str, chip: Chip | str) -> tuple[Model, Chip]:
    """Both, where they are given as files or a preset's name."""
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    return (model if isinstance(model, Model) else open_model(model)), chip


def _shape(prefill: Tokens | None, batch: int, decode: int) -> Shape:
    """What the arguments ask for; InputError naming the one that is none."""
    tokens = PREFILL if prefill is None else lengths("prefill", prefill)
    return Shape.of(tokens, whole("batch", batch, 1), whole("decode", decode))


def _pairs(baselines: Baselines) -> tuple[Pair, ...]:
    """The methods that are compiled; InputError where `baselines` is none of its names."""
    check("baselines", baselines, str, f"one of {', '.join(BASELINES)}")
    return ASKED[one_of("baselines", baselines, BASELINES)]


def _check_kinds(
    grouping: object,
    placement: object,
    slots: object,
    caches: object,
    limits: object,
    **spans: object,
) -> None:
    """InputError naming the argument that is not of its kind."""
    expected = "GroupingOptions, a Grouping or the Path of a file"
    check("grouping", grouping, (GroupingOptions, Grouping, Path), expected)
    check("placement", placement, PlacementOptions, "PlacementOptions")
    check("slots", slots, SlotOptions, "SlotOptions")
    check("caches", caches, Caches, "Caches")
    check("limits", limits, SolverOptions, "SolverOptions")
    check_spans(**spans)


def _files(**sources: object) -> dict[str, Path]:
    """Those of the sources that are files."""
    return {what: Path(p) for what, p in sources.items() if isinstance(p, Path | str)}


def _executed(
    model: Model,
    compiled: Compiled,
    trace: Routing,
    inputs: Inputs | None,
    *,
    wanted: bool,
    given: bool,
) -> Executed | Skipped:
    """What executing the program gave, or why it was not executed; CheckError where it is wrong.

    given: whether the trace was, and so may be of another model: OtherRoutingError then.
    """
    if model.configuration is not None:
        return Skipped("nothing to execute: a configuration has no weights")
    if not wanted:
        return Skipped("--no-verify")
    if inputs is None:
        return Skipped("no --inputs")
    if not small(compiled):
        return Skipped(f"more than {MOST_WEIGHTS // 10**6} million weights")
    try:
        case = program_case(
            compiled,
            model.source_of(compiled.workload),
            arrays_of(inputs),
            trace,
            int(compiled.schedule.trace[0]),
            given=given,
        )
        done = execute_program(case, model.runtime)
    except (RefusedError, OtherRoutingError):
        raise  # ONNX Runtime does not run the model on these inputs, or the trace is another's
    except InputError as error:
        return Skipped(str(error))
    refuse_wrong(done, compiled.program)
    return executed_row(done)

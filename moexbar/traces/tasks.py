"""What can be asked of a routing trace alone: groups of experts, and slot orders."""

from collections.abc import Callable, Sequence
from pathlib import Path

from compiler.grouping import Job
from compiler.grouping.parallel import solve_jobs
from compiler.grouping.sample import SHUFFLES
from compiler.options import GroupingOptions, GroupingSolver, SlotOptions, SolverOptions
from ir.chip import Chip
from ir.load import Load
from ir.mapping import Grouping
from ir.routing import FIT, SCORE, Routing, select_sequences
from ir.schedule import SlotOrder
from ir.undisturbed import undisturbed
from moexbar.arguments import check, check_spans, whole
from moexbar.chips import load_chip
from moexbar.files.grouping_file import read_grouping
from moexbar.files.routing_file import load_routing
from moexbar.files.traces.read import read_trace
from moexbar.progress import Progress, Quiet
from moexbar.report.traces import CompareReport
from moexbar.traces.arriving import Asked, arrivals_of
from moexbar.traces.balanced import LoadScope
from moexbar.traces.compared import able_solvers, compare_report
from moexbar.traces.scheduled import order_windows, whole_windows
from moexbar.traces.scope import Scope

GROUPING, SLOTS = GroupingOptions(), SlotOptions()
GROUPING_LIMITS, SLOT_LIMITS = SolverOptions(time_s=5.0), SolverOptions(time_s=10.0)
COMPARE_LIMITS = SolverOptions(time_s=30.0)
WHOLE = (0.0, 1.0)
QUIET = Quiet()


def group(
    routing: Routing | Load | Path | str,
    chip: Chip | str = "hermes-mux2",
    *,
    options: GroupingOptions = GROUPING,
    layer: int | None = None,
    window: int = 512,
    fit: tuple[float, float] = FIT,
    score: tuple[float, float] = SCORE,
    robust: bool = False,
    limits: SolverOptions = GROUPING_LIMITS,
    processes: int = 1,
) -> Grouping:
    """Group the experts of every MoE layer of a trace, or of one, each with its certificate.

    routing: a trace, or load counts, or the file of either; by counts the largest group load is
    minimised, and they know no window, fit, score or robust, which are left alone.
    window: tokens in flight together; fit: sequences to fit to, as fractions of the trace; score:
    those it is meant for; robust: fit to the worst domain. processes: layers at a time; more than
    one start the main module again, so a script needs its `if __name__ == "__main__"` line. Raises
    InputError for a trace or range that cannot be used, InfeasibleError where experts do not fit,
    KeyboardInterrupt on Ctrl-C.
    """
    layer = None if layer is None else whole("layer", layer)
    check("options", options, GroupingOptions, "GroupingOptions")
    check_spans(fit=fit, score=score)
    check("routing", routing, (Routing, Load, Path, str), "a Routing, a Load or a file of either")
    trace = read_trace(routing) if isinstance(routing, Path | str) else routing
    chip = chip if isinstance(chip, Chip) else load_chip(chip)
    if isinstance(trace, Load):
        jobs = LoadScope.of(trace, chip, options, layer).jobs(limits)
        return _grouping(jobs, processes)
    scope = Scope.of(
        trace,
        chip,
        options,
        layer=layer,
        fit=fit,
        score=score,
        window=whole("window", window, 1),
        robust=robust,
        seed=limits.seed,
    )
    return _grouping(scope.jobs([options.solver], limits), processes)


def _grouping(jobs: list[Job], processes: int) -> Grouping:
    """All layers solved; KeyboardInterrupt on Ctrl-C."""
    solved = solve_jobs(jobs, processes)
    if solved.interrupted:
        raise KeyboardInterrupt
    return Grouping(tuple(answer.grouping for answer in solved.answers if answer is not None))


def compare(
    routing: Routing | Path | str,
    chip: Chip | str = "hermes-mux2",
    solvers: Sequence[GroupingSolver] = (),
    *,
    options: GroupingOptions = GROUPING,
    layer: int | None = None,
    window: int = 512,
    fit: tuple[float, float] = FIT,
    score: tuple[float, float] = SCORE,
    stride: int | None = None,
    shuffles: int = SHUFFLES,
    robust: bool = False,
    limits: SolverOptions = COMPARE_LIMITS,
    processes: int = 1,
    progress: Progress = QUIET,
    done: Callable[[CompareReport], None] = lambda _: None,
) -> CompareReport:
    """Group every layer of a trace, or one, by several solvers: their answers side by side.

    solvers: names, by default all that can do what is asked; options: the groups to make, whatever
    solver they name. stride: tokens between windows to fit to, by default a quarter window;
    shuffles: random orders of the sequences to fit to as well. limits: for a layer and solver. The
    rest as for `group`. On Ctrl-C the report has the best so far and says that it was interrupted;
    done: is given it before another could come.
    Raises InputError for a trace, range or solver that cannot be used, InfeasibleError where
    experts do not fit.
    """
    check("options", options, GroupingOptions, "GroupingOptions")
    check("solvers", solvers, (list, tuple), "a list of names of solvers")
    check_spans(fit=fit, score=score)
    scope = Scope.of(
        _trace(routing),
        chip if isinstance(chip, Chip) else load_chip(chip),
        options,
        layer=None if layer is None else whole("layer", layer),
        window=whole("window", window, 1),
        fit=fit,
        score=score,
        stride=stride,
        shuffles=shuffles,
        robust=robust,
        seed=limits.seed,
    )
    jobs = scope.jobs(solvers or able_solvers(options, scope.size), limits)
    progress.begin("comparing", len(jobs))
    solved = solve_jobs(jobs, processes, progress.step)
    with undisturbed():  # what is found is told whole
        progress.end()
        report = compare_report(solved, scope, limits.time_s)
        done(report)
    return report


def schedule(
    routing: Routing | Path | str,
    grouping: Grouping | Path | str,
    layer: int,
    *,
    options: SlotOptions = SLOTS,
    window: int = 512,
    score: tuple[float, float] = WHOLE,
    limits: SolverOptions = SLOT_LIMITS,
    arrivals: Asked = None,
) -> list[SlotOrder]:
    """Order every window of one layer into slots, each with its bounds.

    grouping: groups, or what `moexbar group --json` printed. arrivals: tokens that come in a slot,
    in order; or the slot in which each token of a window comes, or a text file of these; by default
    all are there. Raises InputError for a trace, layer or range that cannot be used, arrivals that
    are none, or a policy that cannot keep the limits or the arrivals.
    """
    trace = _trace(routing)
    check("options", options, SlotOptions, "SlotOptions")
    check_spans(score=score)
    chosen = trace.matrix(trace.row(whole("layer", layer)))
    check("grouping", grouping, (Grouping, Path, str), "a Grouping or the path of a JSON file")
    if not isinstance(grouping, Grouping):
        grouping = read_grouping(Path(grouping), {layer: chosen.shape[1]})
    size = whole("window", window, 1)
    spans = whole_windows(select_sequences(trace, score), size)
    came = arrivals_of(arrivals, size)
    return order_windows(grouping.of(layer), chosen, spans, options, limits, arrivals=came)


def _trace(routing: Routing | Path | str) -> Routing:
    """The trace, read from the file if it is one."""
    check("routing", routing, (Routing, Path, str), "a Routing or the path of an NPZ file")
    return routing if isinstance(routing, Routing) else load_routing(routing)

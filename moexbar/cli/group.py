"""`moexbar group`: group experts from a routing trace alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.options import GROUPING_SOLVERS, one_of
from moexbar.cli.complete import solver_names
from moexbar.cli.options import METHODS, Json, RoutingFile, Time, flattened, solver_options
from moexbar.cli.scope import INTERRUPTED, GroupingRequest
from moexbar.console import Fitting, note, out, print_json, progress, table

if TYPE_CHECKING:
    from compiler.grouping import Job
    from compiler.grouping.parallel import Answers
    from ir.chip import Chip
    from ir.mapping import LayerGrouping
    from moexbar.report.traces import GroupReport, GroupRow, LoadGroupReport, LoadGroupRow
    from moexbar.traces.balanced import LoadScope
    from moexbar.traces.scope import Scope

BY_LOAD = (
    "note: {} holds load counts: grouped by load, the largest group load{}, not by slots; slots "
    "and transfers cannot be known from counts"
)

Solver = Annotated[
    str,
    typer.Option(
        help=f"One of {', '.join(GROUPING_SOLVERS)}.",
        metavar="SOLVER",
        autocompletion=solver_names,
        rich_help_panel=METHODS,
    ),
]


@flattened
def group(
    routing_file: RoutingFile,
    asked: GroupingRequest,
    grouping: Solver = "cp-sat",
    time: Time = 5,
    json: Json = False,
) -> None:
    """Group the experts of every MoE layer; score on other sequences.

    slots and transfers are sums over whole windows; transfers are those of min-transfer at the
    minimum number of slots. Of load counts (how many tokens each expert took, not which) the
    largest group load is minimised instead. Ctrl-C or SIGTERM prints the best groups so
    far, of every layer.

    Example: moexbar group routing.npz --chip hermes-mux4 --window 512 --json > groups.json

    Example: moexbar group routing.npz --groups 8 --group-size 5 --replicas 3

    Example: moexbar group loads.csv --chip hermes-mux4
    """
    from compiler.grouping.parallel import completed
    from ir.load import Load
    from ir.undisturbed import undisturbed
    from moexbar.files.traces.read import read_trace

    chip, solver = asked.read_chip(), one_of("grouping", grouping, GROUPING_SOLVERS, "solver")
    found, limits = read_trace(routing_file, asked.reading), solver_options(time, asked.seed)
    scope: Scope | LoadScope
    if isinstance(found, Load):
        scope = asked.load_scope(found, chip, solver)
        jobs = scope.jobs(limits)
        note(BY_LOAD.format(found.source, "" if found.steps == 1 else " of each step, summed"))
    else:
        scope = asked.scope(found, chip, solver)
        jobs = scope.jobs([solver], limits)
    solved = _solved(jobs, asked.processes)
    ended = sum(not answer.found.interrupted for answer in solved.answers if answer)
    if solved.interrupted:
        solved = completed(jobs, solved)
    done = [answer.grouping for answer in solved.answers if answer]
    report, interrupted = _report(done, scope, chip, asked, quick=solved.interrupted)
    with undisturbed():  # what is found is printed whole
        print_json(report) if json else _print(report)
        if interrupted:
            note(f"note: the best so far, {ended} of {len(jobs)} layers searched to the end")
            raise typer.Exit(INTERRUPTED)


def _solved(jobs: list["Job"], processes: int) -> "Answers":
    from compiler.grouping.parallel import solve_jobs

    with progress(len(jobs), "grouping") as advance:
        return solve_jobs(jobs, processes, advance)


def _report(
    done: list["LayerGrouping"],
    scope: "Scope | LoadScope",
    chip: "Chip",
    asked: GroupingRequest,
    *,
    quick: bool,
) -> "tuple[GroupReport | LoadGroupReport, bool]":
    """What is told of the layers, and whether Ctrl-C came until now."""
    from moexbar.report.traces import GroupReport, LoadGroupReport
    from moexbar.traces.balanced import LoadScope, load_group_row
    from moexbar.traces.grouped import group_rows

    if isinstance(scope, LoadScope):
        counted = tuple(load_group_row(layer, scope, chip) for layer in done)
        return LoadGroupReport("load", counted, asked.seed, scope.load.steps, scope.size), quick
    rows, interrupted = group_rows(done, scope, chip, quick=quick)
    return GroupReport(tuple(rows), asked.seed, asked.window, scope.size), interrupted


def _print(report: "GroupReport | LoadGroupReport") -> None:
    """The layers as a table."""
    from moexbar.report.traces import GroupReport

    out().print(_table(report.layers) if isinstance(report, GroupReport) else _loads(report.layers))
    _print_area(report.layers, report.seed)


def _table(rows: Sequence["GroupRow"]) -> Fitting:
    shown = table(
        "layer",
        "status",
        "gap %",
        "fit slots",
        "score slots",
        "score transfers",
        "seconds",
        left=2,
        least=("seconds",),
    )
    for row in rows:
        shown.add_row(
            str(row.layer),
            row.certificate.status,
            f"{100 * row.certificate.gap:.2f}",
            str(row.fit.slots),
            str(row.score.slots),
            "-" if row.score.transfers is None else str(row.score.transfers),
            row.certificate.took,
        )
    return shown


def _loads(rows: Sequence["LoadGroupRow"]) -> Fitting:
    shown = table(
        "layer", "status", "gap %", "largest load", "bound", "its load / mean", "seconds", left=2
    )
    for row in rows:
        shown.add_row(
            str(row.layer),
            row.certificate.status,
            f"{100 * row.certificate.gap:.2f}",
            str(row.certificate.value),
            str(row.certificate.bound),
            f"{row.largest_over_mean:.3f}",
            row.certificate.took,
        )
    return shown


def _print_area(rows: "Sequence[GroupRow | LoadGroupRow]", seed: int) -> None:
    console = out()
    if rows and (area_um2 := rows[0].area_um2) is not None:
        console.print(
            f"{len(rows[0].groups)} peripheral groups and {rows[0].columns} crossbars: "
            f"{area_um2 / 1e6:.3f} mm2 a tile position"
        )
    console.print(f"seed {seed}; --json gives the groups")

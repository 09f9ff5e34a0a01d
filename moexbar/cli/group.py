"""`moexbar group`: group experts from a routing trace alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.options import GROUPING_SOLVERS, one_of
from moexbar.cli.complete import solver_names
from moexbar.cli.options import METHODS, Json, RoutingFile, Time, flattened, solver_options
from moexbar.cli.scope import INTERRUPTED, GroupingRequest
from moexbar.console import note, out, print_json, progress, table

if TYPE_CHECKING:
    from moexbar.report.traces import GroupRow

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
    minimum number of slots. Ctrl-C prints the best groups so far.

    Example: moexbar group routing.npz --chip hermes-mux4 --window 512 --json > groups.json

    Example: moexbar group routing.npz --groups 8 --group-size 5 --replicas 3
    """
    from compiler.grouping.parallel import solve_jobs
    from moexbar.files.routing_file import load_routing
    from moexbar.report.traces import GroupReport
    from moexbar.traces.grouped import group_row

    chip, solver = asked.read_chip(), one_of("grouping", grouping, GROUPING_SOLVERS, "solver")
    scope = asked.scope(load_routing(routing_file), chip, solver)
    jobs = scope.jobs([solver], solver_options(time, asked.seed))
    with progress(len(jobs), "grouping") as advance:
        solved = solve_jobs(jobs, asked.processes, advance)
    rows = tuple(group_row(answer.grouping, scope, chip) for answer in solved.answers if answer)
    if json:
        print_json(GroupReport(rows, asked.seed, asked.window, scope.size))
    else:
        _print(rows, asked.seed)
    if solved.interrupted:
        note(f"note: the best so far, {len(rows)} of {len(jobs)} layers")
        raise typer.Exit(INTERRUPTED)


def _print(rows: Sequence["GroupRow"], seed: int) -> None:
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
            str(row.score.transfers),
            f"{row.certificate.seconds:.2f}",
        )
    console = out()
    console.print(shown)
    if rows and (area_um2 := rows[0].area_um2) is not None:
        console.print(
            f"{len(rows[0].groups)} peripheral groups and {rows[0].columns} crossbars: "
            f"{area_um2 / 1e6:.3f} mm2 a tile position"
        )
    console.print(f"seed {seed}; --json gives the groups")

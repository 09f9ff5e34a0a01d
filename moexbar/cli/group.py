"""`moexbar group`: group experts from a routing trace alone."""

from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.grouping import SOLVERS, split_counts
from compiler.grouping.parallel import solve_jobs
from compiler.slots import order_slots
from ir.arrays import Span
from ir.chip import Chip
from ir.mapping import LayerGrouping
from moexbar.cli.options import Json, Time, flattened, solver_options
from moexbar.cli.scope import INTERRUPTED, Asked, Scope
from moexbar.console import note, out, print_json, progress, table
from moexbar.files.routing_file import load_routing
from moexbar.tile_area import tile_area_um2


@flattened
def group(
    routing_file: Annotated[Path, typer.Argument(metavar="ROUTING.npz", help="Routing trace.")],
    asked: Asked,
    grouping: Annotated[str, typer.Option(help=f"Solver: {', '.join(SOLVERS)}.")] = "cp-sat",
    time: Time = 5.0,
    json: Json = False,
) -> None:
    """Group the experts of every MoE layer of a trace; score the groups on other sequences.

    slots and transfers are sums over whole windows; transfers are those of min-transfer at the
    minimum number of slots. Ctrl-C prints the best groups so far.

    Example: moexbar group routing.npz --chip hermes-mux4 --window 512 --json > groups.json

    Example: moexbar group routing.npz --groups 8 --group-size 5 --replicas 3
    """
    chip = asked.read_chip()
    scope = asked.scope(load_routing(routing_file), chip)
    jobs = scope.jobs([grouping], solver_options(time, asked.seed))
    with progress(len(jobs), "grouping") as advance:
        answers = solve_jobs(jobs, asked.processes, advance)
    rows = [_row(answer[0], scope, chip) for answer in answers.answers if answer]
    if json:
        print_json({"layers": rows, "seed": asked.seed, "window": asked.window, "mux": scope.size})
    else:
        _print(rows, asked.seed)
    if answers.interrupted:
        note(f"note: the best so far, {len(rows)} of {len(jobs)} layers")
        raise typer.Exit(INTERRUPTED)


def _row(found: LayerGrouping, scope: Scope, chip: Chip) -> dict[str, Any]:
    routing = scope.routing
    chosen = routing.matrix(routing.row(found.layer))
    certificate = found.certificate
    return {
        "layer": found.layer,
        "groups": [list(group) for group in found.groups],
        "solver": found.solver,
        "replicas": found.replicas,
        "columns": found.experts + found.replicas,
        "area_um2": tile_area_um2(
            chip, len(found.groups), found.experts + found.replicas, scope.size
        ),
        "fit": _scheduled(found, chosen, scope.fit_spans()),
        "score": _scheduled(found, chosen, scope.score_spans()),
        "objective": certificate.objective,
        "value": certificate.value,
        "bound": certificate.bound,
        "gap": certificate.gap,
        "status": certificate.status,
        "deterministic": certificate.deterministic,
        "seconds": round(certificate.seconds, 3),
    }


def _scheduled(found: LayerGrouping, chosen: Any, spans: list[Span]) -> dict[str, int]:
    orders = [order_slots(split_counts(found, chosen[a:b]), "min-transfer") for a, b in spans]
    return {
        "windows": len(spans),
        "slots": sum(order.slots for order in orders),
        "transfers": sum(order.transfers for order in orders),
    }


def _print(rows: list[dict[str, Any]], seed: int) -> None:
    shown = table(
        "layer", "status", "gap %", "fit slots", "score slots", "score transfers", "seconds", left=2
    )
    for row in rows:
        shown.add_row(
            str(row["layer"]),
            row["status"],
            f"{100 * row['gap']:.2f}",
            str(row["fit"]["slots"]),
            str(row["score"]["slots"]),
            str(row["score"]["transfers"]),
            f"{row['seconds']:.2f}",
        )
    console = out()
    console.print(shown)
    if rows and rows[0]["area_um2"] is not None:
        console.print(
            f"{len(rows[0]['groups'])} peripheral groups and {rows[0]['columns']} crossbars: "
            f"{rows[0]['area_um2'] / 1e6:.3f} mm2 a tile position"
        )
    console.print(f"seed {seed}; --json gives the groups")

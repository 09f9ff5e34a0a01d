"""`moexbar group`: group experts from a routing trace alone."""

from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.grouping import SOLVERS, split_counts
from compiler.grouping.parallel import Job, solve_jobs
from compiler.scheduling import order_slots
from ir.chip import Chip
from ir.mapping import LayerGrouping
from ir.routing_file import load_routing
from moexbar.cli.console import note, out, print_json, progress, table
from moexbar.cli.options import (
    ChipName,
    Fit,
    Json,
    Score,
    Seed,
    Settings,
    Time,
    Window,
    overlap,
    read_chip,
    solver_options,
    token_spans,
)
from moexbar.cli.scope import (
    INTERRUPTED,
    Groups,
    GroupSize,
    Processes,
    Replicas,
    Robust,
    Scope,
    Shuffles,
    Span,
    Stride,
    layers_of,
)
from moexbar.tile_area import tile_area_um2


def group(
    routing_file: Annotated[Path, typer.Argument(metavar="ROUTING.npz", help="Routing trace.")],
    chip: ChipName = "hermes-mux2",
    settings: Settings = None,
    layer: Annotated[int | None, typer.Option(help="One layer id; default all.")] = None,
    grouping: Annotated[str, typer.Option(help=f"Solver: {', '.join(SOLVERS)}.")] = "cp-sat",
    groups: Groups = None,
    group_size: GroupSize = None,
    replicas: Replicas = 0,
    robust: Robust = False,
    window: Window = 512,
    stride: Stride = None,
    shuffles: Shuffles = 3,
    fit: Fit = "0:0.5",
    score: Score = "0.5:1",
    time: Time = 5.0,
    seed: Seed = 0,
    processes: Processes = 2,
    json: Json = False,
) -> None:
    """Group the experts of every MoE layer of a trace; score the groups on other sequences.

    slots and transfers are sums over whole windows; transfers are those of min-transfer at the
    minimum number of slots. Ctrl-C prints the best groups so far.

    Example: moexbar group routing.npz --chip hermes-mux4 --window 512 --json > groups.json

    Example: moexbar group routing.npz --groups 8 --group-size 5 --replicas 3
    """
    routing = load_routing(routing_file)
    target = read_chip(chip, settings)
    fitted, scored = token_spans(routing, fit, score)
    if overlap(fitted, scored):
        note("note: --fit and --score overlap, so the score is no test of the fit")
    scope = Scope(routing, fitted, scored, window, stride, shuffles, seed, robust)
    size = group_size or target.pg.mux
    scope.score_spans()  # refuses a range without a window before any work
    options = solver_options(time, seed)
    layers = layers_of(routing, layer)
    with progress(len(layers), "grouping") as advance:
        jobs = [
            Job(i, scope.calibration(i), size, grouping, groups, replicas, options) for i in layers
        ]
        answers = solve_jobs(jobs, processes, advance)
    rows = [_row(answer[0], scope, target, size) for answer in answers.answers if answer]
    if json:
        print_json({"layers": rows, "seed": seed, "window": window, "mux": size})
    else:
        _print(rows, seed)
    if answers.interrupted:
        note(f"note: the best so far, {len(rows)} of {len(layers)} layers")
        raise typer.Exit(INTERRUPTED)


def _row(found: LayerGrouping, scope: Scope, chip: Chip, size: int) -> dict[str, Any]:
    routing = scope.routing
    chosen = routing.matrix(routing.row(found.layer))
    certificate = found.certificate
    return {
        "layer": found.layer,
        "groups": [list(group) for group in found.groups],
        "solver": found.solver,
        "replicas": found.replicas,
        "columns": found.experts + found.replicas,
        "area_um2": tile_area_um2(chip, len(found.groups), found.experts + found.replicas, size),
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

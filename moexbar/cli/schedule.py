"""`moexbar schedule`: order token-expert pairs into slots from a routing trace alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compiler.options import POLICIES
from moexbar.cli.complete import policy_names
from moexbar.cli.options import (
    METHODS,
    OUTPUT,
    ROUTING,
    AxisNames,
    Buffer,
    Bus,
    Json,
    NumExperts,
    RoutingFile,
    Score,
    Seed,
    Time,
    TraceLimits,
    Window,
    fraction_span,
    solver_options,
    trace_reading,
)
from moexbar.console import out, print_json, progress, table

if TYPE_CHECKING:
    from ir.arrays import Span
    from ir.arrivals import Delays
    from ir.schedule import SlotOrder

GroupingFile = Annotated[
    Path,
    typer.Option(
        help="Groups of experts, as `moexbar group --json` prints them.", rich_help_panel=ROUTING
    ),
]
LayerId = Annotated[int, typer.Option(help="MoE layer id.", rich_help_panel=ROUTING)]
Policy = Annotated[
    str,
    typer.Option(
        help=f"One of {', '.join(POLICIES)}.",
        metavar="POLICY",
        autocompletion=policy_names,
        rich_help_panel=METHODS,
    ),
]
ArrivalsOption = Annotated[
    str | None,
    typer.Option(
        "--arrivals",
        help="When tokens come: one-per-slot, 2-per-slot and so on, or a text file with the slot "
        "of each token of a window.",
        metavar="N-per-slot|FILE",
        rich_help_panel=METHODS,
    ),
]
WithTable = Annotated[
    bool,
    typer.Option(
        "--table",
        help="With the slot table: one row per slot, the token index in the window per group, "
        "-1 for idle.",
        rich_help_panel=OUTPUT,
    ),
]


def schedule(
    routing_file: RoutingFile,
    grouping_file: GroupingFile,
    layer: LayerId = 0,
    score: Score = "0:1",
    window: Window = 512,
    policy: Policy = "min-transfer",
    time: Time = 10,
    seed: Seed = 0,
    bus: Bus = None,
    buffer: Buffer = None,
    arrivals: ArrivalsOption = None,
    with_table: WithTable = False,
    axes: AxisNames = None,
    num_experts: NumExperts = None,
    limits: TraceLimits = None,
    json: Json = False,
) -> None:
    """Order every window of a layer into slots, with bounds.

    Groups may hold replicas: each window's tokens are then split between the copies first.
    Limits (--bus, --buffer) are kept by token-serial, token-order, min-transfer, cp-sat and online;
    others refuse them. With --arrivals tokens come one after another, and bounds hold for that;
    reschedule refuses it.

    Example: moexbar schedule routing.npz --grouping-file groups.json --layer 3 --window 512

    Example: moexbar schedule routing.npz --grouping-file groups.json --bus 2 --buffer 64

    Example: moexbar schedule routing.npz --grouping-file groups.json --arrivals one-per-slot
    """
    from compiler.options import POLICIES, SlotOptions, one_of
    from ir.routing import select_sequences
    from moexbar.files.grouping_file import read_grouping
    from moexbar.files.routing_file import only_routing
    from moexbar.files.traces.read import read_trace
    from moexbar.report.traces import ScheduleReport
    from moexbar.traces.arriving import arrivals_of, named_arrivals
    from moexbar.traces.scheduled import order_windows, whole_windows, window_row

    routing = only_routing(read_trace(routing_file, trace_reading(axes, num_experts, limits)))
    chosen = routing.matrix(routing.row(layer))
    grouping = read_grouping(grouping_file, {layer: chosen.shape[1]}).of(layer)
    spans = whole_windows(select_sequences(routing, fraction_span(score, "--score")), window)
    options = SlotOptions(one_of("policy", policy, POLICIES), bus, buffer)
    came = None if arrivals is None else arrivals_of(named_arrivals(arrivals), window)
    with progress(len(spans), policy) as advance:
        orders = order_windows(
            grouping, chosen, spans, options, solver_options(time, seed), advance, came
        )
    if json:
        rows = tuple(
            window_row(order, first, with_table=with_table)
            for order, (first, _) in zip(orders, spans, strict=True)
        )
        slots = None if came is None else tuple(came.tolist())
        print_json(ScheduleReport(layer, policy, seed, bus, buffer, rows, slots))
    else:
        _print(orders, spans, seed, with_table)


def _print(orders: list["SlotOrder"], spans: list["Span"], seed: int, with_table: bool) -> None:
    delays = [order.delays for order in orders]
    arriving = any(delay is not None for delay in delays)
    columns = ("mean delay", "most", "in order") if arriving else ()
    shown = table(
        "first token",
        "slots",
        "bound",
        "transfers",
        "bound",
        "retained",
        "gap %",
        *columns,
        "status",
        left=0,
        least=("retained", "gap %"),
    )
    for order, (a, _), delay in zip(orders, spans, delays, strict=True):
        gap = (order.transfers - order.transfers_bound) / max(1, order.transfers)
        shown.add_row(
            str(a),
            str(order.slots),
            str(order.slots_bound),
            str(order.transfers),
            str(order.transfers_bound),
            str(order.transfers_retained),
            f"{100 * gap:.2f}",
            *_delayed(delay),
            order.status,
        )
    console = out()
    console.print(shown)
    if with_table:
        for order in orders:
            for row in order.table.tolist():
                console.print(" ".join("." if t < 0 else str(t) for t in row))
            console.print("")
    proven = sum(order.proven for order in orders)
    there = f" for {orders[0].presence}" if arriving else ""
    console.print(f"{proven} of {len(orders)} windows proven optimal{there}; seed {seed}")


def _delayed(delay: "Delays | None") -> tuple[str, ...]:
    """The cells of a window's delays, where tokens come one after another."""
    if delay is None:
        return ()
    return f"{delay.mean:.1f}", str(delay.most), f"{delay.in_order:.1f}"

"""`moexbar schedule`: order token-expert pairs into slots from a routing trace alone."""

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.grouping import split_counts
from compiler.options import POLICIES
from compiler.slots import order_slots
from ir.arrays import Span
from ir.errors import InputError
from ir.infile import check_file
from ir.mapping import Certificate, LayerGrouping
from ir.routing import select_sequences, windows
from ir.schedule import SlotOrder
from moexbar.cli.options import Buffer, Bus, Json, Score, Seed, Time, Window, fraction_span
from moexbar.console import out, print_json, progress, table
from moexbar.files.routing_file import load_routing

MAX_GROUPS_BYTES = 64 << 20


Trace = Annotated[Path, typer.Argument(metavar="ROUTING.npz", help="Routing trace.")]
GroupsFile = Annotated[Path, typer.Option(help="Groups, as `moexbar group --json` prints them.")]
Layer = Annotated[int, typer.Option(help="MoE layer id.")]
Policy = Annotated[str, typer.Option(help=f"One of {', '.join(POLICIES)}.")]
WithTable = Annotated[
    bool,
    typer.Option(
        "--table",
        help="With the slot table: one row per slot, the token "
        "index in the window per group, -1 for idle.",
    ),
]


def schedule(
    routing_file: Trace,
    groups: GroupsFile,
    layer: Layer = 0,
    policy: Policy = "min-transfer",
    window: Window = 512,
    score: Score = "0:1",
    time: Time = 10.0,
    seed: Seed = 0,
    bus: Bus = None,
    buffer: Buffer = None,
    with_table: WithTable = False,
    json: Json = False,
) -> None:
    """Schedule every window of one layer and say how far each is from its bounds.

    Groups may hold replicas: each window's tokens are then split between the copies first.

    Limits are kept by token-serial, min-transfer, cp-sat and online; others refuse them.

    Example: moexbar schedule routing.npz --groups groups.json --layer 3 --window 512

    Example: moexbar schedule routing.npz --groups groups.json --bus 2 --buffer 64
    """
    routing = load_routing(routing_file)
    chosen = routing.matrix(routing.row(layer))
    grouping = read_groups(groups, layer, chosen.shape[1])
    spans = _spans(select_sequences(routing, fraction_span(score, "--score")), window)
    orders: list[SlotOrder] = []
    with progress(len(spans), policy) as advance:
        for a, b in spans:
            counts = split_counts(grouping, chosen[a:b])
            order = order_slots(counts, policy, seed=seed, time_s=time, bus=bus, buffer=buffer)
            orders.append(order)
            advance()
    if json:
        rows = [_row(o, a, with_table) for o, (a, _) in zip(orders, spans, strict=True)]
        limits = {"bus": bus, "buffer": buffer}
        print_json({"layer": layer, "policy": policy, "seed": seed, **limits, "windows": rows})
    else:
        _print(orders, spans, seed, with_table)


def _spans(tokens: Span, window: int) -> list[Span]:
    """The windows of a token range; InputError if it holds none."""
    start, stop = tokens
    spans = [(start + a, start + b) for a, b in windows(stop - start, window)]
    if not spans:
        raise InputError("--window", f"{window} tokens, but the range has {stop - start}")
    return spans


def _row(order: SlotOrder, first: int, with_table: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "first_token": first,
        "slots": order.slots,
        "transfers": order.transfers,
        "transfers_retained": order.transfers_retained,
        "slots_bound": order.slots_bound,
        "transfers_bound": order.transfers_bound,
        "status": order.status,
        "deterministic": order.deterministic,
        "seconds": round(order.seconds, 4),
    }
    if with_table:
        row["table"] = order.table.tolist()
    return row


def read_groups(path: Path, layer: int, experts: int) -> LayerGrouping:
    """One layer of a groups file; InputError naming file and field for anything unexpected."""
    where = str(path)
    check_file(path, "groups as `moexbar group --json` prints them", MAX_GROUPS_BYTES)
    try:
        found = jsonlib.loads(path.read_bytes())
    except OSError as error:
        raise InputError(where, error.strerror or "cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise InputError(where, "not JSON", "write it with: moexbar group --json") from error
    layers = found.get("layers") if isinstance(found, dict) else None
    if not isinstance(layers, list):
        raise InputError(where, "layers: missing, expected a list")
    for entry in layers:
        if isinstance(entry, dict) and entry.get("layer") == layer:
            return _grouping(where, entry, layer, experts)
    raise InputError(where, f"no layer {layer}", "choose one with --layer")


def _grouping(where: str, entry: dict[str, Any], layer: int, experts: int) -> LayerGrouping:
    groups = entry.get("groups")
    ok = isinstance(groups, list) and all(
        isinstance(g, list) and all(type(e) is int for e in g) for g in groups
    )
    if not ok or groups is None:
        raise InputError(where, f"layer {layer}: groups: expected a list of lists of expert ids")
    held = {e for g in groups for e in g}
    if len(held) != experts:
        raise InputError(
            where, f"layer {layer}: {len(held)} experts in groups, but the trace has {experts}"
        )
    certificate = Certificate("as given", 0, 0, "heuristic")
    return LayerGrouping(layer, tuple(tuple(g) for g in groups), "file", certificate)


def _print(orders: list[SlotOrder], spans: list[Span], seed: int, with_table: bool) -> None:
    shown = table(
        "first token", "slots", "bound", "transfers", "bound", "retained", "gap %", "status", left=0
    )
    for order, (a, _) in zip(orders, spans, strict=True):
        gap = (order.transfers - order.transfers_bound) / max(1, order.transfers)
        shown.add_row(
            str(a),
            str(order.slots),
            str(order.slots_bound),
            str(order.transfers),
            str(order.transfers_bound),
            str(order.transfers_retained),
            f"{100 * gap:.2f}",
            order.status,
        )
    console = out()
    console.print(shown)
    if with_table:
        for order in orders:
            for row in order.table.tolist():
                console.print(" ".join("." if t < 0 else str(t) for t in row))
            console.print("")
    proven = sum(order.status.startswith("optimal") for order in orders)
    console.print(f"{proven} of {len(orders)} windows proven optimal; seed {seed}")

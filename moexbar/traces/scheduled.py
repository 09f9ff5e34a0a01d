"""Windows of one layer ordered into slots, as plain data."""

from collections.abc import Callable, Sequence
from typing import Any

from compiler.options import SlotOptions, SolverOptions
from compiler.pipeline import order_turns
from ir.arrays import Bools, Span
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.routing import windows
from ir.schedule import SlotOrder


def whole_windows(tokens: Span, window: int) -> list[Span]:
    """The windows of a token range; InputError if it holds none."""
    start, stop = tokens
    spans = [(start + a, start + b) for a, b in windows(stop - start, window)]
    if not spans:
        raise InputError("--window", f"{window} tokens, but the range has {stop - start}")
    return spans


def order_windows(
    layer: LayerGrouping,
    chosen: Bools,
    spans: Sequence[Span],
    options: SlotOptions,
    limits: SolverOptions,
    advance: Callable[[], object] = lambda: None,
) -> list[SlotOrder]:
    """The slot order of every window of one layer; `advance` is told each as it is done.

    chosen: bool [tokens, experts].
    """
    orders = []
    for start, stop in spans:
        orders.append(order_turns(layer, chosen[start:stop], options, limits))
        advance()
    return orders


def order_row(order: SlotOrder, first: int, *, with_table: bool) -> dict[str, Any]:
    """A window from token `first` on: slots, transfers, bounds; its slot table if asked."""
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

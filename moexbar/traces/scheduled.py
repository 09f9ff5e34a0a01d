"""Windows of one layer ordered into slots, as plain data."""

from typing import Any

from ir.arrays import Span
from ir.errors import InputError
from ir.routing import windows
from ir.schedule import SlotOrder


def whole_windows(tokens: Span, window: int) -> list[Span]:
    """The windows of a token range; InputError if it holds none."""
    start, stop = tokens
    spans = [(start + a, start + b) for a, b in windows(stop - start, window)]
    if not spans:
        raise InputError("--window", f"{window} tokens, but the range has {stop - start}")
    return spans


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

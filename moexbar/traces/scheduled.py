"""Windows of one layer ordered into slots."""

from collections.abc import Callable, Sequence

from compiler.options import SlotOptions, SolverOptions
from compiler.stages import order_turns
from ir.arrays import Bools, Ints, Span
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.routing import windows
from ir.schedule import SlotOrder
from moexbar.report.certificates import OrderRow
from moexbar.report.traces import DelayRow, ScheduledWindow


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
    arrivals: Ints | None = None,
) -> list[SlotOrder]:
    """The slot order of every window of one layer; `advance` is told each as it is done.

    chosen: bool [tokens, experts]; arrivals: [tokens of a window], the slot in which each comes.
    """
    orders = []
    for start, stop in spans:
        orders.append(order_turns(layer, chosen[start:stop], options, limits, arrivals))
        advance()
    return orders


def window_row(order: SlotOrder, first: int, *, with_table: bool) -> ScheduledWindow:
    """A window from token `first` on: slots, transfers, bounds; its slot table if asked."""
    table = tuple(tuple(row) for row in order.table.tolist()) if with_table else None
    seconds, delays = round(order.seconds, 4), order.delays
    if delays is None:
        return ScheduledWindow(first, OrderRow.of(order), seconds, table)
    return ScheduledWindow(first, OrderRow.of(order), seconds, table, DelayRow.of(delays))

"""What Perfetto makes of a Chrome trace: the rules of its importer, read from its source.

google/perfetto at ec5d16b, in src/trace_processor:
util/json_parser.h (StringToDouble): how a number is read;
importers/json/json_trace_tokenizer.cc: its nanoseconds (CoerceToTs), and a tid of 0 is the pid;
sorter/trace_sorter.h (KeyForType): the order in which events are read;
importers/common/slice_tracker.cc (MaybeCloseStack): which slices nest and which are refused;
importers/common/flow_tracker.cc (Begin, Step, End): which slice an arrow meets.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]
Row = tuple[int, int]  # pid, tid


@dataclass
class Imported:
    """Slices kept as (row, start ns, length ns, event); the refused; those kept inside another.

    arrows: of each id the slices that it meets, None where there is none; counters: (ns, value).
    """

    kept: list[tuple[Row, int, int, Event]] = field(default_factory=list)
    refused: list[Event] = field(default_factory=list)
    nested: list[Event] = field(default_factory=list)
    arrows: dict[int, list[Event | None]] = field(default_factory=lambda: defaultdict(list))
    counters: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))


def import_trace(text: str) -> Imported:
    """Read a trace as Perfetto does."""
    events: list[Event] = json.loads(text, parse_float=double)["traceEvents"]
    found, open_slices = Imported(), defaultdict[Row, list[tuple[int, int, Event]]](list)
    # at one time the longest slice first, then as in the file
    queue = sorted(
        (nanoseconds(e["ts"]), -nanoseconds(e.get("dur", 0)), at)
        for at, e in enumerate(events)
        if e["ph"] != "M"
    )
    for ts, minus_length, at in queue:
        event = events[at]
        row = (event["pid"], event.get("tid") or event["pid"])
        stack = open_slices[row]
        if event["ph"] == "X":
            _open(found, stack, row, (ts, -minus_length, event))
        elif event["ph"] in "stf":
            found.arrows[event["id"]].append(stack[-1][2] if stack else None)
        elif event["ph"] == "C":
            found.counters[event["name"]].append((ts, float(event["args"]["GB/s"])))
    return found


def _open(
    found: Imported,
    stack: list[tuple[int, int, Event]],
    row: Row,
    new: tuple[int, int, Event],
) -> None:
    """Close what has ended; refuse the slice if it outlasts one that has not."""
    ts, length, event = new
    for at in reversed(range(len(stack))):
        start, lasting, _ = stack[at]
        end = start + lasting
        if end < ts or (end == ts and (lasting > 0 or length > 0)):
            stack.pop()
        elif ts < end < ts + length:
            found.refused.append(event)
            return
    if stack:
        found.nested.append(event)
    stack.append(new)
    found.kept.append((row, ts, length, event))


def double(text: str) -> float:
    """Whole part and fraction apart, each a double, and their sum."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    value = float(int(whole)) + (int(fraction) / 10 ** len(fraction) if fraction else 0.0)
    power = int(exponent or 0)
    return value / 10.0**-power if power < 0 else value * 10.0**power


def nanoseconds(us: float) -> int:
    """Microseconds, not negative, rounded half up."""
    if us == int(us):
        return int(us) * 1000
    product = us * 1000
    whole = int(product)
    return whole + (product - whole >= 0.5)

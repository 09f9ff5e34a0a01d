"""Slot orders where tokens come one after another, on routing traces of real models.

    python -m benchmarks.arrivals --traces DIR [--every 20] [--start 0]
        [--groups sorted cp-sat] [--muxes 2 4 8]

Windows are of 512 tokens, whole sequences end to end, of the second half of the sequences, of all
layers; every N-th is taken (`--every`), from that of number `--start` on. Groups are fitted to the
first half. 1, 2 or 4 tokens come in a slot. "met" counts the windows whose order is proven optimal:
as few slots as the bound, and in them as few transfers as the bound. "tighter" counts those of them
whose bound is a solver's proof that one transfer fewer cannot be. Times are process time of one
core.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import process_time

import numpy as np

from benchmarks.slots import SCORED, WINDOW, Trace
from benchmarks.traces import add_traces, trace_files
from compiler.slots import order_slots
from ir.arrays import Ints
from ir.schedule import SlotOrder
from moexbar.files.routing_file import load_routing

RATES = (1, 2, 4)
MUXES = (2, 4, 8)
GROUPS = ("sorted", "cp-sat")
PROOF_S = 20.0  # of column-generation, a window
HEAD = (
    "\n             ---- min-transfer ----  ---------- column-generation ----------  "
    "------- online, W 64 --------\nmux rate   n met  gap %  delay order  met tighter  gap % "
    " delay order most s  slots % trans %  delay order"
)


@dataclass(frozen=True)
class Row:
    """What one policy makes of some windows, all with the same arrivals."""

    orders: tuple[SlotOrder, ...]
    most_s: float

    @classmethod
    def of(cls, windows: Sequence[Ints], first: Ints, policy: str) -> "Row":
        """Order every window."""
        orders, seconds = [], []
        run = partial(order_slots, policy=policy, time_s=PROOF_S, arrivals=first)
        for counts in windows:
            begun = process_time()
            orders.append(run(counts))
            seconds.append(process_time() - begun)
        return cls(tuple(orders), max(seconds))

    def met(self, bounds: Sequence[int]) -> str:
        """Windows with as few slots as can be, and at most `bounds` transfers."""
        found = [
            order.slots == order.slots_bound and order.transfers <= bound
            for order, bound in zip(self.orders, bounds, strict=True)
        ]
        return f"{np.mean(found):>4.0%}"

    def tighter(self) -> int:
        """Windows that meet a bound which the solver proved."""
        return sum(order.status == "optimal (solver)" for order in self.orders)

    def gap(self, bounds: Sequence[int]) -> str:
        """Transfers over `bounds`, mean in %."""
        over = [o.transfers / b - 1 for o, b in zip(self.orders, bounds, strict=True)]
        return f"{100 * np.mean(over):>5.2f}"

    def delays(self) -> str:
        """Mean slots from arrival to last slot, by themselves and in order."""
        found = [order.delays for order in self.orders]
        own = np.mean([delay.mean for delay in found if delay is not None])
        in_order = np.mean([delay.in_order for delay in found if delay is not None])
        return f"{own:>6.1f} {in_order:>5.0f}"


def tell(trace: Trace, groups: str, mux: int, every: int, start: int) -> None:
    """Print the lines of one trace, kind of groups and mux."""
    windows = list(trace.windows(mux, groups, SCORED, every=every, start=start))
    for rate in RATES:
        first = np.arange(WINDOW) // rate
        quick = Row.of(windows, first, "min-transfer")
        long = Row.of(windows, first, "column-generation")
        online = Row.of(windows, first, "online")
        bounds = [order.transfers_bound for order in long.orders]
        slots = [o.slots / o.slots_bound - 1 for o in online.orders]
        print(
            f"{mux:>3} {rate:>4} {len(windows):>3} {quick.met(bounds)} {quick.gap(bounds)}"
            f" {quick.delays()} {long.met(bounds)} {long.tighter():>7}  {long.gap(bounds)}"
            f" {long.delays()}"
            f" {long.most_s:>6.1f} {100 * np.mean(slots):>8.2f} {online.gap(bounds):>7}"
            f" {online.delays()}",
            flush=True,
        )


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(parser)
    parser.add_argument("--every", type=int, default=20, help="take every N-th window only")
    parser.add_argument("--start", type=int, default=0, help="number of the first window taken")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--muxes", type=int, nargs="+", choices=MUXES, default=list(MUXES))
    given = parser.parse_args(argv)
    if not 0 <= given.start < given.every:
        parser.error(f"--start {given.start}: expected 0 to {given.every - 1}, less than --every")
    paths = trace_files(given.traces)
    if not paths:
        parser.error(f"--traces {given.traces}: no NAME/routing.npz in it")
    for path in paths:
        trace = Trace(path.parent.name, load_routing(path), 1, (WINDOW,), dense=False)
        for groups in given.groups:
            print(
                f"\n{trace.name}, {groups} groups, every {given.every}th window{HEAD}", flush=True
            )
            for mux in given.muxes:
                tell(trace, groups, mux, given.every, given.start)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

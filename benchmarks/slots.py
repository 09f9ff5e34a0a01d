"""Slot scheduling on routing traces of real models: proofs, limits, the online policy, speed.

    python -m benchmarks.slots --traces DIR [--parts proofs paper limits online long] [--every 1]

Windows are those of 512 tokens, of all layers, unless a table says otherwise; `--every N` takes
every N-th. Groups are `sorted` by the load of the
first half of the sequences, or `cp-sat` fitted to its windows; windows come from the second half
(`proofs` of sorted groups: from the whole trace, since nothing is fitted to it). Times are process
time of one core.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from time import process_time

import numpy as np

from benchmarks.traces import add_traces, trace_files
from compiler.grouping import Calibration, group_layer
from compiler.options import GROUPING_SOLVERS, GroupingOptions, SolverOptions, one_of
from compiler.slots import order_slots
from ir.arrays import Ints
from ir.mapping import LayerGrouping
from ir.routing import Routing, select_sequences, windows
from ir.schedule import SlotOrder
from moexbar.files.routing_file import load_routing

MUXES = (2, 4)
WINDOW = 512
SMALL_EVERY = {32: 40, 64: 20, WINDOW: 6}  # size: every N-th, so that a table takes minutes
PROOF_S = {32: 2.0, 64: 2.0, WINDOW: 4.0}  # limit of a window, in deterministic seconds
SPLITS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
TRANSFER_COST = 0.1  # of one transfer in slots, for the online policy
WHOLE, FIT, SCORED = (0.0, 1.0), (0.0, 0.5), (0.5, 1.0)
SAMPLED = {FIT: 8, SCORED: 2}  # windows of the online policy


@dataclass(frozen=True)
class Trace:
    """One trace and how densely its windows are sampled.

    sizes: of windows in `proofs`; dense: every one of them there.
    """

    name: str
    routing: Routing
    every: int
    sizes: tuple[int, ...]
    dense: bool

    def windows(
        self,
        mux: int,
        solver: str,
        span: tuple[float, float],
        size: int = WINDOW,
        every: int = 1,
        start: int = 0,
    ) -> Iterator[Ints]:
        """Yield the counts [tokens, groups] of the windows of the sequences in `span`.

        Every `every`-th of them, the one of number `start`, less than `every`, first.
        """
        begin, stop = select_sequences(self.routing, span)
        number = 0
        for layer in range(self.routing.layers):
            counts = grouped(self.routing, layer, mux, solver).counts(self.routing.matrix(layer))
            for a, b in windows(stop - begin, size):
                if number % (every * self.every) == start:
                    yield counts[begin + a : begin + b]
                number += 1


@lru_cache(maxsize=4096)
def grouped(routing: Routing, layer: int, mux: int, solver: str) -> LayerGrouping:
    """Group one layer, fitted to the first half of the sequences."""
    _, half = select_sequences(routing, FIT)
    spans = windows(half, WINDOW) if solver == "cp-sat" else [(0, half)]
    fit, limits = Calibration(routing.matrix(layer), spans), SolverOptions(time_s=4.0)
    options = GroupingOptions(one_of("grouping", solver, GROUPING_SOLVERS, "solver"))
    return group_layer(fit, layer, mux, options, limits=limits)


@dataclass(frozen=True)
class Sum:
    """Sums over the orders of some windows."""

    number: int
    slots: int
    slots_bound: int
    transfers: int
    proven: int
    gap: float
    mean_s: float
    most_s: float

    @property
    def cost(self) -> float:
        """Slots + 0.1 x transfers."""
        return self.slots + TRANSFER_COST * self.transfers


def run(found: Iterator[Ints], order: Callable[[Ints], SlotOrder]) -> Sum:
    """Order every window."""
    orders, seconds = [], []
    for counts in found:
        begun = process_time()
        orders.append(order(counts))
        seconds.append(process_time() - begun)
    return Sum(
        len(orders),
        sum(o.slots for o in orders),
        sum(o.slots_bound for o in orders),
        sum(o.transfers for o in orders),
        sum(o.proven for o in orders),
        float(np.mean([1 - o.transfers_bound / max(1, o.transfers) for o in orders])),
        float(np.mean(seconds)),
        float(np.max(seconds)),
    )


def proofs(trace: Trace) -> None:
    """How many windows are proven optimal, and the mean gap to the bound, at L slots."""
    print("  groups  mux window windows policy              proven   mean gap  mean s   max s")
    for solver, span in (("sorted", WHOLE), ("cp-sat", SCORED)):
        for mux in MUXES:
            for size in trace.sizes:
                every = 1 if trace.dense else SMALL_EVERY[size]
                if solver == "cp-sat" and size != WINDOW:
                    continue
                for policy in ("min-transfer", "column-generation"):
                    found = run(
                        trace.windows(mux, solver, span, size, every),
                        partial(order_slots, policy=policy, time_s=PROOF_S[size]),
                    )
                    print(
                        f"  {solver:<7} {mux:>3} {size:>6} {found.number:>7} {policy:<18}"
                        f" {found.proven / found.number:>7.1%} {found.gap:>9.3%}"
                        f" {found.mean_s:>8.3f} {found.most_s:>7.2f}",
                        flush=True,
                    )


def paper(trace: Trace) -> None:
    """Slots and transfers per token of the baselines and of cp-sat groups with min-transfer."""
    print("  mux groups  policy        slots   transfers  (per token, second half)")
    pairs = [("sorted", p) for p in ("token-serial", "compact", "reschedule", "min-transfer")]
    for mux in MUXES:
        base: Sum | None = None
        for solver, policy in [*pairs, ("cp-sat", "min-transfer")]:
            found = run(trace.windows(mux, solver, SCORED), partial(order_slots, policy=policy))
            base = found if policy == "reschedule" else base
            tokens = found.number * WINDOW
            text = f"  {mux:>3} {solver:<7} {policy:<12} {found.slots / tokens:>6.4f}"
            text += f" {found.transfers / tokens:>10.4f}"
            if base is not None and base is not found:
                fewer = 1 - found.slots / base.slots, 1 - found.transfers / base.transfers
                text += f"   {fewer[0]:.1%} fewer slots, {fewer[1]:.1%} fewer transfers"
            print(text, flush=True)


def limits(trace: Trace) -> None:
    """min-transfer within B transfers a slot and W unfinished tokens, every 10th window."""
    print("  mux   B    W windows  slots over bound  at bound and proven  mean gap  mean s")
    for mux in MUXES:
        for bus, buffer in ((1, None), (2, None), (4, None), (None, 16), (None, 64), (2, 64)):
            found = run(
                trace.windows(mux, "sorted", SCORED, every=10),
                partial(order_slots, policy="min-transfer", bus=bus, buffer=buffer),
            )
            print(
                f"  {mux:>3} {bus or '-':>3} {buffer or '-':>4} {found.number:>7}"
                f" {found.slots / found.slots_bound - 1:>17.3%}"
                f" {found.proven / found.number:>20.1%} {found.gap:>9.3%} {found.mean_s:>7.3f}",
                flush=True,
            )


def online(trace: Trace) -> None:
    """The online policy: `split` chosen on the first half, cost over offline on both."""
    print("  mux    W split  over offline: first half  second half   slots  transfers  mean s")
    for mux in MUXES:
        offline = {
            span: run(
                trace.windows(mux, "sorted", span, every=every),
                partial(order_slots, policy="min-transfer"),
            )
            for span, every in SAMPLED.items()
        }
        for held in (64, 128):

            def over(span: tuple[float, float], split: float, w: int = held, m: int = mux) -> Sum:
                return run(
                    trace.windows(m, "sorted", span, every=SAMPLED[span]),
                    partial(order_slots, policy="online", buffer=w, split=split),
                )

            fitted = {split: over(FIT, split) for split in SPLITS}
            best = min(SPLITS, key=lambda split: fitted[split].cost)
            found = over(SCORED, best)
            tokens = found.number * WINDOW
            print(
                f"  {mux:>3} {held:>4} {best:>5} {fitted[best].cost / offline[FIT].cost - 1:>25.2%}"
                f" {found.cost / offline[SCORED].cost - 1:>12.2%} {found.slots / tokens:>7.4f}"
                f" {found.transfers / tokens:>10.4f} {found.mean_s:>7.3f}",
                flush=True,
            )


def long(trace: Trace) -> None:
    """Time of min-transfer against the window: about linear."""
    print("  mux window windows  ms per token  mean s   max s   proven  mean gap")
    for mux in MUXES:
        for size in (512, 1024, 2048, 4096, 8192):
            found = run(
                trace.windows(mux, "sorted", WHOLE, size, every=max(1, 4096 // size)),
                partial(order_slots, policy="min-transfer"),
            )
            print(
                f"  {mux:>3} {size:>6} {found.number:>7} {1e3 * found.mean_s / size:>13.4f}"
                f" {found.mean_s:>7.3f} {found.most_s:>7.3f} {found.proven / found.number:>8.1%}"
                f" {found.gap:>9.3%}",
                flush=True,
            )


PARTS = {"proofs": proofs, "paper": paper, "limits": limits, "online": online, "long": long}


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(parser)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--every", type=int, default=1, help="take every N-th window only")
    parser.add_argument("--sizes", type=int, nargs="+", choices=SMALL_EVERY, default=SMALL_EVERY)
    parser.add_argument("--dense", action="store_true", help="proofs: every window")
    given = parser.parse_args(argv)
    paths = trace_files(given.traces)
    if not paths:
        parser.error(f"--traces {given.traces}: no NAME/routing.npz in it")
    for part in given.parts:
        print(f"\n{part}: {(PARTS[part].__doc__ or '').strip()}")
        for path in paths:
            trace = Trace(
                path.parent.name, load_routing(path), given.every, tuple(given.sizes), given.dense
            )
            print(f"\n{trace.name}", flush=True)
            PARTS[part](trace)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A mux for each layer against one for all, on the routing trace of gpt-oss-20b.

    python -m benchmarks.mux_by_layer --traces DIR [--muxes 2 4 8]

The peripheral groups that one mux for all layers takes are the budget. Layers then have groups of
the sizes that make the busiest group of all least busy: of every layer and size the slots of its
busiest group are known, in the mean over windows of the fitted half of the sequences, and the least
that the budget allows is found exactly, as each layer has a size of its own once it is given. What
is left of the budget goes to the busiest layers. Fitted to either half of the sequences and scored
on the first 512 tokens of the other: a prefill of 512 tokens, whole sequences end to end, compiled
with all checks, groups sorted, placed by cp-sat (`benchmarks.stacks` has the model and the chip).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.stacks import GPT_OSS, LENGTH, PLAIN, SIZES, packed
from benchmarks.traces import add_traces, trace_file
from compiler.grouping import Calibration, group_layer
from compiler.options import GroupingOptions, PlacementOptions
from ir.arrays import Ints
from ir.routing import Routing, windows
from moexbar.chips import load_chip
from moexbar.compilation import compile
from moexbar.files.routing_file import load_routing

EVERY_SIZE = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    11,
    16,
)  # of 32 experts: 32, 16, 11, 8, 7, 6, 5, 4, 3, 2 groups


def busiest(routing: Routing, fit: int) -> dict[tuple[int, int], float]:
    """{(layer, size): slots of the busiest group, in the mean over the fitted windows}."""
    spans = windows(fit, LENGTH)
    found = {}
    for row, layer in enumerate(routing.layer.tolist()):
        chosen = routing.matrix(row)
        for size in EVERY_SIZE:
            fitted = Calibration(chosen[:fit], [(0, fit)])
            groups = group_layer(fitted, layer, size, GroupingOptions("sorted"))
            counts = groups.counts(chosen)
            slots = [counts[a:b].sum(axis=0).max() for a, b in spans]
            found[layer, size] = float(np.mean(slots))
    return found


def chosen_sizes(
    slots: dict[tuple[int, int], float], layers: Sequence[int], experts: int, budget: int
) -> dict[int, int]:
    """{layer: size of its groups}: at most `budget` groups, the busiest of which is least busy."""

    def with_at_most(limit: float) -> dict[int, int] | None:
        sizes = {n: [s for s in EVERY_SIZE if slots[n, s] <= limit] for n in layers}
        return {n: max(some) for n, some in sizes.items()} if all(sizes.values()) else None

    best: dict[int, int] = {}
    for limit in sorted(set(slots.values())):
        sizes = with_at_most(limit)
        if sizes is not None and groups_of(sizes, experts) <= budget:
            best = sizes
            break
    return _spent(best, slots, experts, budget)


def _spent(
    sizes: dict[int, int], slots: dict[tuple[int, int], float], experts: int, budget: int
) -> dict[int, int]:
    """What is left of the budget goes to the busiest layers that it is enough for."""
    while True:
        for layer in sorted(sizes, key=lambda n: -slots[n, sizes[n]]):
            smaller = [s for s in EVERY_SIZE if s < sizes[layer]]
            if smaller and groups_of(sizes | {layer: max(smaller)}, experts) <= budget:
                sizes = sizes | {layer: max(smaller)}
                break
        else:
            return sizes


def groups_of(sizes: dict[int, int], experts: int) -> int:
    """Groups of all layers."""
    return sum(-(-experts // size) for size in sizes.values())


def timed(config: Path, routing: Routing, mux: int, sizes: dict[int, int]) -> tuple[float, int]:
    """Time of the prefill in us, and peripheral groups in all."""
    most = max([mux, *sizes.values()])
    chip = load_chip("hermes-mux2", SIZES | {"pg.mux": mux, "pg.stack_limit": most})
    grouping = GroupingOptions("sorted", sizes=tuple(sorted(sizes.items())))
    plain = PLAIN | {"grouping": grouping, "placement": PlacementOptions("cp-sat")}
    done = compile(config, chip, routing=routing, prefill=LENGTH, **plain)
    return done.program.makespan_ps / 1e6, done.compiled.mapping.placement.pgs


def compared(config: Path, routing: Routing, muxes: Sequence[int], direction: str) -> None:
    """The table of one direction."""
    half = len(routing.sequence) // 2
    slots = busiest(routing, half)
    layers, experts = routing.layer.tolist(), int(routing.num_experts[0])
    for mux in muxes:
        budget = len(layers) * -(-experts // mux)
        sizes = chosen_sizes(slots, layers, experts, budget)
        worst = [max(slots[n, s[n]] for n in layers) for s in (dict.fromkeys(layers, mux), sizes)]
        uniform = timed(config, routing, mux, {})
        own = timed(config, routing, mux, sizes)
        found = np.bincount(list(sizes.values()))
        told = ", ".join(f"{n} of {s}" for s, n in enumerate(found.tolist()) if n)
        print(
            f"{direction:<14} {mux:>4} {uniform[1]:>8,} {own[1]:>8,} {worst[0]:>7.1f} "
            f"{worst[1]:>7.1f} {uniform[0]:>8.2f} {own[0]:>8.2f} {own[0] / uniform[0] - 1:>+7.1%}  "
            f"{told}",
            flush=True,
        )


def turned(routing: Routing) -> Routing:
    """The trace with its halves changed over."""
    order: Ints = np.roll(np.arange(len(routing.sequence)), len(routing.sequence) // 2)
    assert routing.choices is not None
    return replace(routing, choices=routing.choices[:, order])


def main(argv: Sequence[str] | None = None) -> int:
    """Print both directions."""
    first, text = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first, epilog=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--muxes", type=int, nargs="+", default=(2, 4, 8))
    add_traces(parser)
    asked = parser.parse_args(argv)
    routing = packed(load_routing(trace_file(asked.traces, "gpt-oss-20b")))
    print(
        "fitted to       mux  PGs one PGs own  busiest group    us one   us own   change  "
        "layers of each size"
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(GPT_OSS), encoding="utf-8")
        compared(config, routing, asked.muxes, "first half")
        compared(config, turned(routing), asked.muxes, "second half")
    return 0


if __name__ == "__main__":
    sys.exit(main())

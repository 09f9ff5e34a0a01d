"""Time of one MoE layer in the emitted program under several slot orders and bus widths.

A decoder layer of gpt-oss-20b's size (d 2880, 32 experts of 2880, top-4, three matrices) with its
routing: windows of 512 tokens of the second half of the sequences, `lpt` groups fitted to the first
half.

    python -m benchmarks.slot_times --traces DIR [--trace gpt-oss-20b] [--chip hermes-mux4]
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from backends.cost import cost
from benchmarks.placement import llama_moe
from benchmarks.slots import WINDOW
from benchmarks.traces import add_traces, trace_file
from compiler.grouping import Calibration, group_layer
from compiler.options import GroupingOptions
from compiler.partition import partition
from compiler.pipeline import realise
from compiler.placement import place
from compiler.slots import order_slots
from compiler.slots.min_transfer import min_transfer_table
from ir.chip import Chip
from ir.mapping import Grouping, Mapping
from ir.routing import Routing
from ir.schedule import SlotOrder, assign_experts, prefill_schedule
from ir.workload import Workload
from moexbar.chips import load_chip
from moexbar.files.routing_file import load_routing

LAYERS, WINDOWS = (3, 12, 20), (0, 5)  # of the trace; of its second half


def orders(counts: np.ndarray, bus: int) -> Iterator[tuple[str, SlotOrder]]:
    """Slot orders of one window, by name."""
    yield "compact", order_slots(counts, "compact")
    yield "reschedule", order_slots(counts, "reschedule")
    even = order_slots(counts, "min-transfer")
    yield "min-transfer as filled", replace(even, table=min_transfer_table(counts)[0])
    yield "min-transfer", even
    yield f"min-transfer, B {bus}", order_slots(counts, "min-transfer", bus=bus)
    yield f"min-transfer, B {bus + 1}", order_slots(counts, "min-transfer", bus=bus + 1)
    yield "min-transfer, W 64", order_slots(counts, "min-transfer", buffer=64)
    yield "online, W 64", order_slots(counts, "online")


def measure(routing: Routing, workload: Workload, chip: Chip, bus: int) -> dict[str, np.ndarray]:
    """Mean slots, transfers, transfers with kept inputs and MoE time (us) by order."""
    found: dict[str, list[tuple[float, ...]]] = {}
    blocks = partition(workload, chip)
    for row in LAYERS:
        chosen = routing.matrix(row)
        half = len(chosen) // 2 // WINDOW * WINDOW
        fit = Calibration(chosen[:half], [(0, half)])
        layer = group_layer(fit, 0, chip.pg.mux, GroupingOptions("lpt"))
        grouping = Grouping((layer,))
        mapping = Mapping(blocks, grouping, place(blocks, grouping, chip))
        for number in WINDOWS:
            start = half + number * WINDOW
            window = chosen[start : start + WINDOW]
            for name, order in orders(layer.counts(window), bus):
                pairs = assign_experts(order, layer, window)
                schedule = prefill_schedule(np.zeros(WINDOW, dtype=np.int64), (pairs,))
                done = realise(workload, chip, mapping, schedule, {0: window})
                spent = cost(done.program, chip)
                figures = (order.slots, order.transfers, order.transfers_retained)
                found.setdefault(name, []).append((*figures, spent.moe_time_ps / 1e6))
    return {name: np.mean(rows, axis=0) for name, rows in found.items()}


def main(argv: list[str] | None = None) -> int:
    """Print a table for every bus width."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(parser)
    parser.add_argument("--trace", default="gpt-oss-20b")
    parser.add_argument("--chip", default="hermes-mux4")
    given = parser.parse_args(argv)
    routing = load_routing(trace_file(given.traces, given.trace))
    workload = llama_moe(layers=1, d=2880, f=2880, experts=int(routing.num_experts[0]))
    for bus in (1, 2, 4):
        chip = load_chip(given.chip, {"bus.transfers_per_slot": str(bus)})
        print(f"\n{chip.name}, bus of {bus}: means over {len(LAYERS) * len(WINDOWS)} windows")
        print(f"{'order':<24}{'slots':>8}{'transfers':>11}{'kept away':>11}{'MoE us':>9}")
        for name, (slots, sent, loads, spent) in measure(routing, workload, chip, bus).items():
            print(
                f"{name:<24}{slots:>8.1f}{sent:>11.1f}{sent - loads:>11.1f}{spent:>9.1f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

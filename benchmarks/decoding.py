"""Decode steps: time a step, tokens a second and what binds, by batch and where keys are kept.

A step is the time in which every sequence goes on by a token (`backends.pace`); its bound is
the longer of the chain of one sequence's step and the unit that works most. One mapping serves all
rows. By default sizes are fixed and there is one slot order, so that large models take minutes.

    python -m benchmarks.decoding MODEL (--inputs NPZ | --routing TRACE) [--batch 1 8 32]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from backends.pace import pace
from compiler.options import GroupingOptions, Options, Shape, SlotOptions, SolverOptions
from compiler.pipeline import map_model, run_mapping
from ir.chip import Chip
from ir.routing import Routing, token_spans
from moexbar.chips import load_chip
from moexbar.files.traces.reading import Reading
from moexbar.given import Given, routed
from moexbar.model import open_model
from moexbar.progress import Quiet

SIZES = {"bus.transfers_per_slot": "8", "pg.input_buffers": "4", "bus.return_lanes": "8"}
KEPT = ("buffers", "lpddr4", "lpddr5", "hbm2", "hbm3")


def chip_for(name: str, kept: str, *, auto: bool) -> Chip:
    """The chip with keys and values where `kept` says."""
    memory = {"memory.kv": kept} if kept == "buffers" else {"memory.dram": kept}
    return load_chip(name, memory | ({} if auto else SIZES))


def cut(trace: Routing, length: int, wanted: int) -> Routing:
    """The trace; where it has too few sequences for `wanted`, with pieces of those in place."""
    ids, count = np.unique(trace.sequence, return_counts=True)
    if len(ids) // 2 >= wanted:
        return trace
    pieces = int(count.min()) // length
    place = np.arange(len(trace.sequence)) - np.repeat(np.cumsum(count) - count, count)
    return replace(
        trace, sequence=trace.sequence * pieces + np.minimum(place // length, pieces - 1)
    )


def rows(given: argparse.Namespace) -> None:
    """Print a row for each place of keys and each batch."""
    model = open_model(given.model)
    shape = Shape(given.prefill, 1, given.decode)
    workload = model.workload(tokens=shape.tokens, batch=1, decodes=True)
    source = Given(given.routing, Reading(), given.inputs, 0, trust_traced=False)
    workload, trace = routed(model, workload, shape, source, Quiet())
    trace = cut(trace, shape.length, max(given.batch))
    grouping = GroupingOptions(given.grouping)
    limits = SolverOptions(time_s=1.0)
    mapping = None
    for kept in given.kv:
        chip = chip_for(given.chip, kept, auto=given.auto)
        for batch in given.batch:
            asked = replace(shape, batch=batch)
            spans = token_spans(trace, (0.0, 0.5), (0.5, 1.0), batch * asked.length)
            slots = SlotOptions(policy="auto" if given.auto else given.slots)
            options = Options(asked, *spans, grouping, slots=slots, limits=limits)
            mapping = mapping or map_model(workload, trace, chip, options)
            done = run_mapping(workload, trace, mapping, chip, options)
            found = pace(done.program)
            if found is None:
                raise SystemExit("the model does not choose tokens")
            ratio = found.step_ps / found.bound_ps
            buffers = sum(buffer.bytes for buffer in done.program.buffers)
            print(
                f"{kept:<9}{batch:>5}{len(done.program):>10}{found.step_ps / 1e6:>10.2f}"
                f"{found.tokens_per_s:>12,.0f}{found.path_ps / 1e6:>10.2f}"
                f"{found.busiest_ps / 1e6:>10.2f}{ratio:>8.2f}{buffers / 1024:>13,.0f}"
                f"  {found.binds} ({found.busiest})",
                flush=True,
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--routing", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--kv", nargs="+", default=["buffers", "hbm3", "lpddr4"], choices=KEPT)
    parser.add_argument("--prefill", type=int, default=16)
    parser.add_argument("--decode", type=int, default=8)
    parser.add_argument("--chip", default="hermes-mux2")
    parser.add_argument("--grouping", default="sorted")
    parser.add_argument("--slots", default="token-order")
    parser.add_argument("--auto", action="store_true", help="choose sizes and slot orders")
    given = parser.parse_args(argv)
    print(f"{given.model.stem} on {given.chip}: {given.prefill} tokens, then {given.decode} steps")
    print(
        f"{'keys in':<9}{'batch':>5}{'instr':>10}{'step us':>10}{'tokens/s':>12}"
        f"{'chain us':>10}{'unit us':>10}{'ratio':>8}{'buffers KiB':>13}"
        "  what binds (busiest unit)"
    )
    rows(given)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Area efficiency of the MoE part and GOPS/W/mm2 of whole runs, under the four methods.

    python -m benchmarks.efficiency --traces DIR [--layers N] [--every N] [--parts traces ...]

traces: by slots and transfers (`moexbar/efficiency/layer.py`), on routing traces of real models in
their published shapes: every `--every`-th window of 512 tokens of `--layers` layers; groups are
fitted to one half of the sequences and scored on the other, both ways; the figure is the mean over
layers and ways. Per method: GOPS/mm2 where 80 / 65 / 50 per cent of a core are peripherals, and how
many times those of (i). programs: the same windows' time in emitted programs of one MoE layer.
shipped: whole programs of the two shipped models, which needs no --traces.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np

from backends.cost import CostReport, area_band, cost
from benchmarks.efficiency_programs import NUMERALS, in_programs, programs_table
from benchmarks.grouping import DIRECTIONS
from benchmarks.moe_shapes import SIZES, moe_layers, spread
from benchmarks.traces import add_traces, trace_file
from compiler.baselines import main_methods
from compiler.frontend import read_model
from compiler.options import Options, Shape, SolverOptions
from compiler.pipeline import compile_model
from compiler.profiling.profile import load_inputs, profile
from ir.routing import Routing, select_sequences
from moexbar.chips import load_chip
from moexbar.efficiency.methods import MUXES, PUBLISHED, SHARES, Counted, count_methods, judge
from moexbar.files.routing_file import load_routing

MODELS = Path(__file__).parents[1] / "examples" / "models"
WINDOW, SHIPPED = 512, 128  # tokens
BUSES = (1, 2, 4, None)


def asked(routing: Routing, way: str, seconds: float) -> Options:
    """Fit to one half of the sequences, score the other."""
    fit, score = (select_sequences(routing, half) for half in DIRECTIONS[way])
    return Options(Shape(WINDOW), fit, score, limits=SolverOptions(time_s=seconds))


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


# -- by slots and transfers ----------------------------------------------------------------------
def by_counts(name: str, routing: Routing, args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per method and mux: GOPS/mm2 [way][bus][share] and slots, transfers per token."""
    workload = moe_layers(name, spread(routing.layers, args.layers or routing.layers))
    found: dict[tuple[int, int], list[Counted]] = {}
    for way in DIRECTIONS:
        options = asked(routing, way, args.time)
        for mux in MUXES:
            begun, chip = perf_counter(), load_chip("hermes", {"pg.mux": str(mux)})
            many = count_methods(
                workload, routing, chip, options, shared_only=mux > 1, every=args.every
            )
            for number, one in zip(range(4 - len(many), 4), many, strict=True):
                found.setdefault((number, mux), []).append(one)
            say(f"{name}, {way}, mux {mux}: {perf_counter() - begun:.0f} s")
    return [
        {
            "trace": name,
            "method": NUMERALS[number],
            "name": ways[0].method.name,
            "mux": mux,
            "layers": len(ways[0].layers),
            "windows": sum(len(rows.slots) for one in ways for _, rows in one.layers),
            "slots_per_token": _per_token(ways, "slots"),
            "transfers_per_token": _per_token(ways, "transfers"),
            "gops_per_mm2": [
                [[judge(one, bus, share) for share in SHARES] for bus in BUSES] for one in ways
            ],
        }
        for (number, mux), ways in sorted(found.items())
    ]


def _per_token(ways: list[Counted], field: str) -> float:
    layers = [rows for one in ways for _, rows in one.layers]
    return sum(int(getattr(r, field).sum()) for r in layers) / sum(
        int(r.tokens.sum()) for r in layers
    )


def counts_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Both tables of one trace, means of the two ways."""
    mean = [np.mean(row["gops_per_mm2"], axis=0) for row in rows]
    shares = " / ".join(str(share) for share in SHARES)
    heads = "".join(f"{'B ' + str(b) if b else 'no limit':>16}" for b in BUSES)
    for title, values, digits in (
        (f"GOPS/mm2 at {shares} per cent peripherals", mean, 0),
        (f"times (i), published: up to {PUBLISHED}", [m / mean[0] for m in mean], 2),
    ):
        first = rows[0]
        yield f"{first['trace']}, {first['layers']} layers, {first['windows']} windows: {title}"
        yield f"{'method':<8}{'mux':>4}{'slots':>8}{'transfers':>11}{heads}"
        for row, value in zip(rows, values, strict=True):
            cells = "".join(f"{'/'.join(f'{v:.{digits}f}' for v in cell):>16}" for cell in value)
            yield (
                f"{row['method']:<8}{row['mux']:>4}{row['slots_per_token']:>8.3f}"
                f"{row['transfers_per_token']:>11.3f}{cells}"
            )
        yield ""


# -- whole programs of the shipped models --------------------------------------------------------
def shipped(name: str) -> list[dict[str, Any]]:
    """Both figures of whole programs: one prefill, groups fitted to the first half."""
    path = MODELS / f"{name}.onnx"
    workload = read_model(path)
    routing = profile(path, workload, load_inputs(MODELS / "heldout.npz"), tokens=SHIPPED)
    fit, score = (select_sequences(routing, half) for half in DIRECTIONS["forward"])
    rows = []
    for mux in MUXES:
        chip = load_chip("hermes", {"pg.mux": str(mux)})
        many = main_methods(chip, Options(Shape(SHIPPED), fit, score))
        for number, method in list(enumerate(many))[2 if mux > 1 else 0 :]:
            done = compile_model(workload, routing, method.chip, method.options)
            ends = area_band(done.program, done.chip) or ()
            figures = [cost(done.program, c) for c in (*ends, done.chip)]
            rows.append(
                {
                    "model": name,
                    "method": NUMERALS[number],
                    "mux": mux,
                    "time_us": done.program.makespan_ps / 1e6,
                    "moe_gops_per_mm2": [_of_layers(f) for f in figures],
                    "gops_per_w_mm2": [f.gops_per_w_mm2 for f in figures],
                }
            )
        say(f"{name}, mux {mux}")
    return rows


def _of_layers(figures: CostReport) -> float:
    """Mean of the layers' own figures; the report's has all layers' area below each one's work."""
    own = figures.moe_area.total_um2 / 1e6 / len(figures.moe)
    return fmean(2 * part.macs / part.time_ps * 1000 / own for part in figures.moe)


def shipped_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One line per method and mux: the preset's split of a core, 80 %, and its band's end, 50 %."""
    title = "whole programs, each its own bus, 80 / 50 per cent"
    yield f"{rows[0]['model']}: prefill of {SHIPPED} tokens, {title}"
    yield f"{'method':<8}{'mux':>4}{'time us':>10}{'MoE GOPS/mm2':>16}{'GOPS/W/mm2':>16}"
    for row in rows:
        moe, whole = row["moe_gops_per_mm2"], row["gops_per_w_mm2"]
        yield (
            f"{row['method']:<8}{row['mux']:>4}{row['time_us']:>10.1f}"
            f"{f'{moe[-1]:.0f} / {moe[0]:.0f}':>16}{f'{whole[-1]:.1f} / {whole[0]:.1f}':>16}"
        )
    yield ""


def main(argv: list[str] | None = None) -> int:
    """Print every part's tables, or all rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(parser, required=False)
    parser.add_argument("--trace", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--layers", type=int, help="so many, spread over the model; default all")
    parser.add_argument("--every", type=int, default=1, help="every N-th window of a layer")
    parser.add_argument("--time", type=float, default=1.0, help="deterministic s a layer, grouping")
    parts = ("traces", "programs", "shipped")
    parser.add_argument("--parts", nargs="+", default=list(parts), choices=parts)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if args.traces is None and args.parts != ["shipped"]:
        parser.error("--traces DIR is needed for all but --parts shipped")
    rows: list[dict[str, Any]] = []
    for part, name in [(p, n) for p in args.parts for n in _names(p, args)]:
        if part == "shipped":
            found, lines = shipped(name), shipped_table
        else:
            routing = load_routing(trace_file(args.traces, name))
            if part == "traces":
                found, lines = by_counts(name, routing, args), counts_table
            else:
                ways = [asked(routing, way, args.time) for way in DIRECTIONS]
                found, lines = in_programs(name, routing, ways, say), programs_table
        rows += found
        for line in [] if args.json else lines(found):
            print(line, flush=True)
    if args.json:
        print(json.dumps(rows))
    return 0


def _names(part: str, args: argparse.Namespace) -> list[str]:
    """Models or traces of a part; a trace that is not there is named and left out."""
    if part == "shipped":
        return ["token_choice", "expert_choice"]
    there = [n for n in args.trace if trace_file(args.traces, n).is_file()]
    for name in sorted(set(args.trace) - set(there)):
        say(f"no trace at {args.traces / name}: {part} of {name} left out")
    return there


if __name__ == "__main__":
    raise SystemExit(main())

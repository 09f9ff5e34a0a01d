"""Area efficiency of MoE layers on routing traces: what sharing and ordering gain, and where.

    python -m benchmarks.efficiency --traces DIR --model gpt-oss-20b --mux 4 [--layers 4] ...

One MoE layer in its published shape, on the preset `hermes` with `--mux` crossbars behind a
peripheral group and without sharing: groups (none, the paper's, ours) x slot orders (token by
token; the paper's; ours: of four the one by which the programs are shortest, as `compile` chooses).
Every method has the digital units, bus, input buffers and return link that are best for it. Groups
are fitted to one half of the sequences and judged on the other, both ways. Time is that of emitted,
verified programs of sampled windows of 512 tokens; slots alone are counted on all windows of all
layers, all tokens being there. Tokens come one in each MVM time, from the
out-projection of the attention before the layer (`fed`), or are all there `at once`.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

from benchmarks.efficiency_bands import banded
from benchmarks.efficiency_programs import FEEDS, Emitted, Feed, Sample, emitted, group_all
from benchmarks.efficiency_tables import (
    Found,
    band_lines,
    break_even_lines,
    gains_table,
    head,
    methods_table,
    orders_table,
)
from benchmarks.grouping import DIRECTIONS
from benchmarks.moe_shapes import SIZES, spread
from benchmarks.traces import add_traces, trace_file
from compiler.baselines import EVERY, Pair
from compiler.options import Options, Shape, SolverOptions
from ir.routing import Routing, select_sequences
from moexbar.bands.ranges import Draws
from moexbar.chips import load_chip
from moexbar.files.routing_file import load_routing
from moexbar.progress import Quiet

WINDOW = 512  # tokens

Say = Callable[[str], None]


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def measure(
    name: str, routing: Routing, mux: int, sample: Sample, seconds: float, report: Say = say
) -> dict[Feed, tuple[Mapping[Pair, Emitted], ...]]:
    """The programs of every method, both ways, by how the tokens come."""
    chip, ways = load_chip("hermes", {"pg.mux": str(mux)}), []
    for way, halves in DIRECTIONS.items():
        begun = perf_counter()
        fit, score = (select_sequences(routing, half) for half in halves)
        limits = SolverOptions(time_s=seconds)
        options = Options(Shape(sample.tokens), fit, score, limits=limits)
        ways.append(group_all(name, routing, chip, options, EVERY))
        report(f"{way}: grouped and counted, {perf_counter() - begun:.0f} s")
    found: dict[Feed, tuple[Mapping[Pair, Emitted], ...]] = {}
    for feed in FEEDS:
        begun = perf_counter()
        every = {
            both[0].method.pair: emitted(name, routing, both, sample, feed)
            for both in zip(*ways, strict=True)
        }
        found[feed] = tuple(
            {pair: both[n] for pair, both in every.items()} for n in range(len(ways))
        )
        report(f"{feed}: programs, {perf_counter() - begun:.0f} s")
    return found


def main(argv: list[str] | None = None) -> int:
    """Print the tables of one model and mux."""
    args = _arguments(argv)
    path: Path = trace_file(args.traces, args.model)
    if not path.is_file():
        say(f"no trace at {path}")
        return 2
    routing = load_routing(path)
    sample = Sample(tuple(spread(routing.layers, args.layers)), WINDOW)
    measured = measure(args.model, routing, args.mux, sample, args.time)
    for line in head(args.model, args.mux, measured[FEEDS[0]], sample):
        print(line)
    for feed, ways in measured.items():
        found, draws = Found(feed, ways), Draws(args.draws, args.seed)
        for lines in (methods_table(found), orders_table(found)):
            print("\n".join(lines), flush=True)
        begun = perf_counter()
        bands = banded(ways, args.banded, routing, draws, Quiet())
        say(f"{feed}: bands, {perf_counter() - begun:.0f} s")
        for lines in (gains_table(found, bands), band_lines(bands), break_even_lines(found)):
            print("\n".join(lines), flush=True)
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    """What is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(parser)
    parser.add_argument("--model", required=True, choices=list(SIZES))
    parser.add_argument("--mux", type=int, default=2, help="crossbars behind a peripheral group")
    parser.add_argument("--layers", type=int, default=2, help="of programs, spread over the model")
    parser.add_argument(
        "--sized", type=int, default=2, help="of these, sizes are chosen by so many"
    )
    parser.add_argument("--time", type=float, default=0.5, help="deterministic s a layer, grouping")
    parser.add_argument("--banded", type=int, default=1, help="windows for the ranges")
    parser.add_argument("--draws", type=int, default=8, help="of all assumed numbers together")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())

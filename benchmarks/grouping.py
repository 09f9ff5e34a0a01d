"""Groupings on routing traces of real models: slots of unseen tokens against two baselines.

Each grouping is fitted to one half of a trace's sequences and scored on the other: forward (fit the
first half) and backward. Scored on aligned windows and on windows 64 tokens apart, summed over all
layers; the area is that of one tile position (peripheral groups and crossbars) of the chip given.
`sorted` is the paper's grouping, `lpt` the greedy one, both for the equal groups of the chip's mux.
With --within-domains a half is that half of the sequences of every domain of the trace: plain
halves of a trace sorted by domain are of different domains.

    python -m benchmarks.grouping --traces DIR [--trace gpt-oss-20b] [--case mux4 8x5+3 ...]
                                  [--time 5] [--within-domains]
"""

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.traces import add_traces, trace_file
from compiler.grouping import Calibration, calibration, group_layer, window_slots
from compiler.options import GROUPING_SOLVERS, GroupingOptions, GroupingSolver, SolverOptions
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.routing import Routing, select_sequences, windows
from moexbar.chips import load_chip
from moexbar.efficiency.tile_area import tile_area_um2
from moexbar.files.routing_file import load_routing

BASELINES: tuple[GroupingSolver, ...] = ("sorted", "lpt")
STRIDE = 64  # of the overlapping windows scored on
DIRECTIONS = {"forward": ((0.0, 0.5), (0.5, 1.0)), "backward": ((0.5, 1.0), (0.0, 0.5))}


@dataclass(frozen=True)
class Case:
    """Groups to make; the baselines have experts / mux equal groups of `mux`."""

    name: str
    mux: int
    groups: int | None
    size: int
    replicas: int


@dataclass(frozen=True)
class Setting:
    """What all layers of one table are run with."""

    case: Case
    direction: str
    solver: GroupingSolver
    window: int
    within_domains: bool
    options: SolverOptions


@dataclass(frozen=True)
class Row:
    """One grouping of one layer: mean slots of the windows scored on, area, certificate."""

    aligned: float
    overlapping: float
    area: int
    value: int
    bound: int
    proven: bool
    seconds: float


def parse_case(text: str) -> Case:
    """`mux4`, or `8x5+3`: 8 groups of up to 5 with 3 replicas, against equal groups of 4."""
    if text.startswith("mux"):
        mux = int(text[3:])
        return Case(text, mux, None, mux, 0)
    shape, _, replicas = text.partition("+")
    groups, size = (int(n) for n in shape.split("x"))
    return Case(text, 4, groups, size, int(replicas or 0))


def half(routing: Routing, fractions: tuple[float, float], *, within_domains: bool) -> np.ndarray:
    """Tokens of the sequences between two fractions of the trace, or of each of its domains."""
    if not within_domains:
        return np.arange(*select_sequences(routing, fractions))
    if routing.domain is None:
        raise InputError(routing.source, "no domains, expected some for --within-domains")
    parts = []
    for domain in np.unique(routing.domain):
        here = np.unique(routing.sequence[routing.domain == domain])
        low, high = (int(fraction * len(here)) for fraction in fractions)
        parts.append(np.flatnonzero(np.isin(routing.sequence, here[low:high])))
    return np.concatenate(parts)


def run_layer(routing: Routing, setting: Setting, row: int) -> dict[str, Row]:
    """Fit layer `row` by the solver and the baselines and score them on the other half."""
    case, chosen = setting.case, routing.matrix(row)
    fit, score = (
        half(routing, fractions, within_domains=setting.within_domains)
        for fractions in DIRECTIONS[setting.direction]
    )
    seen, unseen = chosen[fit], chosen[score]
    begun = time.perf_counter()
    sample = calibration(seen, routing.sequence[fit], setting.window)
    found = {
        setting.solver: group_layer(
            sample,
            row,
            case.size,
            GroupingOptions(setting.solver, groups=case.groups, replicas=case.replicas),
            limits=setting.options,
        )
    }
    seconds = time.perf_counter() - begun
    aligned = windows(len(seen), setting.window)
    for solver in BASELINES:
        found[solver] = group_layer(
            Calibration(seen, aligned), row, case.mux, GroupingOptions(solver)
        )
    chip = load_chip("hermes", {"pg.mux": str(case.mux)})
    return {name: _row(g, unseen, setting, chip, seconds) for name, g in found.items()}


def _row(
    found: LayerGrouping, unseen: np.ndarray, setting: Setting, chip: Chip, seconds: float
) -> Row:
    size = setting.window
    known = found.certificate
    columns = found.experts + found.replicas
    return Row(
        float(window_slots(found, unseen, windows(len(unseen), size)).mean()),
        float(window_slots(found, unseen, windows(len(unseen), size, STRIDE)).mean()),
        tile_area_um2(chip, len(found.groups), columns, chip.pg.mux) or 0,
        known.value,
        known.bound,
        known.proven,
        seconds,
    )


def line(setting: Setting, layers: list[dict[str, Row]], wall: float) -> str:
    """Ratios of means over all layers, as percentages below the baseline."""
    mine = [layer[setting.solver] for layer in layers]

    def below(field: str, baseline: str, with_area: bool = False) -> str:
        def total(rows: list[Row]) -> float:
            return sum(float(getattr(r, field)) * (r.area if with_area else 1) for r in rows)

        ratio = total(mine) / total([layer[baseline] for layer in layers])
        return f"{100 * (1 - ratio):8.2f}"

    columns = [
        below(field, baseline, with_area)
        for with_area in (False, True)
        for field in ("aligned", "overlapping")
        for baseline in ("sorted", "lpt")
    ]
    gap = 1 - sum(r.bound for r in mine) / sum(r.value for r in mine)
    proven = sum(r.proven for r in mine)
    return (
        f"{setting.case.name:<8}{setting.direction:<10}{''.join(columns)}{100 * gap:8.2f}"
        f"{proven:>5}/{len(mine)}{max(r.seconds for r in mine):7.1f}{wall:7.0f}"
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(parser)
    parser.add_argument("--trace", nargs="+", default=["gpt-oss-20b", "mixtral-8x7b"])
    parser.add_argument("--case", nargs="+", default=["mux2", "mux4", "mux8", "8x5+3", "9x4+3"])
    parser.add_argument("--solver", default="cp-sat", choices=GROUPING_SOLVERS)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--time", type=float, default=5.0, help="solver time units per layer")
    parser.add_argument(
        "--direction", nargs="+", choices=list(DIRECTIONS), default=list(DIRECTIONS)
    )
    parser.add_argument(
        "--within-domains", action="store_true", help="halves of every domain instead of the trace"
    )
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    args = parser.parse_args(argv)
    for text in _lines(args):
        print(text, flush=True)
    return 0


def _lines(args: argparse.Namespace) -> Iterator[str]:
    paths = [trace_file(args.traces, name) for name in args.trace]
    yield "per cent below the baseline on the unseen half (ratio of means over all layers)"
    yield (
        f"{'':<18}{'slots, aligned':>16}{'stride 64':>16}{'x area, aligned':>16}{'stride 64':>16}"
    )
    yield (
        f"{'groups':<8}{'':<10}{'  sorted     lpt' * 4}{'gap %':>8}{'proven':>8}{'max s':>7}"
        f"{'wall':>7}"
    )
    with ProcessPoolExecutor(args.processes) as pool:
        for path in paths:
            routing = load_routing(path)
            split = ", halves of each domain" if args.within_domains else ""
            yield f"{path.parent.name}: {routing.layers} layers, windows of {args.window}{split}"
            for case in map(parse_case, args.case):
                if case.mux >= int(routing.num_experts[0]) or (
                    case.groups and int(routing.num_experts[0]) != 32
                ):
                    continue
                for direction in args.direction:
                    options = SolverOptions(args.time)
                    setting = Setting(
                        case, direction, args.solver, args.window, args.within_domains, options
                    )
                    begun = time.perf_counter()
                    layers = list(
                        pool.map(partial(run_layer, routing, setting), range(routing.layers))
                    )
                    yield line(setting, layers, time.perf_counter() - begun)


if __name__ == "__main__":
    raise SystemExit(main())

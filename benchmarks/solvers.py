"""The same grouping problems through every solver: objective, bound, gap and time.

Instances: layers of routing traces of real models (fitted to the first half of the sequences,
scored on the second), and a made-up layer of 256 experts, top-8, with skewed and drifting heat, at
mux 8 on four windows of 512 tokens. The least a window can take is max(ceil(pairs / groups), pairs
of the hottest expert); "+least" says how far above its sum an answer is, and the line of the
instance how far above it the bound proves every grouping to be.

    python -m benchmarks.solvers --traces DIR [--time 10] [--mux 4] [--layers 0 8 16]
    python -m benchmarks.solvers --only synthetic
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.traces import add_traces, trace_files
from compiler.grouping import SOLVERS, Job, calibration, window_slots
from compiler.grouping.parallel import solve_jobs
from compiler.grouping.sample import Calibration
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.routing import select_sequences, windows
from moexbar.files.routing_file import load_routing

WINDOW = 512
SKEWS = (0.3, 0.45, 0.5, 0.8)  # hottest expert below, near and above the mean load of a group


@dataclass(frozen=True, eq=False)
class Instance:
    """A layer to group; unseen: [tokens, experts] to score on, empty where there is none."""

    name: str
    fit: Calibration
    mux: int
    unseen: np.ndarray


def synthetic(skew: float, seed: int = 0) -> Instance:
    """256 experts, top-8: heat falls as rank ** -skew, another mixture in each of four windows."""
    random = np.random.default_rng(seed)
    base = -skew * np.log1p(random.permutation(256))
    chosen = np.zeros((4 * WINDOW, 256), dtype=np.bool_)
    for w in range(4):
        heat = base + 0.6 * random.normal(size=256)
        noise = random.gumbel(size=(WINDOW, 256))
        picked = np.argsort(-(heat + noise), axis=1)[:, :8]
        chosen[np.arange(w * WINDOW, (w + 1) * WINDOW)[:, None], picked] = True
    fit = Calibration(chosen, windows(4 * WINDOW, WINDOW))
    return Instance(f"synthetic, 256 experts top-8, skew {skew}", fit, 8, chosen[:0])


def traced(path: Path, layers: Sequence[int], mux: int) -> Iterator[Instance]:
    """Layers of one trace."""
    routing = load_routing(path)
    seen, unseen = (select_sequences(routing, half) for half in ((0.0, 0.5), (0.5, 1.0)))
    for row in layers:
        if row >= routing.layers:
            continue
        chosen = routing.matrix(row)
        fit = calibration(chosen[slice(*seen)], routing.sequence[slice(*seen)], WINDOW)
        name = f"{path.parent.name} layer {int(routing.layer[row])}"
        yield Instance(name, fit, mux, chosen[slice(*unseen)])


def least_slots(instance: Instance) -> int:
    """Sum over windows of max(ceil(pairs / groups), pairs of the hottest expert)."""
    groups = -(-instance.fit.chosen.shape[1] // instance.mux)
    total = 0
    for start, stop in instance.fit.windows:
        load = instance.fit.chosen[start:stop].sum(axis=0)
        total += max(-(-int(load.sum()) // groups), int(load.max()))
    return total


def lines(
    instance: Instance, solvers: Sequence[GroupingSolver], options: SolverOptions, processes: int
) -> Iterator[str]:
    """One line per solver."""
    names = [name for name in solvers if name != "matching" or instance.mux == 2]
    jobs = [Job(0, instance.fit, instance.mux, GroupingOptions(name), options) for name in names]
    solved = [answer for answer in solve_jobs(jobs, processes).answers if answer is not None]
    best = max(answer.grouping.certificate.bound for answer in solved)
    least = least_slots(instance)
    unseen = windows(len(instance.unseen), WINDOW) if len(instance.unseen) else []
    yield (
        f"{instance.name}, mux {instance.mux}: {len(instance.fit.windows)} windows, "
        f"least {least}, best bound {best} (+{100 * (best / least - 1):.2f} %)"
    )
    for grouping in (answer.grouping for answer in solved):
        known = grouping.certificate
        score = str(int(window_slots(grouping, instance.unseen, unseen).sum())) if unseen else "-"
        gap, above = (known.value - best) / known.value, known.value / least - 1
        yield (
            f"  {grouping.solver:<16}{known.value:>9}{known.bound:>9}{100 * gap:>8.2f}"
            f"{100 * above:>9.2f}"
            f"{score:>9}{known.seconds:>8.1f}  {known.status}"
        )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_traces(parser, required=False)
    parser.add_argument("--time", type=float, default=10.0, help="limit per layer and solver")
    parser.add_argument("--mux", type=int, default=4, help="of the traces")
    parser.add_argument("--layers", type=int, nargs="*", default=[0, 8, 16], help="rows of traces")
    parser.add_argument("--only", choices=["synthetic", "traces"])
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS), choices=list(SOLVERS))
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args(argv)
    if args.traces is None and args.only != "synthetic":
        parser.error("--traces DIR is needed for all but --only synthetic")
    print(
        f"  {'solver':<16}{'fit':>9}{'bound':>9}{'gap %':>8}{'+least %':>9}{'unseen':>9}"
        f"{'s':>8}  status"
    )
    instances = [] if args.only == "traces" else [synthetic(skew) for skew in SKEWS]
    for path in trace_files(args.traces) if args.only != "synthetic" else []:
        instances += traced(path, args.layers, args.mux)
    for instance in instances:
        for text in lines(instance, args.solvers, SolverOptions(args.time), args.processes):
            print(text, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

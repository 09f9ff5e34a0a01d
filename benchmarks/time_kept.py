"""Whether every solver keeps the time asked for: solver x layer x T, to wall time, value and bound.

    python -m benchmarks.time_kept [--solvers local-search cp-sat] [--times 1 5] [--only 256]

Layers of the made-up routing of `benchmarks.solvers`, fitted to a few windows or to many that
overlap, with and without replicas; then slot orders and placements, which take the same limit.
1 if any takes more than 1.5 T + 2 s of a clock, so nothing else should run beside it.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.solvers import WINDOW, synthetic
from compiler.grouping import REPLICATING, SOLVERS, Job, solve_layer
from compiler.grouping.sample import Calibration
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from compiler.slots import order_slots
from ir.routing import windows
from moexbar.console import out, table

SKEW = 0.5
TIMES = (1.0, 5.0)
POLICIES = ("min-transfer", "column-generation", "cp-sat")


@dataclass(frozen=True)
class Shape:
    """A layer's experts and groups; stride: tokens between the windows fitted to."""

    experts: int
    groups: int
    size: int
    replicas: int
    stride: int = WINDOW

    def __str__(self) -> str:
        copies = f"+{self.replicas}" if self.replicas else ""
        return f"{self.experts}{copies} in {self.groups} x {self.size}, stride {self.stride}"


SHAPES = (
    Shape(256, 128, 2, 0),
    Shape(256, 32, 8, 0),
    Shape(256, 32, 8, 0, 64),
    Shape(256, 32, 9, 8),
    Shape(256, 32, 9, 32),
    Shape(256, 32, 9, 32, 64),
    Shape(256, 32, 10, 64),
    Shape(256, 32, 10, 64, 64),
    Shape(64, 16, 4, 0, 64),
    Shape(64, 16, 5, 8, 64),
)


@dataclass(frozen=True)
class Row:
    """What a solve took."""

    solver: str
    what: str
    time_s: float
    wall_s: float
    value: int
    bound: int
    deterministic: bool

    @property
    def late(self) -> bool:
        """Whether it took more than is promised."""
        return self.wall_s > 1.5 * self.time_s + 2


def chosen(experts: int) -> np.ndarray:
    """The pairs of the first so many experts of a made-up layer: bool [tokens, experts]."""
    whole = synthetic(SKEW).fit.chosen
    return whole[:, :experts]


def grouped(solver: GroupingSolver, shape: Shape, time_s: float) -> Row:
    """One layer by one solver."""
    picked = chosen(shape.experts)
    fit = Calibration(picked, windows(len(picked), WINDOW, shape.stride))
    asked = GroupingOptions(solver, shape.groups, replicas=shape.replicas)
    begun = time.perf_counter()
    answer = solve_layer(Job(0, fit, shape.size, asked, SolverOptions(time_s=time_s)))
    wall_s, known = time.perf_counter() - begun, answer.grouping.certificate
    return Row(solver, str(shape), time_s, wall_s, known.value, known.bound, known.deterministic)


def ordered(policy: str, groups: int, time_s: float) -> Row:
    """One window of 256 experts by one policy: transfers and their bound."""
    counts = chosen(256)[:WINDOW].reshape(WINDOW, groups, -1).sum(axis=2)
    begun = time.perf_counter()
    order = order_slots(counts, policy, time_s=time_s)
    wall_s = time.perf_counter() - begun
    found = order.transfers, order.transfers_bound, order.deterministic
    return Row(policy, f"window in {groups} groups", time_s, wall_s, *found)


def rows(args: argparse.Namespace) -> Iterator[Row]:
    """Every solver on every layer that it can group, then every policy."""
    for shape in (shape for shape in SHAPES if args.only in str(shape)):
        able = REPLICATING if shape.replicas else tuple(SOLVERS)
        for solver in (
            s for s in able if s in args.solvers and (s != "matching" or shape.size == 2)
        ):
            for time_s in args.times:
                yield grouped(solver, shape, time_s)
    for policy in (policy for policy in POLICIES if policy in args.solvers):
        for groups in (groups for groups in (8, 32, 128) if args.only in f"{groups} groups"):
            for time_s in args.times:
                yield ordered(policy, groups, time_s)


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 if something was late."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(dict.fromkeys((*SOLVERS, *POLICIES)))
    parser.add_argument("--solvers", nargs="+", default=names, choices=names)
    parser.add_argument("--times", nargs="+", type=float, default=list(TIMES), metavar="T")
    parser.add_argument("--only", default="", help="layers with this in their name")
    args = parser.parse_args(argv)
    shown = table("solver", "what", "T", "wall s", "value", "bound", "repeats", "", left=2)
    late = 0
    for row in rows(args):
        late += row.late
        shown.add_row(
            row.solver,
            row.what,
            f"{row.time_s:g}",
            f"{row.wall_s:.2f}",
            str(row.value),
            str(row.bound),
            "yes" if row.deterministic else "no",
            "late" * row.late,
        )
    out().print(shown)
    return 1 if late else 0


if __name__ == "__main__":
    raise SystemExit(main())

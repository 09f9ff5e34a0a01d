"""The best design of a problem: paths are added until the best by them is as good as it seems.

The best design by some paths is a bound. Its own longest path is longer than they say, or it is the
best of all. Each path holds for every design, and serves all later questions of the problem.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from compiler.design.choices import Key
from compiler.design.master import Master
from compiler.design.problem import Asked, Path, Point, Problem
from compiler.options import SolverOptions
from ir.certificate import Status
from ir.errors import CheckError

ROUNDS = 400
LIMITS = SolverOptions()


@dataclass(frozen=True)
class Best:
    """The best design, and a bound on what is minimised; rounds: of paths that were added."""

    point: Point
    asked: Asked
    bound: int
    status: Status
    rounds: int
    seconds: float

    @property
    def value(self) -> int:
        """Of what is minimised."""
        return self.point.of(self.asked.minimise)

    @property
    def gap(self) -> float:
        """(value - bound) / value."""
        return (self.value - self.bound) / self.value if self.value else 0.0


@dataclass(eq=False)
class Search:
    """A problem and the paths that are known of it."""

    problem: Problem
    options: SolverOptions = LIMITS
    paths: list[Path] = field(default_factory=list)

    def best(self, asked: Asked) -> Best | None:
        """The design that is asked for; None where there is none, which is proven.

        Raises CheckError where an answer's sums are not the solver's, or none was found in time.
        """
        begun, bound, found = time.perf_counter(), 0, None
        if not self.paths:
            self.paths += [self.problem.longest(values) for values in _first_designs(self.problem)]
        seen: set[tuple[int, ...]] = set()
        master = Master(self.problem, asked, self.paths)
        for number in range(ROUNDS):
            values, answer = master.solve(self.options)
            if answer.status == "infeasible":
                return None
            if answer.bound is None:
                break
            thousandths = 1000 if asked.minimise == "energy" else 1
            bound = max(bound, answer.bound // thousandths)
            point = self.problem.point(values)
            if answer.status == "optimal":
                _check_sums(asked, point, answer.bound // thousandths)
            if asked.met(point) and (found is None or point.of(asked.minimise) < found.value):
                seconds = time.perf_counter() - begun
                found = Best(point, asked, bound, "feasible", number, seconds)
            if found is not None and found.value <= bound:
                return replace(found, bound=found.value, status="optimal (solver)", rounds=number)
            if tuple(values.values()) in seen:
                break  # the solver was cut short, and another path would say nothing new
            seen.add(tuple(values.values()))
            path = self.problem.longest(values)
            self.paths.append(path)
            master.no_faster_than(path)
        if found is None:
            raise CheckError("design", "solver", "no answer in its time, and no proof of none")
        return replace(found, bound=min(bound, found.value), rounds=len(seen))


def _first_designs(problem: Problem) -> Iterator[dict[Key, int]]:
    """With the most of everything but the group sizes, which are all alike, or one decision.

    Their paths are those of each unit where there is too little of it.
    """
    most = {key: values[-1] for key, values in problem.menu.items()}
    layers = [key for key in problem.menu if isinstance(key, int)]
    for size in sorted({size for layer in layers for size in problem.menu[layer]}) or [0]:
        alike = {layer: size for layer in layers if size in problem.menu[layer]}
        yield most | alike
        for key, values in problem.menu.items():
            if not isinstance(key, int) and values[0] != values[-1]:
                yield most | alike | {key: values[0]}


def _check_sums(asked: Asked, point: Point, least: int) -> None:
    """What is minimised is what the solver says; a time may be longer than the paths so far."""
    value = point.of(asked.minimise)
    if value < least or (asked.minimise == "area" and value != least):
        raise CheckError(
            "design", f"{dict(point.values)}", f"{asked.minimise} {value}, the solver found {least}"
        )

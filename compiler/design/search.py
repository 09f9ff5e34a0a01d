"""The best design of a problem: paths are added until the best by them is as good as it seems.

The best design by some paths is a bound. Its own longest path is longer than they say, or it is the
best of all. Each path holds for every design, and serves all later questions of the problem.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from compiler.design.choices import Key, Values
from compiler.design.master import Master
from compiler.design.problem import Asked, Path, Point, Problem
from compiler.options import SolverOptions
from ir.certificate import Status
from ir.errors import CheckError

ROUNDS, REPAIRS = 400, 40
PATIENCE, ENOUGH = 10, 100  # rounds after which a hundredth of the value is enough
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

        After PATIENCE rounds a hundredth above the bound is enough. Raises CheckError where an
        answer's sums are not the solver's, or none was found in time.
        """
        begun, bound, found = time.perf_counter(), 0, None
        if not self.paths:
            self.paths += [self.problem.longest(values) for values in _first_designs(self.problem)]
        master = Master(self.problem, asked, self.paths)
        seen: set[tuple[int, ...]] = set()
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
            if not asked.met(point):
                point = self._repaired(asked, point, master)
            if asked.met(point) and (found is None or point.of(asked.minimise) < found.value):
                seconds = time.perf_counter() - begun
                found = Best(point, asked, bound, "feasible", number, seconds)
            if found is not None and found.value <= bound:
                return replace(found, bound=found.value, status="optimal (solver)", rounds=number)
            near = found is not None and ENOUGH * (found.value - bound) <= found.value
            if tuple(values.values()) in seen or (near and number >= PATIENCE):
                break  # seen: the solver was cut short, and its path would say nothing new
            seen.add(tuple(values.values()))
            self._learn(values, master)
        if found is None:
            raise CheckError("design", "solver", "no answer in its time, and no proof of none")
        return replace(found, bound=min(bound, found.value), rounds=len(seen))

    def _learn(self, values: Values, master: Master) -> Path:
        """The longest path of a design, for this question and later ones."""
        path = self.problem.longest(values)
        self.paths.append(path)
        master.no_faster_than(path)
        return path

    def _repaired(self, asked: Asked, point: Point, master: Master) -> Point:
        """A design that is too slow, with more of what its path waits for until it is not.

        One decision at a time: what saves most time, by all paths so far, for its area. The paths
        of what is met on the way are learnt.
        """
        for _ in range(REPAIRS):
            if asked.met(point):
                return point
            path, found = self._learn(point.values, master), list[tuple[float, dict[Key, int]]]()
            for key, values in self.problem.menu.items():
                for value in values:
                    other = dict(point.values) | {key: value}
                    if path.time(other) < point.time:
                        least = max(known.time(other) for known in self.paths)
                        if least < point.time:
                            more = sum(term.of(other) for term in self.problem.area) - point.area
                            found.append((more / (point.time - least), other))
            if not found:
                return point
            point = self.problem.point(min(found, key=lambda change: change[0])[1])
        return point


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

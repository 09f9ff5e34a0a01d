"""The best design of a problem: paths are added until the best by them is as good as it seems.

For every combination of the chip's decisions there is a bound on what is minimised, at first of all
of them at once (`grid`). The one with the least bound is looked at: the best group sizes under it,
by the paths that are known, are a better bound of it (`master`). Where it still is the least of all,
the longest path of that design tells what it takes: it is the best of all, or the path is new, and
counts for every combination. Each path holds for every design, and serves all later questions.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from compiler.design.choices import Key, Values
from compiler.design.grid import NONE, Grid
from compiler.design.master import Master, Rows
from compiler.design.problem import Asked, Needs, Path, Point, Problem, Quantity, Shares
from compiler.design.relaxed import Relaxation, Relaxed
from compiler.design.sheet import Sheet
from compiler.options import SolverOptions
from compiler.solver import SolverAnswer
from ir.arrays import Ints
from ir.certificate import Status
from ir.errors import CheckError

ROUNDS, REPAIRS = 4000, 40
DIVES, POLISH, TRIES = 12, 40, 8
QUICK = SolverOptions(time_s=0.2)
FEW, CUTS, CLOSE, SLOW, PARTS, STARTS = 8, 100, 5e-4, 8, 10_000, 60
PATIENCE, ENOUGH = 20, 100  # paths after which a hundredth of the value is enough
LIMITS = SolverOptions()
TRACE = __import__("os").environ.get("TRACE")


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
    means: list[Path] = field(default_factory=list)

    @cached_property
    def sheet(self) -> Sheet:
        """The paths' sums."""
        return Sheet(self.problem, [path.sum for path in self.paths])

    def best(self, asked: Asked) -> Best | None:
        """The design that is asked for; None where there is none, which is proven.

        After PATIENCE paths a hundredth above the bound is enough. Raises CheckError where an
        answer's sums are not the solver's, or none was found in time.
        """
        if not self.paths:
            for values in _first_designs(self.problem):
                self.learn(self.problem.longest(values))
        return _Question(self, asked).best()

    def learn(self, path: Path) -> Path:
        """A path, for this question and later ones."""
        self.sheet.add(path.sum)
        self.paths.append(path)
        return path

    @property
    def times(self) -> Ints:
        """[paths] what each is divided by."""
        return np.array([path.times for path in self.paths], dtype=np.int64)


class _Question:
    """One question to a search: what is known of its answer so far."""

    def __init__(self, search: Search, asked: Asked) -> None:
        self.search, self.problem, self.asked = search, search.problem, asked
        self.begun, self.learnt = time.perf_counter(), 0
        self.grid = Grid(self.problem, asked, [*search.paths[:STARTS], *search.means])
        self.sums: dict[Quantity, Sheet] = {"area": Sheet(self.problem, [self.problem.area()])}
        if "energy" in asked.quantities:
            self.sums["energy"] = Sheet(self.problem, [self.problem.energy()])
        self.relaxed: set[int] = set()
        self.dived: set[int] = set()
        self.found: Point | None = None
        self.seen: set[tuple[int, ...]] = set()

    def best(self) -> Best | None:
        """Looks at the least bound until nothing is below what was found."""
        for number in range(ROUNDS):
            at = int(np.argmin(self.grid.bound))
            bound = int(self.grid.bound[at])
            if TRACE and number % 1 == 0:
                print(number, at, bound, self.value, self.learnt, round(time.perf_counter() - self.begun, 2), flush=True)
            if bound == NONE and self.found is None:
                return None
            if self.value <= bound:
                return self._told(self.value, "optimal (solver)")
            near = self.found is not None and ENOUGH * (self.value - bound) <= self.value
            if near and self.learnt >= PATIENCE:
                break
            if not self._looked_at(at):
                break  # the solver was cut short, and a path would say nothing new
        if self.found is None:
            raise CheckError("design", "solver", "no answer in its time, and no proof of none")
        return self._told(min(int(self.grid.bound.min()), self.value), "feasible")

    @property
    def value(self) -> int:
        """Of what is minimised, the least that was found."""
        return NONE if self.found is None else self.found.of(self.asked.minimise)

    def _told(self, bound: int, status: Status) -> Best:
        assert self.found is not None
        seconds = time.perf_counter() - self.begun
        return Best(self.found, self.asked, bound, status, self.learnt, seconds)

    def _looked_at(self, at: int) -> bool:
        """A better bound of one combination, and what its design takes, if it is still the least.

        False where nothing is learnt.
        """
        if len(self.problem.own) > FEW:
            if at not in self.relaxed and (self.found is not None or at in self.dived or not self.search.means):
                self.relaxed.add(at)
                self._by_shares(at)
                return True
            if at not in self.dived:
                self.dived.add(at)
                self._dived(at)
                return True
        values, answer = self._of_layers(at, self.asked)
        if answer.status == "infeasible":
            self.grid.bound[at] = NONE
            return True
        if answer.bound is None:
            return False
        least = answer.bound // (1000 if self.asked.minimise == "energy" else 1)
        bound = max(int(self.grid.bound[at]), least)
        self.grid.bound[at] = bound
        if int(np.argmin(self.grid.bound)) != at or self.value <= bound:
            return True
        point = self._point(values)
        if answer.status == "optimal":
            _check_sums(self.asked, point, least)
        key = tuple(values.values())
        if key in self.seen:
            return False
        self.seen.add(key)
        self._learn(values)
        if not self.asked.met(point):
            self._tightened(at, point)
            if self.found is None:
                self._repaired(point)
        return True

    def _point(self, values: Values) -> Point:
        """A design's figures; the best that keeps all limits is kept."""
        point = self.problem.point(values, self.asked.quantities | {"area"})
        if self.asked.met(point) and point.of(self.asked.minimise) < self.value:
            self.found = point
        return point

    def _learn(self, values: Values) -> None:
        self._learn_path(self.problem.longest(values))

    def _learn_path(self, path: Path) -> None:
        self.grid.add(self.search.learn(path))
        self.learnt += 1

    def _shared(self, at: int) -> dict[Key, int]:
        """The places of the chip's decisions of a combination."""
        places = np.unravel_index(at, self.grid.shape)
        return dict(zip(self.problem.shared, (int(n) for n in places), strict=True))

    def _of_layers(
        self, at: int, asked: Asked, options: SolverOptions | None = None
    ) -> tuple[dict[Key, int], SolverAnswer]:
        """The best group sizes under one combination of the chip's decisions, by the paths so far."""
        shared = self._shared(at)
        sums = {quantity: sheet.fixed(shared) for quantity, sheet in self.sums.items()}
        paths, times = self.search.sheet.fixed(shared), self.search.times
        longest = sum((block.max(axis=1) for block in paths.values()), np.zeros_like(times))
        least = sum((block.min(axis=1) for block in paths.values()), np.zeros_like(times))
        counts = longest // times > int((least // times).max())
        counts[np.argmax(least // times)] = True
        sums["time"] = {needs: block[counts] for needs, block in paths.items()}
        values, answer = Master(self.problem, asked, sums, times[counts]).solve(options or self.search.options)
        menu = self.problem.menu
        return {key: menu[key][shared[key]] for key in self.problem.shared} | values, answer

    def _by_shares(self, at: int) -> None:
        """A mean of paths, the best for one combination, which raises the bounds of many."""
        shared, sheet = self._shared(at), self.search.sheet
        sums = {quantity: _first(s.fixed(shared)) for quantity, s in self.sums.items()}
        paths, used = sheet.fixed(shared), list[Path]()
        longest = max(int(np.sum([block[0].max() for block in paths.values()])), 1)
        program = Relaxed(self.problem, self.asked, sums, longest)
        for number, path in enumerate(self.search.paths):
            program.add({needs: block[number] for needs, block in paths.items()}, path.times)
            used.append(path)
        menu, last, values_so_far = self.problem.menu, None, list[float]()
        values = {key: menu[key][place] for key, place in shared.items()}
        for cut in range(CUTS):
            answer = program.solve()
            if answer is None:
                break
            last = answer
            path = self.problem.blended(values, answer.shares)
            row = Sheet(self.problem, [path.sum]).fixed(shared)
            time_ps = _mean_of(row, answer.shares, self.problem) / path.times
            if TRACE: print("   cut", cut, answer.value/1e6, answer.time/1e6, time_ps/1e6, round(time.perf_counter() - self.begun, 2), sum(1 for s in answer.shares.values() if max(s.values())<0.999), flush=True)
            values_so_far.append(answer.value)
            slow = len(values_so_far) > SLOW and answer.value <= (1 + CLOSE) * values_so_far[-SLOW]
            if time_ps <= answer.time * (1 + CLOSE) or slow:
                break
            self._learn_path(path)
            program.add(_first(row), path.times)
            used.append(path)
            if answer.value > self.value * (1 - CLOSE):
                break
        if last is not None:
            self._mean(used, last)

    def _mean(self, paths: list[Path], found: Relaxation) -> None:
        """The mean of paths by their prices."""
        prices = found.paths[: len(paths)]
        total = float(prices.sum())
        if total <= 0:
            return
        parts = np.rint(prices / total * PARTS).astype(int).tolist()
        mean = Path.mean((p, n) for p, n in zip(paths, parts, strict=False) if n)
        price = total / mean.times if self.asked.minimise == "area" else found.area * mean.times
        self.search.means.append(mean)
        self.grid.add(mean, price)

    def _dived(self, at: int) -> None:
        """Designs under one combination, each with as much less as the one before took too much."""
        over: dict[Quantity, int] = {}
        for _ in range(DIVES):
            limits = tuple((q, most - over.get(q, 0)) for q, most in self.asked.limits)
            values, answer = self._of_layers(at, Asked(self.asked.minimise, limits), QUICK)
            if TRACE: print("   dive", answer.status, answer.seconds, answer.bound, {q: n/1e6 for q,n in over.items()}, flush=True)
            if answer.values is None:
                if not over: return
                over = {q: n // 2 for q, n in over.items()}
                continue
            point = self._point(values)
            if TRACE: print("   point", point.amounts, flush=True)
            self._learn(values)
            if self.asked.met(point):
                self._polished(point)
                return
            over = {q: over.get(q, 0) + max(0, point.of(q) - most) // 2 for q, most in self.asked.limits}

    def _polished(self, point: Point) -> None:
        """Single decisions of layers changed while a design gets better."""
        sheet, minimise = self.search.sheet, self.asked.minimise
        sums = self.sums[minimise] if minimise in self.sums else None
        for _ in range(POLISH):
            others = _neighbours(self.problem, sheet.positions(point.values))
            others = others[[self._allowed(o, point) for o in others]] if 0 else others
            times = (sheet.under(others) // self.search.times[:, None]).max(axis=0)
            value = times if sums is None else sums.under(others)[0]
            limits = dict(self.asked.limits)
            good = (value < point.of(minimise)) & (times <= limits.get("time", NONE))
            for q, most in limits.items():
                if q in self.sums:
                    good &= self.sums[q].under(others)[0] <= most
            order = np.flatnonzero(good)[np.argsort(value[good], kind="stable")]
            for n in order[:TRIES].tolist():
                other = self._point(sheet.values(others[n]))
                if self.asked.met(other) and other.of(minimise) < point.of(minimise):
                    if TRACE: print("   polished", other.amounts, flush=True)
                    point = other
                    break
                self._learn(other.values)
            else:
                return

    def _tightened(self, at: int, point: Point) -> None:
        """The same combination with as much less time as the design takes too much."""
        limits = tuple((q, most - max(point.of(q) - most, 0)) for q, most in self.asked.limits)
        values, answer = self._of_layers(at, Asked(self.asked.minimise, limits))
        if answer.values is not None and tuple(values.values()) not in self.seen:
            self._point(values)
            self._learn(values)

    def _repaired(self, point: Point) -> None:
        """A design that is too slow, with more of what its path waits for until it is not.

        One decision at a time: what saves most time, by all paths so far, for its area. The paths
        of what is met on the way are learnt.
        """
        sheet = self.search.sheet
        for _ in range(REPAIRS):
            others = _neighbours(self.problem, sheet.positions(point.values))
            least = (sheet.under(others) // self.search.times[:, None]).max(axis=0)
            more = self.sums["area"].under(others)[0] - point.of("area")
            better = np.flatnonzero(least < point.of("time"))
            if not len(better):
                return
            each = more[better] / (point.of("time") - least[better])
            point = self._point(sheet.values(others[better[int(np.argmin(each))]]))
            if self.asked.met(point):
                return
            self._learn(point.values)


def _neighbours(problem: Problem, here: Ints) -> Ints:
    """Positions of all designs with another value of one decision: [designs, decisions]."""
    found = []
    for number, choices in enumerate(problem.menu.values()):
        for place in range(len(choices)):
            if place != here[number]:
                other = here.copy()
                other[number] = place
                found.append(other)
    return np.array(found, dtype=np.int64).reshape(-1, len(here))


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


def _first(rows: Rows) -> dict[Needs, Ints]:
    """The first sum of several."""
    return {needs: block[0] for needs, block in rows.items()}


def _mean_of(rows: Rows, shares: Shares, problem: Problem) -> float:
    """A sum under shares of layers' values."""
    total = 0.0
    for needs, block in rows.items():
        weights = np.ones(1)
        for key in needs:
            each = [shares[key][size] for size in problem.menu[key]] if isinstance(key, int) else []
            weights = np.outer(weights, each).reshape(-1)
        total += float((weights * block[0]).sum())
    return total


def _check_sums(asked: Asked, point: Point, least: int) -> None:
    """What is minimised is what the solver says; a time may be longer than the paths so far."""
    value = point.of(asked.minimise)
    if value < least or (asked.minimise == "area" and value != least):
        raise CheckError(
            "design", f"{dict(point.values)}", f"{asked.minimise} {value}, the solver found {least}"
        )

"""One question about designs: the least of something within limits.

For every combination of the chip's decisions there is a bound on what is minimised, at first of all
of them at once (`grid`). The one with the least is looked at: the best group sizes under it, by the
paths that are known, are a better bound of it (`master`). Where it still is the least of all, the
longest path of that design tells what it takes: it is the best of all, or the path is new, and
counts for every combination.
"""

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from compiler.design.answer import Best, Found
from compiler.design.choices import Key, Values
from compiler.design.grid import NONE, Grid
from compiler.design.master import Master
from compiler.design.paths import Paths
from compiler.design.problem import Asked, Needs, Path, Point, Quantity
from compiler.design.sheet import Sheet
from compiler.options import SolverOptions
from compiler.solver import SolverAnswer
from ir.arrays import Bools, Ints
from ir.certificate import Status
from ir.errors import CheckError, InputError

LOOKS, LONGER = 4000, 5  # times the solver's time where it gave nothing in it
PATIENCE, ENOUGH = 20, 100  # paths after which a hundredth of the value is enough
STARTS = 60  # paths by themselves that the bounds of all combinations begin with


def near(value: int, bound: int, enough: int = ENOUGH) -> bool:
    """Whether a value is within a hundredth of its bound, or within 1 / enough."""
    return value < NONE and enough * (value - bound) <= value


class Question:
    """What is known of its answer so far; value: the least that was found, or is of use."""

    def __init__(self, paths: Paths, options: SolverOptions, asked: Asked, below: int) -> None:
        self.paths, self.options, self.asked = paths, options, asked
        self.problem = asked.of(paths.problem)
        self.begun, self.known = time.perf_counter(), len(paths)
        first = [*paths.every[:STARTS], *paths.means]
        self.grid = Grid(self.problem, asked, first, paths.areas)
        self.sums: dict[Quantity, Sheet] = {"area": Sheet(self.problem, self.problem.area())}
        if "energy" in asked.quantities:
            self.sums["energy"] = Sheet(self.problem, [self.problem.energy()])
        self.found: Point | None = None
        self.value = below
        self.seen: set[tuple[int, ...]] = set()
        self.rows: int | None = None  # paths at most that the solver is given, None for all

    @property
    def learnt(self) -> int:
        """Paths that were learnt for it."""
        return len(self.paths) - self.known

    def answered(self) -> Found:
        """Looks at the least bound until nothing is below what was found.

        After PATIENCE paths a hundredth above the bound is enough. Raises CheckError where an
        answer's sums are not the solver's, InputError where none was found in time.
        """
        for _ in range(LOOKS):
            at = int(np.argmin(self.grid.bound))
            bound = int(self.grid.bound[at])
            if self.value <= bound:
                return self._told(bound, "optimal (solver)")
            if self.learnt >= PATIENCE and self.near(bound):
                break
            if not self.looked_at(at):
                break  # the solver was cut short, and a path would say nothing new
        if self.value == NONE:
            told = f"no answer in {self.options.time_s:g} s of the solver, nor a proof of none"
            raise InputError("design", told, "give it more time: --time")
        return self._told(int(self.grid.bound.min()), "feasible")

    def near(self, bound: int) -> bool:
        """Whether what was found is good enough."""
        return near(self.value, bound)

    def _told(self, bound: int, status: Status) -> Found:
        bound = min(bound, self.value)
        if self.found is None:
            return Found(None, bound)
        seconds = time.perf_counter() - self.begun
        return Found(Best(self.found, self.asked, bound, status, self.learnt, seconds), bound)

    def looked_at(self, at: int) -> bool:
        """A better bound of one combination, and what its design takes, if it is still the least.

        False where nothing is learnt.
        """
        values, answer = self.of_layers(at, self.asked, self.options, most=self.rows)
        old = answer.status == "feasible" and tuple(values.values()) in self.seen
        if old or answer.status == "none":
            more = replace(self.options, time_s=LONGER * self.options.time_s)
            values, answer = self.of_layers(at, self.asked, more, most=self.rows)
        if answer.status == "infeasible":
            self.grid.bound[at] = NONE
            return True
        if answer.bound is None:
            return False
        least = self.whole(answer.bound)
        bound = max(int(self.grid.bound[at]), least)
        self.grid.bound[at] = bound
        if int(np.argmin(self.grid.bound)) != at or self.value <= bound:
            return True
        if tuple(values.values()) in self.seen:
            return False
        point = self.tried(values)
        if answer.status == "optimal":
            _check_sums(self.asked, point, least)
        if not self.asked.met(point):
            self._tightened(at, point)
        return True

    def whole(self, bound: int) -> int:
        """A solver's bound in units of what is minimised."""
        return bound // (1000 if self.asked.minimise == "energy" else 1)

    def tried(self, values: Values) -> Point:
        """A design's figures, and its path; the best that keeps all limits is kept."""
        point = self.problem.point(values, self.asked.quantities | {"area"})
        if self.asked.met(point) and point.of(self.asked.minimise) < self.value:
            self.found, self.value = point, point.of(self.asked.minimise)
        key = tuple(values.values())
        if key not in self.seen:
            self.seen.add(key)
            self.learn(self.problem.longest(values))
        return point

    def learn(self, path: Path) -> None:
        """A path, for all combinations."""
        self.paths.learn(path)
        self.grid.add(path)

    def shared(self, at: int) -> dict[Key, int]:
        """The places of the chip's decisions of a combination."""
        places = np.unravel_index(at, self.grid.shape)
        return dict(zip(self.problem.shared, (int(n) for n in places), strict=True))

    def of_layers(
        self,
        at: int,
        asked: Asked,
        options: SolverOptions,
        free: tuple[Key, ...] = (),
        most: int | None = None,
    ) -> tuple[dict[Key, int], SolverAnswer]:
        """The best sizes under a combination of the chip's decisions, by the paths so far.

        free: decisions of which each number has the least, for a bound on all their values; most:
        paths that are taken, None for all.
        """
        shared, times = self.shared(at), self.paths.times
        sums = {quantity: sheet.fixed(shared, free) for quantity, sheet in self.sums.items()}
        paths = self.paths.sheet.fixed(shared, free)
        counts = self.counting(at, paths, times, most)
        sums["time"] = {needs: block[counts] for needs, block in paths.items()}
        values, answer = Master(self.problem, asked, sums, times[counts]).solve(options)
        menu = self.problem.menu
        return {key: menu[key][shared[key]] for key in self.problem.shared} | values, answer

    def counting(
        self, at: int, paths: Mapping[Needs, Ints], times: Ints, most: int | None
    ) -> Bools:
        """[paths] those that are not always less than another."""
        longest, least = np.zeros_like(times), np.zeros_like(times)
        for block in paths.values():
            longest, least = longest + block.max(axis=1), least + block.min(axis=1)
        counts: Bools = longest // times > int((least // times).max())
        counts[np.argmax(least // times)] = True
        return counts

    def _tightened(self, at: int, point: Point) -> None:
        """The same combination with as much less time as the design takes too much."""
        limits = tuple((q, most - max(point.of(q) - most, 0)) for q, most in self.asked.limits)
        asked = replace(self.asked, limits=limits)
        values, answer = self.of_layers(at, asked, self.options)
        if answer.values is not None:
            self.tried(values)


def _check_sums(asked: Asked, point: Point, least: int) -> None:
    """What is minimised is what the solver says; a time may be longer than the paths so far."""
    value = point.of(asked.minimise)
    if value < least or (asked.minimise == "area" and value != least):
        raise CheckError(
            "design", f"{dict(point.values)}", f"{asked.minimise} {value}, the solver found {least}"
        )

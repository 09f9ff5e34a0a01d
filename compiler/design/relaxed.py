"""What layers would take under given decisions of the chip if they could take shares of sizes.

A linear program over shares, by the paths so far. Its prices of paths say how much each of them
counts: the mean of the paths by these is a bound on the time of all designs, and under these
decisions the best of all means.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from compiler.design.choices import Key
from compiler.design.problem import Asked, Needs, Problem, Quantity, Shares
from compiler.linear import ColumnProgram
from ir.arrays import Floats, Ints

Row = Mapping[Needs, Ints]  # numbers of a sum under given decisions of the chip, by the layers'
Flat = tuple[float, Floats]  # what does not depend on layers, and a number for each of their sizes


@dataclass(frozen=True)
class Relaxation:
    """value: of what is minimised; time: ps; shares: {layer: {size: share}}.

    paths: the price of each path; area: the price of a limit on it, in what is minimised.
    """

    value: float
    time: float
    shares: Shares
    paths: Floats
    area: float


class Relaxed:
    """The linear program, in its dual form: a path is a column.

    sums: area and energy, of those that are asked for. Numbers are in parts of `unit` of each
    quantity, so that all are alike in size.
    """

    def __init__(
        self, problem: Problem, asked: Asked, sums: Mapping[Quantity, Row], time: float
    ) -> None:
        self.problem, self.asked = problem, asked
        self.flat = {quantity: self._flat(row) for quantity, row in sums.items()}
        self.unit: dict[Quantity, float] = {"time": max(time, 1.0)}
        for quantity, (constant, numbers) in self.flat.items():
            self.unit[quantity] = max(1.0, abs(constant), float(np.abs(numbers).sum()))
        self.power = problem.power / 1000 * self.unit["time"] / self.unit.get("energy", 1.0)
        self.limits = [quantity for quantity, _ in asked.limits]
        self.program = self._started()

    def _started(self) -> ColumnProgram:
        minimise = self.asked.minimise
        none = 0.0, np.zeros(sum(len(self.problem.menu[key]) for key in self.problem.own))
        mine = (none if minimise == "time" else self._scaled(minimise))[1]
        of_time = {"time": 1.0, "energy": self.power, "area": 0.0}[minimise]
        highs = [*mine.tolist(), of_time]
        program = ColumnProgram([(-math.inf, high) for high in highs])
        place = 0
        for key in self.problem.own:
            sizes = range(place, place + len(self.problem.menu[key]))
            for sign in (1.0, -1.0):
                program.add(-sign, [(row, sign) for row in sizes])
            place = sizes.stop
        self.last = place
        for quantity, most in self.asked.limits:
            if quantity == "time":
                program.add(most / self.unit["time"], [(self.last, -1.0)])
                continue
            constant, numbers = self._scaled(quantity)
            entries = [(row, -n) for row, n in enumerate(numbers.tolist())]
            more = [(self.last, -self.power)] if quantity == "energy" else []
            program.add(most / self.unit[quantity] - constant, entries + more)
        return program

    def _scaled(self, quantity: Quantity) -> Flat:
        constant, numbers = self.flat[quantity]
        return constant / self.unit[quantity], numbers / self.unit[quantity]

    def _flat(self, row: Row) -> Flat:
        """Of what depends on several layers' decisions the least counts."""
        menu, each = self.problem.menu, dict[Key, Floats]()
        for key in self.problem.own:
            each[key] = np.zeros(len(menu[key]))
        constant = 0.0
        for needs, numbers in row.items():
            single = needs[0] if len(needs) == 1 else None
            if isinstance(single, int):
                each[single] = each[single] + numbers
            else:
                constant += float(numbers.min())
        return constant, np.concatenate([*each.values(), np.zeros(0)])

    def add(self, row: Row, steps: int) -> None:
        """One more path, that is to be divided by `steps`."""
        constant, numbers = self._flat(row)
        unit = self.unit["time"]
        entries = [(n, -number / unit) for n, number in enumerate(numbers.tolist())]
        self.program.add(-constant / unit, [*entries, (self.last, float(steps))])

    def solve(self) -> Relaxation | None:
        """None where nothing keeps the limits, as far as floats can tell."""
        found = self.program.solve()
        if found is None:
            return None
        cost, prices = found
        taken = np.maximum(-np.array(prices), 0.0)
        shares, place = dict[int, dict[int, float]](), 0
        for key in self.problem.own:
            sizes = self.problem.menu[key]
            part = taken[place : place + len(sizes)]
            shares[key] = dict(zip(sizes, (part / max(part.sum(), 1e-9)).tolist(), strict=True))
            place += len(sizes)
        return Relaxation(
            self._value(-cost), taken[-1] * self.unit["time"], shares, *self._prices()
        )

    def _value(self, scaled: float) -> float:
        """Of what is minimised, in its own unit."""
        minimise = self.asked.minimise
        constant = self.flat[minimise][0] if minimise in self.flat else 0.0
        return scaled * self.unit[minimise] + constant

    def _prices(self) -> tuple[Floats, float]:
        """Of paths, and of a limit on the area, in what is minimised for one more of each."""
        amounts = np.array(self.program.amounts())
        first = 2 * len(self.problem.own)
        end = first + len(self.limits)
        unit = self.unit[self.asked.minimise]
        paths = amounts[end:] * unit / self.unit["time"]
        limits = dict(zip(self.limits, amounts[first:end].tolist(), strict=True))
        return paths, limits.get("area", 0.0) * unit / self.unit.get("area", 1.0)


def mean_under(problem: Problem, rows: Row, shares: Shares) -> Floats:
    """Sums [sums, combinations] under shares of layers' sizes: [sums]."""
    total: Floats = np.zeros(1)
    for needs, numbers in rows.items():
        weights = np.ones(1)
        for key in needs:
            each = [shares[key][size] for size in problem.menu[key]] if isinstance(key, int) else []
            weights = np.outer(weights, each).reshape(-1)
        total = total + numbers @ weights
    return total

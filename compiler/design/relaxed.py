"""What layers would take under given decisions of the chip if they could take shares of sizes.

A linear program over shares, by the paths so far. Its prices of paths say how much each of them
counts: the mean of the paths by these is a bound on the time of all designs, and under these
decisions the best of all means.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.design.choices import Key
from compiler.design.problem import Asked, Needs, Problem, Quantity, Shares
from compiler.design.sheet import Sheet
from compiler.linear import ColumnProgram
from ir.arrays import Floats, Ints
from ir.products import product

Row = Mapping[Needs, Ints]  # numbers of a sum under given decisions of the chip, by the layers'
Flat = tuple[float, Floats]  # what does not depend on layers, and a number for each of their sizes


@dataclass(frozen=True)
class Relaxation:
    """value: of what is minimised; time: ps; shares: {layer: {size: share}}.

    paths: the price of each path; area: the price of a limit on it, in what is minimised; areas:
    parts of it by area where the largest of several counts.
    """

    value: float
    time: float
    shares: Shares
    paths: Floats
    area: float
    areas: Floats


class Relaxed:
    """The linear program, in its dual form: a path is a column, and so is each of several areas.

    sums: areas and energy, of those that are asked for. Numbers are in parts of `unit` of each
    quantity, so that all are alike in size.
    """

    def __init__(
        self, problem: Problem, asked: Asked, sums: Mapping[Quantity, Sequence[Row]], time: float
    ) -> None:
        self.problem, self.asked = problem, asked
        self.flat = {q: [self._flat(row) for row in rows] for q, rows in sums.items()}
        self.unit: dict[Quantity, float] = {"time": max(time, 1.0)}
        for quantity, rows in self.flat.items():
            sizes = [max(abs(constant), float(np.abs(n).sum())) for constant, n in rows]
            self.unit[quantity] = max(1.0, *sizes)
        self.power = problem.power / 1000 * self.unit["time"] / self.unit.get("energy", 1.0)
        self.limits = [q for q, _ in asked.limits for _ in self.flat.get(q, [None])]
        # of the largest of several areas that is minimised there is a variable, as of time
        self.largest = len(self.flat["area"]) if asked.minimise == "area" else 0
        self.largest *= self.largest > 1
        self.program = self._started()

    def _started(self) -> ColumnProgram:
        minimise = self.asked.minimise
        none = 0.0, np.zeros(sum(len(self.problem.menu[key]) for key in self.problem.own))
        alone = minimise == "time" or self.largest > 0
        mine = (none if alone else self._scaled(minimise)[0])[1]
        of_time = {"time": 1.0, "energy": self.power, "area": 0.0}[minimise]
        highs = [*mine.tolist(), of_time, *([1.0] if self.largest else [])]
        program = ColumnProgram([(-math.inf, high) for high in highs])
        place = 0
        for key in self.problem.own:
            sizes = range(place, place + len(self.problem.menu[key]))
            for sign in (1.0, -1.0):
                program.add(-sign, [(row, sign) for row in sizes])
            place = sizes.stop
        self.last = place
        for constant, numbers in self._scaled("area") if self.largest else []:
            entries = [(row, -n) for row, n in enumerate(numbers.tolist())]
            program.add(-constant, [*entries, (self.last + 1, 1.0)])
        for quantity, most in self.asked.limits:
            if quantity == "time":
                program.add(most / self.unit["time"], [(self.last, -1.0)])
                continue
            for constant, numbers in self._scaled(quantity):
                entries = [(row, -n) for row, n in enumerate(numbers.tolist())]
                more = [(self.last, -self.power)] if quantity == "energy" else []
                program.add(most / self.unit[quantity] - constant, entries + more)
        return program

    def _scaled(self, quantity: Quantity) -> list[Flat]:
        unit = self.unit[quantity]
        return [(constant / unit, numbers / unit) for constant, numbers in self.flat[quantity]]

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
            self._value(-cost), taken[self.last] * self.unit["time"], shares, *self._prices()
        )

    def _value(self, scaled: float) -> float:
        """Of what is minimised, in its own unit."""
        minimise = self.asked.minimise
        alone = minimise == "time" or self.largest > 0
        constant = 0.0 if alone else self.flat[minimise][0][0]
        return scaled * self.unit[minimise] + constant

    def _prices(self) -> tuple[Floats, float, Floats]:
        """Of paths, and of a limit on the area, in what is minimised for one more of each.

        And of each area.
        """
        amounts = np.array(self.program.amounts())
        first = 2 * len(self.problem.own)
        begin = first + self.largest
        end = begin + len(self.limits)
        unit = self.unit[self.asked.minimise]
        paths = amounts[end:] * unit / self.unit["time"]
        limited = amounts[begin:end][[quantity == "area" for quantity in self.limits]]
        area = float(limited.sum()) * unit / self.unit.get("area", 1.0)
        return paths, area, amounts[first:begin] if self.largest else limited


def first_row(rows: Mapping[Needs, Ints]) -> dict[Needs, Ints]:
    """The first sum of several."""
    return {needs: block[0] for needs, block in rows.items()}


def rows_of(
    sheet: Sheet, shared: Mapping[Key, int], free: Collection[Key] = ()
) -> list[dict[Needs, Ints]]:
    """Each sum of a sheet under decisions of the chip, the least where some are free."""
    blocks = sheet.fixed(shared, free)
    return [
        {needs: block[number] for needs, block in blocks.items()}
        for number in range(len(sheet.sums))
    ]


def mean_under(problem: Problem, rows: Row, shares: Shares) -> Floats:
    """Sums [sums, combinations] under shares of layers' sizes: [sums]."""
    total: Floats = np.zeros(1)
    for needs, numbers in rows.items():
        weights = np.ones(1)
        for key in needs:
            each = [shares[key][size] for size in problem.menu[key]] if isinstance(key, int) else []
            weights = np.outer(weights, each).reshape(-1)
        total = total + product(numbers, weights)
    return total

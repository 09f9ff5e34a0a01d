"""Bounds for every combination of the chip's own decisions at once, whatever the layers choose.

Under given decisions of the chip each layer takes what is best for itself, by the sum that is
minimised and a multiple of one that is limited (Lagrange): a bound, as nothing that keeps the limit
is better. Layers are independent of each other but for sums over decisions of several, of which
each has its least. The best of a row of multiples counts. Of several areas, of which the largest
counts, means count too: a chip that is small for one model alone is not small.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

import numpy as np

from compiler.design.choices import Key
from compiler.design.problem import Asked, Needs, Path, Problem, Quantity, Sum, Term
from ir.arrays import Bools, Floats, Ints

NONE = 1 << 62  # where no design keeps the limits
MULTIPLES = 24
MINOR = 0.03
MEANS = 4  # parts of a mean of two areas
NEAR = np.array([0.5, 0.7, 0.85, 0.95, 1, 1.05, 1.2, 1.4, 2])
ROUNDING = 1e-13  # of sums of some hundred floats, which lose 1e-16 each


@dataclass(frozen=True, eq=False)
class Row:
    """A sum: without `most`, and divided by `scale`, a bound on what is minimised; or limited.

    parts: of a mean of areas, how many of them its sum is.
    """

    sum: Sum
    most: int = 0
    scale: int = 1
    parts: int = 1


@dataclass(frozen=True, eq=False)
class Parts:
    """A sum by what it depends on: the chip alone [combinations], and layers' own decisions.

    owned: {decisions of layers: [combinations of the chip's that go with them, values]}.
    """

    common: Ints
    owned: dict[Needs, Ints]


class Grid:
    """A bound on what is minimised for each combination of the chip's decisions, NONE for none."""

    def __init__(
        self, problem: Problem, asked: Asked, paths: Iterable[Path], areas: Iterable[Path] = ()
    ) -> None:
        self.problem, self.asked = problem, asked
        self.areas = [*means_of([Path(total) for total in problem.area()]), *areas]
        self.shape = problem.shape(problem.shared)
        self.bound = np.zeros(self.shape, dtype=np.int64).reshape(-1)
        self.minimised, self.limited = self._without_paths()
        self._add(self.minimised, self.limited)
        for path in paths:
            self.add(path)

    def add(self, path: Path, price: float = 0.0) -> None:
        """What a path says; price: of what is limited, where a linear program has it."""
        steps, power, limits = path.times, self.problem.power, dict(self.asked.limits)
        minimised, limited = list[Row](), list[Row]()
        if self.asked.minimise == "time":
            minimised.append(Row(path.sum, scale=steps))
        if "time" in limits:
            limited.append(Row(path.sum, limits["time"] * steps + steps - 1))
        if "energy" in self.asked.quantities and power:
            each = 1000 * steps
            both = Sum.of([*_times(self.problem.energy(), each), *_times(path.sum, power)])
            rounded = power * (steps - 1)  # a time is rounded down to whole ps
            if self.asked.minimise == "energy":
                minimised.append(Row(both, rounded, each))
            else:
                limited.append(Row(both, each * limits["energy"] + 999 * steps + rounded))
        self._add(minimised, limited, price)

    def add_area(self, mean: Path) -> None:
        """One more mean of areas, which counts with all paths that come after it."""
        limits, row = dict(self.asked.limits), Row(mean.sum, 0, mean.times, mean.times)
        if self.asked.minimise == "area":
            self.minimised.append(row)
        elif "area" in limits:
            self.limited.append(replace(row, most=limits["area"] * mean.times))

    def _without_paths(self) -> tuple[list[Row], list[Row]]:
        """Areas, and energy without what time costs: minimised and limited."""
        sums: dict[Quantity, list[Path]] = {"area": self.areas}
        if "energy" in self.asked.quantities:
            sums["energy"] = [Path(self.problem.energy())]
        minimised = [
            Row(one.sum, 0, one.times, one.times) for one in sums.get(self.asked.minimise, [])
        ]
        limited = [
            Row(one.sum, most * one.times, one.times, one.times)
            for q, most in self.asked.limits
            for one in sums.get(q, [])
        ]
        return minimised, limited

    def _add(self, minimised: list[Row], limited: list[Row], price: float = 0.0) -> None:
        """Each by itself, and with all of the other kind that are new or of no path."""
        for row in minimised:
            self._raise((self._least(row.sum) - row.most) // row.scale)
        for row in limited:
            self.bound[self._least(row.sum) > row.most] = NONE
        for one in minimised:
            for limit in (*limited, *self.limited):
                self._raise(self._priced(one, limit, price))
        for limit in limited:
            for one in self.minimised:
                self._raise(self._priced(one, limit, price))

    def by_area(self, area: Sum, path: Path, price: float) -> Ints:
        """[combinations] what designs take of another area that keep the limit on the time."""
        most = dict(self.asked.limits)["time"] * path.times + path.times - 1
        return self._priced(Row(area), Row(path.sum, most), price)

    def too_slow(self, total: Sum, path: Path) -> Bools:
        """[combinations] those under which a path, or what is more, is never within the limit."""
        most = dict(self.asked.limits)["time"] * path.times + path.times - 1
        found: Bools = self._least(total) > most
        return found

    def common(self, total: Sum) -> Ints:
        """[combinations] what of a sum depends on no layer."""
        return self._split(total, self._beside(total)).common

    def minor(self) -> tuple[Key, ...]:
        """The chip's decisions that change the area by at most MINOR of its least."""
        least = [self._least(total) for total in self.problem.area()]
        table = np.max(least, axis=0).reshape(self.shape)
        spread = [int((table.max(axis=n) - table.min(axis=n)).max()) for n in range(table.ndim)]
        small = MINOR * int(table.min())
        return tuple(k for k, n in zip(self.problem.shared, spread, strict=True) if n <= small)

    def _raise(self, bound: Ints) -> None:
        self.bound = np.maximum(self.bound, bound)

    def _least(self, total: Sum) -> Ints:
        """[combinations] with every layer at its least."""
        beside = self._beside(total)
        parts = self._split(total, beside)
        least = sum((table.min(axis=1) for table in parts.owned.values()), np.zeros(1, np.int64))
        return parts.common + least[self._at(beside) if parts.owned else 0]

    def _priced(self, one: Row, limit: Row, near: float) -> Ints:
        """[combinations] the best of the bounds by a row of multiples of what is limited."""
        beside = self._beside(one.sum, limit.sum)
        first, second = self._split(one.sum, beside), self._split(limit.sum, beside)
        over = (second.common - limit.most).astype(np.float64)
        large = np.abs(second.common) + abs(limit.most)
        tables = _side_by_side(first.owned, second.owned)
        best, at = np.zeros(len(over)), self._at(beside)
        near *= one.parts / limit.parts
        for price in np.append(_prices(tables), near * NEAR):
            total = first.common + price * over
            for mine, limited in tables:
                total += (mine + price * limited).min(axis=2).sum(axis=0)[at]
            lost = ROUNDING * (np.abs(total) + np.abs(first.common) + price * large)
            best = np.maximum(best, total - lost)
        return np.floor(np.minimum((best - one.most) / one.scale, NONE / 2)).astype(np.int64)

    def _beside(self, *sums: Sum) -> Needs:
        """The chip's decisions on which numbers of layers depend."""
        found = {key for s in sums for needs in s.blocks if _own(needs) for key in needs}
        return tuple(key for key in self.problem.shared if key in found)

    def _at(self, beside: Needs) -> Ints:
        """[combinations] of all the chip's decisions, that of some."""
        places = np.indices(self.shape).reshape(len(self.shape), -1)
        found = np.zeros(places.shape[1], dtype=np.int64)
        for key in beside:
            found = found * len(self.problem.menu[key]) + places[self.problem.shared.index(key)]
        return found

    def _split(self, total: Sum, beside: Needs) -> Parts:
        common = np.zeros(self.shape, dtype=np.int64)
        owned: dict[Needs, Ints] = {}
        for needs, numbers in total.blocks.items():
            own = _own(needs)
            table = numbers.reshape(self.problem.shape(needs))
            if own:
                axes = (*beside, *own)
                if own not in owned:
                    owned[own] = np.zeros(self.problem.shape(axes), dtype=np.int64)
                owned[own] += self._spread(table, needs, axes)
            else:
                common += self._spread(table, needs, self.problem.shared)
        rows = prod(self.problem.shape(beside))
        flat = {own: table.reshape(rows, -1) for own, table in owned.items()}
        return Parts(common.reshape(-1), flat)

    def _spread(self, table: Ints, needs: Needs, axes: Needs) -> Ints:
        """A table by `needs` with an axis for each of `axes`, of one where it does not matter."""
        order = sorted(range(len(needs)), key=lambda n: axes.index(needs[n]))
        shape = [len(self.problem.menu[key]) if key in needs else 1 for key in axes]
        return table.transpose(order).reshape(shape)


def means_of(areas: list[Path]) -> list[Path]:
    """Each, and of several a row of means of any two of them, and that of all."""
    found = list(areas)
    for one, other in combinations(areas, 2):
        found += [Path.mean([(one, n), (other, MEANS - n)]) for n in range(1, MEANS)]
    if len(areas) > 2:
        found.append(Path.mean([(one, 1) for one in areas]))
    return found


def _own(needs: Needs) -> Needs:
    """Those of layers."""
    return tuple(key for key in needs if isinstance(key, int))


def _side_by_side(
    first: Mapping[Needs, Ints], second: Mapping[Needs, Ints]
) -> list[tuple[Floats, Floats]]:
    """Two sums' tables of the same layers, those with as many values on one another."""
    by_size: dict[int, list[tuple[Ints, Ints]]] = {}
    for own in dict.fromkeys((*first, *second)):
        some = first[own] if own in first else second[own]
        none = np.zeros_like(some)
        pair = first.get(own, none), second.get(own, none)
        by_size.setdefault(some.shape[1], []).append(pair)
    return [
        (
            np.stack([a for a, _ in pairs]).astype(float),
            np.stack([b for _, b in pairs]).astype(float),
        )
        for pairs in by_size.values()
    ]


def _prices(tables: list[tuple[Floats, Floats]]) -> Floats:
    """From less than any exchange of a layer's values is worth to more; 0 without exchange."""
    found = [np.zeros(1)]
    for mine, limited in tables:
        for a, b in combinations(range(mine.shape[2]), 2):
            up, down = mine[..., a] - mine[..., b], limited[..., b] - limited[..., a]
            both = up * down > 0
            found.append(up[both] / down[both])
    slopes = np.concatenate(found)[1:]
    if not len(slopes):
        return np.zeros(1)
    return np.append(0, np.geomspace(slopes.min(), slopes.max(), MULTIPLES))


def _times(total: Sum, factor: int) -> list[Term]:
    """The terms of a multiple of a sum."""
    return [Term(needs, factor * numbers) for needs, numbers in total.blocks.items()]

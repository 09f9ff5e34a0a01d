"""The choice of a design as a problem: sums by the values of decisions, and a longest path.

What a design is asked for is area, time and energy. Area, and energy but for what time costs, are
sums of numbers that each depend on a few decisions; time is the greatest of very many such sums,
the paths, of which `longest` gives one that is greatest under given values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from compiler.design.choices import Key, Values

Quantity = Literal["area", "time", "energy"]
UNITS: dict[Quantity, str] = {"area": "um2", "time": "ps", "energy": "fJ"}


@dataclass(frozen=True, eq=False)
class Term:
    """A whole number by the values of `needs`, in their order."""

    needs: tuple[Key, ...]
    table: Mapping[tuple[int, ...], int]

    def of(self, values: Values) -> int:
        """The number under these values."""
        return self.table[tuple(values[key] for key in self.needs)]

    @property
    def least(self) -> int:
        """Under the best values."""
        return min(self.table.values())


@dataclass(frozen=True, eq=False)
class Path:
    """A bound on the time of every design: its terms' sum over `times`, rounded down."""

    terms: tuple[Term, ...]
    times: int = 1

    def time(self, values: Values) -> int:
        """What it says of a design."""
        return sum(term.of(values) for term in self.terms) // self.times


@dataclass(frozen=True, eq=False)
class Problem:
    """Decisions, and what a design takes by them.

    menu: the values of each decision; energy: its terms, and `power` fJ for each ns of time;
    longest: of a path that takes a design as long as any.
    """

    menu: Mapping[Key, tuple[int, ...]]
    area: tuple[Term, ...]
    energy: tuple[Term, ...]
    power: int
    longest: Callable[[Values], Path]

    def point(self, values: Values) -> "Point":
        """A design's figures, from the terms and its longest path."""
        time = self.longest(values).time(values)
        energy = sum(term.of(values) for term in self.energy) + self.power * time // 1000
        return Point(dict(values), sum(term.of(values) for term in self.area), time, energy)

    def tuples(self, needs: tuple[Key, ...]) -> list[tuple[int, ...]]:
        """All values of some decisions together."""
        return list(product(*(self.menu[key] for key in needs)))


@dataclass(frozen=True)
class Point:
    """A design by its decisions' values, with area (um2), time (ps) and energy (fJ)."""

    values: Mapping[Key, int]
    area: int
    time: int
    energy: int

    def of(self, quantity: Quantity) -> int:
        """One of its three figures."""
        found: int = getattr(self, quantity)
        return found


@dataclass(frozen=True)
class Asked:
    """What is minimised, and the most there may be of anything (um2, ps, fJ)."""

    minimise: Quantity
    limits: tuple[tuple[Quantity, int], ...] = ()

    def met(self, point: Point) -> bool:
        """Whether a design keeps all limits."""
        return all(point.of(quantity) <= most for quantity, most in self.limits)

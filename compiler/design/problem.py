"""The choice of a design as a problem: sums by the values of decisions, and a longest path.

What a design is asked for is area, time and energy. Area, and energy but for what time costs, are
sums of numbers that each depend on a few decisions; time is the greatest of very many such sums,
the paths, of which `longest` gives one that is greatest under given values.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from compiler.design.choices import Key, Values
from ir.arrays import Ints

Quantity = Literal["area", "time", "energy", "product"]
Needs = tuple[Key, ...]
Shares = Mapping[int, Mapping[int, float]]  # {layer: {group size: share}}
UNITS: dict[Quantity, str] = {"area": "um2", "time": "ps", "energy": "fJ", "product": "fJ um2"}


@dataclass(frozen=True, eq=False)
class Term:
    """Whole numbers by the values of `needs`: one for each combination, the last varies fastest."""

    needs: Needs
    numbers: Ints


@dataclass(frozen=True, eq=False)
class Sum:
    """The sum of terms, those of the same decisions added up: {needs: numbers as of a term}."""

    blocks: Mapping[Needs, Ints]

    @classmethod
    def of(cls, terms: Iterable[Term]) -> "Sum":
        """Adds them up."""
        blocks: dict[Needs, Ints] = {}
        for term in terms:
            before = blocks.get(term.needs)
            blocks[term.needs] = term.numbers if before is None else before + term.numbers
        return cls(blocks)


@dataclass(frozen=True, eq=False)
class Path:
    """A bound on the time of every design: a sum over `times`, rounded down."""

    sum: Sum
    times: int = 1

    @classmethod
    def mean(cls, paths: Iterable[tuple["Path", int]]) -> "Path":
        """Of paths, each so many times."""
        terms, times = list[Term](), 0
        for path, number in paths:
            times += number * path.times
            terms += [Term(needs, number * n) for needs, n in path.sum.blocks.items()]
        return cls(Sum.of(terms), times)


@dataclass(frozen=True, eq=False)
class Problem:
    """Decisions, and what a design takes by them.

    menu: the values of each decision; area, energy: made when they are asked for, of a prefill or a
    decode step; of several areas the largest counts; energy takes `power` fJ more for each ns of
    time; longest: of a path that takes a design as long as any; blended: the same of designs whose
    layers take shares of several values. paced: a path that a chip waits for which may draw so much
    power, None: as much as it likes.
    """

    menu: Mapping[Key, tuple[int, ...]]
    area: Callable[[], tuple[Sum, ...]]
    energy: Callable[[], Sum]
    power: int
    longest: Callable[[Values], Path]
    blended: Callable[[Values, Shares], Path]
    paced: Path | None = None

    @property
    def shared(self) -> Needs:
        """The decisions of the whole chip."""
        return tuple(key for key in self.menu if not isinstance(key, int))

    @property
    def own(self) -> tuple[int, ...]:
        """Those of single layers."""
        return tuple(key for key in self.menu if isinstance(key, int))

    def of(self, total: Sum, values: Values) -> int:
        """A sum under the values of a design."""
        place = {key: choices.index(values[key]) for key, choices in self.menu.items()}
        return sum(
            int(numbers[self._index(needs, place)]) for needs, numbers in total.blocks.items()
        )

    def _index(self, needs: Needs, place: Mapping[Key, int]) -> int:
        """Where the number of some values stands in a block."""
        index = 0
        for key in needs:
            index = index * len(self.menu[key]) + place[key]
        return index

    def time_of(self, path: Path, values: Values) -> int:
        """What a path takes a design, ps."""
        return self.of(path.sum, values) // path.times

    def weighed(self, energies: int, area_fj: int) -> "Problem":
        """The same with energy counted so many times, and a um2 as so much energy beside it.

        Of a single area, which is then a sum as energy is.
        """

        def energy() -> Sum:
            (area,) = self.area()
            counted = (energies, self.energy()), (area_fj, area)
            return Sum.of(Term(n, k * block) for k, s in counted for n, block in s.blocks.items())

        return replace(self, energy=energy, power=energies * self.power)

    def point(self, values: Values, quantities: Iterable[Quantity]) -> "Point":
        """A design's figures, from the sums and its longest path."""
        wanted, paths = set(quantities), [self.longest(values)]
        paths += [] if self.paced is None else [self.paced]
        amounts: dict[Quantity, int] = {"time": max(self.time_of(p, values) for p in paths)}
        if "area" in wanted:
            amounts["area"] = max(self.of(total, values) for total in self.area())
        if "energy" in wanted:
            more = self.power * amounts["time"] // 1000
            amounts["energy"] = self.of(self.energy(), values) + more
        return Point(dict(values), amounts)

    def shape(self, needs: Needs) -> tuple[int, ...]:
        """How many values each of some decisions has."""
        return tuple(len(self.menu[key]) for key in needs)


@dataclass(frozen=True)
class Point:
    """A design by its decisions' values, and what was asked: area, time, energy (um2, ps, fJ)."""

    values: Mapping[Key, int]
    amounts: Mapping[Quantity, int]

    def of(self, quantity: Quantity) -> int:
        """One of its figures."""
        return self.amounts[quantity]


@dataclass(frozen=True)
class Asked:
    """What is minimised, and the most there may be of anything (um2, ps, fJ).

    energies, area_fj: of a least energy, how often it counts, and what a um2 counts beside it; no
    limit is then on energy. A least product is of energy and area (`efficient`).
    """

    minimise: Quantity
    limits: tuple[tuple[Quantity, int], ...] = ()
    energies: int = 1
    area_fj: int = 0

    @property
    def least(self) -> set[Quantity]:
        """All of which less is better."""
        return {self.minimise, "area"} if self.area_fj else {self.minimise}

    @property
    def quantities(self) -> set[Quantity]:
        """All that it says something of."""
        return {self.minimise, *(quantity for quantity, _ in self.limits)}

    def of(self, problem: Problem) -> Problem:
        """The problem with energy as it counts here."""
        plain = (self.energies, self.area_fj) == (1, 0)
        return problem if plain else problem.weighed(self.energies, self.area_fj)

    def met(self, point: Point) -> bool:
        """Whether a design keeps all limits."""
        return all(point.of(quantity) <= most for quantity, most in self.limits)

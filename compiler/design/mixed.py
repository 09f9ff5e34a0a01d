"""The choice of one chip for several models as a problem: their tables side by side.

Layers are numbered through (`numbers`), so sums of one model are those of all with other names. The
time is the mean of maxima, so it is the longest of all means of a path of each model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.design.choices import Key, Menu, Values
from compiler.design.floor import Floor
from compiler.design.largest import OWN, Part, largest
from compiler.design.model import Model
from compiler.design.numbers import Numbers
from compiler.design.power import left_mw
from compiler.design.problem import Needs, Path, Problem, Shares, Sum, Term
from compiler.design.tables import Tables


@dataclass(eq=False)
class Mixed:
    """Tables of models side by side, with layers numbered through."""

    numbers: Numbers
    weights: tuple[int, ...]
    models: list[Model]
    menu: Menu

    @property
    def floor(self) -> Floor:
        """Of the first model: the chip, window and power are those of all."""
        return self.models[0].floor

    @cached_property
    def menus(self) -> list[dict[Key, tuple[int, ...]]]:
        """Of each model the values of its decisions."""
        under = self.menu.under(self.models[0].whole)
        return [
            {
                key: sizes_of(m.floor, under) if isinstance(key, int) else under.of(key)
                for key in keys
            }
            for m in self.models
            for keys in (list(under.keys(m.leaders)),)
        ]

    @cached_property
    def tables(self) -> list[Tables]:
        """Of each model."""
        return [Tables(m, menu) for m, menu in zip(self.models, self.menus, strict=True)]

    @cached_property
    def problem(self) -> Problem:
        """The choice for all of them."""
        menu: dict[Key, tuple[int, ...]] = {}
        for number, mine in enumerate(self.menus):
            menu |= {self.numbers.key(number, key): values for key, values in mine.items()}
        return Problem(
            menu,
            lambda: self.area,
            lambda: self.energy,
            self.floor.chip.memory.passive_uw,
            self.longest,
            self.blended,
            None if self.floor.power_mw is None else self._mean(self.paced),
        )

    @cached_property
    def paced(self) -> list[Path]:
        """What each model waits for where power is limited, rounded down to whole ps."""
        floor, most = self.floor, self.floor.power_mw or 0
        left, steps = left_mw(most, floor.chip), max(floor.tokens.decode, 1)
        sums = (tables.work.blocks for tables in self.tables)
        return [Path(Sum({key: fj // left for key, fj in s.items()}), steps) for s in sums]

    def renamed(self, number: int, total: Sum) -> Sum:
        """A sum of one model with its layers' numbers among all."""
        return Sum({self._needs(number, needs): n for needs, n in total.blocks.items()})

    def _needs(self, number: int, needs: Needs) -> Needs:
        return tuple(self.numbers.key(number, key) for key in needs)

    @cached_property
    def area(self) -> tuple[Sum, ...]:
        """What layers hold by their sizes, of one model or another, and the most of all else."""
        parts = [
            Part(what in OWN, number, what, self.renamed(number, total))
            for number, tables in enumerate(self.tables)
            for what, total in tables.areas.items()
        ]
        return largest(self.problem, parts)

    @cached_property
    def energy(self) -> Sum:
        """The mean, each number rounded down."""
        total = sum(self.weights)
        return Sum.of(
            Term(needs, weight * numbers // total)
            for number, weight in enumerate(self.weights)
            for needs, numbers in self.renamed(number, self.tables[number].energy).blocks.items()
        )

    def longest(self, values: Values) -> Path:
        """The mean of the models' longest paths: the mean of their times."""
        found = [t.longest(self.numbers.values(n, values)) for n, t in enumerate(self.tables)]
        if self.floor.power_mw is None:
            return self._mean(found)
        return self._mean([self._slower(n, path, values) for n, path in enumerate(found)])

    def _slower(self, number: int, path: Path, values: Values) -> Path:
        """A model's path or what it waits for, whichever takes longer."""
        both = path, self.paced[number]
        return max(both, key=lambda one: self.problem.of(self.renamed(number, one.sum), values))

    def blended(self, values: Values, shares: Shares) -> Path:
        """The same of designs whose layers take shares of sizes."""
        found = []
        for number, tables in enumerate(self.tables):
            own = self.numbers.shares(number, shares)
            found.append(tables.blended(self.numbers.values(number, values), own))
        return self._mean(found)

    def _mean(self, paths: Sequence[Path]) -> Path:
        renamed = (
            Path(self.renamed(number, _at_least(path.sum)), path.times)
            for number, path in enumerate(paths)
        )
        return Path.mean(zip(renamed, self.weights, strict=True))


def _at_least(total: Sum) -> Sum:
    """A sum whose numbers that stand for no path are no less than makes it 0: means stay small."""
    most = sum(max(int(numbers.max()), 0) for numbers in total.blocks.values())
    return Sum({needs: np.maximum(numbers, -most) for needs, numbers in total.blocks.items()})


def sizes_of(floor: Floor, menu: Menu) -> tuple[int, ...]:
    """Group sizes of a menu up to the first that holds all experts of any of a model's layers."""
    most = max((op.router.experts for op in floor.workload.moe_layers), default=1)
    below = sum(size < most for size in menu.sizes)
    return menu.sizes[: below + 1]

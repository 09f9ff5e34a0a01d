"""Models that one chip serves, each alone on it: one problem of all of them, and their figures.

The decisions of the chip are common. Layers are numbered through, those of the second model after
those of the first, so that each has a group size of its own. Time and energy are means by how many
of all runs are of each model; of an area the chip has what the model needs that needs most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import accumulate

import numpy as np

from compiler.design.choices import Design, Key, Menu, Values, Whole
from compiler.design.figures import Figures, figures
from compiler.design.floor import Floor
from compiler.design.largest import Part, largest
from compiler.design.menus import menu_of
from compiler.design.model import Model
from compiler.design.power import left_mw
from compiler.design.problem import Needs, Path, Problem, Shares, Sum, Term
from compiler.design.tables import Tables, problem_of
from ir.chip import Chip
from ir.errors import InputError

Designs = tuple[Design, ...]


@dataclass(frozen=True, eq=False)
class Mix:
    """Floors of models with the same chip and window, and the weight of each among all runs."""

    floors: tuple[Floor, ...]
    weights: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        if len(self.floors) != len(self.weights) or min(self.weights, default=0) < 1:
            found = f"weights {list(self.weights)} of {len(self.floors)} models"
            raise InputError("design", f"{found}, expected one from 1 up of each")

    @property
    def chip(self) -> Chip:
        """What designs begin with."""
        return self.floors[0].chip

    @property
    def power_mw(self) -> int | None:
        """That the chip may draw in the mean of any run, None: as much as it likes."""
        return self.floors[0].power_mw

    @property
    def alone(self) -> bool:
        """Whether there is one model only."""
        return len(self.floors) == 1

    @property
    def has_experts(self) -> bool:
        """Whether any model has layers of which group sizes are to be chosen."""
        return any(floor.expert_layers for floor in self.floors)

    @cached_property
    def firsts(self) -> tuple[int, ...]:
        """The number that layer 0 of each model has among all, and behind them the next one."""
        counts = [1 + max((*f.workload.regions, *f.expert_layers)) for f in self.floors]
        return tuple(accumulate(counts, initial=0))

    def whose(self, layer: int) -> tuple[int, int]:
        """The model that a layer of all is of, and its number there."""
        model = max(n for n, first in enumerate(self.firsts[:-1]) if first <= layer)
        return model, layer - self.firsts[model]

    def leaders(self, stack: int) -> tuple[int, ...]:
        """Of all models the layers whose group sizes are to be chosen."""
        pairs = zip(self.firsts, self.floors, strict=False)
        return tuple(first + layer for first, floor in pairs for layer in floor.leaders(stack))

    def of(self, model: int, values: Values) -> dict[Key, int]:
        """What one model has of values of all: the chip's, and of its own layers by its numbers."""
        first, end = self.firsts[model : model + 2]
        return {
            key - first if isinstance(key, int) else key: value
            for key, value in values.items()
            if not isinstance(key, int) or first <= key < end
        }

    def values(self, designs: Designs) -> dict[Key, int]:
        """The values of all decisions."""
        found: dict[Key, int] = {}
        for number, design in enumerate(designs):
            found |= {self._key(number, key): value for key, value in design.values.items()}
        return found

    def designs(self, values: Values, whole: Whole) -> Designs:
        """Of each model the design of these values."""
        return tuple(
            floor.design_of(self.of(number, values), whole)
            for number, floor in enumerate(self.floors)
        )

    def _key(self, model: int, key: Key) -> Key:
        return key + self.firsts[model] if isinstance(key, int) else key

    def menu(self, among: Mapping[str, tuple[int, ...]]) -> Menu:
        """The usual values of all models together, but for the decisions that `among` names."""
        menus = [menu_of(floor, among) for floor in self.floors]
        together = {
            field.name: tuple(sorted({n for menu in menus for n in getattr(menu, field.name)}))
            for field in fields(Menu)
        }
        return replace(menus[0], **together)

    def problem(self, whole: Whole, menu: Menu) -> Problem:
        """The choice among the designs of a menu that there are with `whole`."""
        models = [Model(floor, whole) for floor in self.floors]
        if self.alone:
            return problem_of(models[0], menu)
        return _Mixed(self, models, menu).problem

    def figures(self, designs: Designs) -> tuple[Figures, tuple[Figures, ...]]:
        """Of the mix, and of each model."""
        each = tuple(figures(f, d) for f, d in zip(self.floors, designs, strict=True))
        return (each[0] if self.alone else self._mean(each)), each

    def _mean(self, each: Sequence[Figures]) -> Figures:
        """By weights, whole numbers rounded down; areas as the chip has them."""
        total, pairs = sum(self.weights), list(zip(each, self.weights, strict=True))
        steps = max(self.floors[0].tokens.decode, 1)
        energy: dict[str, int] = {}
        for told, weight in pairs:
            for cause, fj in told.energy_fj.items():
                energy[cause] = energy.get(cause, 0) + weight * fj
        own = [{what: n for what, n in told.area_um2.items() if what in OWN} for told in each]
        area = max(own, key=lambda kinds: sum(kinds.values()))
        common = dict.fromkeys(what for told in each for what in told.area_um2 if what not in OWN)
        area |= {what: max(told.area_um2.get(what, 0) for told in each) for what in common}
        window = sum(weight * told.window_ps for told, weight in pairs)
        return Figures(
            window // (total * steps),
            each[0].tokens,
            area,
            {cause: fj // total for cause, fj in energy.items()},
            {},
            window // total,
        )


OWN = ("crossbars and peripheral groups", "input buffers")  # of layers by their group sizes


@dataclass(eq=False)
class _Mixed:
    """Tables of models side by side, with layers numbered through."""

    mix: Mix
    models: list[Model]
    menu: Menu

    @cached_property
    def menus(self) -> list[dict[Key, tuple[int, ...]]]:
        """Of each model the values of its decisions."""
        under = self.menu.under(self.models[0].whole)
        return [
            {key: _sizes(m, under) if isinstance(key, int) else under.of(key) for key in keys}
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
            menu |= {self.mix._key(number, key): values for key, values in mine.items()}
        floor = self.mix.floors[0]
        power = floor.chip.memory.passive_uw * max(floor.tokens.decode, 1)
        return Problem(
            menu,
            lambda: self.area,
            lambda: self.energy,
            power,
            self.longest,
            self.blended,
            None if self.mix.power_mw is None else self._mean(self.paced),
        )

    @cached_property
    def paced(self) -> list[Path]:
        """What each model waits for where power is limited, rounded down to whole ps."""
        floor, most = self.mix.floors[0], self.mix.power_mw or 0
        left, steps = left_mw(most, floor.chip), max(floor.tokens.decode, 1)
        sums = (tables.energy.blocks for tables in self.tables)
        return [Path(Sum({key: fj // left for key, fj in s.items()}), steps) for s in sums]

    def renamed(self, number: int, total: Sum) -> Sum:
        """A sum of one model with its layers' numbers among all."""
        return Sum({self._needs(number, needs): n for needs, n in total.blocks.items()})

    def _needs(self, number: int, needs: Needs) -> Needs:
        return tuple(self.mix._key(number, key) for key in needs)

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
        total = sum(self.mix.weights)
        return Sum.of(
            Term(needs, weight * numbers // total)
            for number, weight in enumerate(self.mix.weights)
            for needs, numbers in self.renamed(number, self.tables[number].energy).blocks.items()
        )

    def longest(self, values: Values) -> Path:
        """The mean of the models' longest paths: the mean of their times."""
        found = [t.longest(self.mix.of(n, values)) for n, t in enumerate(self.tables)]
        if self.mix.power_mw is None:
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
            first, end = self.mix.firsts[number : number + 2]
            own = {n - first: share for n, share in shares.items() if first <= n < end}
            found.append(tables.blended(self.mix.of(number, values), own))
        return self._mean(found)

    def _mean(self, paths: Sequence[Path]) -> Path:
        renamed = (
            Path(self.renamed(number, _at_least(path.sum)), path.times)
            for number, path in enumerate(paths)
        )
        return Path.mean(zip(renamed, self.mix.weights, strict=True))


def _at_least(total: Sum) -> Sum:
    """A sum whose numbers that stand for no path are no less than makes it 0: means stay small."""
    most = sum(max(int(numbers.max()), 0) for numbers in total.blocks.values())
    return Sum({needs: np.maximum(numbers, -most) for needs, numbers in total.blocks.items()})


def _sizes(model: Model, menu: Menu) -> tuple[int, ...]:
    """Group sizes of a menu up to the first that holds all experts of any of its layers."""
    work = model.floor.workload
    most = max((op.router.experts for op in work.moe_layers), default=1)
    below = sum(size < most for size in menu.sizes)
    return menu.sizes[: below + 1]

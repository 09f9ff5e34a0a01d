"""Models that one chip serves, each alone on it: one problem of all of them, and their figures.

The decisions of the chip are common. Layers are numbered through, those of the second model after
those of the first, so that each has a group size of its own. Time and energy are means by how many
of all runs are of each model; of an area the chip has what the model needs that needs most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

from compiler.design.choices import Design, Key, Menu, Values, Whole
from compiler.design.figures import Figures, figures
from compiler.design.floor import Floor
from compiler.design.largest import OWN
from compiler.design.menus import menu_of
from compiler.design.mixed import Mixed
from compiler.design.model import Model
from compiler.design.numbers import Numbers
from compiler.design.problem import Problem
from compiler.design.tables import problem_of
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
    def numbers(self) -> Numbers:
        """Of all layers."""
        return Numbers.of_floors(self.floors)

    def leaders(self, stack: int) -> tuple[int, ...]:
        """Of all models the layers whose group sizes are to be chosen."""
        pairs = zip(self.numbers.firsts, self.floors, strict=False)
        return tuple(first + layer for first, floor in pairs for layer in floor.leaders(stack))

    def values(self, designs: Designs) -> dict[Key, int]:
        """The values of all decisions."""
        found: dict[Key, int] = {}
        for number, design in enumerate(designs):
            found |= {self.numbers.key(number, key): value for key, value in design.values.items()}
        return found

    def designs(self, values: Values, whole: Whole) -> Designs:
        """Of each model the design of these values."""
        return tuple(
            floor.design_of(self.numbers.values(number, values), whole)
            for number, floor in enumerate(self.floors)
        )

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
        return Mixed(self.numbers, self.weights, models, menu).problem

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

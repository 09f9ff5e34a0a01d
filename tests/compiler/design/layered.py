"""Random problems of several layers, whose larger sizes take less area and more time."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np

from compiler.design.choices import Key, Values
from compiler.design.grid import NONE
from compiler.design.paths import Paths
from compiler.design.problem import Asked, Path, Problem, Quantity, Shares, Sum, Term
from compiler.design.relaxed import mean_under
from compiler.design.sheet import Sheet
from ir.arrays import Ints

Menu = dict[Key, tuple[int, ...]]
PATHS = 300


def term(rng: np.random.Generator, menu: Menu, most: int, *needs: Key) -> Term:
    """Numbers below `most` by all values of `needs`."""
    return Term(needs, rng.integers(0, most, prod(len(menu[key]) for key in needs)))


def falling(rng: np.random.Generator, menu: Menu, most: int, key: Key) -> Term:
    """Numbers below `most` by the values of one decision, the largest first."""
    return Term((key,), np.sort(rng.integers(0, most, len(menu[key])))[::-1])


def rising(rng: np.random.Generator, menu: Menu, most: int, key: Key) -> Term:
    """The smallest first."""
    return Term((key,), np.sort(rng.integers(0, most, len(menu[key]))))


def path(rng: np.random.Generator, menu: Menu, steps: int) -> Path:
    """Larger sizes take longer, by as much as copies leave; more units take less."""
    own = [key for key in menu if isinstance(key, int)]
    terms = [rising(rng, menu, 60, layer) for layer in own]
    terms += [term(rng, menu, 20, layer, "copies") for layer in own]
    terms += [falling(rng, menu, 40, key) for key in ("copies", "dpus", "mha")]
    return Path(Sum.of(terms), steps)


@dataclass(frozen=True, eq=False)
class Layered:
    """A problem, and all of its paths."""

    problem: Problem
    paths: list[Path]

    @cached_property
    def designs(self) -> Ints:
        """All of them, by position: [designs, decisions]."""
        return np.array(list(product(*(range(len(n)) for n in self.problem.menu.values()))))

    @cached_property
    def amounts(self) -> dict[Quantity, Ints]:
        """What each design takes: [designs]."""
        under = Paths(self.problem, self.paths).least(self.designs)
        area = Sheet(self.problem, self.problem.area()).under(self.designs).max(axis=0)
        energy = Sheet(self.problem, [self.problem.energy()]).under(self.designs)[0]
        energy += self.problem.power * under // 1000
        return {"area": area, "time": under, "energy": energy}

    def least(self, asked: Asked) -> int:
        """The best of all designs that keep the limits, NONE without any."""
        kept = np.ones(len(self.designs), dtype=bool)
        for quantity, most in asked.limits:
            kept &= self.amounts[quantity] <= most
        return int(self.amounts[asked.minimise][kept].min(initial=NONE))

    def longest(self, values: Values) -> Path:
        """The path that takes a design longest."""
        under = self._sheet.under(self._sheet.positions(values)[None])[:, 0]
        return self.paths[int(np.argmax(under // self._times))]

    def blended(self, values: Values, shares: Shares) -> Path:
        """The path of which the mean by shares is longest."""
        shared = {key: self.problem.menu[key].index(values[key]) for key in self.problem.shared}
        mean = mean_under(self.problem, self._sheet.fixed(shared), shares)
        return self.paths[int(np.argmax(mean / self._times))]

    @cached_property
    def _sheet(self) -> Sheet:
        return Sheet(self.problem, [path.sum for path in self.paths])

    @cached_property
    def _times(self) -> Ints:
        return np.array([path.times for path in self.paths])


def layered(seed: int, layers: int = 5, steps: int = 1, models: int = 1) -> Layered:
    """Three decisions of the chip, of which `mha` is minor, and layers of two or three sizes.

    The layers are of so many models by turns, and the area is the largest of theirs.
    """
    rng = np.random.default_rng(seed)
    menu: Menu = {"copies": (1, 2), "dpus": (1, 2, 4), "mha": (1, 2)}
    menu |= {layer: (1, 2, 4)[: int(rng.integers(2, 4))] for layer in range(layers)}
    own = [[falling(rng, menu, 100, layer)] for layer in range(layers)]
    for layer in range(layers):
        own[layer].append(term(rng, menu, 10, layer, "dpus"))
    chip = [rising(rng, menu, 60, key) for key in ("copies", "dpus")]
    chip += [Term((), np.array([300])), rising(rng, menu, 9, "mha")]
    areas = tuple(
        Sum.of([*(term for terms in own[model::models] for term in terms), *chip])
        for model in range(models)
    )
    energy = [term(rng, menu, 40, layer) for layer in range(layers)]
    energy += [term(rng, menu, 40, "copies", "mha"), Term((), np.array([100]))]
    power, energies = int(rng.integers(0, 3000)), Sum.of(energy)
    problem = Problem(
        menu,
        lambda: areas,
        lambda: energies,
        power,
        lambda values: made.longest(values),
        lambda values, shares: made.blended(values, shares),
    )
    made = Layered(problem, [path(rng, menu, steps) for _ in range(PATHS)])
    return made

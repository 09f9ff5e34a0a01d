"""A model on a chip as a problem: its numbers by the values of the decisions they depend on."""

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import product

import numpy as np

from compiler.design.areas import Part, parts_of
from compiler.design.blend import Blend
from compiler.design.choices import Key, Menu, Values
from compiler.design.energies import moved_bytes
from compiler.design.kernels import NO_WAY, Kernel, Turns
from compiler.design.model import Model
from compiler.design.power import left_mw
from compiler.design.problem import Needs, Path, Problem, Shares, Sum, Term
from compiler.design.queues import Evens
from compiler.design.rates import Rate, Step, rate
from ir.arrays import Ints


def problem_of(model: Model, menu: Menu) -> Problem:
    """The choice among the designs of a menu, that there are with the model's whole.

    Energy is without peripheral groups at rest and the power of cores, and so is what is waited
    for where power is limited.
    """
    keys = menu.under(model.whole)
    choices = {key: keys.of(key) for key in keys.keys(model.leaders)}
    found = Tables(model, choices)
    power = model.floor.chip.memory.passive_uw
    area, energy = lambda: (found.area,), lambda: found.energy
    paced = None if model.floor.power_mw is None else found.paced(model.floor.power_mw)
    return Problem(choices, area, energy, power, found.longest, found.blended, paced)


class Tables:
    """Sums of a model, each counted once."""

    def __init__(self, model: Model, menu: Mapping[Key, tuple[int, ...]]) -> None:
        self.model, self.menu = model, menu
        self.first = {key: values[0] for key, values in menu.items()}
        self._kernels: dict[int, list[Kernel]] = {}
        self._evens: dict[int, Evens | None] = {}
        self._paths: dict[tuple[int, ...], Path] = {}
        self._turns: tuple[tuple[int, ...], dict[Turns, Ints]] = (), {}

    def under(self, needs: Needs) -> list[Values]:
        """All values of some decisions together; of the others the first."""
        tuples = product(*(self.menu[key] for key in needs))
        return [self.first | dict(zip(needs, values, strict=True)) for values in tuples]

    def term(self, needs: Needs, number: Callable[[Values], int]) -> Term:
        """A number by all values of `needs`."""
        numbers = [number(values) for values in self.under(needs)]
        return Term(needs, np.array(numbers, dtype=np.int64))

    @cached_property
    def area(self) -> Sum:
        """Of all parts of all regions."""
        return Sum.of(self.term(part.needs, self._um2(part)) for part in parts_of(self.model.way))

    @cached_property
    def areas(self) -> dict[str, Sum]:
        """The same by kind."""
        found: dict[str, list[Term]] = {}
        for part in parts_of(self.model.way):
            found.setdefault(part.what, []).append(self.term(part.needs, self._um2(part)))
        return {what: Sum.of(terms) for what, terms in found.items()}

    def _um2(self, part: Part) -> Callable[[Values], int]:
        return lambda values: part.um2(self.model.site(part.region, values))

    @cached_property
    def energy(self) -> Sum:
        """Of a prefill or of one decode step, each number rounded down."""
        steps = max(self.model.floor.tokens.decode, 1)
        return Sum({needs: fj // steps for needs, fj in self.work.blocks.items()})

    @cached_property
    def work(self) -> Sum:
        """Of all stations, and of what moves through buffers, which tiles of attention change.

        Energy of the prefill or of all decode steps together.
        """
        terms = []
        for node in self.model.order:
            needs = self.model.stations[node].needs
            numbers = [kernel.energy_fj for kernel in self.kernels(node)]
            terms.append(Term(needs, np.array(numbers, dtype=np.int64)))
        each = 8 * self.model.floor.chip.memory.buffer_bit_fj
        if each:
            moved: Needs = ("mha", "copies")
            terms.append(self.term(moved, lambda v: each * moved_bytes(self.model, v)))
        return Sum.of(terms)

    def paced(self, power_mw: int) -> Path:
        """What a chip waits for that may draw so much, rounded up."""
        steps = max(self.model.floor.tokens.decode, 1)
        times = steps * left_mw(power_mw, self.model.floor.chip)
        up: Needs = ()
        rounded = {up: np.array([times - 1], dtype=np.int64)}
        return Path(Sum({**self.work.blocks, **rounded}), times)

    def kernels(self, node: int) -> list[Kernel]:
        """A station under all values of its decisions."""
        if node not in self._kernels:
            under = self.under(self.model.stations[node].needs)
            self._kernels[node] = [self.model.kernel(node, values) for values in under]
        return self._kernels[node]

    def longest(self, values: Values) -> Path:
        """The path that a design takes, as a bound on all of them."""
        key = tuple(values[key] for key in self.menu)
        if key not in self._paths:
            self._paths[key] = self.path(rate(self.model, values))
        return self._paths[key]

    def blended(self, values: Values, shares: Shares) -> Path:
        """The same of designs whose layers take shares of sizes, under the other values."""
        chip = tuple(values[key] for key in self.menu if not isinstance(key, int))
        if self._turns[0] != chip:
            self._turns = chip, {}
        first = dict(values) | {layer: next(iter(sizes)) for layer, sizes in shares.items()}
        return self.path(rate(Blend(self.model, shares, self._turns[1]), first))

    def path(self, found: Rate) -> Path:
        """What the stations of a path, or the busiest unit's work, take under all values."""
        steps = max(self.model.floor.tokens.decode, 1)
        if found.unit is not None:
            works = [kernel.work_ps for kernel in self.kernels(found.unit)]
            return Path(Sum.of([self._of(found.unit, works)]), steps)
        passed = Sum.of(self._passing(step) for step in found.path)
        return Path(Sum({n: np.maximum(part, NO_WAY) for n, part in passed.blocks.items()}), steps)

    def _passing(self, step: Step) -> Term:
        """What a station takes from the arrival of one token to the departure of another."""
        node, first, last = step.station, step.first, step.last
        even = self._even(node)
        if even is not None:
            return Term(self.model.stations[node].needs, even.lengths(first, last))
        return self._of(node, [kernel.length(first, last) for kernel in self.kernels(node)])

    def _even(self, node: int) -> Evens | None:
        """The numbers of a station whose tokens all take the same, side by side; None of others."""
        if node not in self._evens:
            self._evens[node] = Evens.of(self.kernels(node))
        return self._evens[node]

    def _of(self, node: int, numbers: list[int]) -> Term:
        return Term(self.model.stations[node].needs, np.array(numbers, dtype=np.int64))

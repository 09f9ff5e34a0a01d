"""A model on a chip as a problem: its numbers by the values of the decisions they depend on."""

from collections.abc import Callable, Mapping
from itertools import product

from compiler.design.areas import Part, parts_of
from compiler.design.choices import Key, Menu, Values
from compiler.design.energies import moved_bytes
from compiler.design.model import Model
from compiler.design.problem import Path, Problem, Term
from compiler.design.rates import Step, length, rate


def problem_of(model: Model, menu: Menu) -> Problem:
    """The choice among the designs of a menu, whose groups have at most the model's mux.

    Energy is without peripheral groups at rest and the power of cores.
    """
    keys = menu.up_to(model.whole.mux)
    choices = {key: keys.of(key) for key in keys.keys(model.floor.expert_layers)}
    found = _Tables(model, choices)
    chip, steps = model.floor.chip, max(model.floor.tokens.decode, 1)
    return Problem(
        choices,
        found.area(),
        found.energy(),
        chip.memory.passive_uw * steps,
        found.longest,
    )


class _Tables:
    """Terms of a model, each counted once."""

    def __init__(self, model: Model, menu: Mapping[Key, tuple[int, ...]]) -> None:
        self.model, self.menu = model, menu
        self.first = {key: values[0] for key, values in menu.items()}
        self.known: dict[tuple[int, tuple[Step, ...]], Term] = {}

    def term(self, needs: tuple[Key, ...], number: Callable[[Values], int]) -> Term:
        """A number by all values of `needs`."""
        table = {}
        for values in product(*(self.menu[key] for key in needs)):
            table[values] = number(self.first | dict(zip(needs, values, strict=True)))
        return Term(needs, table)

    def area(self) -> tuple[Term, ...]:
        """Of all parts of all regions."""
        return tuple(self.term(part.needs, self._um2(part)) for part in parts_of(self.model.way))

    def _um2(self, part: Part) -> Callable[[Values], int]:
        return lambda values: part.um2(self.model.site(part.region, values))

    def energy(self) -> tuple[Term, ...]:
        """Of all stations, and of what moves through buffers, which tiles of attention change."""
        terms = [
            self.term(self.model.stations[node].needs, self._fj(node))
            for node in self.model.order
            if self.model.kernel(node, self.first).energy_fj
        ]
        each = 8 * self.model.floor.chip.memory.buffer_bit_fj
        if each:
            needs: tuple[Key, ...] = ("mha", "copies")
            terms.append(self.term(needs, lambda v: each * moved_bytes(self.model, v)))
        return tuple(terms)

    def _fj(self, node: int) -> Callable[[Values], int]:
        return lambda values: self.model.kernel(node, values).energy_fj

    def longest(self, values: Values) -> Path:
        """The path that a design takes, as a bound on all of them."""
        found, steps = rate(self.model, values), max(self.model.floor.tokens.decode, 1)
        if found.unit is not None:
            return Path((self._work(found.unit),), steps)
        by_station: dict[int, list[Step]] = {}
        for step in found.path:
            by_station.setdefault(step.station, []).append(step)
        terms = tuple(self._passing(node, tuple(some)) for node, some in by_station.items())
        return Path(terms, steps)

    def _work(self, node: int) -> Term:
        key = node, ()
        if key not in self.known:
            needs = self.model.stations[node].needs
            self.known[key] = self.term(needs, lambda v: self.model.kernel(node, v).work_ps)
        return self.known[key]

    def _passing(self, node: int, steps: tuple[Step, ...]) -> Term:
        """What a station takes between the tokens of a path."""
        key, tokens = (node, steps), len(self.model.floor.tokens)
        if key not in self.known:

            def number(values: Values) -> int:
                kernel = self.model.kernel(node, values)
                return sum(length(kernel, step, tokens) for step in steps)

            self.known[key] = self.term(self.model.stations[node].needs, number)
        return self.known[key]

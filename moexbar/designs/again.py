"""A chip whose program keeps what was asked for, not only its model.

The model of time is off by some per cent, by more where layers share peripheral groups. Where the
program of the chip that was chosen takes more than was asked, the choice is made again with a
limit that is lower by the model's error there, until a program keeps it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from compiler.design.designer import Chosen, Designer
from compiler.design.problem import Asked, Quantity
from ir.errors import InfeasibleError
from moexbar.designs.means import mean_of
from moexbar.designs.programs import Programmed, programmed
from moexbar.progress import Progress
from moexbar.report.designed import AgainRow, DesignFigures

TRIES = 4
Limits = tuple[tuple[Quantity, int], ...]


@dataclass(frozen=True, eq=False)
class Tried:
    """A chosen chip, each model's program and what all take; again: what was tried before it."""

    chosen: Chosen
    each: tuple[Programmed, ...]
    figures: DesignFigures
    again: tuple[AgainRow, ...] = ()

    def over(self, limits: Limits) -> dict[Quantity, float]:
        """By how much of each limit its program takes more: 0.02 for 2 % more."""
        found = ((q, self.took(q) / most - 1) for q, most in limits)
        return {quantity: more for quantity, more in found if more > 0}

    def took(self, quantity: Quantity) -> float:
        """What the program takes: um2, ps, fJ; energy of decode steps by the model."""
        told = self.figures
        if quantity == "area":
            return told.area_um2
        if quantity == "time":
            return told.time_ns * 1000
        by_model = self.chosen.figures.total_fj
        return by_model if told.energy_nj is None else told.energy_nj * 1e6


def best_that_keeps(designer: Designer, asked: Asked, progress: Progress) -> Tried:
    """The best chip whose program keeps the limits, or of TRIES the one that is least over one.

    Raises InfeasibleError where none keeps them by the model.
    """
    every, again, limits = list[Tried](), list[AgainRow](), asked.limits
    for _ in range(TRIES):
        try:
            with looking(designer, progress, "design again" if every else "design"):
                chosen = designer.best(replace(asked, limits=limits))
        except InfeasibleError:
            if not every:
                raise
            break
        tried = tried_of(designer, chosen)
        every.append(tried)
        over = tried.over(asked.limits)
        if not over:
            break
        lower = tuple(_lower(tried, asked.limits, limits))
        again += [_told(tried, asked.limits, lower, quantity) for quantity in over]
        limits = lower
    best = min(every, key=lambda tried: max(tried.over(asked.limits).values(), default=0))
    return replace(best, again=tuple(again))


@contextmanager
def looking(designer: Designer, progress: Progress, what: str) -> Iterator[None]:
    """Progress of a choice: a step for each kind of chip, most of which are looked at twice."""
    progress.begin(what, 2 * len(designer.wholes))
    designer.tell = lambda whole: progress.step(whole.words)
    yield
    progress.end()


def tried_of(designer: Designer, chosen: Chosen) -> Tried:
    """A chip with its programs."""
    rows = zip(designer.mix.floors, chosen.designs, chosen.each, strict=True)
    each = tuple(programmed(*row) for row in rows)
    return Tried(chosen, each, mean_of(each, designer.mix.weights))


def _lower(tried: Tried, asked: Limits, limits: Limits) -> Iterator[tuple[Quantity, int]]:
    """What is asked over the model's error, of quantities that are over their limit."""
    over = tried.over(asked)
    for (quantity, most), (_, before) in zip(asked, limits, strict=True):
        if quantity not in over:
            yield quantity, before
            continue
        model = tried.chosen.figures.of(quantity)
        yield quantity, min(before - 1, int(most * model / tried.took(quantity)))


def _told(tried: Tried, asked: Limits, lower: Limits, quantity: Quantity) -> AgainRow:
    most, then = dict(asked)[quantity], dict(lower)[quantity]
    return AgainRow(quantity, tried.took(quantity), most, then)

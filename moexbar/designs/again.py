"""A chip whose program keeps what was asked for, not only its model.

The model of time is off by some per cent, by more where layers share peripheral groups. Where the
program of the chip that was chosen takes more than was asked, the choice is made again with a
limit that is lower by the model's error there. A chip that keeps it may then be better than it
need be: while it costs more than a hundredth above the one before, limits between are tried too.
"""

from collections.abc import Iterator, Sequence
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
ENOUGH = 100  # a hundredth of what is minimised
Limits = tuple[tuple[Quantity, int], ...]


@dataclass(frozen=True, eq=False)
class Tried:
    """A chosen chip, each model's program and what all take; again: what was tried before it."""

    chosen: Chosen
    each: tuple[Programmed, ...]
    figures: DesignFigures
    limits: Limits = ()
    again: tuple[AgainRow, ...] = ()

    @property
    def value(self) -> int:
        """Of what is minimised, by the model."""
        return self.chosen.best.value

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
    """The best chip of TRIES whose program keeps the limits, or the one that is least over one.

    Raises InfeasibleError where none keeps them by the model.
    """
    every: list[Tried] = []
    limits: Limits | None = asked.limits
    while limits is not None and len(every) < TRIES:
        try:
            with looking(designer, progress, "design again" if every else "design"):
                chosen = designer.best(replace(asked, limits=limits))
        except InfeasibleError:
            if not every:
                raise
            break
        every.append(tried_of(designer, chosen, limits))
        limits = _next(every, asked.limits)
    kept = [tried for tried in every if not tried.over(asked.limits)]
    if kept:
        best = min(kept, key=lambda tried: tried.value)
    else:
        best = min(every, key=lambda tried: max(tried.over(asked.limits).values()))
    return replace(best, again=tuple(row for tried in every for row in _told(tried, asked.limits)))


def _next(every: Sequence[Tried], asked: Limits) -> Limits | None:
    """What to ask of the model next, None where what was found is good enough."""
    failed = [tried for tried in every if tried.over(asked)]
    kept = [tried for tried in every if not tried.over(asked)]
    if not failed:
        return None
    last = failed[-1]
    if not kept:
        return tuple(_lower(last, asked))
    best = min(kept, key=lambda tried: tried.value)
    if ENOUGH * (best.value - last.value) <= best.value:
        return None
    between = tuple(
        (q, (most + min(over, last.chosen.figures.of(q))) // 2)
        for (q, most), (_, over) in zip(best.limits, last.limits, strict=True)
    )
    return None if between in (best.limits, last.limits) else between


@contextmanager
def looking(designer: Designer, progress: Progress, what: str) -> Iterator[None]:
    """Progress of a choice: a step for each kind of chip, most of which are looked at twice."""
    progress.begin(what, 2 * len(designer.wholes))
    designer.tell = lambda whole: progress.step(whole.words)
    yield
    progress.end()


def tried_of(designer: Designer, chosen: Chosen, limits: Limits = ()) -> Tried:
    """A chip with its programs."""
    rows = zip(designer.mix.floors, chosen.designs, chosen.each, strict=True)
    each = tuple(programmed(*row) for row in rows)
    return Tried(chosen, each, mean_of(each, designer.mix.weights), limits)


def _lower(tried: Tried, asked: Limits) -> Iterator[tuple[Quantity, int]]:
    """What is asked over the model's error, of quantities that are over their limit."""
    over = tried.over(asked)
    for (quantity, most), (_, before) in zip(asked, tried.limits, strict=True):
        if quantity not in over:
            yield quantity, before
            continue
        model = tried.chosen.figures.of(quantity)
        yield quantity, min(before - 1, int(most * model / tried.took(quantity)))


def _told(tried: Tried, asked: Limits) -> Iterator[AgainRow]:
    """What of a chip's program is too much."""
    for quantity in tried.over(asked):
        was, most = dict(tried.limits)[quantity], dict(asked)[quantity]
        yield AgainRow(quantity, was, tried.took(quantity), most)

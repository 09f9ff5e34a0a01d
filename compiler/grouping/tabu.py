"""Tabu search (Glover 1989): the loop of every local search, and where Ctrl-C ends one.

A step looks at many moves from where the search stands and makes the best one, even where it makes
things worse. What was just moved stays for a few steps, unless moving it gives a better value than
all before, so that the search leaves local optima.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from compiler.grouping.watch import Watch
from ir.arrays import Bools, Ints

BARRED = np.iinfo(np.int64).max  # value of a move that may not be made

Answer = TypeVar("Answer")
Some = TypeVar("Some", bound="Moves")


class Moves(Protocol):
    """Some moves, each of a few things."""

    def __len__(self) -> int:
        """Return their number."""
        ...

    def touch(self, things: Bools) -> Bools:
        """Whether each moves any of these `things`: [moves]."""
        ...


class State(Protocol[Some]):
    """Where a search stands, and the moves from there."""

    @property
    def value(self) -> int:
        """What the search makes less."""
        ...

    @property
    def things(self) -> int:
        """Number of things that moves name."""
        ...

    def moves(self, random: np.random.Generator) -> Some:
        """Moves to look at next; none end the search."""
        ...

    def values(self, moves: Some) -> Ints:
        """Value after each: [moves]."""
        ...

    def choose(self, moves: Some, values: Ints) -> int | None:
        """Index of a move of least value, or None to stay for this step."""
        ...

    def make(self, moves: Some, pick: int) -> Ints:
        """Make a move; return the things it moved."""
        ...


@dataclass(frozen=True)
class Limits:
    """When a search ends, by no clock, so that it repeats exactly.

    steps: most steps; patience: most steps since the last better value; tenure: steps a moved thing
    stays, drawn from this half-open range.
    """

    steps: int
    patience: int
    tenure: tuple[int, int]


def walk(
    state: State[Some], limits: Limits, random: np.random.Generator, goal: int = 0
) -> Iterator[bool]:
    """Walk from `state` until its value meets `goal`; yield after each step if it led lower."""
    free_at = np.zeros(state.things, dtype=np.int64)
    best, last_better = state.value, 0
    for step in range(limits.steps):
        if best <= goal or step - last_better > limits.patience:
            return
        moves = state.moves(random)
        if not len(moves):
            return
        values = state.values(moves)
        values[moves.touch(free_at > step) & (values >= best)] = BARRED
        pick = state.choose(moves, values)
        if pick is None:
            yield False
            continue
        value = int(values[pick])
        moved = state.make(moves, pick)
        free_at[moved] = step + random.integers(*limits.tenure, size=len(moved))
        better = value < best
        if better:
            best, last_better = value, step
        yield better


def best_of(answers: Iterable[tuple[Answer, int]], start: Answer, watch: Watch) -> Answer:
    """Return the last of ever better answers, `start` if there is none.

    Their values go to `watch`. Ctrl-C ends the search with the best so far and sets
    `watch.interrupted`.
    """
    best = start
    try:
        for answer, value in answers:
            best = answer
            watch.better(value)
    except KeyboardInterrupt:
        watch.interrupted = True
    return best

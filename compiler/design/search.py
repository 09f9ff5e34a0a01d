"""The best designs of a problem, asked for one after another.

Each path that is learnt for a question holds for every design, and serves all later ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from compiler.design.answer import Found
from compiler.design.choices import Key
from compiler.design.grid import NONE, Grid
from compiler.design.many import ManyLayers
from compiler.design.paths import Paths
from compiler.design.problem import Asked, Problem
from compiler.design.question import Question
from compiler.options import SolverOptions

FEW = 6  # layers whose sizes the solver chooses at once, proven, under each chip's decisions
LIMITS = SolverOptions()


@dataclass(eq=False)
class Search:
    """A problem and what is known of it."""

    problem: Problem
    options: SolverOptions = LIMITS

    @cached_property
    def paths(self) -> Paths:
        """At first those of the first designs, and what a chip waits for that is paced."""
        known = Paths(self.problem)
        if self.problem.paced is not None:
            known.learn(self.problem.paced)
        for values in _first_designs(self.problem):
            known.learn(self.problem.longest(values))
        return known

    def least(self, asked: Asked) -> int:
        """A bound without any path: what is minimised but for what depends on time."""
        return int(Grid(asked.of(self.problem), asked, ()).bound.min())

    def best(self, asked: Asked, below: int = NONE, *, rough: bool = False) -> Found:
        """The design that is asked for, if there is one with less than `below`.

        rough: of a model of many layers a twentieth above the bound is enough, not a hundredth.
        Raises CheckError where an answer's sums are not the solver's, InputError where none was
        found in time.
        """
        if len(self.problem.own) <= FEW:
            return Question(self.paths, self.options, asked, below).answered()
        return ManyLayers(self.paths, self.options, asked, below, rough=rough).answered()


def _first_designs(problem: Problem) -> Iterator[dict[Key, int]]:
    """With the most of everything but the group sizes, which are all alike, or one decision.

    Their paths are those of each unit where there is too little of it.
    """
    most = {key: values[-1] for key, values in problem.menu.items()}
    layers = [key for key in problem.menu if isinstance(key, int)]
    for size in sorted({size for layer in layers for size in problem.menu[layer]}) or [0]:
        alike = {layer: size for layer in layers if size in problem.menu[layer]}
        yield most | alike
        for key, values in problem.menu.items():
            if not isinstance(key, int) and values[0] != values[-1]:
                yield most | alike | {key: values[0]}

"""The paths that are known of a problem: each a bound on the time of every design."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from compiler.design.problem import Path, Problem
from compiler.design.sheet import Sheet
from ir.arrays import Ints


@dataclass(eq=False)
class Paths:
    """Paths of a problem, in the order in which they were learnt.

    means: of several of them, which say most of designs that the layers' sizes are open of; areas:
    means of several areas, likewise.
    """

    problem: Problem
    every: list[Path] = field(default_factory=list)
    means: list[Path] = field(default_factory=list)
    areas: list[Path] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.every)

    @cached_property
    def sheet(self) -> Sheet:
        """Their sums."""
        return Sheet(self.problem, [path.sum for path in self.every])

    @property
    def times(self) -> Ints:
        """[paths] what each is to be divided by."""
        return np.array([path.times for path in self.every], dtype=np.int64)

    def learn(self, path: Path) -> None:
        """One more."""
        self.sheet.add(path.sum)
        self.every.append(path)

    def least(self, designs: Ints) -> Ints:
        """[designs] bounds on the times of designs at these positions."""
        least: Ints = (self.sheet.under(designs) // self.times[:, None]).max(axis=0)
        return least

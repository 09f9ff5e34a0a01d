"""Bounds on the area by parting the sizes of layers, where shares of sizes say too little.

A layer that takes halves of two sizes waits less than the mean of both, so of many layers a linear
program over shares may be far below all designs. The sizes of the layer whose shares are most apart
are parted in two, and each part has shares, paths and a bound of its own, for all combinations of
the chip's decisions at once. The least bound of all open parts holds for every design; the part
that has it is parted next.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from compiler.design.grid import NONE
from compiler.design.problem import Asked, Needs, Shares, Sum, Term
from compiler.design.relaxed import Relaxation, Relaxed, first_row, mean_under, rows_of
from compiler.design.sheet import Sheet
from ir.arrays import Bools, Ints

if TYPE_CHECKING:
    from compiler.design.many import ManyLayers

Open = Mapping[int, frozenset[int]]  # sizes that a layer may have, where not all
DEAR = 10**13  # um2 that a size takes which a layer may not have: more than any chip
SLOW = 10**12  # ps likewise
CUTS, CLOSE = 12, 5e-4  # paths of a part at most; a path that says less than CLOSE more is no news


@dataclass(frozen=True, eq=False)
class Part:
    """Designs whose layers have some of their sizes; bound: [combinations]; shares: by them."""

    sizes: Open
    bound: Ints
    shares: Shares


@dataclass(eq=False)
class Parting:
    """Parts of all designs that keep a limit on the time, under combinations that are alike.

    at: one of these; their shares are by the most of each minor decision, and by the least area.
    """

    question: "ManyLayers"
    at: int
    parts: list[Part] = field(default_factory=list)
    rows: list[dict[Needs, Ints]] = field(default_factory=list)

    def __post_init__(self) -> None:
        problem, minor = self.question.problem, self.question.minor
        most = {key: len(problem.menu[key]) - 1 for key in minor}
        self.shared = self.question.shared(self.at) | most
        self.values = {key: problem.menu[key][place] for key, place in self.shared.items()}
        self.mine = self.question.alike(self.at)
        (self.area,) = problem.area()
        self.parts = [self._part({}, self.question.grid.bound, {})]

    @property
    def bound(self) -> Ints:
        """[combinations] what no design is below."""
        found: Ints = np.minimum.reduce([part.bound for part in self.parts])
        return found

    def grow(self, parts: int) -> bool:
        """Parts the least so many times, or until it is good enough; whether any was parted."""
        for number in range(parts):
            least = min(self.parts, key=self.least)
            bound, halves = self.least(least), self._halves(least)
            enough = self.question.value <= bound or self.question.near(bound)
            if enough or halves is None:
                return number > 0
            self.parts.remove(least)
            self.parts += [self._part(half, least.bound, least.shares) for half in halves]
        return True

    def least(self, part: Part) -> int:
        """The bound of a part, whichever of the combinations."""
        return int(part.bound[self.mine].min())

    def _halves(self, part: Part) -> tuple[Open, Open] | None:
        """The sizes of the layer with the least of its largest share, below its mean and above."""
        menu, own = self.question.problem.menu, self.question.problem.own
        sizes = {key: part.sizes.get(key, frozenset(menu[key])) for key in own}
        several = [key for key in own if len(sizes[key]) > 1 and key in part.shares]
        if not several:
            return None
        key = min(several, key=lambda layer: max(part.shares[layer].values()))
        mean = sum(size * share for size, share in part.shares[key].items())
        ordered = sorted(sizes[key])
        below = min(max(bisect_right(ordered, mean), 1), len(ordered) - 1)
        low, high = frozenset(ordered[:below]), frozenset(ordered[below:])
        return {**part.sizes, key: low}, {**part.sizes, key: high}

    def _part(self, sizes: Open, bound: Ints, shares: Shares) -> Part:
        """A part with its own shares, and a bound by the mean of paths that says most of it."""
        question, found = self.question, self._relaxed(sizes)
        if found is None:
            slow = self._slow(sizes)
            return Part(sizes, bound if slow is None else np.where(slow, NONE, bound), shares)
        mean, price = question.mean_of(found)
        if mean is not None:
            area = _sum(self.area, self._dear(sizes, DEAR))
            bound = np.maximum(bound, question.grid.by_area(area, mean, price))
        return Part(sizes, bound, found.shares)

    def _relaxed(self, sizes: Open) -> Relaxation | None:
        """What layers take of some sizes if they could take shares; its paths are learnt.

        None where nothing keeps the limit, as far as floats can tell.
        """
        question, problem = self.question, self.question.problem
        area = Sheet(problem, [_sum(self.area, self._dear(sizes, DEAR))])
        rows = rows_of(area, self.shared, question.minor)
        program = Relaxed(problem, question.asked, {"area": rows}, self._longest())
        for row, path in zip(self._rows(), question.paths.every, strict=True):
            program.add(row, path.times)
        for cut in range(CUTS):
            answer = program.solve()
            if answer is None or answer.value > DEAR / 2:
                return None
            path = problem.blended(self.values, answer.shares)
            row = Sheet(problem, [path.sum]).fixed(self.shared)
            taken = float(mean_under(problem, row, answer.shares)[0]) / path.times
            told = taken <= (1 + CLOSE) * answer.time
            if told or cut == CUTS - 1 or question.near(int(answer.value)):
                break
            question.learn_beside(path)
            program.add(first_row(row), path.times)
        return answer

    def _slow(self, sizes: Open) -> Bools | None:
        """[combinations] those under which nothing of some sizes keeps the limit on the time."""
        question, problem = self.question, self.question.problem
        program = Relaxed(problem, Asked("time"), {}, self._longest())
        for row, path in zip(self._rows(), question.paths.every, strict=True):
            dear = self._dear(sizes, SLOW * path.times)
            program.add(_sum(Sum(row), dear).blocks, path.times)
        found = program.solve()
        mean = None if found is None else question.mean_of(found)[0]
        if mean is None:
            return None
        return question.grid.too_slow(_sum(mean.sum, self._dear(sizes, SLOW * mean.times)), mean)

    def _rows(self) -> list[dict[Needs, Ints]]:
        """All paths under the combination."""
        for path in self.question.paths.every[len(self.rows) :]:
            row = Sheet(self.question.problem, [path.sum]).fixed(self.shared)
            self.rows.append(first_row(row))
        return self.rows

    def _longest(self) -> float:
        """No path is longer, ps."""
        return sum(float(numbers.max()) for numbers in self._rows()[0].values())

    def _dear(self, sizes: Open, much: int) -> list[Term]:
        """What keeps layers from the sizes that they may not have."""
        menu = self.question.problem.menu
        return [
            Term((key,), np.array([0 if size in some else much for size in menu[key]]))
            for key, some in sizes.items()
        ]


def _sum(total: Sum, more: list[Term]) -> Sum:
    return Sum.of([*(Term(needs, numbers) for needs, numbers in total.blocks.items()), *more])

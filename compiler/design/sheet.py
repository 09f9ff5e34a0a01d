"""Many sums of one problem side by side, looked at under many designs at once."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from compiler.design.choices import Key, Values
from compiler.design.problem import Needs, Problem, Sum
from ir.arrays import Ints

Positions = Ints  # of a design: the place of each decision's value among all; [decisions]


class Sheet:
    """Sums in rows; blocks: {needs: numbers [sums, combinations]}."""

    def __init__(self, problem: Problem, sums: Iterable[Sum] = ()) -> None:
        self.problem = problem
        self.place = {key: number for number, key in enumerate(problem.menu)}
        self.sums = list(sums)
        self._blocks: dict[Needs, Ints] = {}

    def add(self, total: Sum) -> None:
        """One more sum."""
        self.sums.append(total)
        self._blocks = {}

    def positions(self, values: Values) -> Positions:
        """Of a design."""
        menu = self.problem.menu
        return np.array([menu[key].index(values[key]) for key in menu])

    def values(self, positions: Positions) -> dict[Key, int]:
        """Of a design by its positions."""
        menu = self.problem.menu
        return {key: menu[key][n] for key, n in zip(menu, positions.tolist(), strict=True)}

    def under(self, designs: Ints) -> Ints:
        """[sums, designs] of positions [designs, decisions]."""
        found = np.zeros((len(self.sums), len(designs)), dtype=np.int64)
        for needs, numbers in self._stacked().items():
            index = np.zeros(len(designs), dtype=np.int64)
            for key in needs:
                index = index * len(self.problem.menu[key]) + designs[:, self.place[key]]
            found += numbers[:, index]
        return found

    def fixed(self, shared: Mapping[Key, int], free: Collection[Key] = ()) -> dict[Needs, Ints]:
        """With the chip's own decisions at these places: what is left to the layers' own.

        {needs: numbers [sums, combinations]}, of `()` what does not depend on any. Of decisions
        that are free each number has the least.
        """
        found: dict[Needs, Ints] = {}
        for needs, numbers in self._stacked().items():
            own = tuple(key for key in needs if isinstance(key, int))
            table = numbers.reshape(-1, *self.problem.shape(needs))
            open_axes = tuple(axis for axis, key in enumerate(needs, start=1) if key in free)
            if open_axes:
                table = table.min(axis=open_axes, keepdims=True)
            at = (
                slice(None) if isinstance(key, int) else 0 if key in free else shared[key]
                for key in needs
            )
            left = table[slice(None), *at].reshape(len(self.sums), -1)
            found[own] = found[own] + left if own in found else left
        return found

    def _stacked(self) -> dict[Needs, Ints]:
        """{needs: [sums, combinations]}, 0 in sums without them."""
        if not self._blocks:
            every = dict.fromkeys(needs for total in self.sums for needs in total.blocks)
            for needs in every:
                some = next(t.blocks[needs] for t in self.sums if needs in t.blocks)
                none = np.zeros_like(some)
                rows = [total.blocks.get(needs, none) for total in self.sums]
                self._blocks[needs] = np.stack(rows)
        return self._blocks

"""Designs whose layers take shares of several group sizes: of everything the mean by the shares.

No chip is such a design. A longest path of it is a path of every design, and the one that says most
where the choice among sizes is still open, as a linear program leaves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from math import prod

import numpy as np

from compiler.design.choices import Values
from compiler.design.floor import Floor
from compiler.design.flow import Nodes
from compiler.design.kernels import Kernel, Turns
from compiler.design.model import Model
from compiler.design.problem import Shares
from compiler.design.queues import Even, Queue, queue
from compiler.design.shared_kernels import Shared
from ir.arrays import Ints

ROWS = 512  # tokens, evenly apart, from which the lengths of mixed turns are known at most
LEAST = 1e-6  # a share below is none


@dataclass(eq=False)
class Blend:
    """A model under shares of group sizes, for `rates.rate`.

    lengths: of turns, kept for other shares under the same values of the chip's decisions.
    """

    model: Model
    shares: Shares
    lengths: dict[Turns, Ints] = field(default_factory=dict)
    _kernels: dict[int, Kernel] = field(default_factory=dict)

    @property
    def floor(self) -> Floor:
        """The model's."""
        return self.model.floor

    @property
    def before(self) -> tuple[Nodes, ...]:
        """The model's."""
        return self.model.before

    @property
    def order(self) -> tuple[int, ...]:
        """The model's."""
        return self.model.order

    def kernel(self, station: int, values: Values) -> Kernel:
        """A station, of layers that have shares of several sizes the mean of it."""
        if station not in self._kernels:
            self._kernels[station] = self._mean(station, values)
        return self._kernels[station]

    def _mean(self, station: int, values: Values) -> Kernel:
        needs = self.model.stations[station].needs
        layers = [key for key in needs if isinstance(key, int)]
        kernels, shares = list[Kernel](), list[float]()
        for sizes in product(*(self._sizes(layer) for layer in layers)):
            taken = (size for size, _ in sizes)
            design = dict(values) | dict(zip(layers, taken, strict=True))
            kernels.append(self.model.kernel(station, design))
            shares.append(prod(share for _, share in sizes))
        if len(kernels) == 1:
            return kernels[0]
        if isinstance(kernels[0], Shared):
            return kernels[int(np.argmax(shares))]
        turns = [kernel for kernel in kernels if isinstance(kernel, Turns)]
        if turns:
            return MeanTurns.of(turns, shares, self.lengths)
        first = kernels[0]
        return queue(
            _mean([kernel.busy for kernel in kernels], shares),
            _mean([kernel.alone for kernel in kernels], shares),
            first.copies if isinstance(first, Queue | Even) else 1,
        )

    def _sizes(self, layer: int) -> list[tuple[int, float]]:
        return [(size, share) for size, share in self.shares[layer].items() if share > LEAST]


def _mean(numbers: Sequence[Ints], shares: Sequence[float]) -> Ints:
    """By shares, rounded to whole ones."""
    parts = (share * one for share, one in zip(shares, numbers, strict=True))
    mean: Ints = np.rint(reduce(np.add, parts)).astype(np.int64)
    return mean


@dataclass(frozen=True, eq=False)
class MeanTurns:
    """Turns of which tokens take shares of several: lengths [rows, tokens] from some tokens on."""

    rows: Ints
    lengths: Ints
    busy: Ints
    work_ps: int
    alone: Ints
    energy_fj: int = 0

    @classmethod
    def of(
        cls, turns: Sequence[Turns], shares: Sequence[float], known: dict[Turns, Ints]
    ) -> "MeanTurns":
        """Of turns by their shares; known: lengths, to which those of others are added."""
        tokens = len(turns[0].first) - 1
        rows = np.arange(0, tokens, -(-tokens // ROWS))
        for one in turns:
            if one not in known:
                known[one] = one.lengths(rows)
        works = [share * one.work_ps for share, one in zip(shares, turns, strict=True)]
        return cls(
            rows,
            _mean([known[one] for one in turns], shares),
            _mean([one.busy for one in turns], shares),
            round(sum(works)),
            _mean([one.alone for one in turns], shares),
        )

    def run(self, arrival: Ints) -> Ints:
        """By all that may be waited for, and by themselves."""
        waited = (arrival[self.rows, None] + self.lengths).max(axis=0)
        left: Ints = np.maximum(waited, arrival + self.alone)
        return left

    def length(self, first: int, last: int) -> int:
        """Of a token that has a row, or of one alone."""
        if first == last:
            return int(self.alone[last])
        return int(self.lengths[np.searchsorted(self.rows, first), last])

    def waited_for(self, arrival: Ints, token: int) -> int:
        """By all that may be waited for, and by itself."""
        waited = arrival[self.rows] + self.lengths[:, token]
        row = int(np.argmax(waited))
        alone = arrival[token] + self.alone[token] >= waited[row]
        return token if alone else int(self.rows[row])

"""Stations that are queues: one unit, or several alike, that take tokens one after another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.design.kernels import NO_WAY, Kernel
from ir.arrays import Ints


@dataclass(frozen=True, eq=False)
class Queue:
    """One unit, or `copies` that take the tokens in turn.

    busy: [tokens] until it takes the next one; after: [tokens] from its start until the token is
    on its way.
    """

    busy: Ints
    after: Ints
    copies: int = 1
    energy_fj: int = 0

    @property
    def work_ps(self) -> int:
        """Of the busiest copy."""
        return max(int(self.busy[n :: self.copies].sum()) for n in range(self.copies))

    @property
    def alone(self) -> Ints:
        """What it takes for each."""
        return self.after

    @cached_property
    def _before(self) -> Ints:
        """[tokens] what its copy has to do before each."""
        before = np.empty_like(self.busy)
        for n in range(self.copies):
            mine = slice(n, None, self.copies)
            before[mine] = np.cumsum(self.busy[mine]) - self.busy[mine]
        return before

    def run(self, arrival: Ints) -> Ints:
        """Each starts when it is there and the one before it, on its copy, is done."""
        start: Ints = arrival - self._before
        for n in range(self.copies):
            mine = slice(n, None, self.copies)
            start[mine] = np.maximum.accumulate(start[mine])
        return start + self._before + self.after

    def length(self, first: int, last: int) -> int:
        """What its copy has to do from the one on, until the other is on its way."""
        if first > last or (last - first) % self.copies:
            return NO_WAY
        return int(self._before[last] - self._before[first] + self.after[last])

    def waited_for(self, arrival: Ints, token: int) -> int:
        """The last on its copy that came when there was nothing to do."""
        mine = slice(token % self.copies, token + 1, self.copies)
        late = (arrival[mine] - self._before[mine])[::-1]
        return token - self.copies * int(np.argmax(late))


@dataclass(frozen=True)
class Even:
    """A queue of which every token takes the same: no arrays are kept."""

    tokens: int
    busy_ps: int
    after_ps: int
    copies: int = 1
    energy_fj: int = 0

    @property
    def busy(self) -> Ints:
        """The same for all."""
        return np.full(self.tokens, self.busy_ps, dtype=np.int64)

    @property
    def work_ps(self) -> int:
        """Of the first copy, which has the most."""
        return -(-self.tokens // self.copies) * self.busy_ps

    @property
    def alone(self) -> Ints:
        """The same for all."""
        return np.full(self.tokens, self.after_ps, dtype=np.int64)

    def run(self, arrival: Ints) -> Ints:
        """As `Queue`."""
        before = np.arange(self.tokens) // self.copies * self.busy_ps
        start: Ints = arrival - before
        for n in range(self.copies):
            mine = slice(n, None, self.copies)
            start[mine] = np.maximum.accumulate(start[mine])
        return start + before + self.after_ps

    def length(self, first: int, last: int) -> int:
        """As `Queue`."""
        if first > last or (last - first) % self.copies:
            return NO_WAY
        return (last - first) // self.copies * self.busy_ps + self.after_ps

    def waited_for(self, arrival: Ints, token: int) -> int:
        """As `Queue`."""
        mine = arrival[token % self.copies : token + 1 : self.copies]
        late = (mine - np.arange(len(mine)) * self.busy_ps)[::-1]
        return token - self.copies * int(np.argmax(late))


@dataclass(frozen=True, eq=False)
class Evens:
    """Queues of even tokens side by side: numbers of `Even`, [queues] each."""

    busy_ps: Ints
    after_ps: Ints
    copies: Ints

    @classmethod
    def of(cls, kernels: Sequence[Kernel]) -> "Evens | None":
        """None where any is no such queue."""
        even = [k for k in kernels if isinstance(k, Even)]
        if len(even) < len(kernels):
            return None
        numbers = [(k.busy_ps, k.after_ps, k.copies) for k in even]
        return cls(*np.array(numbers, dtype=np.int64).T)

    def lengths(self, first: int, last: int) -> Ints:
        """As `Even.length`."""
        found: Ints = (last - first) // self.copies * self.busy_ps + self.after_ps
        if first > last:
            return np.full_like(found, NO_WAY)
        return np.where((last - first) % self.copies == 0, found, NO_WAY)


def queue(busy: Ints, after: Ints, copies: int = 1, energy_fj: int = 0) -> Queue | Even:
    """A queue, without arrays where every token takes the same."""
    if bool((busy == busy[0]).all()) and bool((after == after[0]).all()):
        return Even(len(busy), int(busy[0]), int(after[0]), copies, energy_fj)
    return Queue(busy, after, copies, energy_fj)

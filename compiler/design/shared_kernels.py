"""Stations whose units serve other layers too: see `compiler.design.shared`."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.design.kernels import NEVER, NO_WAY
from ir.arrays import Ints


@dataclass(frozen=True, eq=False)
class Shared:
    """Units that each serve tokens in order, of which each token needs some at once.

    each: [units, tokens] what every token keeps them busy with; after_ps: from there until the
    token is on its way. Tokens that need none pass.
    """

    each: Ints
    after_ps: int
    energy_fj: int = 0

    @property
    def busy(self) -> Ints:
        """Of the busiest unit of each."""
        found: Ints = self.each.max(axis=0, initial=0)
        return found

    @property
    def work_ps(self) -> int:
        """Of the busiest unit."""
        return int(self.each.sum(axis=1).max(initial=0))

    @property
    def alone(self) -> Ints:
        """What the units take for each, and what follows."""
        busy = self.busy
        return np.where(busy > 0, busy + self.after_ps, 0)

    @cached_property
    def _before(self) -> Ints:
        """[units, tokens] what there is to do before each."""
        found: Ints = np.cumsum(self.each, axis=1) - self.each
        return found

    def run(self, arrival: Ints) -> Ints:
        """Each leaves when the last of its units is done."""
        mine = self.each > 0
        start = np.maximum.accumulate(np.where(mine, arrival - self._before, NEVER), axis=1)
        done = np.where(mine, start + self._before + self.each + self.after_ps, NEVER)
        left: Ints = np.maximum(done.max(axis=0, initial=NEVER), arrival)
        return left

    def length(self, first: int, last: int) -> int:
        """What a unit that both need has to do from the one to the other."""
        if first == last:
            return int(self.alone[last])
        both = (self.each[:, first] > 0) & (self.each[:, last] > 0)
        if first > last or not np.any(both):
            return NO_WAY
        work = self._before[both, last] - self._before[both, first] + self.each[both, last]
        return int(work.max()) + self.after_ps

    def waited_for(self, arrival: Ints, token: int) -> int:
        """The last that came when a unit of the token had nothing to do, or the token itself."""
        mine = self.each[:, token] > 0
        busy = self.each[mine, : token + 1] > 0
        late = np.where(busy, arrival[: token + 1] - self._before[mine, : token + 1], NEVER)
        left = late + (self._before + self.each)[mine, token : token + 1] + self.after_ps
        same = np.any(left == self.run(arrival)[token], axis=0)
        return int(np.flatnonzero(same)[-1]) if np.any(same) else token

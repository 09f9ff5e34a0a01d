"""The regions of a problem as pools of their own, which share one budget of PGs."""

import numpy as np

from compiler.stacks.pools import listed
from compiler.stacks.problem import StackProblem
from compiler.stacks.rules import Regions
from compiler.stacks.search import Search
from compiler.stacks.start import fewest
from ir.arrays import Ints

_ROUNDS = 3


class Part:
    """A region: its candidates' rows, and the search in its pool."""

    def __init__(self, rows: Ints, search: Search) -> None:
        self.rows, self.search = rows, search

    def stacks(self) -> list[list[int]]:
        """Its stacks, as rows of all candidates."""
        return listed(self.search.stack, self.rows)

    def take(self, stack: Ints) -> None:
        """Go on from these stacks."""
        looked = self.search.looked
        self.search = Search(self.search.pool, stack)
        self.search.looked = looked


def starting_parts(
    problem: StackProblem, regions: Regions, stack: Ints | None = None
) -> list[Part]:
    """Parts with few PGs, or with the stacks given: the number of each candidate's [candidates]."""
    parts = []
    for layers in regions:
        rows = np.flatnonzero(np.isin(problem.layer, layers))
        pool = problem.pool(rows)
        if stack is None:
            own = fewest(pool)
        else:
            own = np.unique(stack[rows], return_inverse=True)[1].astype(np.int64)
        parts.append(Part(rows, Search(pool, own)))
    return parts


def spend(parts: list[Part], budget: int) -> None:
    """Meet less: first with the PGs that each part has, then with what the budget has left.

    What is left goes to whom it spares most meeting for a PG, of all parts.
    """
    for _ in range(_ROUNDS):
        before = sum(part.search.value for part in parts)
        for part in parts:
            part.search.descend(part.search.size)
        release(parts, budget)
        if sum(part.search.value for part in parts) in (0, before):
            return


def release(parts: list[Part], budget: int) -> None:
    """Give PGs of their own to those who gain most by them, one after another."""
    slack = budget - sum(part.search.size for part in parts)
    offers = [part.search.release(slack) for part in parts]
    while True:
        for i, part in enumerate(parts):
            if offers[i][2] > slack:
                offers[i] = part.search.release(slack)
        worth = [gain / extra if row >= 0 else 0.0 for row, gain, extra in offers]
        best = int(np.argmax(worth))
        if not worth[best]:
            return
        row, _, extra = offers[best]
        parts[best].search.leave(row)
        slack -= extra
        offers[best] = parts[best].search.release(slack)

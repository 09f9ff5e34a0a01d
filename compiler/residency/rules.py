"""Residents by a rule: none, the most used, and SlimCaching's greedy."""

import numpy as np

from compiler.residency.problem import Problem
from ir.arrays import Bools, Ints


def nothing(problem: Problem) -> Bools:
    """No expert is resident: every one is digital, or written when it is needed."""
    return np.zeros(problem.items, dtype=np.bool_)


def most_used(problem: Problem) -> Bools:
    """The most used for their size, as many as fit; of equals the one of the lower number.

    The fewest misses there can be, where all experts of a pool are of one size: another choice has
    in the place of one of these an expert that is used no more.
    """
    return _filled(problem, problem.uses)


def greedy(problem: Problem) -> Bools:
    """SlimCaching's (arXiv 2507.06567), with one chip in the place of many servers.

    A token of one expert (K = 1): experts one by one, each time the one that spares most stalls for
    its size. K > 1: pools one after another, each by a dynamic program over its room: expert by
    expert, the best set that is known for every amount of room. The value of a set is not a sum
    over its experts, so the best set of less room need not be part of the best: a heuristic, as
    there. Left out of the paper's: several servers that share experts, and the rounding of values
    that its faster form (max-convolution) lives on.
    """
    if int(np.diff(problem.start).max(initial=1)) <= 1:
        return _filled(problem, _pairs(problem))
    resident = nothing(problem)
    for pool in range(len(problem.room.room)):
        resident |= _by_program(problem, pool, _pairs(problem))
    return resident


def _pairs(problem: Problem) -> Ints:
    """Token-expert pairs of each expert: int64 [items]."""
    pairs = np.zeros(problem.items, dtype=np.int64)
    np.add.at(pairs, problem.member, problem.count[problem.owner])
    return pairs


def _filled(problem: Problem, value: Ints) -> Bools:
    """Experts of most value for their size while there is room; what does not fit is passed."""
    resident, left = nothing(problem), problem.room.room.tolist()
    size, pool = problem.room.size.tolist(), problem.room.pool.tolist()
    for item in np.argsort(-value / problem.room.size, kind="stable").tolist():
        if size[item] <= left[pool[item]]:
            left[pool[item]] -= size[item]
            resident[item] = True
    return resident


def _by_program(problem: Problem, pool: int, pairs: Ints) -> Bools:
    """The best set known for the pool's room when all of its experts have been looked at.

    known: for every amount of room a set, and of every distinct set of a token how many of its
    experts are missing in it. Of equal sets that spare no token the one of more pairs is taken.
    """
    mine = np.flatnonzero(problem.room.pool == pool)
    mine = mine[np.argsort(-pairs[mine] / problem.room.size[mine], kind="stable")]
    asks = _Asks(problem, mine)
    unit = int(np.gcd.reduce(np.append(problem.room.size[mine], problem.room.room[pool])))
    room = int(problem.room.room[pool]) // unit
    known: list[tuple[tuple[int, int], Ints, tuple[int, ...]]] = [((0, 0), asks.length, ())]
    known = known * (room + 1)
    for item in mine.tolist():
        takes = int(problem.room.size[item]) // unit
        for amount in range(room, takes - 1, -1):
            (_, value), missing, held = known[amount - takes]
            fewer = missing.copy()
            fewer[asks.sets(item)] -= 1
            spared = int(asks.count[fewer == 0].sum())
            better = (spared, value + int(pairs[item]))
            if better > known[amount][0]:
                known[amount] = (better, fewer, (*held, item))
    resident = nothing(problem)
    resident[list(known[room][2])] = True
    return resident


class _Asks:
    """The sets of the experts of one pool; those that reach into no other pool are asked for."""

    def __init__(self, problem: Problem, mine: Ints) -> None:
        inside = np.isin(problem.member, mine)
        owner, member = problem.owner[inside], problem.member[inside]
        of_pool, place = np.unique(owner, return_inverse=True)
        self.length = np.diff(problem.start)[of_pool].astype(np.int64)
        self.count = problem.count[of_pool]
        self._of = {item: place[member == item] for item in mine.tolist()}

    def sets(self, item: int) -> Ints:
        """The sets that an expert is in."""
        found: Ints = self._of[item]
        return found

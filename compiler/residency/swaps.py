"""Residents improved one by one: an expert for another, while that spares most."""

import numpy as np

from compiler.residency.problem import Problem
from ir.arrays import Bools, Ints

_AT_MOST = 10_000  # swaps; each spares at least one stall, hundreds are usual
_WORK = (
    4_000_000  # members and pairs of experts looked at, after which no new kick begins: a second
)
_MOST_KICKS = 200
_KICKED = 3  # experts that go at a kick


def searched(problem: Problem, resident: Bools, seed: int) -> Bools:
    """`swapped`, again and again from the best with a few experts changed for others at random.

    The same for the same seed.
    """
    random = np.random.default_rng(seed)
    best = swapped(problem, resident)
    cost = problem.cost(best, "stalls")
    kicks = min(_MOST_KICKS, _WORK // (len(problem.member) + problem.items**2))
    for _ in range(kicks if best.any() and not best.all() else 0):
        other = swapped(problem, _kicked(problem, best, random))
        value = problem.cost(other, "stalls")
        if value <= cost:  # of equals the new one, to get on
            best, cost = other, value
    return best


def _kicked(problem: Problem, best: Bools, random: np.random.Generator) -> Bools:
    """A few that are there go, and others come while there is room."""
    now, room = best.copy(), problem.room
    going = random.permutation(np.flatnonzero(best))[:_KICKED]
    now[going] = False
    taken = np.bincount(room.pool, weights=room.size * now, minlength=len(room.room))
    left = room.room - taken.astype(np.int64)
    for item in random.permutation(np.flatnonzero(~best)).tolist():
        if room.size[item] <= left[room.pool[item]]:
            now[item] = True
            left[room.pool[item]] -= room.size[item]
    return now


def swapped(problem: Problem, resident: Bools) -> Bools:
    """No swap of two experts of one pool, and none more, has fewer stalls than what is returned."""
    now = resident.copy()
    for _ in range(_AT_MOST):
        gain, out, into = _best(problem, now)
        if gain <= 0:
            break
        now[into] = True
        if out >= 0:
            now[out] = False
    return now


def _best(problem: Problem, now: Bools) -> tuple[int, int, int]:
    """(stalls spared, expert that goes or -1, expert that comes) of the best step."""
    n, room = problem.items, problem.room
    missing, owner = problem.missing(now), problem.owner
    lost = np.zeros(n, dtype=np.int64)  # of a resident that goes: sets that have all now
    served = missing[owner] == 0
    np.add.at(lost, problem.member[served], problem.count[owner[served]])
    near = missing == 1  # sets that one more expert would serve
    of_near = near[owner]
    wanted = np.full(len(missing), -1, dtype=np.int64)
    absent = of_near & ~now[problem.member]
    wanted[owner[absent]] = problem.member[absent]
    won = np.zeros(n, dtype=np.int64)
    np.add.at(won, wanted[near], problem.count[near])
    both = _both(problem, wanted, of_near & now[problem.member])
    gain = won[None, :] - lost[:, None] - both
    taken = np.bincount(room.pool, weights=room.size * now, minlength=len(room.room))
    left = room.room - taken.astype(np.int64)
    allowed = now[:, None] & ~now[None, :] & (room.pool[:, None] == room.pool[None, :])
    allowed &= room.size[None, :] <= room.size[:, None] + left[room.pool][:, None]
    gain = np.where(allowed, gain, -1)
    out, into = divmod(int(np.argmax(gain)), n)
    more = np.where(~now & (room.size <= left[room.pool]), won, -1)
    if int(more.max()) >= int(gain[out, into]):
        return int(more.max()), -1, int(np.argmax(more))
    return int(gain[out, into]), out, into


def _both(problem: Problem, wanted: Ints, present: Bools) -> Ints:
    """[goes, comes]: tokens that the second would serve, but for the first, which they need too."""
    n, owner = problem.items, problem.owner[present]
    key = problem.member[present] * n + wanted[owner]
    counted = np.bincount(key, weights=problem.count[owner], minlength=n * n)
    return counted.astype(np.int64).reshape(n, n)

"""Local search in one pool: one changes stacks, or two change places, while that helps.

What helps: less meeting with no more PGs than allowed, or as little with fewer PGs. Where nothing
does, a few random changes are made and the search goes on from there (iterated local search).
"""

from dataclasses import dataclass

import numpy as np

from compiler.stacks.problem import Pool
from compiler.stacks.start import size_of
from ir.arrays import Bools, Ints

_AT_ONCE = 20_000  # changes looked at together
_KICKS = 4  # changes made at random
_CALL = 4000  # changes whose look takes as long as what comes with each look, however small
_PATIENCE = 4  # kicks that found nothing better, times the size of the pool, that end the search
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Change:
    """`first` goes to the stack `to`, and `second` (-1: nobody) to the stack that it left."""

    first: int
    second: int
    to: int
    meeting: int
    size: int


class Search:
    """Where the search stands; `looked` counts changes looked at, for a limit that repeats."""

    def __init__(self, pool: Pool, stack: Ints) -> None:
        self.pool, self.stack = pool, stack.copy()
        n = len(pool)
        inside = np.zeros((n, n), dtype=np.int64)  # who is in which stack
        inside[np.arange(n), stack] = 1
        self.near: Ints = pool.meeting @ inside  # what each meets in each stack
        self.value = int(self.own.sum()) // 2
        self.size = size_of(pool, stack)
        self.looked = self._turn = 0

    @property
    def own(self) -> Ints:
        """What each meets in its own stack: [n]."""
        found: Ints = self.near[np.arange(len(self.stack)), self.stack]
        return found

    def cost(self, price: int) -> int:
        """Meetings, and PGs at a price."""
        return self.value + price * self.size

    def descend(self, cap: int, price: int = 0) -> None:
        """Make changes that help until none does; `cap`: most PGs in all, if there are not more.

        price: meeting that a PG is worth, in ps.
        """
        cap = max(cap, self.size)
        while self.value or price:
            change = self._best(cap - self.size, price)
            if change is None:
                return
            self.make(change)

    def release(self, slack: int, *, idle: bool = False) -> tuple[int, int, int]:
        """Who should get PGs of its own, at most `slack` more: (row, meeting less, PGs more).

        Most meeting less for each PG; row -1 where none helps. idle: whatever it meets, the
        smallest.
        """
        least, _, rest = self._extremes()
        extra = self.pool.size + rest - least[self.stack]
        crowded = np.bincount(self.stack, minlength=len(self.pool))[self.stack] > 1
        gain = self.own
        ok = crowded & (extra <= slack) & (idle | (gain > 0))
        if not ok.any():
            return -1, 0, 0
        score = -extra.astype(np.float64) if idle else gain / np.maximum(extra, 1e-9)
        row = int(np.where(ok, score, -np.inf).argmax())
        return row, int(gain[row]), int(extra[row])

    def saving(self) -> tuple[Change | None, float]:
        """The change that takes fewer PGs at the least meeting more for each, and that ratio."""
        n = len(self.pool)
        some = max(1, _AT_ONCE // (2 * n))
        best, least = None, np.inf
        for begin in range(0, n, some):
            rows = np.arange(begin, min(n, begin + some))
            meeting, size, ok = self._changes(rows, -1)
            self.looked += meeting.size + _CALL
            ratio = np.where(ok, meeting / np.minimum(size, -1), -np.inf)
            i, j = divmod(int(ratio.argmax()), meeting.shape[1])
            if -ratio[i, j] < least:
                least = float(-ratio[i, j])
                best = self._change(int(rows[i]), j, int(meeting[i, j]), int(size[i, j]))
        return best, least

    def leave(self, row: int) -> None:
        """Give one PGs of its own."""
        least, empty, rest = self._extremes()
        extra = int(self.pool.size[row] + rest[row] - least[self.stack[row]])
        self.make(Change(row, -1, empty, -int(self.own[row]), extra))

    def make(self, change: Change) -> None:
        """Make a change."""
        self.value += change.meeting
        self.size += change.size
        left = int(self.stack[change.first])
        self._put(change.first, change.to)
        if change.second >= 0:
            self._put(change.second, left)

    def _put(self, row: int, to: int) -> None:
        self.near[:, self.stack[row]] -= self.pool.meeting[:, row]
        self.near[:, to] += self.pool.meeting[:, row]
        self.stack[row] = to

    def kick(self, cap: int, random: np.random.Generator) -> None:
        """Make a few random changes that keep limit and cap."""
        for _ in range(_KICKS):
            row = random.integers(len(self.pool), size=1)
            meeting, size, ok = self._changes(row, cap - self.size)
            allowed = np.flatnonzero(ok[0])
            if len(allowed):
                i, j = int(row[0]), int(random.choice(allowed))
                self.make(self._change(i, j, int(meeting[0, j]), int(size[0, j])))

    def _best(self, slack: int, price: int) -> Change | None:
        """The change that helps most among the next rows where one helps."""
        n = len(self.pool)
        some = max(1, _AT_ONCE // (2 * n))
        for _ in range(-(-n // some)):
            rows = (self._turn + np.arange(min(some, n))) % n
            meeting, size, ok = self._changes(rows, slack)
            self.looked += meeting.size + _CALL
            cost = meeting + price * size
            ok &= (cost < 0) | ((cost == 0) & (size < 0))
            if ok.any():
                least = np.where(ok, cost, _NEVER)
                at = np.flatnonzero(least == least.min())
                pick = int(at[size.reshape(-1)[at].argmin()])
                i, j = divmod(pick, meeting.shape[1])
                return self._change(int(rows[i]), j, int(meeting[i, j]), int(size[i, j]))
            self._turn = (self._turn + some) % n
        return None

    def _change(self, row: int, column: int, meeting: int, size: int) -> Change:
        n = len(self.pool)
        if column < n:
            return Change(row, column, int(self.stack[column]), meeting, size)
        return Change(row, -1, column - n, meeting, size)

    def _changes(self, rows: Ints, slack: int) -> tuple[Ints, Ints, Bools]:
        """Meeting and PGs more, and whether limit and slack allow it: [rows, n + stacks].

        First the changes of places with each other one, then the moves to each stack.
        """
        pool, stack = self.pool, self.stack
        left = stack[rows]
        own, (most, empty, rest) = self.own, self._extremes()
        full = np.bincount(stack, weights=pool.depth, minlength=len(pool)).astype(np.int64)
        size_i, depth_i, rest_i = pool.size[rows, None], pool.depth[rows, None], rest[rows, None]
        swap = self.near[rows][:, stack] + self.near[:, left].T - own[rows, None] - own[None]
        swap -= 2 * pool.meeting[rows]
        swap_size = np.maximum(rest_i, pool.size[None]) + np.maximum(rest[None], size_i)
        swap_size -= most[left, None] + most[stack][None]
        swapped = pool.depth[None] - depth_i  # more in the stack of the first
        swap_ok = (full[left, None] + swapped <= pool.limit) & (
            full[stack][None] - swapped <= pool.limit
        )
        swap_ok &= left[:, None] != stack[None]
        move = self.near[rows] - own[rows, None]
        move_size = np.maximum(most[None], size_i) - most[None] + rest_i - most[left, None]
        move_ok = full[None] + depth_i <= pool.limit
        move_ok &= (most > 0)[None] | (np.arange(len(pool)) == empty)[None]
        move_ok &= left[:, None] != np.arange(len(pool))[None]
        size = np.hstack((swap_size, move_size))
        return np.hstack((swap, move)), size, np.hstack((swap_ok, move_ok)) & (size <= slack)

    def _extremes(self) -> tuple[Ints, int, Ints]:
        """Most PGs of each stack, a stack that is empty, and the most beside each one in its own.

        A stack that is empty takes 0; -1 where there is none.
        """
        pool, n = self.pool, len(self.pool)
        order = np.lexsort((-pool.size, self.stack))
        of = self.stack[order]
        first = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
        most = np.zeros(n, dtype=np.int64)
        second = np.zeros(n, dtype=np.int64)
        most[of[first]] = pool.size[order[first]]
        next_one = first[np.append(np.diff(first), n - first[-1]) > 1] + 1
        second[of[next_one]] = pool.size[order[next_one]]
        rest = most[self.stack]
        rest[order[first]] = second[of[first]]
        empty = np.flatnonzero(most == 0)
        return most, int(empty[0]) if len(empty) else -1, rest


def improve(pool: Pool, stack: Ints, cap: int, *, looked: int, seed: int, price: int = 0) -> Ints:
    """Stacks that meet as little as `stack` or less, with at most `cap` PGs or as many as it has.

    price: what a PG costs, in ps: meetings and PGs together then cost no more than those of
    `stack`. looked: changes to look at in all, which ends the search; it ends earlier without
    meetings, or when nothing better was found for long.
    """
    search, random = Search(pool, stack), np.random.default_rng(seed)
    cap = max(cap, search.size)
    search.descend(cap, price)
    best, least = search.stack.copy(), search.cost(price)
    done, idle = search.looked, 0
    while (search.value or price) and done < looked and idle < _PATIENCE * len(pool):
        search.looked = 0
        search.kick(cap, random)
        search.descend(cap, price)
        done += max(1, search.looked)
        idle += 1
        if search.cost(price) < least:
            best, least, idle = search.stack.copy(), search.cost(price), 0
        elif search.cost(price) > least:
            search = Search(pool, best)
    return best

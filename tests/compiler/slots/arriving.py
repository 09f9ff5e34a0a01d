"""Windows whose tokens come one after another, and the brute force they are judged by."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations, product

import numpy as np


@dataclass(frozen=True, eq=False)
class Tiny:
    """Counts [tokens, groups], the slot in which each token comes, and the bus."""

    counts: np.ndarray
    first: np.ndarray
    bus: int | None


def tiny_arrivals(number: int) -> list[Tiny]:
    """Windows of 2 to 6 tokens and 1 to 4 groups with at most 12 turns, a third on each bus.

    Every other one has two of three groups for each token: those that get in each other's way.
    """
    rng = np.random.default_rng(511)
    found: list[Tiny] = []
    while len(found) < number:
        counts = rng.choice([0, 1, 1, 1, 2], size=(rng.integers(2, 7), rng.integers(1, 5)))
        first = rng.integers(0, 4, size=len(counts))
        if len(found) % 2:
            counts, first = 1 - np.eye(3, dtype=np.int64)[np.arange(len(counts)) % 3], first // 2
        if 0 < counts.sum() <= 12 and first.any():
            found.append(Tiny(counts, first, (None, 1, 2)[len(found) % 3]))
    return found


def fewest(tiny: Tiny) -> tuple[int, int]:
    """Fewest slots, then fewest transfers in them, of any order.

    Every set of tokens to send in every slot is tried, and every way to share the groups between
    them. A group for which a sent token has a turn left runs one: that saves one later and costs
    nothing. A slot in which nothing is sent is tried while a token is to come, later it is a waste.
    """
    tokens, groups = tiny.counts.shape
    first = tiny.first.tolist()

    @cache
    def rest(left: tuple[int, ...], slot: int) -> tuple[int, int]:
        there = [t for t in range(tokens) if first[t] <= slot and any(left[t * groups :][:groups])]
        found = [(999, 999)]
        for size in range(min(len(there), tiny.bus or tokens) + 1):
            if not size and max(first) <= slot:
                continue
            for sent in combinations(there, size):
                found += [share(left, slot, row) for row in rows(left, sent)]
        return min(found)

    def rows(left: tuple[int, ...], sent: tuple[int, ...]) -> list[tuple[int, ...]]:
        able = [[t for t in sent if left[t * groups + g]] or [-1] for g in range(groups)]
        return [row for row in product(*able) if set(row) - {-1} == set(sent)]

    def share(left: tuple[int, ...], slot: int, row: tuple[int, ...]) -> tuple[int, int]:
        after = list(left)
        for g, t in enumerate(row):
            if t >= 0:
                after[t * groups + g] -= 1
        cost = len(set(row) - {-1})
        if not any(after):
            return slot + 1, cost
        slots, transfers = rest(tuple(after), slot + 1)
        return slots, transfers + cost

    return rest(tuple(tiny.counts.ravel().tolist()), 0)


TINY = tiny_arrivals(300)


@cache
def optimum(index: int) -> tuple[int, int]:
    return fewest(TINY[index])

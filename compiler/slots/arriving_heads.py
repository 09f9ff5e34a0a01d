"""Bounds by what the first slots can run: few tokens have come that they could choose from.

A search over what slots 0, 1, 2 and so on run. After some slots the transfers sent and the bound of
`columns` on the turns left, as if all were there, bound every order that begins so; the least of
these bounds over all beginnings is one of the window. The beginning with the least bound is gone on
with by one slot, in every way in which the bound, at the prices it was found with, stays below the
transfers of the order that is known (`arriving_prices`): the others prove themselves. Prices
found for one beginning are tried on the others. Equal rows of turns are one choice, and a beginning
that leaves the same turns as another with no more transfers is left out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count, islice

import numpy as np

from compiler.slots.arriving_prices import Prices, Row, parts
from compiler.slots.columns import (
    SCALE,
    WORK_PER_SECOND,
    ColumnBound,
    bound_from,
    parts_of,
)
from compiler.slots.packing import Packings, heaviest_packings
from compiler.slots.patterns import Split
from compiler.slots.problem import SlotProblem
from compiler.slots.solved import Solved
from ir.arrays import Ints

MOST_CONTENTS = 1000  # ways to go on with one beginning; where there are more the search ends
NOTHING = ColumnBound(0, (), 0, {}, 0)

Content = tuple[tuple[Row, int], ...]  # rows of turns, each of another token, and what part it runs


@dataclass(frozen=True, eq=False)
class Beginning:
    """The slots before `slot` are filled: transfers sent, turns left [tokens, groups], bound.

    bound: at least so many transfers in all; prices: they prove what is left of it.
    """

    slot: int
    sent: int
    left: Ints
    bound: int
    prices: Prices


def heads_bound(problem: SlotProblem, first: Ints, best: Solved, time_s: float) -> int:
    """Bound the transfers in the slots of `best`, up to its own; first: [tokens], ascending.

    time_s: about seconds, but counted in work. Never below the bound of `best`.
    """
    search = _Search(problem.counts, first, best, int(WORK_PER_SECOND * time_s))
    root = search.beginning(0, 0, problem.counts, best.bound)
    if best.proven or root is None:
        return best.bound
    order = count()
    heap = [(root.bound, next(order), root)]
    while heap:
        bound, _, node = heap[0]
        further = search.further(node) if node.left.any() else None
        if further is None:
            return bound
        heappop(heap)
        for child in further:
            heappush(heap, (child.bound, next(order), child))
    return best.transfers


class _Search:
    """What all beginnings share; work: columns that may still be looked at."""

    def __init__(self, counts: Ints, first: Ints, best: Solved, work: int) -> None:
        self.first, self.most, self.slots, self.work = first, best.transfers, len(best.table), work
        self.groups = np.arange(counts.shape[1])
        self.columns: tuple[Split, ...] = tuple(parts_of(row) for row in best.table.tolist())
        self.known: list[Prices] = []
        self.fewest: dict[tuple[int, tuple[Row, ...]], int] = {}

    def beginning(self, slot: int, sent: int, left: Ints, least: int) -> Beginning | None:
        """Bound a beginning, which is known to need `least`; None if the model is too big."""
        more, rows = self.most - sent, Counter(tuple(row) for row in left.tolist())
        left_slots = self.slots - slot
        if not left.any():
            return Beginning(slot, sent, left, max(least, sent), Prices(NOTHING))
        for prices in self.known:
            if prices.bound(rows, left_slots) > SCALE * (more - 1):
                return Beginning(slot, sent, left, self.most, prices)
        start = ((), *self.columns)
        found = bound_from(left, left_slots, self.groups, start, more, max(1, self.work))
        if found is None:
            return None
        self.work -= found.work
        self.known.append(Prices(found))
        return Beginning(slot, sent, left, max(least, sent + found.bound), self.known[-1])

    def further(self, node: Beginning) -> list[Beginning] | None:
        """Go on with a beginning by one slot, where that may still be better; None to give up."""
        came = int(np.searchsorted(self.first, node.slot, side="right"))
        rows = [tuple(row) for row in node.left.tolist()]
        least = node.prices.bound(Counter(rows), self.slots - node.slot)
        need = node.prices.slot + least - SCALE * (self.most - 1 - node.sent)
        ways = list(islice(contents(rows[:came], node.prices, need), MOST_CONTENTS))
        if len(ways) == MOST_CONTENTS:
            return None
        found = []
        for way in ways:
            left, sent = _after(node.left, rows[:came], way), node.sent + len(way)
            if np.any(left.sum(axis=0) > self.slots - node.slot - 1):
                continue  # a group has more turns left than slots
            key = node.slot, tuple(sorted(tuple(row) for row in left[:came].tolist()))
            if self.fewest.get(key, self.most) <= sent:
                continue
            self.fewest[key] = sent
            child = self.beginning(node.slot + 1, sent, left, node.bound)
            if child is None or self.work <= 0:
                return None
            if child.bound < self.most:
                found.append(child)
        return found


def contents(rows: list[Row], prices: Prices, need: int) -> Iterator[Content]:
    """List what a slot can run of tokens with `rows` that gains at least `need`."""
    unused, groups = Counter(rows), len(rows[0]) if rows else 0
    offers: list[list[tuple[Row, int, int]]] = [[] for _ in range(groups)]
    most: dict[int, int] = {}
    for row in unused:
        for part in parts(row):
            gain = prices.gain(row, part)
            offers[(part & -part).bit_length() - 1].append((row, part, gain))
            most[part] = max(most.get(part, 0), gain)
    return _filled((1 << groups) - 1, need, (), offers, unused, heaviest_packings(most, groups))


def _filled(
    free: int,
    need: int,
    chosen: Content,
    offers: list[list[tuple[Row, int, int]]],
    unused: Counter[Row],
    packings: Packings,
) -> Iterator[Content]:
    """Fill the groups `free`, the lowest first, with parts of tokens that gain `need` and more."""
    if packings.best[free] < need:
        return
    if not free:
        yield chosen
        return
    lowest = free & -free
    for row, part, gain in offers[lowest.bit_length() - 1]:
        if part & free == part and unused[row]:
            unused[row] -= 1
            more = (*chosen, (row, part))
            yield from _filled(free ^ part, need - gain, more, offers, unused, packings)
            unused[row] += 1
    yield from _filled(free ^ lowest, need, chosen, offers, unused, packings)


def _after(left: Ints, rows: list[Row], way: Content) -> Ints:
    """Return the turns that are left where a slot runs `way`; rows: of the tokens that came."""
    after, waiting = left.copy(), list(rows)
    for row, part in way:
        token = waiting.index(row)
        waiting[token] = ()
        after[token] -= [part >> g & 1 for g in range(left.shape[1])]
    return after

"""Residents of one pool with the fewest stalls, by branch and bound over experts.

Where a pool is of several layers, each is searched for every number of residents that it may have,
and a dynamic program shares the pool's room among the layers: a token's experts are of one layer.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from compiler.residency.problem import Problem, part_of
from compiler.residency.room import Room
from ir.arrays import Bools, Ints
from ir.jit import compiled

MOST_ITEMS, MOST_TOGETHER = 62, 8  # experts of a pool, as bits of a word; experts of a token
WORK_PER_SECOND = 100_000_000  # members of sets looked at


@dataclass(frozen=True, eq=False)
class Searched:
    """The best residents known at the end, and whether the search has seen all others."""

    resident: Bools
    proven: bool


def search_pool(problem: Problem, resident: Bools, work: int) -> Searched:
    """Nothing better than `resident` is there, or it is found.

    Not proven where `work` is used up before, or experts differ in size, or a layer has more of
    them than a word has bits. work: of each layer.
    """
    if not problem.room.uniform or not able(problem):
        return Searched(resident, False)
    layers = np.unique(problem.layer)
    room = int(problem.room.slots[0])
    if len(layers) == 1:
        return search(problem, room, resident, work)
    by_layer = Room(
        np.searchsorted(layers, problem.layer), problem.room.size, np.zeros(len(layers), np.int64)
    )
    apart = replace(problem, room=by_layer)
    parts = [part_of(apart, number) for number in range(len(layers))]
    tables = [_every_room(part, work) for part, _ in parts]
    if not all(table.proven for table in tables):
        return Searched(resident, False)
    best = resident.copy()
    for (_, mine), table, n in zip(parts, tables, _shared(tables, room), strict=True):
        best[mine] = table.residents[n]
    better = problem.cost(best, "stalls") < problem.cost(resident, "stalls")
    return Searched(best if better else resident, True)


def able(problem: Problem) -> bool:
    """Whether experts and those of a token are few enough to be searched."""
    together = int(np.diff(problem.start).max(initial=1))
    most = int(np.unique(problem.layer, return_counts=True)[1].max())
    return most <= MOST_ITEMS and together <= MOST_TOGETHER


@dataclass(frozen=True, eq=False)
class _Table:
    """The best residents of a layer for every number of them, and their stalls."""

    residents: tuple[Bools, ...]
    stalls: tuple[int, ...]
    proven: bool


def _every_room(problem: Problem, work: int) -> _Table:
    """A layer with room for none of its experts, one, and so on; each starts with one more."""
    found = [np.zeros(problem.items, dtype=np.bool_)]
    proven = True
    for room in range(1, problem.items + 1):
        begin = found[-1].copy()
        missing = np.flatnonzero(~begin)
        begin[missing[np.argmax(problem.uses[missing])]] = True
        searched = search(problem, room, begin, work)
        found.append(searched.resident)
        proven &= searched.proven
    return _Table(tuple(found), tuple(problem.cost(one, "stalls") for one in found), proven)


def _shared(tables: list[_Table], room: int) -> list[int]:
    """How many residents each layer has, for the fewest stalls of all."""
    least = np.zeros(room + 1, dtype=np.int64)
    chosen = []
    for table in tables:
        stalls = np.array(table.stalls)
        both = np.full((room + 1, len(stalls)), np.iinfo(np.int64).max, dtype=np.int64)
        for n, cost in enumerate(stalls.tolist()[: room + 1]):
            both[n:, n] = least[: room + 1 - n] + cost
        chosen.append(both.argmin(axis=1))
        least = both.min(axis=1)
    found, left = list[int](), room
    for numbers in reversed(chosen):
        found.append(int(numbers[left]))
        left -= found[-1]
    return found[::-1]


def search(problem: Problem, room: int, resident: Bools, work: int) -> Searched:
    """Nothing better than `resident` is there, or it is found, unless `work` is used up before.

    room: experts, of one size and one layer. Node by node an expert is kept, then left out. Of the
    tokens that are not lost yet, those are served whose experts are all kept; each other one needs
    experts that are yet to be decided, and gives each of these an equal share of itself. So no more
    are served than the largest shares of as many experts as may still be kept add up to: that is
    the bound, and the expert of the largest share is decided next.
    """
    length = np.diff(problem.start)
    together = int(length.max(initial=1))
    member = np.full((len(length), together), -1, dtype=np.int64)
    member[np.arange(together) < length[:, None]] = problem.member
    whole = math.lcm(*range(1, together + 1))
    begun = problem.cost(resident, "stalls")
    sizes = problem.items, min(room, problem.items), whole, begun, work
    value, kept, done = _search(member, problem.count.astype(np.int64), sizes)
    bits = (int(kept) >> np.arange(problem.items)) & 1
    return Searched(bits.astype(np.bool_) if value < begun else resident, bool(done))


@compiled
def _search(
    member: Ints, count: Ints, sizes: tuple[int, int, int, int, int]
) -> tuple[int, int, bool]:
    """(fewest stalls, the experts kept for them as bits, whether nothing was left out)."""
    items, room, whole, best, work = sizes
    every, found = count.sum(), 0
    alive = np.zeros((items + 2, len(count)), dtype=np.int64)
    living = np.zeros(items + 2, dtype=np.int64)
    kept = np.zeros(items + 2, dtype=np.int64)
    gone = np.zeros(items + 2, dtype=np.int64)
    choice = np.full(items + 2, -1, dtype=np.int64)
    tried = np.zeros(items + 2, dtype=np.int64)
    alive[0] = np.arange(len(count))
    living[0] = len(count)
    depth = 0
    while depth >= 0:
        if tried[depth] == 0:  # a new node: its bound, and the expert to decide
            work -= living[depth] * member.shape[1]
            if work < 0:
                return best, found, False
            keeps, undecided = room, 0
            for item in range(items):
                keeps -= (kept[depth] >> item) & 1
                undecided += 1 - (((kept[depth] | gone[depth]) >> item) & 1)
            keeps = min(keeps, undecided)
            served, share = _shares(
                member, count, alive[depth, : living[depth]], kept[depth], items, whole
            )
            for item in range(items):
                if ((kept[depth] | gone[depth]) >> item) & 1:
                    share[item] = -1
            order = np.argsort(-share)
            for place in range(keeps):
                served += share[order[place]]
            stalls = every - served // whole
            if stalls >= best:
                depth -= 1
                continue
            if keeps == 0 or keeps == undecided:  # all that is left is decided
                best, found = stalls, kept[depth]
                for place in range(keeps):
                    found |= np.int64(1) << order[place]
                depth -= 1
                continue
            choice[depth] = order[0]
        tried[depth] += 1
        if tried[depth] == 3:
            depth -= 1
            continue
        item, below = choice[depth], depth + 1
        kept[below], gone[below], tried[below] = kept[depth], gone[depth], 0
        if tried[depth] == 1:
            kept[below] |= np.int64(1) << item
            living[below] = living[depth]
            alive[below, : living[below]] = alive[depth, : living[depth]]
        else:
            gone[below] |= np.int64(1) << item
            living[below] = _without(member, alive[depth, : living[depth]], item, alive[below])
        depth = below
    return best, found, True


@compiled
def _shares(
    member: Ints, count: Ints, alive: Ints, kept: int, items: int, whole: int
) -> tuple[np.int64, Ints]:
    """`whole` times the tokens that are served, and of each expert its shares of the others."""
    served, share = np.int64(0), np.zeros(items, dtype=np.int64)
    for s in alive:
        open_ones = 0
        for e in member[s]:
            if e >= 0 and not (kept >> e) & 1:
                open_ones += 1
        if open_ones == 0:
            served += whole * count[s]
            continue
        part = whole // open_ones * count[s]
        for e in member[s]:
            if e >= 0 and not (kept >> e) & 1:
                share[e] += part
    return served, share


@compiled
def _without(member: Ints, alive: Ints, item: int, into: Ints) -> int:
    """Those of the sets that are without an expert, written into another row; how many."""
    left = 0
    for s in alive:
        has = False
        for e in member[s]:
            has |= e == item
        if not has:
            into[left] = s
            left += 1
    return left

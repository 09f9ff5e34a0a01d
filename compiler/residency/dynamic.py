"""Residents that change as experts are asked for: LRU, LFU, and Belady, who knows what comes."""

import numpy as np

from compiler.residency.names import Policy
from compiler.residency.outcome import Outcome, outcome
from compiler.residency.stream import Stream
from ir.arrays import Bools, Ints
from ir.errors import InputError
from ir.jit import compiled

_RULE = {"lru": 0, "lfu": 1, "belady": 2}


def play(
    stream: Stream,
    pool: Ints,
    slots: Ints,
    policy: Policy,
    *,
    bypass: bool,
    first: Bools | None = None,
) -> Outcome:
    """The accesses of a stream one after another, in slots of one expert each.

    pool: int64 [items]; slots: int64 [pools]. bypass: a missed expert may be computed digitally and
    left out; without it every miss is written. Written over is:

    - lru: what was used longest ago. Writes every miss, also with bypass.
    - lfu: what was used least since the stream began, of equals what was used longest ago. With
      bypass a missed expert is written where it has been used more, this time counted, than what it
      would take the place of.
    - belady: what is used again last. With bypass not where the missed expert is used again later
      still. No order of writes has fewer misses, with the same slots, accesses and bypass rule; so
      no fixed residents have either. (Of stalls it is no bound.)

    first: bool [items], in the slots before the first access, at most as many as there are; none of
    belady, who begins with those used soonest: the best beginning there is. InputError where they
    are more.
    """
    coming = _next_use(stream.access)
    soonest = np.full(stream.items, len(stream.access), dtype=np.int64)
    seen, place = np.unique(stream.access, return_index=True)
    soonest[seen] = place
    if policy == "belady":
        first = _soonest(soonest, pool, slots)
    elif first is None:
        first = np.zeros(stream.items, dtype=np.bool_)
    held = np.bincount(pool[first], minlength=len(slots))
    if (held > slots).any():
        raise InputError("residents", f"{held.max()} of a pool, more than it has slots")
    edges = np.concatenate([[0], np.cumsum(slots)]).astype(np.int64)
    filled = _filled(first, pool, edges)
    found = _play(stream.access, coming, soonest, pool, edges, filled, _RULE[policy], bypass)
    return outcome(stream, *found)


def _next_use(access: Ints) -> Ints:
    """The access at which each one's item is asked for again; their number where it is not."""
    order = np.argsort(access, kind="stable")
    coming = np.full(len(access), len(access), dtype=np.int64)
    same = access[order[1:]] == access[order[:-1]]
    coming[order[:-1][same]] = order[1:][same]
    return coming


def _soonest(soonest: Ints, pool: Ints, slots: Ints) -> Bools:
    """As many of each pool as it holds, those that are asked for first."""
    first = np.zeros(len(pool), dtype=np.bool_)
    for number, room in enumerate(slots.tolist()):
        mine = np.flatnonzero(pool == number)
        first[mine[np.argsort(soonest[mine], kind="stable")[:room]]] = True
    return first


def _filled(first: Bools, pool: Ints, edges: Ints) -> Ints:
    """What is in each slot: int64 [slots], -1 for nothing."""
    filled = np.full(int(edges[-1]), -1, dtype=np.int64)
    for number, begins in enumerate(edges[:-1].tolist()):
        mine = np.flatnonzero(first & (pool == number))
        filled[begins : begins + len(mine)] = mine
    return filled


@compiled
def _play(
    access: Ints,
    coming: Ints,
    soonest: Ints,
    pool: Ints,
    edges: Ints,
    filled: Ints,
    rule: int,
    bypass: bool,
) -> tuple[Bools, Bools, Ints]:
    """(hit, wrote) of each access, and writes of each slot."""
    held, worth = filled.copy(), np.zeros(len(pool), dtype=np.int64)
    last = np.full(len(pool), -1, dtype=np.int64)
    where = np.full(len(pool), -1, dtype=np.int64)
    for slot in range(len(held)):
        if held[slot] >= 0:
            where[held[slot]] = slot
    hit = np.zeros(len(access), dtype=np.bool_)
    wrote = np.zeros(len(access), dtype=np.bool_)
    writes = np.zeros(len(held), dtype=np.int64)
    if rule == 2:
        worth[:] = -soonest
    for now in range(len(access)):
        item = access[now]
        if rule == 1:
            worth[item] += 1
        elif rule == 2:
            worth[item] = -coming[now]
        last[item] = now
        if where[item] >= 0:
            hit[now] = True
            continue
        worst = -1
        for slot in range(edges[pool[item]], edges[pool[item] + 1]):
            there = held[slot]
            if there < 0:
                worst = slot
                break
            if worst < 0:
                worst = slot
                continue
            other = held[worst]
            if worth[there] < worth[other] or (
                worth[there] == worth[other] and last[there] < last[other]
            ):
                worst = slot
        if worst < 0:
            continue
        out = held[worst]
        if out >= 0:
            if bypass and rule > 0 and worth[item] <= worth[out]:
                continue
            where[out] = -1
        held[worst] = item
        where[item] = worst
        wrote[now] = True
        writes[worst] += 1
    return hit, wrote, writes

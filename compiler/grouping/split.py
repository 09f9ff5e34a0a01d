"""Replicas: how a window's tokens are shared between the copies of an expert.

The least slots of a window have a closed form (Hall 1935): L = max over sets S of groups of
ceil(pairs whose copies all lie in S / |S|). A set that is not connected by replicas is the mean of
its parts, so only single groups and connected unions of replica sets need be looked at. Of more
than a few replicated experts these are too many, and `even_split` finds the same slots by flow.
"""

from collections.abc import Sequence

import numpy as np

from compiler.grouping.even_split import even_split
from ir.arrays import Bools, Ints
from ir.errors import Amount, CheckError, InfeasibleError
from ir.mapping import LayerGrouping

Copies = Sequence[tuple[int, ...]]
Step = tuple[int, int, int]  # expert, from group, to group

SETS_LIMIT = 4096
CLOSED_FORM = 12  # replicated experts: so many have no more than SETS_LIMIT unions


def critical_sets(copies: Copies, groups: int) -> list[frozenset[int]]:
    """Sets of groups that can be the tightest: single groups, then unions of replica sets.

    copies: the groups of each expert. Raises InfeasibleError where the replicas are so entangled
    that there are more than `SETS_LIMIT` unions.
    """
    replicated = [frozenset(held) for held in copies if len(held) > 1]
    found: dict[frozenset[int], None] = dict.fromkeys(replicated)
    queue = list(found)
    while queue:
        union = queue.pop()
        for other in replicated:
            wider = union | other
            if union & other and wider not in found:
                found[wider] = None
                queue.append(wider)
        if len(found) > SETS_LIMIT:
            raise InfeasibleError(
                "token split",
                Amount(SETS_LIMIT + 1, f"more than {SETS_LIMIT} unions of replica sets"),
                Amount(SETS_LIMIT, f"a limit of {SETS_LIMIT}"),
                "unions",
                "use fewer replicas",
            )
    return [frozenset((g,)) for g in range(groups)] + list(found)


def split_slots(loads: Ints, copies: Copies, groups: int) -> Ints:
    """Least slots of every window: [windows].

    loads: pairs of each expert in each window [windows, experts]; copies: groups of each expert.
    """
    if _entangled(copies):
        return np.array(
            [even_split(load, copies, groups).sum(axis=0).max() for load in loads], dtype=np.int64
        )
    best = np.zeros(len(loads), dtype=np.int64)
    for inside in critical_sets(copies, groups):
        confined = [e for e, held in enumerate(copies) if inside.issuperset(held)]
        best = np.maximum(best, -(-loads[:, confined].sum(axis=1) // len(inside)))
    return best


def _entangled(copies: Copies) -> bool:
    return sum(len(held) > 1 for held in copies) > CLOSED_FORM


def split_loads(load: Ints, copies: Copies, groups: int) -> Ints:
    """Pairs of each expert on each group, none over the least slots: [experts, groups].

    load: pairs of each expert in one window [experts]. Every expert starts in its first group;
    pairs then move along chains of shared experts from a group over the limit to one below it,
    which must exist as long as a group is over the limit (Ford and Fulkerson 1956).
    """
    if _entangled(copies):
        return even_split(load, copies, groups)
    limit = int(split_slots(load[None, :], copies, groups)[0])
    share = np.zeros((len(copies), groups), dtype=np.int64)
    for e, held in enumerate(copies):
        share[e, held[0]] = load[e]
    for g in range(groups):
        while (excess := int(share[:, g].sum()) - limit) > 0:
            chain = _chain_to_room(share, copies, g, limit)
            last = chain[-1][2]
            amount = min(excess, limit - int(share[:, last].sum()))
            amount = min(amount, *(int(share[e, a]) for e, a, _ in chain))
            for e, a, b in chain:
                share[e, a] -= amount
                share[e, b] += amount
    return share


def _chain_to_room(share: Ints, copies: Copies, start: int, limit: int) -> list[Step]:
    """Return the shortest chain of moves from group `start` to one below the limit."""
    came: dict[int, Step] = {}
    queue = [start]
    for g in queue:  # grows while it is walked
        if g != start and int(share[:, g].sum()) < limit:
            chain = [came[g]]
            while chain[-1][1] != start:
                chain.append(came[chain[-1][1]])
            return chain[::-1]
        for e, held in enumerate(copies):
            if len(held) > 1 and share[e, g] > 0:
                for h in held:
                    if h != start and h not in came:
                        came[h] = (e, g, h)
                        queue.append(h)
    raise CheckError("token split", f"group {start}", f"over {limit} pairs with nowhere to go")


def split_pairs(grouping: LayerGrouping, chosen: Bools) -> Ints:
    """Send every token-expert pair of one window to a copy: group [tokens, experts], -1 = no pair.

    chosen: bool [tokens, experts]. The fullest group gets exactly the least slots of the window.
    Which tokens go to which copy is free; a copy gets those tokens that use its group least
    otherwise, so that fewer slots repeat a transfer.
    """
    chosen = grouping.on_crossbars(chosen)
    if not grouping.replicas:
        return np.where(chosen, grouping.group_of(), -1)
    copies = grouping.copies()
    groups = len(grouping.groups)
    share = split_loads(chosen.sum(axis=0).astype(np.int64), copies, groups)
    out = np.full(chosen.shape, -1, dtype=np.int64)
    counts = np.zeros((len(chosen), groups), dtype=np.int64)
    for e in sorted(range(len(copies)), key=lambda e: len(copies[e])):
        left = np.flatnonzero(chosen[:, e])
        for n, g in enumerate(copies[e]):
            others = list(copies[e][n + 1 :])
            if others:
                cost = counts[left, g] - counts[left][:, others].min(axis=1)
                left = left[np.argsort(cost, kind="stable")]
            here, left = np.split(left, [int(share[e, g])])
            out[here, e] = g
            counts[here, g] += 1
    return out


def split_counts(grouping: LayerGrouping, chosen: Bools) -> Ints:
    """c[t, g] of one window, replicas split: int64 [tokens, groups] from chosen: bool."""
    if not grouping.replicas:
        return grouping.counts(chosen)
    group = split_pairs(grouping, chosen)
    return np.stack([(group == g).sum(axis=1) for g in range(len(grouping.groups))], axis=1)

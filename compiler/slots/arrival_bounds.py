"""Lower bounds on slots and transfers where tokens arrive one after another.

Notation as in `bounds`, and r_t = the first slot in which token t may run. What comes in slot s or
later runs in slot s or later, so with c[t, g] turns there are at least

    max over g and s of s + sum of c[t, g] over t with r_t >= s

slots. A group that never idles while a token waits for it meets this; with a bus of width B also
s + ceil(sum of m_t over the same tokens / B) slots are needed.

**Transfers in L slots.** Take slots a < b, a set S of groups, and the tokens with a <= r_t < b.
Call a transfer wide when it serves two or more groups of S; p_t is as in `bounds`: the wide ones
that t needs if it has no transfer more than m_t, and each more takes away at most one. No such
transfer lies before a. In a to b - 1 there are at most (b - a) * floor(|S| / 2). Those in b or
later have two turns or more in groups of S; but of the L - b slots that group g has from b on, the
tokens that come then need all but

    slack_g(b) = L - b - sum of c[t, g] over t with r_t >= b.

So these tokens have at least m_t transfers each and

    sum of p_t - (b - a) * floor(|S| / 2) - floor(sum over g in S of slack_g(b) / 2)

more. Up to b = L nothing is left for later, and the last term is 0. Intervals that do not overlap
have no token in common, so what they give adds up: the best choice of intervals by dynamic
programming. Example: tokens {A, B}, {A, C}, {B, C} that come in slot 1 have slots 1 and 2 of three:
the interval from 1 on gives 3 - 2 * 1 = 1, so 4 transfers, where 3 would do had they been there.
"""

from itertools import combinations

import numpy as np

from compiler.slots.bounds import MOST_GROUPS, transfers_bound
from ir.arrays import Floats, Ints

MOST_CUTS = 64  # ends of intervals: 2000 intervals on 276 sets of groups are about 10 ms


def slots_bound_from(counts: Ints, first: Ints) -> int:
    """Return the slots that the busiest group needs; first: [tokens], r_t."""
    came, later = _later(counts, first)
    return int(np.where(later > 0, came[:, None] + later, 0).max(initial=0))


def bus_bound_from(counts: Ints, first: Ints, bus: int) -> int:
    """Return the slots that a bus of `bus` transfers a slot needs; first: [tokens], r_t."""
    came, later = _later(counts.max(axis=1, initial=0)[:, None], first)
    return int(np.where(later > 0, came[:, None] - (-later // bus), 0).max(initial=0))


def transfers_bound_from(counts: Ints, first: Ints, slots: int) -> int:
    """Transfers that any order of at most `slots` slots needs (see the module's docstring)."""
    extra = [_extra(counts, first, slots, size) for size in MOST_GROUPS]
    return transfers_bound(counts) + max(extra, default=0)


def _later(work: Ints, first: Ints) -> tuple[Ints, Ints]:
    """By arrival: the slot of each token, and the work of it and those after it."""
    by_arrival = np.argsort(first, kind="stable")
    return first[by_arrival], np.cumsum(work[by_arrival][::-1], axis=0)[::-1]


def _extra(counts: Ints, first: Ints, slots: int, size: int) -> int:
    """Choose intervals and for each a set of `size` groups; at least 0."""
    turns = counts.sum(axis=0)
    busiest = np.sort(np.argsort(-turns, kind="stable")[: MOST_GROUPS[size]])
    if len(busiest) < size or not turns.any():
        return 0
    used = np.flatnonzero(counts.any(axis=1))
    by_arrival = used[np.argsort(first[used], kind="stable")]
    came, rows = first[by_arrival], counts[by_arrival]
    members = np.array(list(combinations(range(len(busiest)), size)))
    inside = np.zeros((len(busiest), len(members)))
    inside[members, np.arange(len(members))[:, None]] = 1
    wide = np.cumsum(_wide(rows, busiest, inside), axis=0)
    wide = np.concatenate([np.zeros((1, len(members))), wide])  # of the tokens before each
    cuts = np.unique(came)
    cuts = np.append(cuts[:: -(-len(cuts) // MOST_CUTS)], slots)
    before = np.append(np.searchsorted(came, cuts[:-1]), len(came))
    held = _held(rows[:, busiest], before, slots - cuts) @ inside // 2
    best = np.zeros(len(cuts))
    for end in range(1, len(cuts)):
        more = wide[before[end]] - wide[before[:end]] - held[end]
        more -= (cuts[end] - cuts[:end])[:, None] * (size // 2)
        best[end] = max(best[end - 1], float(np.max(best[:end] + more.max(axis=1))))
    return int(best[-1])


def _wide(rows: Ints, busiest: Ints, inside: Floats) -> Floats:
    """p_t of each token and set of groups: [tokens, sets]; float products are exact here."""
    turns = rows[:, busiest].astype(np.float64) @ inside
    width = (rows[:, busiest] > 0).astype(np.float64) @ inside
    over = np.maximum(turns - rows.max(axis=1)[:, None], 0)
    needed: Floats = np.where(width >= 2, np.ceil(over / np.maximum(width - 1, 1)), 0)
    return needed


def _held(rows: Ints, before: Ints, left: Ints) -> Ints:
    """slack_g at each cut: [cuts, groups]; before: tokens that come earlier; left: slots."""
    done = np.concatenate([np.zeros((1, rows.shape[1]), np.int64), np.cumsum(rows, axis=0)])
    later = done[-1] - done[before]
    held: Ints = left[:, None] - later
    return held

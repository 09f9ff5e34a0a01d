"""Lower bounds on slots and transfers, and the checks every slot order must pass.

Notation: c[t, g] = experts of group g that token t uses, L = max_g sum_t c[t, g] slots,
m_t = max_g c[t, g]. Any slot order needs at least L slots and sum_t m_t transfers, because a group
runs one expert per slot (docs/model.md, section Slots).

`transfers_bound_at` adds what must be paid extra when the order has exactly `slots` slots. Take a
set S of s groups and call a transfer of token t wide when it serves two or more groups of S. Wide
transfers of one slot use disjoint groups of S, so there are at most slots * floor(s / 2) of them.
A token with n_t turns in S, on w_t >= 2 different groups of S, that is transferred x times has at
least ceil((n_t - x) / (w_t - 1)) wide ones: each of its x transfers serves at most w_t groups of S,
a transfer that is not wide at most one. One more transfer of t takes away at most one wide
transfer, so with p_t = max(0, ceil((n_t - m_t) / (w_t - 1)))

    transfers >= sum_t m_t + max over S of (sum_t p_t - slots * floor(s / 2)).

Example: tokens {A, B}, {A, C}, {B, C} alone in three groups and two slots: sum m = 3, p = 1 each,
3 - 2 * 1 = 1, so 4. Only sets of odd size are tried, three of the 12 busiest groups and five of
the 8 busiest: a few milliseconds for 512 tokens.
"""

from itertools import combinations

import numpy as np
import numpy.typing as npt

from ir.arrays import Ints
from ir.errors import InputError

MOST_GROUPS = {3: 12, 5: 8}  # set size: busiest groups it is chosen from (220 and 56 sets)


def check_counts(counts: npt.ArrayLike) -> Ints:
    """Take `counts` as int64 [tokens, groups]; InputError unless integers from 0 up."""
    given = np.asarray(counts)
    if given.ndim != 2:
        raise InputError("counts", f"{given.ndim} dimensions, expected 2: [tokens, groups]")
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise InputError("counts", f"values of type {given.dtype}, expected integers")
    out = given.astype(np.int64)
    if np.any(out < 0):
        token, group = (int(i) for i in np.argwhere(out < 0)[0])
        raise InputError(
            "counts", f"token {token}, group {group}: {out[token, group]}, expected 0 or more"
        )
    return out


def slots_bound(counts: Ints) -> int:
    """L = max_g sum_t c[t, g]: the busiest group's turns."""
    return int(counts.sum(axis=0).max(initial=0))


def transfers_bound(counts: Ints) -> int:
    """sum_t max_g c[t, g]: holds at any number of slots."""
    return int(counts.max(axis=1, initial=0).sum())


def transfers_bound_at(counts: Ints, slots: int) -> int:
    """Transfers that any order of at most `slots` slots needs (see the module's docstring)."""
    return transfers_bound(counts) + max(
        (_extra(counts, slots, size) for size in MOST_GROUPS), default=0
    )


def _extra(counts: Ints, slots: int, size: int) -> int:
    """Maximise sum_t p_t - slots * floor(size / 2) over sets of `size` groups; at least 0."""
    busiest = np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[: MOST_GROUPS[size]])
    if len(busiest) < size or not len(counts):
        return 0
    rows, copies = np.unique(counts, axis=0, return_counts=True)
    fullest = rows.max(axis=1)
    rows = rows[:, busiest]
    members = np.array(list(combinations(range(len(busiest)), size)))
    inside = np.zeros((len(busiest), len(members)))
    inside[members, np.arange(len(members))[:, None]] = 1
    turns = rows.astype(np.float64) @ inside  # float products are exact here and use BLAS
    width = (rows > 0).astype(np.float64) @ inside
    wide = np.ceil(np.maximum(turns - fullest[:, None], 0) / np.maximum(width - 1, 1))
    total = copies @ np.where(width >= 2, wide, 0)
    return max(0, int(total.max()) - slots * (size // 2))


def check_table(table: Ints, counts: Ints) -> str | None:
    """Say why `table` [slots, groups] is no order of `counts`, or None if it is one.

    Every token must appear exactly c[t, g] times in column g; -1 is idle.
    """
    tokens, groups = counts.shape
    if table.ndim != 2 or table.shape[1] != groups:
        return f"shape {table.shape}, expected (slots, {groups})"
    if np.any((table < -1) | (table >= tokens)):
        return f"a token outside -1 to {tokens - 1}"
    slot, group = np.nonzero(table >= 0)
    found = np.zeros((tokens, groups), dtype=np.int64)
    np.add.at(found, (table[slot, group], group), 1)
    wrong = np.argwhere(found != counts)
    if len(wrong):
        t, g = (int(i) for i in wrong[0])
        return f"token {t} has {found[t, g]} turns in group {g}, expected {counts[t, g]}"
    return None

"""How little any stacks within budget and limit can meet, whatever layers share regions."""

import numpy as np

from compiler.stacks.problem import Pool

_SCALE = 1 << 10  # prices are whole numbers of ps / 1024 per PG
_STEPS = 100


def meeting_bound(pool: Pool, budget: int) -> int:
    """A lower bound of the meetings of all stacks with at most `budget` PGs, by prices.

    In a stack of q members each meets at least the q - 1 that it meets least, and has a q-th part
    of the stack's PGs, which are at least the mean of the members' own. So, for a price p >= 0 of
    a PG (Lagrange), twice the meetings are at least the sum over all of the least over q of
    (meetings with the q - 1 + p x PGs / q), less p x budget. The price is searched in floats, what
    it proves is computed in whole numbers.
    """
    least, members = _least_with(pool), _members(pool)
    meet = np.where(np.arange(1, least.shape[1] + 1)[None] <= members[:, None], least, -1)
    low, high = 0.0, float(2 * least.max(initial=0) + 1)
    share = pool.size[:, None] / np.arange(1, least.shape[1] + 1)[None]
    for _ in range(_STEPS):  # concave in the price
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if _value(meet, share, budget, a) < _value(meet, share, budget, b):
            low = a
        else:
            high = b
    return max(0, _exact(pool, meet, budget, round((low + high) / 2 * _SCALE)))


def _least_with(pool: Pool) -> np.ndarray:
    """What each meets with the q - 1 it meets least of those that fit, for q from 1: [n, most]."""
    n, most = len(pool), int(_members(pool).max(initial=1))
    never = int(pool.meeting.max(initial=0)) + 1
    able = pool.fits & ~np.eye(n, dtype=np.bool_)
    near = np.sort(np.where(able, pool.meeting, never), axis=1)[:, : most - 1]
    return np.hstack((np.zeros((n, 1), dtype=np.int64), near.cumsum(axis=1)))


def _members(pool: Pool) -> np.ndarray:
    """Most members that a stack with each can have, by depth: [n]."""
    deep = np.sort(pool.depth).cumsum()
    # the one itself, and of all the shallowest ones as many as fit: it may be among them
    return 1 + np.minimum(
        np.searchsorted(deep, pool.limit - pool.depth, side="right"), max(0, len(pool) - 1)
    )


def _value(meet: np.ndarray, share: np.ndarray, budget: int, price: float) -> float:
    cost = np.where(meet >= 0, meet + price * share, np.inf)
    return float(cost.min(axis=1).sum() - price * budget)


def _exact(pool: Pool, meet: np.ndarray, budget: int, price: int) -> int:
    """The bound that a price of `price` / 1024 ps proves; half of twice the meetings, up."""
    total = -price * budget
    for size, of in zip(pool.size.tolist(), meet.tolist(), strict=True):
        total += min(m * _SCALE + price * size // q for q, m in enumerate(of, 1) if m >= 0)
    return -(-total // (2 * _SCALE))

"""A lower bound from the company that one hot expert must keep, and the slots it aims at.

Take one expert e. Its group runs G_w pairs in window w, the other groups have total_w - G_w to
share, so

    L_w >= max(B_w, G_w, (total_w - G_w) / (groups - 1))

with B_w any bound on L_w. A maximum is at least every weighted mean of its terms: for any weights
u_w, v_w >= 0 with u_w + v_w <= 1

    sum L_w >= sum B_w + sum u_w (G_w - B_w) + sum v_w ((total_w - G_w) / (groups - 1) - B_w),

and G_w is e's load and that of its size - 1 companions, so the right side is a constant and the sum
over the companions f of the price sum_w (u_w - v_w / (groups - 1)) load[w, f]. It is least for the
companions of least price, whoever they really are. So every choice of weights proves a bound;
good weights are found by subgradient steps in floating point (Held and Karp 1971), rounded to
parts of `_PARTS`, and the bound they prove is then counted in exact integers.

On the way the companions of least price, averaged, show how the least sum shares the slots between
the windows: what a search should aim at.
"""

from dataclasses import dataclass

import numpy as np

from compiler.grouping.objective import GroupingProblem
from ir.arrays import Array, Floats, Ints
from ir.jit import compiled

_STEPS = 400
_TRIAL = 60  # steps without a gain that end the search
_EXPERTS = 8  # looked at: the hottest, measured by B_w
_GAIN = 0.01  # slots
_PARTS = 4096
_NEVER = 1 << 60


@dataclass(frozen=True, eq=False)
class Companions:
    """A bound on the sum of window slots, and the slots of each window it goes with: [windows]."""

    bound: int
    aims: Floats


def companion_bound(problem: GroupingProblem, loads: Ints, each: Ints) -> Companions:
    """Best bound over the hottest experts e and the weights tried.

    loads: [windows, groups * size], full groups with experts of no load in empty places; each: B_w
    [windows]. Of a problem without replicas.
    """
    plain = Companions(int(each.sum()), each.astype(np.float64))
    if problem.groups < 2 or problem.size < 2 or not each.all():
        return plain
    heat = (loads / each[:, None]).max(axis=0)
    hot = np.argsort(-heat, kind="stable")[:_EXPERTS]
    weights = _Weights(*_search(loads.astype(np.float64), each, hot, problem.size, problem.groups))
    proven = _counted(problem, loads, each, hot, weights)
    e = int(proven.argmax())
    bound = plain.bound + int(proven[e])
    if bound <= plain.bound:
        return plain
    group = weights.group[e]
    others = (loads.sum(axis=1) - group) / (problem.groups - 1)
    return Companions(bound, np.maximum(each, np.maximum(group, others)))


@dataclass(frozen=True, eq=False)
class _Weights:
    """The best u and v found for each expert looked at, and the mean load of its group.

    All [experts looked at, windows].
    """

    u: Floats
    v: Floats
    group: Floats


@compiled
def _search(
    loads: Array, each: Array, hot: Array, size: int, groups: int
) -> tuple[Array, Array, Array]:
    """u, v and group of `_Weights`, for the experts `hot`.

    Each step prices the experts, takes the cheapest companions, and moves the weights along.
    """
    windows, total = len(loads), loads.sum(axis=1)
    u, v = np.zeros((len(hot), windows)), np.zeros((len(hot), windows))
    best_u, best_v, mean = u.copy(), v.copy(), u.copy()
    best = np.full(len(hot), -np.inf)
    for e in range(len(hot)):
        u[e] = 0.5 * each <= loads[:, hot[e]]
    gain, since, counted = 0.0, 0, 0.0
    for step in range(_STEPS):
        length = 1 / np.sqrt(step + 1)
        late = step >= _TRIAL // 2  # the first steps are far from the best weights
        counted += length if late else 0.0
        for e in range(len(hot)):
            group = _least_group(u[e] - v[e] / (groups - 1), loads, hot[e], size)
            gain_u, gain_v = group - each, (total - group) / (groups - 1) - each
            value = (u[e] * gain_u + v[e] * gain_v).sum()
            if value > best[e]:
                best[e], best_u[e], best_v[e] = value, u[e], v[e]
            if late:
                mean[e] += length * group
            scale = length / (np.abs(gain_u).max() + 1)
            u[e] = np.minimum(np.maximum(u[e] + scale * gain_u, 0), 1)
            v[e] = np.minimum(np.maximum(v[e] + scale * gain_v, 0), 1)
            over = np.maximum(u[e] + v[e], 1)
            u[e] /= over
            v[e] /= over
        if best.max() > gain + _GAIN:
            gain, since = best.max(), step
        elif step - since >= _TRIAL:
            break
    return best_u, best_v, mean / counted


@compiled
def _least_group(weights: Array, loads: Array, expert: int, size: int) -> Array:
    """Load of the expert and its companions of least price, the first of equals: [windows]."""
    price = np.zeros(loads.shape[1])
    for w in range(len(loads)):
        for f in range(loads.shape[1]):
            price[f] += weights[w] * loads[w, f]
    price[expert] = np.inf
    group = loads[:, expert].copy()
    for _ in range(size - 1):
        cheapest = price.argmin()
        price[cheapest] = np.inf
        group += loads[:, cheapest]
    return group


def _counted(
    problem: GroupingProblem, loads: Ints, each: Ints, hot: Ints, weights: _Weights
) -> Ints:
    """What the best weights prove beyond sum B_w, rounded up: [experts looked at]."""
    others = problem.groups - 1
    u = np.floor(weights.u * _PARTS).astype(np.int64)
    v = np.floor(weights.v * _PARTS).astype(np.int64)
    price = (u * others - v) @ loads
    price[np.arange(len(hot)), hot] = _NEVER
    least = np.sort(price, axis=1)[:, : problem.size - 1].sum(axis=1)
    own = loads[:, hot].T
    least += (u * others * (own - each)).sum(axis=1)
    least += (v * (loads.sum(axis=1) - own - others * each)).sum(axis=1)
    proven: Ints = -(-least // (_PARTS * others))
    return proven

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
    weights = _Weights(problem, loads, each, hot)
    gain, since = 0.0, 0
    for step in range(_STEPS):
        weights.improve(step)
        if weights.best.max() > gain + _GAIN:
            gain, since = float(weights.best.max()), step
        elif step - since >= _TRIAL:
            break
    proven = _counted(problem, loads, each, hot, weights)
    e = int(proven.argmax())
    bound = plain.bound + int(proven[e])
    if bound <= plain.bound:
        return plain
    group = weights.mean[e] / weights.counted
    others = (loads.sum(axis=1) - group) / (problem.groups - 1)
    return Companions(bound, np.maximum(each, np.maximum(group, others)))


class _Weights:
    """u and v [experts looked at, windows], the best so far, and the mean load of the groups."""

    def __init__(self, problem: GroupingProblem, loads: Ints, each: Ints, hot: Ints) -> None:
        self.companions, self.others = problem.size - 1, problem.groups - 1
        self.loads, self.each, self.hot = loads.astype(np.float64), each, hot
        self.total = self.loads.sum(axis=1)
        self.u = (0.5 * each <= self.loads[:, hot].T).astype(np.float64)
        self.v = np.zeros_like(self.u)
        self.best = np.full(len(hot), -np.inf)
        self.best_u, self.best_v = self.u.copy(), self.v.copy()
        self.mean, self.counted = np.zeros_like(self.u), 0.0

    def improve(self, step: int) -> None:
        """Price the experts, take the cheapest companions, and move the weights along."""
        price = _prices(self.u - self.v / self.others, self.loads)
        price[np.arange(len(self.hot)), self.hot] = np.inf
        cheapest = np.argpartition(price, self.companions - 1, axis=1)[:, : self.companions]
        group = self.loads[:, self.hot].T + self.loads[:, cheapest].sum(axis=2).T
        gain_u = group - self.each
        gain_v = (self.total - group) / self.others - self.each
        value = (self.u * gain_u + self.v * gain_v).sum(axis=1)
        better = value > self.best
        self.best[better] = value[better]
        self.best_u[better], self.best_v[better] = self.u[better], self.v[better]
        length = 1 / np.sqrt(step + 1)
        if step >= _TRIAL // 2:  # the first steps are far from the best weights
            self.mean += length * group
            self.counted += length
        scale = length / (np.abs(gain_u).max(axis=1, keepdims=True) + 1)
        self.u = np.clip(self.u + scale * gain_u, 0, 1)
        self.v = np.clip(self.v + scale * gain_v, 0, 1)
        over = np.maximum(self.u + self.v, 1)
        self.u /= over
        self.v /= over


@compiled
def _prices(weights: Array, loads: Array) -> Array:
    """Product of both: [experts looked at, experts].

    Summed window by window on every machine. Matrices of this size take BLAS ten times as long,
    on threads that wait for each other.
    """
    price = np.zeros((len(weights), loads.shape[1]))
    for w in range(len(loads)):
        for e in range(len(weights)):
            for f in range(loads.shape[1]):
                price[e, f] += weights[e, w] * loads[w, f]
    return price


def _counted(
    problem: GroupingProblem, loads: Ints, each: Ints, hot: Ints, weights: _Weights
) -> Ints:
    """What the best weights prove beyond sum B_w, rounded up: [experts looked at]."""
    others = problem.groups - 1
    u = np.floor(weights.best_u * _PARTS).astype(np.int64)
    v = np.floor(weights.best_v * _PARTS).astype(np.int64)
    price = (u * others - v) @ loads
    price[np.arange(len(hot)), hot] = _NEVER
    least = np.sort(price, axis=1)[:, : problem.size - 1].sum(axis=1)
    own = loads[:, hot].T
    least += (u * others * (own - each)).sum(axis=1)
    least += (v * (loads.sum(axis=1) - own - others * each)).sum(axis=1)
    proven: Ints = -(-least // (_PARTS * others))
    return proven

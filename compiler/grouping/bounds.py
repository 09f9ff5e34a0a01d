"""Lower bounds on the grouping objective, without a solver."""

from functools import lru_cache

import numpy as np

from compiler.grouping.companions import companion_bound
from compiler.grouping.company import slots_of_both
from compiler.grouping.objective import GroupingProblem
from ir.arrays import Floats, Ints


def window_bounds(problem: GroupingProblem) -> Ints:
    """Compute a lower bound on L_w for every window by itself: [windows].

    The mean over groups; and, for every k: of the k * groups + 1 hottest experts, some group holds
    k + 1, and fills up with at best the coldest experts there are (k = 0: the hottest expert).
    Empty places count as experts without load, so that every group is full. With R replicas at
    least all but the R hottest are in one group only, and nothing fills a group up; the hottest
    shares are those of R copies given out one by one to the expert with the largest share. Of
    counts in pairs the best answer is known: the i hottest have i partners, which are not all among
    the i - 1 coldest, so the i-th hottest with the i-th coldest is a bound for every i.
    """
    hot: Ints = -np.sort(-_padded(problem), axis=1)
    best: Ints = -(-hot.sum(axis=1) // problem.groups)
    for k in range(problem.size):
        last = k * problem.groups + problem.replicas
        if last >= hot.shape[1]:
            break
        together = hot[:, last - k : last + 1].sum(axis=1)
        if not problem.replicas:
            together += hot[:, hot.shape[1] - (problem.size - k - 1) :].sum(axis=1)
        best = np.maximum(best, together)
    if problem.counted and problem.size == 2 and not problem.replicas:
        best = np.maximum(best, (hot + hot[:, ::-1]).max(axis=1))
    return np.maximum(best, _largest_share(problem)) if problem.replicas else best


def _largest_share(problem: GroupingProblem) -> Ints:
    """Pairs of the busiest copy when every window may place its replicas anew: [windows]."""
    copies = np.ones_like(problem.loads)
    rows = np.arange(problem.windows)
    for _ in range(problem.replicas):
        busiest = (problem.loads / copies).argmax(axis=1)
        copies[rows, busiest] += 1
    share: Ints = (-(-problem.loads // copies)).max(axis=1)
    return share


@lru_cache(maxsize=4)  # asked for by every solver and by the certificate; problems are immutable
def lower_bound(problem: GroupingProblem) -> int:
    """Bound the objective below: of slots and of broadcasts, each by itself."""
    return problem.costs.slot * _slots_bound(problem) + _broadcast_bound(problem)


def _broadcast_bound(problem: GroupingProblem) -> int:
    """One broadcast a token, and as many pairs in one group as equal groups have, the cheapest."""
    if not problem.costs.broadcast:
        return 0
    size, larger = divmod(problem.experts, problem.groups)
    pairs = problem.groups * (size * (size - 1) // 2) + larger * size
    costs = np.sort(problem.pair_costs[np.triu_indices(problem.experts, 1)])
    return problem.fixed + int(costs[:pairs].sum())


def _slots_bound(problem: GroupingProblem) -> int:
    """The window bounds' sum, or a bound of one expert's group."""
    each = window_bounds(problem)
    best = int(problem.objective(each))
    if problem.replicas:
        return best
    return max(best, _partner_bound(problem, each), _companion_bound(problem, each))


def window_aims(problem: GroupingProblem) -> Floats:
    """How the slots of the best bound on one part's sum are shared between windows: [windows]."""
    return companion_bound(problem, _padded(problem), window_bounds(problem)).aims


def _companion_bound(problem: GroupingProblem, each: Ints) -> int:
    """The worst part's `companions` bound."""
    parts = zip(
        np.split(_padded(problem), problem.parts), np.split(each, problem.parts), strict=True
    )
    return max(companion_bound(problem, loads, bounds).bound for loads, bounds in parts)


def _partner_bound(problem: GroupingProblem, each: Ints) -> int:
    """Bound that uses one choice of partners for all windows.

    With experts e and f in one group, window w takes at least e's and f's loads and the coldest
    size - 2 others: summed over w, cost[e, f]. Expert e has size - 1 partners, so the objective is
    at least the (size - 1)-th smallest cost[e, :]; for pairs, e's best partner.
    """
    padded = _padded(problem)
    if problem.size < 2 or padded.shape[1] < 2:
        return 0
    coldest = np.sort(padded, axis=1)[:, : problem.size - 2].sum(axis=1)
    cost = slots_of_both(np.ascontiguousarray(padded.T), coldest, each, problem.parts)
    np.fill_diagonal(cost, np.iinfo(np.int64).max)  # no expert is its own partner
    partners = np.sort(cost[: problem.experts], axis=1)
    return int(partners[:, problem.size - 2].max(initial=0))


def _padded(problem: GroupingProblem) -> Ints:
    """Add experts of no load until every group is full: [windows, groups * size]."""
    spare = problem.groups * problem.size - problem.experts
    return np.pad(problem.loads, ((0, 0), (0, spare)))

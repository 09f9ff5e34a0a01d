"""How few dies the items fit on: a lower bound, and packings that reach a number."""

import numpy as np

from compiler.dies.in_order import fill
from compiler.dies.problem import Problem
from ir.arrays import Ints


def dies_needed(problem: Problem) -> tuple[int, int]:
    """(lower bound, number that a packing reached); raises InfeasibleError for too large an item.

    The bound: the items of a layer alone are on k dies at least, as many as they need where each
    has room for the layer's overhead and its items alone, so the areas of all items and k overheads
    of each layer are on all dies together. Nor can all items be on fewer dies than the larger ones
    need that do not fit with each other, whatever their layers.
    """
    problem.check_items()
    if not len(problem.items):
        return 0, 0
    return _least(problem), int(packed(problem).max()) + 1


def packed(problem: Problem, dies: int = 0) -> Ints:
    """A packing: the die of every item, int64 [items]; of several the one on fewest dies.

    Layers that follow each other share dies. dies: enough of them, so that the first way that
    does not take more is kept; 0: as few as can be found.
    """
    ways = [fill(problem, problem.order)]
    for order in (_layers_by_size(problem), _by_size(problem)):
        if dies and ways[0].max(initial=-1) < dies:
            break
        ways.append(_best_fit(problem, order))
    return min(ways, key=lambda way: int(way.max(initial=-1)))


def _least(problem: Problem) -> int:
    total = int(problem.area.sum())
    most = 1
    for layer, overhead in enumerate(problem.overhead.tolist()):
        sizes = problem.area[problem.layer == layer]
        alone = least_bins(sizes, problem.capacity_um2 - overhead)
        total += alone * overhead
        most = max(most, alone)
    together = least_bins(problem.area, problem.capacity_um2)
    return max(most, together, -(-total // max(1, problem.capacity_um2)))


def least_bins(sizes: Ints, room: int) -> int:
    """A lower bound on bins of `room` for these sizes, none larger: that of Martello and Toth.

    For any k: things above room - k need a bin each in which nothing of size k or more fits; those
    above half a bin need one each; what of the others from k on does not fit beside these, over the
    room, needs more.
    """
    if room <= 0:
        return int(len(sizes) > 0)
    best = 1 if len(sizes) else 0
    for k in (0, *np.unique(sizes[sizes <= room // 2]).tolist()):
        alone = sizes > room - k
        large = (sizes > room / 2) & ~alone
        rest = (sizes <= room / 2) & (sizes >= k)
        free = int(large.sum()) * room - int(sizes[large].sum())
        more = max(0, -(-(int(sizes[rest].sum()) - free) // room))
        best = max(best, int(alone.sum()) + int(large.sum()) + more)
    return best


def _layers_by_size(problem: Problem) -> Ints:
    return np.lexsort((-problem.area, problem.layer))


def _by_size(problem: Problem) -> Ints:
    return np.lexsort((problem.layer, -problem.area))


def _best_fit(problem: Problem, order: Ints) -> Ints:
    """Each item where least room is left after it, of equals on the first such die."""
    n, room = len(problem.items), problem.capacity_um2
    out, free = np.zeros(n, dtype=np.int64), np.full(n, room, dtype=np.int64)
    there = np.zeros((len(problem.layers), n), dtype=np.bool_)
    opened = 0
    for item in order.tolist():
        layer = problem.layer[item]
        overhead, area = problem.overhead[layer], problem.area[item]
        left = free[:opened] - area - np.where(there[layer, :opened], 0, overhead)
        fitting = np.flatnonzero(left >= 0)
        if len(fitting):
            at = int(fitting[left[fitting].argmin()])
            free[at] = left[at]
        else:
            at, opened = opened, opened + 1
            free[at] -= area + overhead
        out[item] = at
        there[layer, at] = True
    return out

"""How few dies the items fit on: a lower bound, and packings that reach a number."""

from dataclasses import replace

import numpy as np

from compiler.dies.cp_sat import DieModel
from compiler.dies.in_order import fill
from compiler.dies.links import before_of
from compiler.dies.problem import Problem
from compiler.dies.symmetries import turned
from compiler.options import SolverOptions
from ir.arrays import Ints
from ir.topology import Topology

_FEW = 1500  # items x dies up to which packings are searched exactly
_LIMITS = SolverOptions(time_s=0.5)
_FRACTIONS = 24  # of rounded sizes, up to so many things in a bin


def dies_needed(problem: Problem) -> tuple[int, int]:
    """(lower bound, number that a packing reached); raises InfeasibleError for too large an item.

    The bound: the items of a layer alone are on k dies at least, as many as they need where each
    has room for the layer's overhead and its items alone, so the areas of all items and k overheads
    of each layer are on all dies together. Nor can all items be on fewer dies than they need were
    the least overhead on each die the only one (`least_bins`). Small problems are solved by CP-SAT.
    """
    problem.check_items()
    if not len(problem.items):
        return 0, 0
    least, reached = _least(problem), int(packed(problem).max()) + 1
    while least < reached and len(problem.items) * least <= _FEW:
        status, _ = packed_exactly(problem, least)
        if status == "feasible":
            return least, least
        if status == "none":
            break
        least += 1
    return least, reached


def packed(problem: Problem, dies: int = 0) -> Ints:
    """A packing: the die of every item, int64 [items]; of several the one on fewest dies.

    Layers that follow each other share dies. dies: enough of them, so that the first way that
    does not take more is kept; 0: as few as can be found.
    """
    ways = [fill(problem, problem.order)]
    for order in (_layers_by_size(problem), _by_size(problem)):
        if dies and ways[-1].max(initial=-1) < dies:
            return ways[-1]
        ways.append(_best_fit(problem, order))
    return min(ways, key=lambda way: int(way.max(initial=-1)))


def packed_exactly(problem: Problem, dies: int) -> tuple[str, Ints]:
    """A packing onto so many dies by CP-SAT: feasible, infeasible, or none found in its time."""
    alone = replace(problem, flows=(), casts=())
    before = before_of(Topology(dies, tuple((a, b) for b in range(dies) for a in range(b))))
    die, domains = turned(alone, before, 0, np.zeros(len(problem.items), dtype=np.int64))
    answer, die, _ = DieModel(alone, before, die, domains).solve(_LIMITS)
    return "feasible" if answer.status == "optimal" else answer.status, die


def _least(problem: Problem) -> int:
    total = int(problem.area.sum())
    room = problem.capacity_um2 - int(problem.overhead.min())
    most = least_bins(problem.area, room)
    for layer, overhead in enumerate(problem.overhead.tolist()):
        sizes = problem.area[problem.layer == layer]
        alone = least_bins(sizes, problem.capacity_um2 - overhead)
        total += alone * overhead
        most = max(most, alone)
    return max(most, -(-total // max(1, problem.capacity_um2)))


def least_bins(sizes: Ints, room: int) -> int:
    """A lower bound on bins of `room` for these sizes, none of them larger.

    Martello and Toth's: for any k, things above room - k need a bin each in which nothing of size k
    or more fits; those above half a bin need one each; what of the others from k on does not fit
    beside these, over the room, needs more. And Fekete and Schepers': sizes rounded to k-ths of a
    bin, which no full bin exceeds: those of exactly j of k + 1 parts stay, others are
    (k + 1) x size / room, rounded down, over k.
    """
    if not len(sizes) or room <= 0:
        return int(len(sizes) > 0)
    best = 1
    for k in (0, *np.unique(sizes[sizes <= room // 2]).tolist()):
        alone = sizes > room - k
        large = (2 * sizes > room) & ~alone
        rest = (2 * sizes <= room) & (sizes >= k)
        free = int(large.sum()) * room - int(sizes[large].sum())
        more = max(0, -(-(int(sizes[rest].sum()) - free) // room))
        best = max(best, int(alone.sum()) + int(large.sum()) + more)
    for k in range(1, _FRACTIONS):
        parts, left = np.divmod(sizes * (k + 1), room)
        whole, rounded = int(parts[left == 0].sum()), int(parts[left > 0].sum())
        best = max(best, -(-(whole * k + rounded * (k + 1)) // (k * (k + 1))))
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

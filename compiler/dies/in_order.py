"""A baseline: items layer by layer onto dies along a snake, the next die when one is full."""

import numpy as np

from compiler.dies.problem import Problem
from ir.arrays import Ints


def in_order(problem: Problem, along: Ints) -> Ints:
    """The die of every item, int64 [items]; along: dies in the order in which they are filled.

    Numbers from len(along) on are dies that would be needed beyond those there are. Every item
    must fit on a die alone (`Problem.check_items`).
    """
    turn = fill(problem, problem.order)
    further = np.arange(len(along), max(len(along), int(turn.max(initial=-1)) + 1))
    found: Ints = np.concatenate([along, further])[turn]
    return found


def fill(problem: Problem, order: Ints, *, shared: bool = True) -> Ints:
    """Items in this order into dies 0, 1, ...: never back to one before. int64 [items].

    shared: whether a die may have items of several layers.
    """
    out = np.zeros(len(problem.items), dtype=np.int64)
    area, layer = problem.area.tolist(), problem.layer.tolist()
    overhead = problem.overhead.tolist()
    now, taken, there = 0, 0, set[int]()
    for item in order.tolist():
        more = area[item] + (0 if layer[item] in there else overhead[layer[item]])
        if taken + more > problem.capacity_um2 or not (shared or there <= {layer[item]}):
            now, there = now + 1, set()
            taken, more = 0, area[item] + overhead[layer[item]]
        out[item] = now
        taken += more
        there.add(layer[item])
    return out

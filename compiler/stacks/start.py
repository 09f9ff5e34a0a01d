"""The first stacks: as few PGs as can be had quickly; and how few there can be at least."""

import numpy as np

from compiler.stacks.problem import Pool, StackProblem
from ir.arrays import Ints


def fewest(pool: Pool) -> Ints:
    """A stack for each of the pool: first fit, the largest first, so that like stand with like.

    Of the stacks with room whose largest is as near in size, the one that it meets least.
    Returns int64 [n], numbers of stacks below n.
    """
    n = len(pool)
    stack = np.full(n, -1, dtype=np.int64)
    room = np.full(n, pool.limit, dtype=np.int64)
    near = np.zeros((n, n), dtype=np.int64)  # what each meets in each stack
    used = 0
    for i in np.lexsort((-pool.depth, -pool.size)).tolist():
        open_to = np.flatnonzero(room[:used] >= pool.depth[i])
        if len(open_to):
            at = int(open_to[near[i, open_to].argmin()])
        else:
            at, used = used, used + 1
        stack[i] = at
        room[at] -= pool.depth[i]
        near[:, at] += pool.meeting[:, i]
    return stack


def size_of(pool: Pool, stack: Ints) -> int:
    """PGs of all stacks: of each the most that a member takes."""
    most = np.zeros(len(pool), dtype=np.int64)
    np.maximum.at(most, stack, pool.size)
    return int(most.sum())


def fewest_bound(problem: StackProblem) -> int:
    """PGs that any stacks within the limit take at least.

    The PGs are the sum over t >= 1 of the stacks with a member of t PGs or more. These are at least
    all such members' depth over the limit; the members of which no two fit one stack; and, as
    layers in different regions share none, one for every `layers_together` layers with such.
    """
    order = np.argsort(-problem.pgs, kind="stable")
    pgs, depth, layer = problem.pgs[order], problem.depth[order], problem.layer[order]
    by_depth = -(-depth.cumsum() // problem.limit)
    alone = (2 * depth > problem.limit).cumsum()
    new = np.zeros(len(order), dtype=np.bool_)
    new[np.unique(layer, return_index=True)[1]] = True
    by_layer = -(-new.cumsum() // problem.layers_together)
    stacks = np.maximum.reduce([by_depth, alone, by_layer])
    drop = pgs - np.append(pgs[1:], 0)  # t between this size and the next
    return int((stacks * drop).sum())

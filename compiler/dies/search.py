"""Dies for large problems: the best of several starts, and random changes from there."""

from collections.abc import Sequence

import numpy as np

from compiler.dies.anneal import anneal
from compiler.dies.board import WORK, board_of
from compiler.dies.links import links_of
from compiler.dies.problem import Problem
from compiler.options import SolverOptions
from ir.arrays import Array, Ints
from ir.topology import Topology

_PER_SECOND = 100_000_000  # steps over links, about as many as there are in a second
_EACH = 8_000  # steps for each end of a net, at most
_THRESHOLDS = (20, 60, 200, 0)  # of turns one after another, the mean cost of an item over these


def search(
    problem: Problem,
    topology: Topology,
    before: Array,
    starts: Sequence[Ints],
    limits: SolverOptions,
) -> Ints:
    """The die of every item, int64 [items], never worse than any start.

    limits: time_s for each layer, as steps, so that it repeats.
    """
    sizes = problem.nets.bytes

    def value(die: Ints) -> int:
        return int((sizes * links_of(problem, before, die)).sum())

    best = min(starts, key=value)
    least = value(best)
    ends = len(problem.nets.member) + len(problem.nets) + len(problem.items)
    work = min(int(limits.time_s * len(problem.layers) * _PER_SECOND), _EACH * ends)
    for turn, share in enumerate(_THRESHOLDS):
        if not least:
            break
        board = board_of(problem, topology, before, best, limits.seed + turn)
        threshold = least // max(1, len(problem.items)) // share if share else 0
        anneal(board, threshold, int(board.now[WORK]) + work // len(_THRESHOLDS))
        found = value(board.die)
        if found < least:
            best, least = np.array(board.die), found
    return best

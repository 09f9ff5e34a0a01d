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
_EACH = 8_000  # steps for each end of a net that a turn takes, where there are several turns
_TURNS = 8
_HOT, _WARM, _COOL = 4, 10, 20  # thresholds: the mean cost of an item over these


def search(
    problem: Problem,
    topology: Topology,
    before: Array,
    starts: Sequence[Ints],
    limits: SolverOptions,
) -> Ints:
    """The die of every item, int64 [items], never worse than any start.

    limits: time_s for each layer, as steps, so that it repeats. A turn anneals from the best so
    far; those of small problems begin hot, to leave it behind.
    """
    sizes = problem.nets.bytes

    def value(die: Ints) -> int:
        return int((sizes * links_of(problem, before, die)).sum())

    best = min(starts, key=value)
    least = value(best)
    ends = len(problem.nets.member) + len(problem.nets) + len(problem.items)
    work = int(limits.time_s * len(problem.layers) * _PER_SECOND)
    turns = max(1, min(_TURNS, work // (_EACH * ends)))
    shares = [_WARM] if turns == 1 else [_HOT] * (turns - 1) + [_COOL]
    for turn, share in enumerate(shares):
        if not least:
            break
        board = board_of(problem, topology, before, best, limits.seed + turn)
        threshold = least // len(problem.items) // share
        anneal(board, threshold, int(board.now[WORK]) + min(work // turns, _EACH * ends))
        found = value(board.die)
        if found < least:
            best, least = np.array(board.die), found
    return best

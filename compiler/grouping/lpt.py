"""Longest processing time first (Graham 1969), as DeepSeek's EPLB packs experts onto devices."""

import numpy as np

from compiler.grouping.objective import GroupingProblem, Ints


def group_lpt(problem: GroupingProblem) -> Ints:
    """Put the heaviest expert left into the least loaded group that has room, until none is left.

    Loads are over all fitted tokens. Ties: the group with fewer experts, then the lower index.
    Return the group of each expert: [experts].
    """
    load = [0] * problem.groups
    held = [0] * problem.groups
    assignment = np.empty(problem.experts, dtype=np.int64)
    for expert in np.argsort(-problem.total, kind="stable"):
        room = [g for g in range(problem.groups) if held[g] < problem.size]
        group = min(room, key=lambda g: (load[g], held[g], g))
        assignment[expert] = group
        load[group] += int(problem.total[expert])
        held[group] += 1
    return assignment

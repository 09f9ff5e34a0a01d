"""Greedy that keeps apart what fires together, as IBM's 3D-CiM simulator places experts."""

import numpy as np

from compiler.grouping.objective import GroupingProblem, Ints


def group_co_activation(problem: GroupingProblem) -> Ints:
    """Put the hottest expert left where the fewest tokens use it together with those there.

    Ties: the group with least load, then the lower index. A group still empty comes before the rest
    as no token uses two of its experts. Return the group of each expert: [experts].
    """
    assignment = np.full(problem.experts, -1, dtype=np.int64)
    for expert in np.argsort(-problem.total, kind="stable"):
        options = []
        for g in range(problem.groups):
            there = np.flatnonzero(assignment == g)
            if len(there) < problem.size:
                conflict = int(problem.together[expert, there].sum())
                load = int(problem.total[there].sum())
                options.append((conflict, load, len(there), g))
        assignment[expert] = min(options)[3]
    return assignment

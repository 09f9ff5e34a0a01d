"""Neighbours together: the grouping a chip gets when nobody decides."""

import numpy as np

from compiler.grouping.objective import GroupingProblem, Ints


def group_contiguous(problem: GroupingProblem) -> Ints:
    """Group experts 0, 1, ... in order, in sizes that differ by at most one.

    Return the group of each expert: [experts].
    """
    parts = np.array_split(np.arange(problem.experts), problem.groups)
    return np.repeat(np.arange(problem.groups), [len(part) for part in parts])

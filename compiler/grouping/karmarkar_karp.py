"""Karmarkar-Karp differencing for groups of equal size (Michiels, Korst, Aarts 2003)."""

import numpy as np

from compiler.grouping.objective import GroupingProblem, Ints

_Partial = tuple[int, list[tuple[int, list[int]]]]  # (spread, groups as (load, experts))


def group_karmarkar_karp(problem: GroupingProblem) -> Ints:
    """Take partial groupings with the largest spread together, full groups onto empty ones.

    Experts by load over all fitted tokens, padded with experts without load; each run of `groups`
    neighbours is a partial grouping, one expert to a group, so that sizes come out equal. Ties keep
    the order. Return the group of each expert: [experts].
    """
    size = -(-problem.experts // problem.groups)
    places = size * problem.groups
    order = np.argsort(-problem.total, kind="stable").tolist()
    order += range(problem.experts, places)
    load = np.pad(problem.total, (0, places - problem.experts)).tolist()
    runs = [order[i : i + problem.groups] for i in range(0, places, problem.groups)]
    partial = [_sorted([(int(load[e]), [e]) for e in run]) for run in runs]
    while len(partial) > 1:
        partial.sort(key=lambda p: -p[0])
        (_, first), (_, second) = partial.pop(0), partial.pop(0)
        merged = [
            (a + b, [*left, *right])
            for (a, left), (b, right) in zip(first, reversed(second), strict=True)
        ]
        partial.append(_sorted(merged))
    assignment = np.empty(places, dtype=np.int64)
    for g, (_, experts) in enumerate(partial[0][1]):
        assignment[experts] = g
    return assignment[: problem.experts]


def _sorted(groups: list[tuple[int, list[int]]]) -> _Partial:
    groups = sorted(groups, key=lambda group: -group[0])
    return groups[0][0] - groups[-1][0], groups

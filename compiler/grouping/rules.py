"""Groupings by rule, the baselines: what is known of the loads, or of which experts fire together.

Each takes a problem and returns the group of each expert: [experts].
"""

import networkx as nx
import numpy as np

from compiler.grouping.objective import GroupingProblem
from ir.arrays import Ints
from ir.errors import InputError

_Partial = tuple[int, list[tuple[int, list[int]]]]  # (spread, groups as (load, experts))


def group_contiguous(problem: GroupingProblem) -> Ints:
    """Group experts 0, 1, ... in order, in sizes that differ by at most one.

    Return the group of each expert: [experts].
    """
    parts = np.array_split(np.arange(problem.experts), problem.groups)
    return np.repeat(np.arange(problem.groups), [len(part) for part in parts])


def group_sorted(problem: GroupingProblem) -> Ints:
    """Group by load over all fitted tokens; ties keep the lower expert id first.

    The paper's grouping (arXiv 2602.10254), which describes pairs; for larger groups we read it so:
    cut the sorted list into a hot and a cold half; each group takes the next size / 2 experts from
    the hot end and as many from the cold end. With pairs that is (hottest, coldest), (second
    hottest, second coldest), ...

    An odd size takes one more from the hot end. Where the experts do not fill the groups, the
    empty places count as the coldest experts. Return the group of each expert: [experts].
    """
    size = -(-problem.experts // problem.groups)
    places = np.arange(problem.groups * size)
    hot = -(-size // 2)
    middle = problem.groups * hot
    group = places // hot
    if size > hot:
        group[middle:] = (len(places) - 1 - places[middle:]) // (size - hot)
    assignment = np.empty(problem.experts, dtype=np.int64)
    assignment[np.argsort(-problem.total, kind="stable")] = group[: problem.experts]
    return assignment


def group_lpt(problem: GroupingProblem) -> Ints:
    """Put the heaviest expert left into the least loaded group that has room, until none is left.

    Longest processing time first (Graham 1969), as DeepSeek's EPLB packs experts onto devices.

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


def group_karmarkar_karp(problem: GroupingProblem) -> Ints:
    """Take partial groupings with the largest spread together, full groups onto empty ones.

    Differencing for groups of equal size (Michiels, Korst, Aarts 2003).

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


def group_co_activation(problem: GroupingProblem) -> Ints:
    """Put the hottest expert left where the fewest tokens use it together with those there.

    It keeps apart what fires together, as IBM's 3D-CiM simulator places experts.

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


def group_matching(problem: GroupingProblem) -> Ints:
    """Pair experts so that as few tokens as possible use both of a pair: [experts].

    Minimum-weight perfect matching (Edmonds 1965). For pairs and at most three experts per token a
    token has at most one pair of its own in a group, so the sum of the matched weights is the
    number of transfers beyond one per token: the exact optimum of the transfer bound. It does not
    look at slots.

    Empty places are partners that no token uses; no two are matched. Raises InputError unless
    groups hold two experts.
    """
    if problem.size != 2:
        raise InputError(
            "matching",
            f"groups of {problem.size}, expected pairs (mux 2)",
            "use local-search or cp-sat for other sizes",
        )
    places, experts = 2 * problem.groups, problem.experts
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(places))
    for a in range(experts):
        for b in range(a + 1, places):
            weight = int(problem.together[a, b]) if b < experts else 0
            graph.add_edge(a, b, weight=weight)
    pairs = nx.min_weight_matching(graph)
    assignment = np.empty(places, dtype=np.int64)
    for g, pair in enumerate(sorted(tuple(sorted(pair)) for pair in pairs)):
        assignment[list(pair)] = g
    return assignment[:experts]

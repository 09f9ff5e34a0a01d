"""Pairs by minimum-weight perfect matching (Edmonds 1965) on how often experts fire together.

For pairs and at most three experts per token a token has at most one pair of its own in a group, so
the sum of the matched weights is the number of transfers beyond one per token: the matching is the
exact optimum of the transfer bound. It does not look at slots.
"""

import networkx as nx
import numpy as np

from compiler.grouping.objective import GroupingProblem, Ints
from ir.errors import InputError


def group_matching(problem: GroupingProblem) -> Ints:
    """Pair experts so that as few tokens as possible use both of a pair: [experts].

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

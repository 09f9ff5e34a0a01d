"""The paper's grouping (arXiv 2602.10254): experts sorted by load, hot ones folded onto cold ones.

The paper describes pairs; for larger groups we read it so: cut the sorted list into a hot and a
cold half; each group takes the next size / 2 experts from the hot end and as many from the cold
end. With pairs that is (hottest, coldest), (second hottest, second coldest), ...
"""

import numpy as np

from compiler.grouping.objective import GroupingProblem, Ints


def group_sorted(problem: GroupingProblem) -> Ints:
    """Group by load over all fitted tokens; ties keep the lower expert id first.

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

"""The places of all groups, with or without an expert.

Empty places count as experts without load, so that a move to a group with room is a swap too.
"""

from dataclasses import dataclass

import numpy as np

from compiler.grouping.objective import GroupingProblem
from ir.arrays import Ints


@dataclass(eq=False)
class Places:
    """Which group each place is in, the experts' own places first; changed by swaps.

    loads: [places, windows] pairs of each; group: [places]; load: [groups, windows] pairs.
    """

    loads: Ints
    group: Ints
    load: Ints

    def __len__(self) -> int:
        return len(self.group)

    def swap(self, i: int, j: int) -> None:
        """Swap places i and j, which lie in different groups."""
        g, h = int(self.group[i]), int(self.group[j])
        moved = self.loads[i] - self.loads[j]
        self.load[g] -= moved
        self.load[h] += moved
        self.group[i], self.group[j] = h, g


def places_of(problem: GroupingProblem, assignment: Ints) -> Places:
    """Make a place of every expert, then one for each gap in a group."""
    loads = np.zeros((problem.groups * problem.size, problem.windows), dtype=np.int64)
    loads[: problem.experts] = problem.loads.T
    gaps = problem.size - np.bincount(assignment, minlength=problem.groups)
    group = np.concatenate([assignment, np.repeat(np.arange(problem.groups), gaps)])
    load = np.zeros((problem.groups, problem.windows), dtype=np.int64)
    np.add.at(load, group, loads)
    return Places(loads, group, load)

"""Grouping by token counts alone: the largest group load is minimised, summed over the steps.

A step is as a window of which only each expert's pairs are known: it ends when its fullest group
has done. So the rules by load, the searches and the integer programs answer this too, replicas and
bounds with them; what looks at experts that fire together cannot.
"""

from dataclasses import dataclass

import numpy as np

from compiler.grouping.objective import Costs, GroupingProblem, check_room
from compiler.options import GroupingOptions, GroupingSolver
from ir.arrays import Ints
from ir.errors import InputError

LARGEST_LOAD = Costs("largest group load")
LARGEST_LOADS = Costs("largest group load of each step, summed")
NEEDS_TOKENS: tuple[GroupingSolver, ...] = ("matching", "co-activation")


@dataclass(frozen=True, eq=False)
class Counted:
    """Pairs of each expert of a layer in each step: int64 [steps, experts]."""

    loads: Ints
    parts: int = 1

    @property
    def costs(self) -> Costs:
        """What is minimised."""
        return LARGEST_LOAD if len(self.loads) == 1 else LARGEST_LOADS


def counted_problem(
    fit: Counted, size: int, options: GroupingOptions, costs: Costs
) -> GroupingProblem:
    """The problem of a layer's counts, at most `size` experts to a group.

    Raises InputError for a solver that needs tokens, and as `grouping_problem` does.
    """
    if options.solver in NEEDS_TOKENS:
        raise InputError(
            "grouping",
            f"solver {options.solver!r} looks at experts of one token, which counts do not tell",
            "use lpt, karmarkar-karp or cp-sat",
        )
    experts = fit.loads.shape[1]
    unknown = np.zeros((experts, experts), dtype=np.int64)
    return GroupingProblem(
        loads=fit.loads,
        total=fit.loads.sum(axis=0),
        together=unknown,
        groups=check_room(experts, size, options.groups, options.replicas),
        size=size,
        replicas=options.replicas,
        parts=fit.parts,
        costs=costs,
        counted=True,
    )

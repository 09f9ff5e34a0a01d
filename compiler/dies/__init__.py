"""Dies: which die every piece of a mapping is on, so that few bytes go over few links.

Pure: it sees items with areas, what is sent between them, and how dies are joined.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from compiler.dies.in_order import in_order
from compiler.dies.links import byte_links
from compiler.dies.packing import dies_needed
from compiler.dies.problem import Assigned, Cast, Flow, Item, Problem
from compiler.dies.room import too_few, too_few_in_order
from compiler.dies.snake import snake
from compiler.dies.starts import starts
from compiler.options import DieOptions, SolverOptions
from ir.arrays import Ints
from ir.certificate import Certificate
from ir.errors import CheckError
from ir.topology import Topology

__all__ = [
    "LIMITS",
    "OBJECTIVE",
    "Assigned",
    "Cast",
    "Flow",
    "Item",
    "Problem",
    "assign",
    "byte_links",
    "dies_needed",
]

OBJECTIVE = "bytes x links"
LIMITS = SolverOptions(time_s=10.0)


@dataclass(frozen=True, eq=False)
class _Found:
    die: Ints
    solver: str
    bound: int = 0
    by_solver: bool = False
    deterministic: bool = True


def assign(
    problem: Problem, topology: Topology, options: DieOptions, limits: SolverOptions = LIMITS
) -> Assigned:
    """The die of every item at few byte-links; there are topology.count dies.

    The value is counted anew, and the bound holds for any assignment. Raises InfeasibleError where
    the items do not fit (by the baseline: where its way does not), InputError for dies that are not
    joined.
    """
    begun = time.perf_counter()
    problem.check_items()
    if dies_needed(problem)[0] > topology.count:
        raise too_few(problem, topology.count)
    found = _found(problem, topology, options, limits)
    if not problem.fits(found.die, topology.count):
        raise CheckError("room of dies", found.solver, "more on a die than it has room for")
    value = byte_links(problem, topology, found.die)
    certificate = Certificate(
        OBJECTIVE,
        value,
        min(found.bound, value),
        "optimal (bound)" if found.bound >= value else "heuristic",
        seed=limits.seed,
        deterministic=found.deterministic,
    )
    certificate = replace(certificate, seconds=time.perf_counter() - begun)
    return Assigned(found.die, value, certificate, found.solver)


def _found(
    problem: Problem, topology: Topology, options: DieOptions, limits: SolverOptions
) -> _Found:
    if options.solver == "in-order":
        die = in_order(problem, snake(topology))
        if die.max(initial=-1) >= topology.count:
            needed = len(np.unique(die))
            raise too_few_in_order(needed, topology.count)
        return _Found(die, "in-order")
    every = list(starts(problem, topology))
    if not every:
        raise too_few(problem, topology.count)
    return _Found(min(every, key=lambda die: byte_links(problem, topology, die)), "search")

"""Dies: which die every piece of a mapping is on, so that few bytes go over few links.

Pure: it sees items with areas, what is sent between them, and how dies are joined.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from compiler.dies.arrange import starts
from compiler.dies.bounds import byte_link_bound
from compiler.dies.cp_sat import DieModel, model_terms
from compiler.dies.cut import cut
from compiler.dies.in_order import in_order
from compiler.dies.links import before_of, byte_links, hops_of
from compiler.dies.packing import dies_needed, packed_exactly
from compiler.dies.problem import Assigned, Cast, Flow, Item, Problem
from compiler.dies.room import none_fit, too_few
from compiler.dies.search import search
from compiler.dies.snake import snake
from compiler.dies.symmetries import turned
from compiler.options import DieOptions, SolverOptions
from ir.arrays import Array, Ints
from ir.certificate import Certificate, Status
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
LIMITS = SolverOptions(time_s=1.0)
_SMALL = 20_000  # sums of a model that is worth making
_BANDS = 6  # rows of the bands along which baselines other than in-order lie


@dataclass(frozen=True, eq=False)
class _Found:
    die: Ints
    solver: str
    bound: int = 0
    deterministic: bool = True


def assign(
    problem: Problem, topology: Topology, options: DieOptions, limits: SolverOptions = LIMITS
) -> Assigned:
    """The die of every item at few byte-links; there are topology.count dies.

    limits: time_s is for each layer. The value is counted anew, and the bound holds for any
    assignment. Raises InfeasibleError where the items do not fit (by a baseline: where its way does
    not), InputError for dies that are not joined, and KeyboardInterrupt on Ctrl-C.
    """
    begun = time.perf_counter()
    problem.check_items()
    if dies_needed(problem)[0] > topology.count:
        raise too_few(problem, topology.count)
    before = before_of(topology)
    hops = hops_of(before)
    found = _found(problem, topology, before, hops, options, limits)
    if not problem.fits(found.die, topology.count):
        raise CheckError("room of dies", found.solver, "more on a die than it has room for")
    value = byte_links(problem, topology, found.die)
    bound = byte_link_bound(problem, hops)
    if max(found.bound, bound) > value:
        raise CheckError("bound of dies", found.solver, f"{max(found.bound, bound)} above {value}")
    certificate = Certificate(
        OBJECTIVE,
        value,
        max(bound, found.bound),
        _status(value, bound, found.bound),
        seed=limits.seed,
        deterministic=found.deterministic,
    )
    certificate = replace(certificate, seconds=time.perf_counter() - begun)
    return Assigned(found.die, value, certificate, found.solver)


def _status(value: int, bound: int, by_solver: int) -> Status:
    if value == bound:
        return "optimal (bound)"
    if value == by_solver:
        return "optimal (solver)"
    return "feasible" if by_solver else "heuristic"


def _found(
    problem: Problem,
    topology: Topology,
    before: Array,
    hops: Array,
    options: DieOptions,
    limits: SolverOptions,
) -> _Found:
    solver = options.solver
    if solver == "in-order":
        die = in_order(problem, snake(topology))
        needed = len(np.unique(die))
        if die.max(initial=-1) >= topology.count:
            raise none_fit("in-order", needed, topology.count)
        return _Found(die, solver)
    halved = cut(problem, snake(topology, _BANDS), hops, limits.seed)
    if solver == "cut":
        if halved is None:
            raise none_fit("cut", topology.count + 1, topology.count)
        return _Found(halved, solver)
    small = model_terms(problem, topology.count) <= _SMALL
    known = list(starts(problem, topology, hops)) + ([] if halved is None else [halved])
    if not known:
        known = [_packed(problem, topology.count)]
    best = search(problem, topology, before, known, limits)
    if solver == "search" or (solver == "auto" and not small):
        return _Found(best, "search")
    return _exact(problem, topology, before, best, limits)


def _packed(problem: Problem, dies: int) -> Ints:
    """Any way onto so many dies; raises InfeasibleError where none was found."""
    status, die = packed_exactly(problem, dies)
    if status != "feasible":
        raise too_few(problem, dies)
    return die


def _exact(
    problem: Problem, topology: Topology, before: Array, best: Ints, limits: SolverOptions
) -> _Found:
    """What CP-SAT finds from the best known, which it keeps where it finds none better."""
    start, domains = turned(problem, before, topology.columns, best)
    answer, die, bound = DieModel(problem, before, start, domains).solve(limits)
    values = [byte_links(problem, topology, some) for some in (best, die)]
    if answer.values is None or values[0] <= values[1]:
        die = best
    return _Found(die, "cp-sat", bound, answer.deterministic)

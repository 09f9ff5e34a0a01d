"""Residents that never change: the best of the rules, then an exact search or CP-SAT from there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from compiler.options import SolverOptions
from compiler.residency.cp_sat import MOST_MEMBERS, ResidentModel
from compiler.residency.exact import WORK_PER_SECOND, search_pool
from compiler.residency.names import Objective
from compiler.residency.problem import Problem, part_of
from compiler.residency.rules import greedy, most_used, nothing
from compiler.residency.swaps import searched
from compiler.solver import SolveInterrupted, SolverAnswer
from ir.arrays import Bools
from ir.certificate import Certificate, Status
from ir.errors import CheckError

LIMITS = SolverOptions(time_s=5.0)


@dataclass(frozen=True, eq=False)
class Choice:
    """Residents of all pools, and what is proven of each pool.

    resident: bool [items]. interrupted: by Ctrl-C.
    """

    resident: Bools
    certificates: tuple[Certificate, ...]
    interrupted: bool = False

    @property
    def value(self) -> int:
        """Cost of all pools together."""
        return sum(one.value for one in self.certificates)

    @property
    def bound(self) -> int:
        """What no choice is below."""
        return sum(one.bound for one in self.certificates)


def choose(
    problem: Problem,
    objective: Objective = "misses",
    limits: SolverOptions = LIMITS,
    advance: Callable[[], object] = lambda: None,
) -> Choice:
    """The residents of least cost, pool by pool, never worse than any rule.

    limits: of each pool. advance: is told when one is done. Values are counted anew from the
    definition, and bounds in whole numbers. Sets of experts may not reach over pools: CheckError.
    On Ctrl-C the pool at hand has the best until then, those after it the best of the rules.
    """
    resident, found = nothing(problem), list[Certificate]()
    interrupted = False
    for pool in range(len(problem.room.room)):
        part, mine = part_of(problem, pool)
        if not interrupted:
            try:
                kept, certificate, interrupted = _of_pool(part, objective, limits)
            except KeyboardInterrupt:  # in a search of our own, which keeps nothing
                interrupted = True
                kept, certificate = _by_rules(part, objective, limits.seed)
        else:
            kept, certificate = _by_rules(part, objective, limits.seed)
        resident[mine[kept]] = True
        found.append(certificate)
        advance()
    return Choice(resident, tuple(found), interrupted)


def _by_rules(problem: Problem, objective: Objective, seed: int) -> tuple[Bools, Certificate]:
    """The better of the rules, in an instant."""
    rules = most_used(problem), greedy(problem)
    best = min(rules, key=lambda one: problem.cost(one, objective))
    value, bound = problem.cost(best, objective), problem.lower_bound(objective)
    status: Status = "optimal (bound)" if value == bound else "heuristic"
    known = Certificate(objective, value, bound, status, seed=seed, deterministic=False)
    return best, known


def _of_pool(
    problem: Problem, objective: Objective, limits: SolverOptions
) -> tuple[Bools, Certificate, bool]:
    """Residents of one pool, and whether the solver was interrupted."""
    begun, bound = perf_counter(), problem.lower_bound(objective)
    best = start(problem, objective, limits.seed)
    known = Certificate(objective, problem.cost(best, objective), bound, "heuristic")
    interrupted = False
    if known.value > bound and objective == "stalls":
        best, known = _exactly(problem, best, known, int(limits.time_s * WORK_PER_SECOND))
    if not known.proven and known.value > bound and _small(problem):
        model = ResidentModel(problem, objective, best)
        try:
            answer = model.solve(limits)
        except SolveInterrupted as error:
            answer, interrupted = error.answer, True
        best, known = _better(problem, best, known, answer)
    status: Status = "optimal (bound)" if known.value == bound else known.status
    seconds = perf_counter() - begun
    known = replace(known, status=status, seconds=seconds, seed=limits.seed)
    return best, known, interrupted


def _small(problem: Problem) -> bool:
    """Whether a model of it can be built."""
    return len(problem.member) <= MOST_MEMBERS


def _exactly(
    problem: Problem, best: Bools, known: Certificate, work: int
) -> tuple[Bools, Certificate]:
    """What branch and bound finds in the time given, where the pool is of its kind."""
    found = search_pool(problem, best, work)
    value = problem.cost(found.resident, "stalls")
    if not problem.fits(found.resident) or value > known.value:
        raise CheckError("residents", f"stalls {value}", f"more than {known.value} before")
    if not found.proven:
        return found.resident, replace(known, value=value)
    return found.resident, replace(known, value=value, bound=value, status="optimal (solver)")


def start(problem: Problem, objective: Objective, seed: int = 0) -> Bools:
    """The best of the rules; with stalls, improved by swaps."""
    found = [most_used(problem), greedy(problem)]
    if objective == "stalls":
        found += [searched(problem, one, seed) for one in found]
    return min(found, key=lambda one: problem.cost(one, objective))


def _better(
    problem: Problem, best: Bools, known: Certificate, answer: SolverAnswer
) -> tuple[Bools, Certificate]:
    """The answer in place of what was known, where it is better; its bound at any rate."""
    objective: Objective = "misses" if known.objective == "misses" else "stalls"
    deterministic = answer.deterministic
    if answer.values is None or answer.bound is None:
        return best, replace(known, deterministic=deterministic)
    found = np.array(answer.values, dtype=np.bool_)
    value = problem.cost(found, objective)
    if not problem.fits(found) or answer.bound > min(value, known.value):
        raise CheckError(
            "residents", f"cost {value}, bound {answer.bound}", "the solver's answer does not hold"
        )
    if value > known.value:
        found, value = best, known.value
    bound = max(known.bound, answer.bound)
    status: Status = "optimal (solver)" if value == bound else "feasible"
    return found, Certificate(known.objective, value, bound, status, deterministic=deterministic)

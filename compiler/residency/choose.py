"""Residents that never change: the best of the rules, then CP-SAT from there, with a bound."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from compiler.options import SolverOptions
from compiler.residency.cp_sat import MOST_MEMBERS, ResidentModel
from compiler.residency.names import Objective
from compiler.residency.problem import Problem
from compiler.residency.room import Room
from compiler.residency.rules import greedy, most_used, nothing
from compiler.residency.swaps import searched
from compiler.solver import SolveInterrupted, SolverAnswer
from ir.arrays import Bools, Ints
from ir.certificate import Certificate, Status
from ir.errors import CheckError

LIMITS = SolverOptions(time_s=5.0)


@dataclass(frozen=True, eq=False)
class Choice:
    """Residents of all pools, and what is proven of each pool.

    resident: bool [items]. interrupted: by Ctrl-C; pools after it have the best of the rules.
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
    """
    resident, found = nothing(problem), list[Certificate]()
    interrupted = False
    for pool in range(len(problem.room.room)):
        part, mine = _part(problem, pool)
        kept, certificate, ended = _of_pool(part, objective, limits, quick=interrupted)
        interrupted |= ended
        resident[mine[kept]] = True
        found.append(certificate)
        advance()
    return Choice(resident, tuple(found), interrupted)


def _of_pool(
    problem: Problem, objective: Objective, limits: SolverOptions, *, quick: bool
) -> tuple[Bools, Certificate, bool]:
    """Residents of one pool; quick: by rules alone."""
    begun, bound = perf_counter(), problem.lower_bound(objective)
    best = start(problem, objective, limits.seed)
    known = Certificate(objective, problem.cost(best, objective), bound, "heuristic")
    interrupted = False
    if known.value > bound and len(problem.member) <= MOST_MEMBERS and not quick:
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


def _part(problem: Problem, pool: int) -> tuple[Problem, Ints]:
    """The problem of one pool, and its items in the whole's numbers."""
    room = problem.room
    mine: Ints = np.flatnonzero(room.pool == pool)
    inside = room.pool[problem.member] == pool
    begins = problem.start[:-1]
    chosen = inside[begins]
    if not np.array_equal(inside, chosen[problem.owner]):
        raise CheckError("residents", f"pool {pool}", "a token's experts are of several pools")
    number = np.full(problem.items, -1, dtype=np.int64)
    number[mine] = np.arange(len(mine))
    length = np.diff(problem.start)[chosen]
    part = Room(np.zeros(len(mine), dtype=np.int64), room.size[mine], room.room[[pool]])
    first = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    members = number[problem.member[inside]]
    return Problem(part, problem.uses[mine], members, first, problem.count[chosen]), mine

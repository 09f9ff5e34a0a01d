"""Stacks: which fire groups stand behind the same peripheral groups (PGs), in any layers.

What stands together should not compute together. Baselines know nothing of when: `uniform` (each
layer with its neighbours) and `apart` (with layers far away), both by rank of size, and `none`.
`cp-sat` minimises the time in which members of a stack would compute at once, as a timed program
without stacks has it (`busy_table`), within a budget of PGs.
"""

import time

from compiler.options import STACK_SOLVERS, SolverOptions, StackSolver, one_of
from compiler.stacks.busy import busy_table
from compiler.stacks.check import check_stacks, met_in, pgs_of
from compiler.stacks.given import check_given
from compiler.stacks.problem import Candidate, StackProblem
from compiler.stacks.rules import by_rank, far_apart, neighbours
from compiler.stacks.two_levels import Found, decide
from ir.arrays import Ints
from ir.certificate import Certificate, Status
from ir.errors import Amount, InfeasibleError
from ir.stacks import Stacking

__all__ = [
    "OBJECTIVE",
    "Candidate",
    "busy_table",
    "check_given",
    "choose_stacks",
]

OBJECTIVE = "ps that members of a stack would compute at once"


def choose_stacks(
    candidates: tuple[Candidate, ...],
    busy: Ints,
    bin_ps: int,
    *,
    limit: int,
    budget: int,
    layers_together: int,
    solver: StackSolver,
    limits: SolverOptions,
) -> Stacking:
    """Stacks of the candidates with at most `budget` PGs in all.

    busy: int64 [candidates, bins], ps of each bin of `bin_ps` in which each computes
    (`busy_table`). limit: most crossbars behind a PG; layers_together: most layers that share a
    region.

    The value is counted anew from the stacks; the bound holds for any stacks within budget, limit
    and layers together (of the baselines it is 0). Raises InputError for numbers that make no
    sense, InfeasibleError where the budget is not met (by a baseline: where its stacks do not), and
    KeyboardInterrupt on Ctrl-C.
    """
    one_of("stacks", solver, STACK_SOLVERS, "solver")
    begun = time.perf_counter()
    problem = StackProblem(candidates, busy, bin_ps, limit, budget, layers_together)
    found = _found(problem, solver, limits)
    stacks = tuple(
        sorted(
            tuple(sorted(candidates[row].member for row in stack))
            for stack in found.stacks
            if len(stack) > 1
        )
    )
    check_stacks(problem, found.stacks, Stacking(stacks))
    value = met_in(problem, found.stacks)
    certificate = Certificate(
        OBJECTIVE,
        value,
        min(found.bound, value),
        _status(found, value),
        time.perf_counter() - begun,
        limits.seed,
        found.deterministic,
    )
    return Stacking(stacks, solver, certificate)


def _status(found: Found, value: int) -> Status:
    if value == 0 or (value == found.bound and not found.by_solver):
        return "optimal (bound)"
    if value == found.bound:
        return "optimal (solver)"
    return "feasible" if found.by_solver else "heuristic"


def _found(problem: StackProblem, solver: StackSolver, limits: SolverOptions) -> Found:
    if solver == "cp-sat":
        return decide(problem, limits)
    if solver == "none":
        stacks = [[row] for row in range(len(problem.candidates))]
    else:
        regions = (neighbours if solver == "uniform" else far_apart)(problem)
        stacks = by_rank(problem, regions)
    pgs = pgs_of(problem, stacks)
    if pgs > problem.budget:
        raise InfeasibleError(
            "peripheral groups",
            Amount(pgs, f"{pgs} with the stacks of solver {solver!r}"),
            Amount(problem.budget, f"a budget of {problem.budget}"),
            "peripheral groups",
            f"raise the budget to {pgs}, or use solver 'cp-sat'",
        )
    return Found(stacks)

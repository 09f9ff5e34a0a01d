"""The same integer program as `cp_sat`, for HiGHS and SCIP through OR-Tools MathOpt.

These solvers branch on a linear relaxation; here they check CP-SAT and show how they compare. They
start from the same grouping and their answers are judged in the same way.
"""

from functools import partial

import numpy as np

from compiler.grouping.accept import RankedModel, left_for_program, solve_from_start
from compiler.grouping.bounds import window_bounds
from compiler.grouping.objective import Found, GroupingProblem
from compiler.grouping.start import Start, first_start, improved_start
from compiler.grouping.watch import Watch
from compiler.options import SolverOptions
from compiler.solver import MipSolver, SolverAnswer, mathopt, solve_mip

_MODEL_LIMIT = 1_000_000  # coefficients
_PER_SECOND = 100_000  # coefficients of a model that is built in as long as it may be solved
_SHARES_PER_SECOND = 5_000  # the same in a model with replicas, each of which is a share too
_ALWAYS = 5_000  # coefficients of a model that is built in no time


def group_mip(
    problem: GroupingProblem, options: SolverOptions, watch: Watch, solver: MipSolver
) -> Found:
    """Find the best grouping in the time given (wall seconds), with a bound and who proved it."""
    build = partial(_Model, solver=solver)
    each = _SHARES_PER_SECOND if problem.replicas else _PER_SECOND
    limit = min(_MODEL_LIMIT, max(_ALWAYS, int(options.proof_s * each)))
    start = improved_start(problem, first_start(problem), options, watch)
    limits = left_for_program(problem, options)
    return solve_from_start(problem, start, limits, watch, limit, build, solver)


class _Model(RankedModel):
    """Variables, constraints and objective."""

    def __init__(self, problem: GroupingProblem, start: Start, solver: MipSolver) -> None:
        super().__init__(problem)
        self.start, self.solver = start, solver
        self.model = mathopt.Model(name="grouping")
        self.inside = [
            [
                self.model.add_binary_variable(name=f"expert{e}.group{g}")
                for g in range(problem.groups)
            ]
            for e in self.by_heat
        ]
        self.slots = [
            self.model.add_integer_variable(lb=int(low), name=f"slots{w}")
            for w, low in enumerate(window_bounds(problem))
        ]
        if problem.replicas:
            self.at_least_one_group_per_expert()
            self.as_many_copies_as_there_are_columns()
            self.no_group_over_the_windows_slots_when_split()
        else:
            self.one_group_per_expert()
            self.no_group_over_the_windows_slots()
        self.at_most_size_experts_per_group()
        self.groups_in_order_of_their_hottest_expert()
        if problem.costs.broadcast:
            self.minimise_slots_and_broadcasts()
        else:
            self.minimise_the_worst_part(start)

    @property
    def variables(self) -> list[mathopt.Variable]:
        """The assignment's variables, rank by rank."""
        return [var for row in self.inside for var in row]

    def one_group_per_expert(self) -> None:
        for row in self.inside:
            self.model.add_linear_constraint(mathopt.fast_sum(row) == 1)

    def at_least_one_group_per_expert(self) -> None:
        for row in self.inside:
            self.model.add_linear_constraint(mathopt.fast_sum(row) >= 1)

    def as_many_copies_as_there_are_columns(self) -> None:
        columns = self.problem.experts + self.problem.replicas
        self.model.add_linear_constraint(mathopt.fast_sum(self.variables) <= columns)

    def at_most_size_experts_per_group(self) -> None:
        for group in zip(*self.inside, strict=True):
            self.model.add_linear_constraint(mathopt.fast_sum(group) <= self.problem.size)

    def no_group_over_the_windows_slots(self) -> None:
        for load, limit in zip(self.loads, self.slots, strict=True):
            for group in zip(*self.inside, strict=True):
                used = mathopt.fast_sum(int(n) * x for n, x in zip(load, group, strict=True))
                self.model.add_linear_constraint(used - limit <= 0)

    def no_group_over_the_windows_slots_when_split(self) -> None:
        """Shares need not be integers: at integer slots a fractional split can be rounded."""
        for load, limit in zip(self.loads, self.slots, strict=True):
            share = [[self.model.add_variable(lb=0.0) for _ in row] for row in self.inside]
            for n, of_expert, row in zip(load, share, self.inside, strict=True):
                self.model.add_linear_constraint(mathopt.fast_sum(of_expert) == int(n))
                for part, inside in zip(of_expert, row, strict=True):
                    self.model.add_linear_constraint(part - int(n) * inside <= 0)
            for of_group in zip(*share, strict=True):
                self.model.add_linear_constraint(mathopt.fast_sum(of_group) - limit <= 0)

    def groups_in_order_of_their_hottest_expert(self) -> None:
        """As in `cp_sat`: groups are alike."""
        tie = 1 if self.problem.replicas else 0
        for rank, row in enumerate(self.inside[: self.ordered_ranks]):
            for g in range(1, self.problem.groups):
                before = mathopt.fast_sum(self.inside[r][g - 1] for r in range(rank + tie))
                self.model.add_linear_constraint(row[g] - before <= 0)

    def minimise_slots_and_broadcasts(self) -> None:
        """As in `cp_sat`: two experts of one group cost what their pair costs."""
        pairs = self.problem.pair_costs[np.ix_(self.by_heat, self.by_heat)]
        terms = [self.problem.costs.slot * slots for slots in self.slots]
        for e, f in np.argwhere(np.triu(pairs, 1) > 0).tolist():
            both = self.model.add_variable(lb=0.0, name=f"rank{e}.with{f}")
            for x, y in zip(self.inside[e], self.inside[f], strict=True):
                self.model.add_linear_constraint(both - x - y >= -1)
            terms.append(int(pairs[e, f]) * both)
        self.model.minimize(mathopt.fast_sum(terms) + self.problem.fixed)

    def minimise_the_worst_part(self, start: Start) -> None:
        length = self.problem.windows // self.problem.parts
        parts = [
            mathopt.fast_sum(self.slots[i : i + length]) for i in range(0, len(self.slots), length)
        ]
        worst = self.model.add_integer_variable(lb=start.bound, ub=start.value, name="worst")
        for part in parts:
            self.model.add_linear_constraint(part - worst <= 0)
        self.model.minimize(worst)

    def solve(self, options: SolverOptions) -> SolverAnswer:
        """Solve the model from its start."""
        hint = {
            var: float(value)
            for row, values in zip(self.inside, self.ordered(self.start), strict=True)
            for var, value in zip(row, values, strict=True)
        }
        return solve_mip(self.model, self.variables, self.solver, options, hint)

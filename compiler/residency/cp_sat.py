"""Residents with the fewest stalls, or misses, by CP-SAT."""

import numpy as np

from compiler.options import SolverOptions
from compiler.residency.names import Objective
from compiler.residency.problem import Problem
from compiler.solver import SolverAnswer, cp_model, solve
from ir.arrays import Bools

MOST_MEMBERS = 2_000_000  # of a model; beyond it building alone takes gigabytes
_PAIRED = 64  # experts of a problem whose pairs have variables of their own


class ResidentModel:
    """One variable an expert, and with stalls one a set of experts: whether all of it is there."""

    def __init__(self, problem: Problem, objective: Objective, start: Bools) -> None:
        self.problem = problem
        self.model = cp_model.CpModel()
        self.model.name = "residents"
        self.kept = [self.model.new_bool_var(f"item{i}") for i in range(problem.items)]
        self._within_the_room()
        if objective == "misses":
            spared = cp_model.LinearExpr.weighted_sum(self.kept, problem.uses.tolist())
            self.model.minimize(int(problem.uses.sum()) - spared)
        else:
            self._stalls(start)
        for var, value in zip(self.kept, start.tolist(), strict=True):
            self.model.add_hint(var, value)

    def _within_the_room(self) -> None:
        room = self.problem.room
        for pool, whole in enumerate(room.room.tolist()):
            mine = np.flatnonzero(room.pool == pool).tolist()
            taken = cp_model.LinearExpr.weighted_sum(
                [self.kept[i] for i in mine], room.size[mine].tolist()
            )
            self.model.add(taken <= whole)

    def _stalls(self, start: Bools) -> None:
        problem = self.problem
        served = [self.model.new_bool_var(f"set{s}") for s in range(len(problem.count))]
        missing = problem.missing(start)
        pairs = self._pairs(start)
        for s, var in enumerate(served):
            members = problem.member[problem.start[s] : problem.start[s + 1]].tolist()
            for item in members:
                self.model.add_implication(var, self.kept[item])
            for one in range(len(members) if pairs else 0):
                for other in range(one):
                    self.model.add_implication(var, pairs[members[other], members[one]])
            self.model.add_hint(var, bool(missing[s] == 0))
        spared = cp_model.LinearExpr.weighted_sum(served, problem.count.tolist())
        self.model.minimize(int(problem.count.sum()) - spared)

    def _pairs(self, start: Bools) -> dict[tuple[int, int], cp_model.IntVar]:
        """Whether both of two experts are there, where experts are few and of one size.

        Each that is there has room - 1 others beside it, which a relaxation does not know of single
        experts alone: with half of each expert there, half of all sets would be.
        """
        problem, room = self.problem, self.problem.room
        if problem.items > _PAIRED or not room.uniform or len(room.room) > 1:
            return {}
        most = int(room.slots[0])
        every = range(problem.items)
        pairs = {(a, b): self.model.new_bool_var(f"both{a}.{b}") for b in every for a in range(b)}
        for (a, b), both in pairs.items():
            self.model.add_implication(both, self.kept[a])
            self.model.add_implication(both, self.kept[b])
            self.model.add_hint(both, bool(start[a] and start[b]))
        for a in every:
            beside = [pairs[min(a, b), max(a, b)] for b in every if b != a]
            self.model.add(sum(beside) <= (most - 1) * self.kept[a])
        return pairs

    def solve(self, options: SolverOptions) -> SolverAnswer:
        """Solve the model; values: of every expert whether it is kept."""
        return solve(self.model, self.kept, options, relax=True)

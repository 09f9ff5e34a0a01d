"""Windowed makespan by CP-SAT: minimise the sum of L_w over the fitted windows.

Baselines first, then a local search, then the solver from the best of them (`accept`). Layers of
few experts are searched exactly before it (`exact`): a little from the best baseline, which most
of them are proven by, and for half of the time of proofs after the local search.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from compiler.grouping.accept import RankedModel, left_for_program, solve_from_start
from compiler.grouping.bounds import window_bounds
from compiler.grouping.exact import WORK_PER_SECOND, prove, worth_searching
from compiler.grouping.objective import Found, GroupingProblem, group_loads
from compiler.grouping.split import split_slots
from compiler.grouping.start import Start, first_start, improved_start
from compiler.grouping.watch import Watch
from compiler.options import SolverOptions
from compiler.solver import SolverAnswer, cp_model, solve

_MODEL_LIMIT = 5_000_000  # coefficients; beyond it the model alone takes over a gigabyte
_PER_SECOND = 500_000  # coefficients of a model that is built in as long as it may be solved
_AT_ONCE = 30_000_000  # loads looked at before the local search, which takes longer: 0.03 s
_SPLIT_LIMIT = 60_000  # variables of a model with replicas, beyond which it finds nothing better


def group_cp_sat(problem: GroupingProblem, options: SolverOptions, watch: Watch) -> Found:
    """Find the best grouping in the time given, with a bound and who proved it."""
    first = first_start(problem)
    start = _tried(problem, first, watch)
    if start.value > start.bound and not watch.ended:
        start = improved_start(problem, replace(first, bound=start.bound), options, watch)
        start = prove(problem, start, int(options.proof_s * WORK_PER_SECOND), watch)
    if start.value <= start.bound:
        return replace(start.found(watch), status="optimal (solver)")
    limit = min(_MODEL_LIMIT, int(options.proof_s * _PER_SECOND))
    if problem.replicas:
        limit = _SPLIT_LIMIT
    limits = left_for_program(problem, options)
    if worth_searching(problem):
        limits = replace(limits, time_s=options.proof_s / 2)
    return solve_from_start(problem, start, limits, watch, limit, _Model, "CP-SAT")


def proven_at_once(problem: GroupingProblem, watch: Watch) -> Found | None:
    """What `group_cp_sat` finds, where it needs neither local search nor program."""
    start = _tried(problem, first_start(problem), watch)
    if start.value > start.bound or watch.ended:
        return None
    return replace(start.found(watch), status="optimal (solver)")


def _tried(problem: GroupingProblem, first: Start, watch: Watch) -> Start:
    """What a little work makes of the best baseline."""
    watch.better(first.value)
    return first if watch.ended else prove(problem, first, _AT_ONCE, watch)


class _Model(RankedModel):
    """Variables, constraints and objective."""

    def __init__(self, problem: GroupingProblem, start: Start) -> None:
        super().__init__(problem)
        self.model = cp_model.CpModel()
        self.model.name = "grouping"
        self.inside = [
            [self.model.new_bool_var(f"expert{e}.group{g}") for g in range(problem.groups)]
            for e in self.by_heat
        ]
        self.slots = self._slot_variables(start)
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
        self.hint(start)

    @property
    def variables(self) -> list[cp_model.IntVar]:
        """The assignment's variables, rank by rank."""
        return [var for row in self.inside for var in row]

    def _slot_variables(self, start: Start) -> list[cp_model.IntVar]:
        """L_w, at least its own bound; none may exceed it by more than the start does in all.

        Where broadcasts count too, only by the pairs of the window.
        """
        low = window_bounds(self.problem)
        if self.problem.costs.broadcast:
            every = self.problem.loads.sum(axis=1)
            return [
                self.model.new_int_var(int(bound), int(max(bound, most)), f"slots{w}")
                for w, (bound, most) in enumerate(zip(low, every, strict=True))
            ]
        by_part = low.reshape(self.problem.parts, -1).sum(axis=1).repeat(self._part_length)
        return [
            self.model.new_int_var(int(bound), int(bound + start.value - of_part), f"slots{w}")
            for w, (bound, of_part) in enumerate(zip(low, by_part, strict=True))
        ]

    @property
    def _part_length(self) -> int:
        return self.problem.windows // self.problem.parts

    def one_group_per_expert(self) -> None:
        for row in self.inside:
            self.model.add_exactly_one(row)

    def at_least_one_group_per_expert(self) -> None:
        for row in self.inside:
            self.model.add_at_least_one(row)

    def as_many_copies_as_there_are_columns(self) -> None:
        self.model.add(sum(self.variables) <= self.problem.experts + self.problem.replicas)

    def at_most_size_experts_per_group(self) -> None:
        for group in zip(*self.inside, strict=True):
            self.model.add(sum(group) <= self.problem.size)

    def no_group_over_the_windows_slots(self) -> None:
        for load, limit in zip(self.loads, self.slots, strict=True):
            for group in zip(*self.inside, strict=True):
                used = cp_model.LinearExpr.weighted_sum(list(group), [int(n) for n in load])
                self.model.add(used <= limit)

    def no_group_over_the_windows_slots_when_split(self) -> None:
        """A window's pairs of an expert are shared among the groups that hold it."""
        for w, (load, limit) in enumerate(zip(self.loads, self.slots, strict=True)):
            share = [
                [self.model.new_int_var(0, int(n), f"w{w}.e{e}.g{g}") for g in range(len(row))]
                for e, (n, row) in enumerate(zip(load, self.inside, strict=True))
            ]
            for n, of_expert, row in zip(load, share, self.inside, strict=True):
                self.model.add(sum(of_expert) == int(n))
                for part, inside in zip(of_expert, row, strict=True):
                    self.model.add(part <= int(n) * inside)
            for of_group in zip(*share, strict=True):
                self.model.add(sum(of_group) <= limit)

    def groups_in_order_of_their_hottest_expert(self) -> None:
        """Open a group only when the one before it has a hotter expert: groups are alike.

        With replicas the hottest of two groups may be the same expert.
        """
        tie = 1 if self.problem.replicas else 0
        for rank, row in enumerate(self.inside[: self.ordered_ranks]):
            for g in range(1, self.problem.groups):
                before = sum(self.inside[r][g - 1] for r in range(rank + tie))
                self.model.add(row[g] <= before)

    def minimise_slots_and_broadcasts(self) -> None:
        """Two experts of one group cost what their pair costs."""
        pairs = self.problem.pair_costs[np.ix_(self.by_heat, self.by_heat)]
        terms = [self.problem.costs.slot * sum(self.slots), self.problem.fixed]
        for e, f in np.argwhere(np.triu(pairs, 1) > 0).tolist():
            both = self.model.new_bool_var(f"rank{e}.with{f}")
            for x, y in zip(self.inside[e], self.inside[f], strict=True):
                self.model.add_bool_or(x.negated(), y.negated(), both)
            terms.append(int(pairs[e, f]) * both)
        self.model.minimize(sum(terms))

    def minimise_the_worst_part(self, start: Start) -> None:
        length = self._part_length
        by_part = [sum(self.slots[i : i + length]) for i in range(0, len(self.slots), length)]
        if len(by_part) == 1:
            self.model.minimize(by_part[0])
            return
        worst = self.model.new_int_var(start.bound, start.value, "worst")
        for part in by_part:
            self.model.add(part <= worst)
        self.model.minimize(worst)

    def hint(self, start: Start) -> None:
        """Start from `start`, its groups renumbered in the order the model asks for."""
        held = self.ordered(start)
        for row, values in zip(self.inside, held, strict=True):
            for var, value in zip(row, values, strict=True):
                self.model.add_hint(var, int(value))
        if self.problem.replicas:
            copies: Sequence[tuple[int, ...]] = [
                tuple(int(g) for g in np.flatnonzero(row)) for row in held
            ]
            slots = split_slots(self.loads, copies, self.problem.groups)
        else:
            slots = group_loads(self.problem, start.assignment).max(axis=1)
        for var, fullest in zip(self.slots, slots, strict=True):
            self.model.add_hint(var, int(fullest))

    def solve(self, options: SolverOptions) -> SolverAnswer:
        """Solve the model."""
        return solve(self.model, self.variables, options)

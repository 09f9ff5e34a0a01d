"""The start of every exact solver: the best baseline, improved by local search."""

from dataclasses import dataclass

import numpy as np

from compiler.grouping.aims import WORK, WORK_PER_SECOND, improve_to_aims, worth_aiming
from compiler.grouping.bounds import lower_bound, window_aims
from compiler.grouping.local_search import STEPS, improve
from compiler.grouping.many_replicas import give_out, improve_many
from compiler.grouping.objective import Found, GroupingProblem, cost
from compiler.grouping.replica_search import (
    add_replicas,
    affordable_steps,
    improve_with_replicas,
)
from compiler.grouping.rules import (
    group_co_activation,
    group_contiguous,
    group_karmarkar_karp,
    group_lpt,
    group_sorted,
)
from compiler.grouping.watch import Watch
from compiler.options import SolverOptions
from ir.arrays import Ints

_FEWEST_STEPS = 20  # of a search with replicas that is worth its while
_STEPS_BEFORE = 300  # of the search before many copies are given out, which move it all again

Copies = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Start:
    """A grouping [experts] with further copies (expert, group), its value, our lower bound."""

    assignment: Ints
    replicas: Copies
    value: int
    bound: int

    def found(self, watch: Watch) -> Found:
        """Return this start as an answer."""
        return Found(
            self.assignment,
            "optimal (bound)" if self.value <= self.bound else "feasible",
            self.bound,
            deterministic=not watch.cut,
            replicas=self.replicas,
            progress=watch.progress,
            interrupted=watch.interrupted,
        )


def first_start(problem: GroupingProblem) -> Start:
    """Return the best baseline, its replicas given out greedily."""
    rules = [group_lpt, group_sorted, group_contiguous, group_karmarkar_karp]
    if problem.costs.broadcast:
        rules.append(group_co_activation)
    every = [rule(problem) for rule in rules]
    best = min(every, key=lambda assignment: cost(problem, assignment))
    replicas = copies_of(_with_replicas(problem, best), best) if problem.replicas else ()
    return Start(best, replicas, cost(problem, best, replicas), lower_bound(problem))


def improved_start(
    problem: GroupingProblem, start: Start, options: SolverOptions, watch: Watch
) -> Start:
    """Improve `start`; Ctrl-C and the deadline of `watch` end the search early."""
    seed = options.seed
    watch.better(start.value)
    steps = _STEPS_BEFORE if many_copies(problem) else STEPS
    assignment = improve(
        problem, start.assignment, goal=start.bound, seed=seed, steps=steps, watch=watch
    )
    if cost(problem, assignment) > start.bound and worth_aiming(problem) and not watch.ended:
        aims = window_aims(problem)
        work = min(WORK, int(options.time_s * WORK_PER_SECOND))
        assignment = improve_to_aims(problem, assignment, aims, start.bound, seed, watch, work=work)
    if not problem.replicas:
        return Start(assignment, (), cost(problem, assignment), start.bound)
    held = _with_replicas(problem, assignment)
    if cost(problem, assignment, copies_of(held, assignment)) > start.value:
        held = held_by(problem, start.assignment, start.replicas)
    if many_copies(problem):
        held = improve_many(
            problem, held, watch=watch, goal=start.bound, seed=seed, time_s=options.time_s
        )
    elif not watch.ended:
        held = improve_with_replicas(problem, held, goal=start.bound, seed=seed, watch=watch)
    assignment = held.argmax(axis=1).astype(np.int64)
    replicas = copies_of(held, assignment)
    return Start(assignment, replicas, cost(problem, assignment, replicas), start.bound)


def many_copies(problem: GroupingProblem) -> bool:
    """Whether a search with replicas that prices every neighbour exactly is too much."""
    return problem.replicas > 0 and affordable_steps(problem) < _FEWEST_STEPS


def _with_replicas(problem: GroupingProblem, assignment: Ints) -> np.ndarray:
    """Give out the replicas one by one, each where it saves most: bool [experts, groups]."""
    if not many_copies(problem):
        return add_replicas(problem, assignment)
    return give_out(problem, held_by(problem, assignment, ()), problem.replicas)


def held_by(problem: GroupingProblem, assignment: Ints, replicas: Copies) -> np.ndarray:
    """Which group holds a copy of which expert: bool [experts, groups]."""
    held = np.eye(problem.groups, dtype=np.bool_)[assignment]
    for e, g in replicas:
        held[e, g] = True
    return held


def copies_of(held: np.ndarray, assignment: Ints) -> Copies:
    """List the copies in `held` [experts, groups] beyond those in `assignment`."""
    return tuple((int(e), int(g)) for e, g in np.argwhere(held) if assignment[e] != g)

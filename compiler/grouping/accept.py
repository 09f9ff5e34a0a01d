"""Judge what comes back from a solver: counted again in integers, never worse than before."""

import warnings

import numpy as np

from compiler.grouping.objective import Found, GroupingProblem, slots
from compiler.grouping.start import Start, copies_of
from compiler.grouping.watch import Watch
from compiler.solver import SolverAnswer
from ir.mapping import Status


def accept(
    problem: GroupingProblem,
    start: Start,
    answer: SolverAnswer,
    held: np.ndarray | None,
    watch: Watch,
    solver: str,
) -> Found:
    """Take the solver's answer `held` [experts, groups] if it keeps the rules and is no worse.

    A bound above the value at hand is no bound; an "infeasible" is a fault of the solver's or of
    the model's, as a grouping is at hand, and is reported as a warning.
    """
    if answer.status == "infeasible":
        warnings.warn(
            f"{solver} finds no grouping where one of {start.value} slots is at hand; "
            "please report it",
            RuntimeWarning,
            stacklevel=3,
        )
    assignment, replicas, value = start.assignment, start.replicas, start.value
    if held is not None and _keeps_the_rules(problem, held):
        first = held.argmax(axis=1).astype(np.int64)
        more = copies_of(held, first)
        counted = slots(problem, first, more)
        if counted <= value:
            assignment, replicas, value = first, more, counted
            watch.better(value)
    bound = start.bound if answer.bound is None else max(start.bound, answer.bound)
    if bound > value:
        bound = start.bound
    status: Status = "optimal (solver)" if bound == value else "feasible"
    return Found(
        assignment,
        status,
        bound,
        answer.deterministic,
        replicas,
        watch.progress,
        watch.interrupted,
    )


def _keeps_the_rules(problem: GroupingProblem, held: np.ndarray) -> bool:
    return bool(
        held.shape == (problem.experts, problem.groups)
        and held.any(axis=1).all()
        and held.sum(axis=0).max() <= problem.size
        and held.sum() <= problem.experts + problem.replicas
    )

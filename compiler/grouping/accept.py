"""Ask an exact solver from the best start at hand, and judge what comes back.

The answer is counted again in integers and is never worse than the start. Where our own bound is
met, or the model would be too large to help, the solver is not asked.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from compiler.grouping.aims import worth_aiming
from compiler.grouping.objective import Found, GroupingProblem, cost
from compiler.grouping.start import Start, copies_of, held_by, many_copies
from compiler.grouping.watch import Watch
from compiler.options import SolverOptions
from compiler.solver import SolveInterrupted, SolverAnswer
from ir.certificate import Status

_LARGE = 128  # experts of a layer whose search and program take long to begin
_ORDERING_LIMIT = 200_000  # terms of the constraints that order groups


class RankedModel:
    """What the integer programs share: experts are indexed by rank, hottest first."""

    def __init__(self, problem: GroupingProblem) -> None:
        self.problem = problem
        self.by_heat = np.argsort(-problem.total, kind="stable")
        self.loads = problem.loads[:, self.by_heat]

    @property
    def ordered_ranks(self) -> int:
        """Ranks whose groups are put in order: all, unless that alone makes a large program."""
        most = math.isqrt(2 * _ORDERING_LIMIT // self.problem.groups)
        return min(self.problem.experts, most)

    def ordered(self, start: Start) -> np.ndarray:
        """Which group holds which rank at `start`, bool [ranks, groups].

        Groups come in the order of their hottest expert, an empty one last, as the models ask.
        """
        held = held_by(self.problem, start.assignment, start.replicas)[self.by_heat]
        hottest = np.where(held.any(axis=0), held.argmax(axis=0), len(held))
        return held[:, np.argsort(hottest, kind="stable")]

    def held(self, values: tuple[int, ...]) -> np.ndarray:
        """Read which group holds which expert, bool [experts, groups], from values by rank."""
        by_rank = np.array(values, dtype=np.int64).reshape(self.problem.experts, -1) > 0
        held = np.empty_like(by_rank)
        held[self.by_heat] = by_rank
        return held


class ExactModel(Protocol):
    """An integer program ready to be solved."""

    def solve(self, options: SolverOptions) -> SolverAnswer:
        """Solve it; raises SolveInterrupted on Ctrl-C."""
        ...

    def held(self, values: tuple[int, ...]) -> np.ndarray:
        """Read an answer, as `RankedModel` does."""
        ...


def solve_from_start(
    problem: GroupingProblem,
    start: Start,
    options: SolverOptions,
    watch: Watch,
    limit: int,
    build: Callable[[GroupingProblem, Start], ExactModel],
    name: str,
) -> Found:
    """Hand `start` to the program for the time of `options`, if it has at most `limit` cells."""
    too_large = problem.experts * problem.groups * problem.windows > limit
    if watch.interrupted or start.value <= start.bound or too_large or watch.ended:
        return start.found(watch)
    begun = watch.worked_s
    model = build(problem, start)
    built = watch.worked_s - begun  # handing the model over takes as long again
    if watch.left_s <= built:
        watch.cut = True
        return start.found(watch)
    begun = watch.seconds
    try:
        answer = model.solve(watch.rest(options, built))
    except SolveInterrupted as stopped:
        watch.interrupted = True
        answer = stopped.answer
    for seconds, value in answer.progress:
        watch.better_at(begun + seconds, value)
    held = None if answer.values is None else model.held(answer.values)
    return accept(problem, start, answer, held, watch, name)


def left_for_program(problem: GroupingProblem, options: SolverOptions) -> SolverOptions:
    """The limits of the program: where a search before it takes half of the time, the rest."""
    large = worth_aiming(problem) or many_copies(problem) or problem.experts >= _LARGE
    return replace(options, time_s=options.proof_s * (0.5 if large else 1.0))


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
            f"{solver} finds no grouping where one of {start.value} ({problem.costs.name}) "
            "is at hand; please report it",
            RuntimeWarning,
            stacklevel=3,
        )
    assignment, replicas, value = start.assignment, start.replicas, start.value
    if held is not None and _keeps_the_rules(problem, held):
        first = held.argmax(axis=1).astype(np.int64)
        more = copies_of(held, first)
        counted = cost(problem, first, more)
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
        answer.deterministic and not watch.cut,
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

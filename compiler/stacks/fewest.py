"""Stacks with so few PGs that the budget is met, where quick ones are not; or why it cannot be."""

from dataclasses import replace

import numpy as np

from compiler.options import SolverOptions
from compiler.stacks.check import pgs_of
from compiler.stacks.cp_sat import StackModel, model_terms
from compiler.stacks.parts import Part, starting_parts
from compiler.stacks.pools import MOST_TERMS, listed, numbered
from compiler.stacks.problem import Pool, StackProblem
from compiler.stacks.regions import ways
from compiler.stacks.rules import far_apart
from compiler.stacks.start import fewest, fewest_bound, size_of
from ir.errors import Amount, InfeasibleError

_TRIED = 64  # greater limits


def fewest_stacks(problem: StackProblem, options: SolverOptions) -> list[list[int]]:
    """Stacks within the budget, as rows; InfeasibleError where none are found."""
    bound = fewest_bound(problem)
    parts = min(
        (starting_parts(problem, regions) for regions in ways(problem, options)),
        key=lambda some: sum(part.search.size for part in some),
    )
    stacks = [stack for part in parts for stack in part.stacks()]
    if bound <= problem.budget:
        terms = model_terms(problem.depth, problem.limit)
        if terms * (1 + len(problem.layers)) <= MOST_TERMS:
            every = problem.pool(np.arange(len(problem.candidates)))
            model = StackModel(every, problem.layer, problem.layers_together)
            stacks, bound = _modelled(model, stacks, bound, options)
        else:
            stacks = [stack for part in parts for stack in _fewest_of(part, len(parts), options)]
    if pgs_of(problem, stacks) > problem.budget:
        raise _too_many(problem, pgs_of(problem, stacks), bound)
    return stacks


def _modelled(
    model: StackModel, stacks: list[list[int]], bound: int, options: SolverOptions
) -> tuple[list[list[int]], int]:
    """Stacks and bound of a model that takes few PGs, or those given."""
    n = len(model.pool)
    model.take_fewest()
    model.hint(numbered(stacks, n))
    answer = model.solve(options)
    if answer.values is None:
        return stacks, bound
    return listed(model.stacks(answer.values), np.arange(n)), max(bound, answer.bound or 0)


def _fewest_of(part: Part, parts: int, options: SolverOptions) -> list[list[int]]:
    """Stacks of one region."""
    pool = part.search.pool
    if model_terms(pool.depth, pool.limit) > MOST_TERMS:
        return part.stacks()
    own = listed(part.search.stack, np.arange(len(pool)))
    share = replace(options, time_s=options.time_s / parts)
    found, _ = _modelled(StackModel(pool), own, 0, share)
    return [[int(part.rows[i]) for i in stack] for stack in found]


def _too_many(problem: StackProblem, found: int, bound: int) -> InfeasibleError:
    """The report that the budget cannot be met, with the least changes known to help."""
    proven = "" if found == bound else f" (at least {bound} in any)"
    limit = _enough(problem)
    more = f", or the limit to {limit} crossbars behind each" if limit else ""
    return InfeasibleError(
        "peripheral groups",
        Amount(
            found,
            f"{found} in the smallest stacks found{proven}, of at most {problem.limit} crossbars "
            f"behind each and {problem.layers_together} layers together",
        ),
        Amount(problem.budget, f"a budget of {problem.budget}"),
        "peripheral groups",
        f"raise the budget to {found}{more}",
    )


def _enough(problem: StackProblem) -> int:
    """The least greater limit with which quick stacks meet the budget, 0 where none tried does."""
    parts = [np.flatnonzero(np.isin(problem.layer, layers)) for layers in far_apart(problem)]
    none = [np.zeros((len(rows), len(rows)), dtype=np.int64) for rows in parts]
    for limit in range(problem.limit + 1, problem.limit + 1 + _TRIED):
        total = 0
        for rows, meeting in zip(parts, none, strict=True):
            pool = Pool(problem.pgs[rows], problem.depth[rows], meeting, limit)
            total += size_of(pool, fewest(pool))
        if total <= problem.budget:
            return limit
    return 0

"""The best stacks of one pool in the time given: local search, then CP-SAT from what it found."""

from dataclasses import dataclass

import numpy as np

from compiler.options import SolverOptions
from compiler.stacks.cp_sat import StackModel, model_terms
from compiler.stacks.problem import Pool
from compiler.stacks.search import improve
from compiler.stacks.start import size_of
from ir.arrays import Ints

MOST_TERMS = 150_000  # of a model; a larger one takes longer to make than it finds anything


@dataclass(frozen=True, eq=False)
class PoolAnswer:
    """Stacks of a pool [n], what they meet, and whether the same call gives them again.

    bound: nothing in this pool with the same PGs meets less; 0 where that is not known.
    """

    stack: Ints
    value: int
    bound: int = 0
    deterministic: bool = True


def value_of(pool: Pool, stack: Ints) -> int:
    """What the members of all stacks meet."""
    together = stack[:, None] == stack[None]
    return int(pool.meeting[together].sum()) // 2


def searched(pool: Pool, stack: Ints, cap: int, *, looked: int, seed: int) -> PoolAnswer:
    """Stacks found from `stack` by local search, with at most `cap` PGs."""
    found = improve(pool, stack, cap, looked=looked, seed=seed)
    return PoolAnswer(found, value_of(pool, found))


def solved(pool: Pool, start: PoolAnswer, cap: int, options: SolverOptions) -> PoolAnswer:
    """Stacks found from `start` by CP-SAT, with at most `cap` PGs, or as many as it has.

    As they are where they meet nothing, or the model would be too large.
    """
    if not start.value or model_terms(pool.depth, pool.limit) > MOST_TERMS:
        return start
    model = StackModel(pool)
    model.meet_least(max(cap, size_of(pool, start.stack)))
    return asked(model, start, options)


def asked(model: StackModel, start: PoolAnswer, options: SolverOptions) -> PoolAnswer:
    """The answer of a model that minimises meetings, where it is no worse than `start`."""
    model.hint(start.stack)
    answer = model.solve(options)
    bound = min(start.value, answer.bound or 0)
    if answer.values is None:
        return PoolAnswer(start.stack, start.value, 0, answer.deterministic)
    stack = model.stacks(answer.values)
    value = value_of(model.pool, stack)
    if value > start.value:
        stack, value = start.stack, start.value
    return PoolAnswer(stack, value, min(bound, value), answer.deterministic)


def numbered(stacks: list[list[int]], n: int) -> Ints:
    """A stack's number for each row, that of the row that comes first in it: [n]."""
    found = np.empty(n, dtype=np.int64)
    for stack in stacks:
        found[stack] = stack[0]
    return found


def listed(stack: Ints, rows: Ints) -> list[list[int]]:
    """The rows of each stack, from the number of each."""
    held: dict[int, list[int]] = {}
    for row, number in zip(rows.tolist(), stack.tolist(), strict=True):
        held.setdefault(number, []).append(row)
    return list(held.values())

"""Which layers share a region: some ways to part them, to choose from by what they lead to.

Layers cost what their fire groups meet when each of one is matched with one of the other; those
parted by cost are stacks of layers, chosen as stacks of fire groups are.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from compiler.linear import linear_assignment
from compiler.options import SolverOptions
from compiler.stacks.pools import listed, numbered, searched, solved
from compiler.stacks.problem import Pool, StackProblem
from compiler.stacks.rules import Regions, far_apart, largest_first, neighbours
from ir.arrays import Ints

_MATCHED = 8_000_000  # entries of all tables of two layers; beyond it they are matched by rank
_LOOKED = 2_000_000
_MOST_COST = 1 << 40  # more than a solver of assignments takes, summed


def ways(problem: StackProblem, options: SolverOptions) -> Iterator[Regions]:
    """Ways to part the layers, quick ones first; each layer is in one region."""
    yield (apart := far_apart(problem))
    if problem.regions == 1 or problem.layers_together == 1:
        return
    yield by_cost(problem, layer_costs(problem), apart, options)
    yield neighbours(problem)
    total = {layer: int(problem.pgs[problem.layer == layer].sum()) for layer in problem.layers}
    ranked = sorted(problem.layers, key=lambda layer: -total[layer])
    step = problem.layers_together
    yield tuple(tuple(ranked[i : i + step]) for i in range(0, len(ranked), step))


def by_cost(problem: StackProblem, costs: Ints, start: Regions, options: SolverOptions) -> Regions:
    """Regions whose layers cost each other least [layers, layers], as few of them as can be."""
    n = len(problem.layers)
    ones = np.ones(n, dtype=np.int64)
    pool = Pool(ones, ones, costs, problem.layers_together)
    place = {layer: i for i, layer in enumerate(problem.layers)}
    first = numbered([[place[layer] for layer in region] for region in start], n)
    found = searched(pool, first, problem.regions, looked=_LOOKED, seed=options.seed)
    found = solved(pool, found, problem.regions, options)
    rows = listed(found.stack, np.arange(n))
    return tuple(tuple(problem.layers[i] for i in region) for region in rows)


def layer_costs(problem: StackProblem) -> Ints:
    """What the fire groups of two layers meet when matched: int64 [layers, layers].

    Matched at the least cost where the tables are small enough, else by rank of their size.
    """
    rows = [largest_first(problem, layer) for layer in problem.layers]
    counts = np.array([len(some) for some in rows])
    entries = int(np.triu(np.multiply.outer(counts, counts), 1).sum())
    if entries > _MATCHED:
        return _by_rank(problem, rows)
    costs = np.zeros((len(rows), len(rows)), dtype=np.int64)
    for a, b in combinations(range(len(rows)), 2):
        costs[a, b] = costs[b, a] = _matched(problem, rows[a], rows[b])
    return costs


def _by_rank(problem: StackProblem, rows: list[Ints]) -> Ints:
    costs = np.zeros((len(rows), len(rows)), dtype=np.int64)
    for rank in range(max(map(len, rows))):
        some = [at for at, of in enumerate(rows) if rank < len(of)]
        alike = np.array([rows[at][rank] for at in some])
        costs[np.ix_(some, some)] += problem.met(alike, alike)
    np.fill_diagonal(costs, 0)
    return costs


def _matched(problem: StackProblem, one: Ints, other: Ints) -> int:
    """Meetings of a matching that saves many PGs and meets little.

    Each PG that two take more than the larger could have saved costs as much as the worst meeting.
    """
    n = max(len(one), len(other))
    meeting = np.zeros((n, n), dtype=np.int64)
    meeting[: len(one), : len(other)] = problem.met(one, other)
    sizes, depths = (
        [np.pad(of[rows], (0, n - len(rows))) for rows in (one, other)]
        for of in (problem.pgs, problem.depth)
    )
    fits = depths[0][:, None] + depths[1][None] <= problem.limit
    pgs = np.where(fits, np.maximum.outer(*sizes), np.add.outer(*sizes))
    met = np.where(fits, meeting, 0)
    shift = max(0, int(met.max(initial=0)).bit_length() - _MOST_COST.bit_length() // 2)
    least = met >> shift
    column = linear_assignment(least + pgs * (int(least.max(initial=0)) + 1))
    return int(met[np.arange(n), column].sum())

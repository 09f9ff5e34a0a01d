"""Stacks by a rule that knows nothing of when what computes: baselines."""

from compiler.stacks.problem import StackProblem
from ir.arrays import Ints

Regions = tuple[tuple[int, ...], ...]  # the layers of each, in the order of their stacks


def neighbours(problem: StackProblem) -> Regions:
    """Layers in order, as many at a time as may be together."""
    step = problem.layers_together
    return tuple(problem.layers[i : i + step] for i in range(0, len(problem.layers), step))


def far_apart(problem: StackProblem) -> Regions:
    """Each layer with those a whole number of regions further on."""
    return tuple(problem.layers[i :: problem.regions] for i in range(problem.regions))


def by_rank(problem: StackProblem, regions: Regions) -> list[list[int]]:
    """The largest candidate of each layer of a region together, then the second largest, and so on.

    Where they are deeper than the limit, they are parted in order of the layers. Returns rows of
    candidates, of stacks and of what stands alone.
    """
    stacks: list[list[int]] = []
    for region in regions:
        ranked = [largest_first(problem, layer) for layer in region]
        for rank in range(max(map(len, ranked))):
            stacks += _parted(problem, [int(rows[rank]) for rows in ranked if rank < len(rows)])
    return stacks


def largest_first(problem: StackProblem, layer: int) -> Ints:
    """Rows of a layer's candidates by PGs, the deeper first of equal ones, then in order."""
    rows = (problem.layer == layer).nonzero()[0]
    members = [problem.candidates[row].member for row in rows]
    order = sorted(
        range(len(rows)),
        key=lambda i: (-problem.pgs[rows[i]], -problem.depth[rows[i]], members[i]),
    )
    found: Ints = rows[order]
    return found


def _parted(problem: StackProblem, rows: list[int]) -> list[list[int]]:
    """In as many stacks as the limit asks for, one after another."""
    stacks: list[list[int]] = []
    room = 0
    for row in rows:
        depth = int(problem.depth[row])
        if not stacks or depth > room:
            stacks.append([])
            room = problem.limit
        stacks[-1].append(row)
        room -= depth
    return stacks

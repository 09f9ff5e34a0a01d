"""Stacks counted from their definition, by other code than what chose them."""

from collections.abc import Sequence
from itertools import combinations

from compiler.stacks.problem import StackProblem
from ir.errors import CheckError
from ir.stacks import Stacking


def pgs_of(problem: StackProblem, stacks: Sequence[Sequence[int]]) -> int:
    """PGs in all: of each stack the most that a member takes. Rows of all candidates."""
    return sum(max(problem.candidates[row].pgs for row in stack) for stack in stacks)


def met_in(problem: StackProblem, stacks: Sequence[Sequence[int]]) -> int:
    """Ps that members of a stack would compute at once, over all pairs."""
    return sum(
        int((problem.busy[a] * problem.busy[b]).sum()) // problem.bin_ps
        for stack in stacks
        for a, b in combinations(stack, 2)
    )


def check_stacks(
    problem: StackProblem, stacks: Sequence[Sequence[int]], stacking: Stacking
) -> None:
    """Raise CheckError where stacks are not what was asked for: a fault of what chose them."""
    rows = sorted(row for stack in stacks for row in stack)
    if rows != list(range(len(problem.candidates))):
        raise CheckError("each fire group once", "stacks", f"{len(rows)} of them in stacks")
    for number, stack in enumerate(stacks):
        depth = sum(problem.candidates[row].depth for row in stack)
        if depth > problem.limit:
            raise CheckError("crossbars behind a PG", f"stack {number}", f"{depth} of them")
    pgs = pgs_of(problem, stacks)
    if pgs > problem.budget:
        raise CheckError("PGs of stacks", "all", f"{pgs}, the budget is {problem.budget}")
    hosts = list(stacking.hosts(problem.layers).values())
    for host in set(hosts):
        if hosts.count(host) > problem.layers_together:
            raise CheckError("layers in a region", f"that of layer {host}", f"{hosts.count(host)}")

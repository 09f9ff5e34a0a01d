"""Small assignments of items to dies, drawn at random, and what they cost by their definition."""

from itertools import pairwise, product

import numpy as np

from compiler.dies import Cast, Flow, Item, Problem
from ir.chip import Dies
from ir.topology import Topology, topology_of

TABLES = (
    ((0, 1), (1, 2), (1, 3)),
    ((0, 1), (1, 2), (2, 3), (0, 3), (0, 2)),
    ((0, 3), (2, 3), (1, 2)),
)


def drawn_topology(random: np.random.Generator, dies: int) -> Topology:
    """So many dies, joined in one of four ways."""
    kind = int(random.integers(0, 4))
    if kind == 3:
        table = TABLES[int(random.integers(0, len(TABLES)))]
        kept = tuple(pair for pair in table if max(pair) < dies)
        line = tuple((a, a + 1) for a in range(dies - 1))
        return topology_of(Dies(1, topology="table", table=kept if dies == 4 else line), dies)
    of = (
        Dies(1, columns=int(random.integers(0, 4))),
        Dies(1, topology="ring"),
        Dies(1, topology="all-to-all"),
    )
    return topology_of(of[kind], dies)


def drawn_problem(
    random: np.random.Generator, dies: int, *, most: int = 6, room: float = 1.0
) -> Problem:
    """2 to `most` items of 1 to 3 layers, about as much as there is room for on so many dies."""
    n, layers = int(random.integers(2, most + 1)), int(random.integers(1, 4))
    items = tuple(
        Item(int(random.integers(0, layers)) * 3, int(a)) for a in random.integers(1, 9, n)
    )
    overhead = {layer * 3: int(random.integers(0, 4)) for layer in range(layers)}
    every = sum(item.area_um2 for item in items)
    capacity = 1 + int(every / dies * room * random.uniform(1.2, 2.6))
    flows = tuple(
        Flow(int(a), int(b), int(size))
        for a, b, size in zip(
            *random.integers(0, n, (2, n)), random.integers(0, 50, n), strict=True
        )
    )
    casts = tuple(
        Cast(
            int(random.integers(0, n)),
            tuple(random.choice(n, int(random.integers(1, n + 1)), replace=False).tolist()),
            int(random.integers(1, 50)),
        )
        for _ in range(int(random.integers(0, 5)))
    )
    return Problem(items, overhead, capacity, flows, casts)


def cost(problem: Problem, topology: Topology, die: tuple[int, ...]) -> int:
    """Byte-links, link by link: of a cast the set of all links of all its routes."""
    total = 0
    for flow in problem.flows:
        total += flow.bytes * (len(topology.route(die[flow.source], die[flow.target])) - 1)
    for cast in problem.casts:
        links = {
            link
            for target in cast.targets
            for link in pairwise(topology.route(die[cast.source], die[target]))
        }
        total += cast.bytes * len(links)
    return total


def fits(problem: Problem, dies: int, die: tuple[int, ...]) -> bool:
    """Whether no die has more than it has room for."""
    for d in range(dies):
        there = [item for item, at in zip(problem.items, die, strict=True) if at == d]
        taken = sum(item.area_um2 for item in there)
        taken += sum(problem.overhead_um2[layer] for layer in {item.layer for item in there})
        if taken > problem.capacity_um2:
            return False
    return True


def least(problem: Problem, topology: Topology) -> int | None:
    """The fewest byte-links over all assignments that fit, None where none does."""
    costs = [
        cost(problem, topology, die)
        for die in product(range(topology.count), repeat=len(problem.items))
        if fits(problem, topology.count, die)
    ]
    return min(costs, default=None)

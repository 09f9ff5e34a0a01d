"""A baseline: items and dies are cut in two again and again, so that few bytes go between halves.

Kernighan and Lin's bisection (networkx), of half as many items beside each half of the dies, as
placers of circuits do; the items of a net to several targets are tied to its source. What is too
much for a die goes to the nearest one with room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from compiler.dies.problem import Problem
from ir.arrays import Array, Ints

if TYPE_CHECKING:
    Graph = nx.Graph[int]
_FEW = 1500  # items in a half that bisection still improves; it takes seconds beyond


def cut(problem: Problem, along: Ints, hops: Array, seed: int) -> Ints | None:
    """The die of every item, int64 [items], or None where the rest finds no room.

    along: all dies in an order in which those that follow each other are near.
    """
    graph = _graph(problem)
    wanted = np.zeros(len(problem.items), dtype=np.int64)
    for items, dies in _leaves(problem, graph, along, seed):
        wanted[items] = dies[0]
    return _with_room(problem, wanted, hops)


def _graph(problem: Problem) -> Graph:
    """Items, and the bytes between each two."""
    graph: Graph = nx.Graph()
    graph.add_nodes_from(range(len(problem.items)))
    nets = problem.nets
    for source, target, size in zip(
        nets.source[nets.owner].tolist(),
        nets.member.tolist(),
        nets.bytes[nets.owner].tolist(),
        strict=True,
    ):
        known = graph.get_edge_data(source, target, {"weight": 0})["weight"]
        graph.add_edge(source, target, weight=known + size)
    return graph


def _leaves(
    problem: Problem, graph: Graph, along: Ints, seed: int
) -> Iterator[tuple[list[int], Ints]]:
    """Items for each single die."""
    waiting: list[tuple[list[int], Ints]] = [(problem.order.tolist(), along)]
    while waiting:
        items, dies = waiting.pop()
        if len(dies) == 1 or not items:
            yield items, dies
            continue
        half = len(dies) // 2
        left, right = _halves(problem, graph, items, half / len(dies), seed)
        waiting += [(left, dies[:half]), (right, dies[half:])]


def _halves(
    problem: Problem, graph: Graph, items: list[int], share: float, seed: int
) -> tuple[list[int], list[int]]:
    """Two parts of the items, the first with that share of their area, nearly."""
    area = problem.area[items].cumsum()
    first = int(np.searchsorted(area, share * area[-1], side="right"))
    if not 0 < first < len(items) or len(items) > _FEW:
        return items[:first], items[first:]
    parts = set(items[:first]), set(items[first:])
    found = nx.algorithms.community.kernighan_lin_bisection(
        graph.subgraph(items), parts, max_iter=3, weight="weight", seed=seed
    )
    return sorted(found[0]), sorted(found[1])


def _with_room(problem: Problem, wanted: Ints, hops: Array) -> Ints | None:
    """Every item on the die that it wants or the nearest with room, the largest first."""
    out = wanted.copy()
    used = np.zeros(len(hops), dtype=np.int64)
    there = np.zeros((len(problem.layers), len(hops)), dtype=np.bool_)
    for item in np.argsort(-problem.area, kind="stable").tolist():
        layer = problem.layer[item]
        more = problem.area[item] + np.where(there[layer], 0, problem.overhead[layer])
        able = np.flatnonzero(used + more <= problem.capacity_um2)
        if not len(able):
            return None
        die = int(able[hops[wanted[item], able].argmin()])
        out[item] = die
        used[die] += more[die]
        there[layer, die] = True
    return out

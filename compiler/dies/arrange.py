"""Starts of a search: packed dies laid along snakes, each layer's dies about that of its hub."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.dies.in_order import fill, in_order
from compiler.dies.packing import packed
from compiler.dies.problem import Problem
from compiler.dies.snake import snake
from ir.arrays import Array, Ints
from ir.topology import Topology

_TALLEST = 10


@dataclass(frozen=True, eq=False)
class Hubs:
    """Of each layer the item that most is sent to and from, int64 [layers].

    sent: bytes between each item and the hub of its layer, int64 [items].
    """

    hub: Ints
    sent: Ints


def hubs_of(problem: Problem) -> Hubs:
    """The hubs of all layers."""
    nets, layer = problem.nets, problem.layer
    source, size = nets.source[nets.owner], nets.bytes[nets.owner]
    heavy = np.zeros(len(problem.items), dtype=np.int64)
    np.add.at(heavy, source, size)
    np.add.at(heavy, nets.member, size)
    hub = np.zeros(len(problem.layers), dtype=np.int64)
    for row in range(len(problem.layers)):
        items = np.flatnonzero(layer == row)
        hub[row] = items[heavy[items].argmax()]
    sent = np.zeros(len(problem.items), dtype=np.int64)
    out, back = hub[layer[nets.member]] == source, hub[layer[source]] == nets.member
    np.add.at(sent, nets.member[out], size[out])
    np.add.at(sent, source[back], size[back])
    return Hubs(hub, sent)


def starts(problem: Problem, topology: Topology, hops: Array) -> Iterator[Ints]:
    """Assignments that fit, int64 [items]; that in order is first, where it does.

    Along snakes in bands of several heights: in order, as packed, and with dies of its own for
    every layer if there are enough.
    """
    contents = [packed(problem, topology.count), fill(problem, problem.order, shared=False)]
    hubs = hubs_of(problem)
    for height in range(1, 1 + max(1, min(topology.columns, _TALLEST))):
        along = snake(topology, height)
        first = in_order(problem, along)
        if first.max(initial=-1) < topology.count:
            yield first
        for content in contents:
            if content.max(initial=-1) < topology.count:
                yield about_hubs(problem, hubs, hops, along[content])


def about_hubs(problem: Problem, hubs: Hubs, hops: Array, die: Ints) -> Ints:
    """The same contents of dies, those of one layer alone in another order.

    The hub of a layer is on the die that is nearest to all of the layer's; the more the items of a
    die send to it and hear from it, the nearer they are.
    """
    out = die.copy()
    layers = len(problem.layers)
    there = np.zeros((len(hops), layers), dtype=np.bool_)
    there[die, problem.layer] = True
    single = there.sum(axis=1) == 1
    sent = np.zeros(len(hops), dtype=np.int64)
    np.add.at(sent, die, hubs.sent)
    for layer, hub in enumerate(hubs.hub.tolist()):
        alone = np.flatnonzero(there[:, layer] & single)
        if len(alone) > 1 and die[hub] in alone:
            load = sent[alone]
            load[np.searchsorted(alone, die[hub])] = load.max() + 1
            between = hops[np.ix_(alone, alone)]
            near = alone[np.lexsort((alone, between[int(between.sum(axis=1).argmin())]))]
            to = np.arange(len(hops))
            to[alone[np.argsort(-load, kind="stable")]] = near
            inside = single[die] & (problem.layer == layer)
            out[inside] = to[die[inside]]
    return out

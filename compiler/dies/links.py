"""Byte-links: over how many links the bytes of an assignment go.

One function says what an assignment costs; searches count changes by the same walk over a net.
"""

import numpy as np

from compiler.dies.problem import Problem
from ir.arrays import Array, Ints
from ir.errors import CheckError, InputError
from ir.jit import compiled, frozen
from ir.topology import Topology

_MOST = 1 << 62


def byte_links(problem: Problem, topology: Topology, die: Ints) -> int:
    """Sum over flows and casts of bytes x links, die: int64 [items].

    A flow's links are those of the route, a cast's those of the tree of routes (`Topology.tree`).
    Raises InputError where the sum may be no 64-bit number.
    """
    return int((problem.nets.bytes * links_of(problem, before_of(topology), die)).sum())


def links_of(problem: Problem, before: Array, die: Ints) -> Ints:
    """Links that each net goes over: int64 [nets]; before: as of `before_of`."""
    nets = problem.nets
    if sum(nets.bytes.tolist()) * max(1, len(before)) >= _MOST:
        raise InputError("dies", "more bytes are sent than 64 bits can count over links")
    if die.shape != (len(problem.items),) or (
        len(die) and not 0 <= die.min() <= die.max() < len(before)
    ):
        raise CheckError("dies of items", "assignment", f"expected dies 0 to {len(before) - 1}")
    out = np.empty(len(nets), dtype=np.int64)
    source, start, member, where = (
        frozen(part, np.int64) for part in (nets.source, nets.start, nets.member, die)
    )
    seen = np.full(len(before), -1, dtype=np.int64)
    _count(source, start, member, where, before, seen, out)
    return out


def before_of(topology: Topology) -> Array:
    """`Topology.before` in 32 bits: [dies, dies]."""
    return frozen(topology.before, np.int32)


def hops_of(before: Array) -> Array:
    """Links of the route between any two dies: int32 [dies, dies]."""
    out = np.full(before.shape, -1, dtype=np.int32)
    _measure(before, out, np.zeros(len(before) + 1, dtype=np.int64))
    return frozen(out, np.int32)


@compiled
def walk(root: int, die: int, before: Array, seen: Array, stamp: int) -> int:
    """Links on the way from `die` back to a die that was seen (or the root), all now seen."""
    links, here = 0, die
    while here != root and seen[here] != stamp:
        seen[here] = stamp
        here = before[root, here]
        links += 1
    return links


@compiled
def _count(
    source: Array, start: Array, member: Array, die: Array, before: Array, seen: Array, out: Array
) -> None:
    for net in range(len(source)):
        links = 0
        for at in range(start[net], start[net + 1]):
            links += walk(die[source[net]], die[member[at]], before, seen, net)
        out[net] = links


@compiled
def _measure(before: Array, out: Array, way: Array) -> None:
    for root in range(len(before)):
        out[root, root] = 0
        for die in range(len(before)):
            here, length = die, 0
            while out[root, here] < 0:
                way[length] = here
                length += 1
                here = before[root, here]
            links = out[root, here]
            for at in range(length - 1, -1, -1):
                links += 1
                out[root, way[at]] = links

"""Lower bounds on packets x hops that hold for every legal placement, not for one family.

A fire group k hops from its port lies in a box of half-perimeter k with a corner at the port. The
boxes of j groups with k hops or fewer cover at most `covered(k, j)` cores, so that, taken in order
of their hops, the first j groups fit only if their PGs do. The cheapest order under this condition
alone is found exactly, by dynamic programming over how many groups of each size come first.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import prod

import numpy as np

from compiler.placement.orders import cheapest_order
from compiler.placement.traffic import Flow, Traffic
from ir.arrays import Ints

_MAX_STATES = 4000


def covered(hops: Ints, boxes: int, width: int, height: int) -> Ints:
    """Most cores under a staircase of `boxes` boxes of half-perimeter `hops` in a width x height.

    With steps of g_0 .. g_m cores (s = hops + 2 in all) the boxes cover the sum of g_i x g_j over
    i < j, (s^2 - sum g^2) / 2: most when the steps are equal, but for the first and last, which a
    side shorter than s makes at least s - side. hops, result: [cases].
    """
    s = np.minimum(hops + 2, width + height)
    squares, left, count = np.zeros_like(s), s, np.minimum(boxes + 1, s)
    shorter, longer = sorted((width, height))
    for side in (shorter, longer):
        least = np.maximum(0, s - side)
        short = (count > 1) & (least * count > left)
        squares = squares + np.where(short, least * least, 0)
        left, count = np.where(short, left - least, left), np.where(short, count - 1, count)
    share, larger = np.divmod(left, count)
    squares = squares + larger * (share + 1) ** 2 + (count - larger) * share**2
    out: Ints = (s * s - squares) // 2
    return out


def inside_bound(flows: Sequence[Flow], per_core: int, width: int, height: int) -> int:
    """Least packets x hops within one region of at most width x height cores."""
    cores = -(-sum(f.pgs for f in flows) // per_core)
    width, height = min(width, cores + 2), min(height, cores + 2)  # longer is no better
    sizes, weights = _classes(flows)
    shape = tuple(len(w) + 1 for w in weights)
    hops = _hops_of_states(tuple(sizes), shape, per_core, width, height)
    longest = max(map(len, weights), default=0)
    padded = np.array([[*w, *[0] * (longest - len(w))] for w in weights], dtype=np.int64)
    return int(cheapest_order(hops, np.array(shape, dtype=np.int64), padded))


@lru_cache(maxsize=512)  # the same for the regions of all layers alike
def _hops_of_states(
    sizes: tuple[int, ...], shape: tuple[int, ...], per_core: int, width: int, height: int
) -> Ints:
    """Fewest hops of the last group where so many of each size have come: [states]."""
    counts = np.indices(shape).reshape(len(shape), -1)
    demand, boxes = np.array(sizes, dtype=np.int64) @ counts, counts.sum(axis=0)
    hops = _hops_needed(demand, boxes, per_core, width, height).reshape(shape)
    for axis in range(len(shape)):  # later groups are no nearer: a monotone bound from below
        flipped = np.flip(hops, axis)
        hops = np.flip(np.minimum.accumulate(flipped, axis=axis), axis)
    return hops.ravel()


def _classes(flows: Sequence[Flow]) -> tuple[list[int], list[list[int]]]:
    """Sizes in PGs and, for each, the packets of its groups, most first.

    Similar sizes are merged, as the smaller, until the orders can be counted.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for flow in flows:
        by_size[flow.pgs].append(flow.packets)
    sizes = sorted(by_size)
    groups = [by_size[size] for size in sizes]
    while prod(len(g) + 1 for g in groups) > _MAX_STATES and len(groups) > 1:
        at = min(range(len(groups) - 1), key=lambda i: sizes[i + 1] / sizes[i])
        groups[at : at + 2] = [groups[at] + groups[at + 1]]
        del sizes[at + 1]
    return sizes, [sorted(group, reverse=True) for group in groups]


def _hops_needed(demand: Ints, boxes: Ints, per_core: int, width: int, height: int) -> Ints:
    """Fewest hops within which `boxes` groups of `demand` PGs together can lie: [states]."""
    farthest = width + height - 2
    alone = covered(np.arange(farthest + 1), 1, width, height)
    enough = int(np.searchsorted(alone * per_core, demand.max(initial=0)))
    hops = np.arange(min(enough, farthest) + 1)  # more groups have more room within as many hops
    out = np.zeros(len(demand), dtype=np.int64)
    for number in range(1, int(boxes.max(initial=0)) + 1):
        room = covered(hops, number, width, height)
        here = boxes == number
        out[here] = np.searchsorted(room * per_core, demand[here])
    return np.minimum(out, farthest)


def placement_bound(traffic: Traffic, per_core: int, longest: int, shortest: int) -> int:
    """Least packets x hops on a mesh of sides up to `longest`, one of them up to `shortest`.

    The ports of two regions are no nearer than the shortest of their four sides, so the shorter
    side of each region is chosen once for the traffic inside and for that to the next layer.
    """
    layers = traffic.layers
    inside = {n: _by_side(traffic.of(n), per_core, longest, shortest) for n in layers}
    chain: dict[tuple[int, int], int] = defaultdict(int)
    apart = 0
    following = dict(pairwise(layers))
    for (a, b), amount in traffic.moves:
        low, high = min(a, b), max(a, b)
        if following.get(low) == high:
            chain[low, high] += amount
        else:
            apart += amount  # at least one hop
    best = inside[layers[0]]
    sides = np.arange(1, len(best) + 1)
    for low, high in pairwise(layers):
        step = best[:, None] + chain[low, high] * np.minimum.outer(sides, sides)
        best = step.min(axis=0) + inside[high]
    return apart + int(best.min())


def _by_side(flows: Sequence[Flow], per_core: int, longest: int, shortest: int) -> Ints:
    """`inside_bound` of a region whose shorter side is 1, 2, .. shortest cores: [sides]."""
    least = inside_bound(flows, per_core, longest, shortest)
    out = np.full(shortest, least, dtype=np.int64)
    for side in range(1, shortest):
        out[side - 1] = inside_bound(flows, per_core, longest, side)
        if out[side - 1] == least:
            break
    return out

"""How few byte-links any assignment can have, whatever the size of the problem.

The byte-links are those of all stars (`stars_of`), of each at least the sum of c_i(d_i) over its
items i, d_i links from its hub, c_i(d) = linear_i x d + step_i x [d >= 1].

1. Room of a star. At most ball[k] dies are within k links of any die. On each is room for the
   capacity less the layer's overhead, where an item of the layer is there at all. So the i with
   d_i <= k have together at most room_k = ball[k] x (capacity - overhead), less the hub; and, as at
   most m of the layer's items fit on a die, there are at most ball[k] x m of them, less 1 if the
   hub is one of the layer. Both are sums of weights w_i within room_k, so for any prices p_k >= 0
   (Lagrange)

       sum_i c_i(d_i) >= sum_i min_d (c_i(d) + w_i x sum over k >= d of p_k) - sum_k p_k x room_k.

2. Hubs near each other share room. If two hubs are D links apart, what is within k links of its own
   hub is on one of union[D, k] dies, the most that are within k links of one of two dies so far
   apart. A hub that sends to g other hubs with items of their own layers gives each pair a g-th
   part of its star, so the byte-links are at least the sum over pairs of

       min over D of (bytes between the hubs x D + the parts of both stars within union[D, k]),

   where the parts are at least what they are each alone.

Prices are those of a relaxation in which items may be split (the dearest for their weight are
nearest); what they prove is computed in whole numbers, rounded down in each term.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import numpy as np

from compiler.dies.balls import balls_of, unions_of
from compiler.dies.problem import Problem
from compiler.dies.stars import SCALE, Star, most_of_layer, stars_of
from ir.arrays import Array


def byte_link_bound(problem: Problem, hops: Array) -> int:
    """A lower bound on the byte-links of every assignment; hops: of any two dies, [dies, dies]."""
    balls = balls_of(hops)
    pairs = _pairs(problem)
    stars = {star: _alone(problem, star, balls) for star in stars_of(problem, pairs)}
    total = sum(best for best, _ in stars.values())
    own = {star.hub: star for star in stars if star.layer == problem.layer[star.hub]}
    parts = Counter(chain.from_iterable(pairs))
    wanted = [problem.area[list(own[hub].items)].sum() for hub in parts]
    reach = _short(max(wanted, default=0), [n * problem.capacity_um2 for n in balls])
    unions = unions_of(hops, 2 * reach, reach) if pairs else []
    for pair, size in pairs.items():
        two = [own[hub] for hub in pair]
        known = [(*stars[star], parts[star.hub]) for star in two]
        total += _together(problem, two, known, size, unions)
    return -(-total // SCALE)


def _pairs(problem: Problem) -> dict[tuple[int, int], int]:
    """Bytes between hubs of different layers that have items of their own layers."""
    found = Counter[tuple[int, int]]()
    layer = problem.layer.tolist()
    hubs = {star.hub for star in stars_of(problem) if star.layer == layer[star.hub]}
    nets = problem.nets
    single = np.flatnonzero(np.diff(nets.start) == 1)
    ends = zip(nets.source[single].tolist(), nets.member[nets.start[single]].tolist(), strict=True)
    for (a, b), size in zip(ends, nets.bytes[single].tolist(), strict=True):
        if a in hubs and b in hubs and layer[a] != layer[b]:
            found[min(a, b), max(a, b)] += size
    return dict(found)


def _alone(problem: Problem, star: Star, balls: Sequence[int]) -> tuple[int, int]:
    """What a star costs at least (x 2^20), and which of its costs says so."""
    own = int(problem.layer[star.hub]) == star.layer
    overhead = int(problem.overhead[star.layer])
    room = problem.capacity_um2 - overhead
    hub = int(problem.area[star.hub])
    if not own:
        hub += int(problem.overhead[problem.layer[star.hub]])
    most = most_of_layer(problem, (star.layer,))
    area = problem.area[list(star.items)].tolist()
    best = (0, 0)
    for which, (linear, step) in enumerate(star.costs):
        by_area = priced(linear, step, area, [max(0, n * room - hub) for n in balls])
        by_number = priced(linear, step, [1] * len(area), [n * most - own for n in balls])
        best = max(best, (max(by_area, by_number), which), key=lambda found: found[0])
    return best


def _together(
    problem: Problem,
    stars: Sequence[Star],
    known: Sequence[tuple[int, int, int]],
    size: int,
    unions: Sequence[Sequence[int]],
) -> int:
    """What two stars and `size` bytes between their hubs cost at least, beyond each star alone.

    known: of each star what it costs alone, which of its costs says so, and into how many parts it
    is split. unions[D][k]: dies within k links of one of two dies D links apart.
    """
    alone = sum(-(-least // parts) for least, _, parts in known)
    linear, step = list[int](), list[int]()
    for star, (_, which, parts) in zip(stars, known, strict=True):
        linear += [cost // parts for cost in star.costs[which][0]]
        step += [cost // parts for cost in star.costs[which][1]]
    layers = tuple(star.layer for star in stars)
    room = problem.capacity_um2 - int(problem.overhead[list(layers)].min())
    most = most_of_layer(problem, layers)
    area = problem.area[[i for star in stars for i in star.items]].tolist()
    hubs = sum(int(problem.area[star.hub]) for star in stars)
    least = len(unions) * size * SCALE
    for far, within in enumerate(unions):
        here = far * size * SCALE
        if here >= least:
            break
        by_area = priced(linear, step, area, [max(0, n * room - hubs) for n in within])
        by_number = priced(linear, step, [1] * len(area), [max(0, n * most - 2) for n in within])
        least = min(least, here + max(0, by_area - alone, by_number - alone))
    return least


def _short(wanted: int, rooms: Sequence[int]) -> int:
    """The least k at which room_k is enough."""
    return next((k for k, room in enumerate(rooms) if wanted <= room), len(rooms))


def priced(
    linear: Sequence[int], step: Sequence[int], weights: Sequence[int], rooms: Sequence[int]
) -> int:
    """The bound of a star's room; rooms: room_k for k = 0, 1, .., none short beyond the last."""
    short = _short(sum(weights), rooms)
    if not short:
        return 0
    prices = _prices(linear, step, weights, rooms[:short])
    total = -sum(price * room for price, room in zip(prices, rooms, strict=False))
    above = [sum(prices[k:]) for k in range(short + 1)]
    for slope, rise, weight in zip(linear, step, weights, strict=True):
        total += min(
            slope * d + (rise if d else 0) + weight * price for d, price in enumerate(above)
        )
    return max(0, total)


def _prices(
    linear: Sequence[int], step: Sequence[int], weights: Sequence[int], rooms: Sequence[int]
) -> list[int]:
    """Of each distance what one more of its room is worth: of the item that is the first beyond."""
    found: list[int] = []
    size = np.maximum(np.array(weights, dtype=np.float64), 1e-9)
    for k, room in enumerate(rooms):
        worth = linear if k else [a + b for a, b in zip(linear, step, strict=True)]
        ranked = np.argsort(-np.array(worth, dtype=np.float64) / size, kind="stable")
        beyond = np.flatnonzero(np.array(weights)[ranked].cumsum() > room)
        first = int(ranked[beyond[0]]) if len(beyond) else -1
        found.append(worth[first] // max(1, weights[first]) if first >= 0 else 0)
    return found

"""One region: which core each PG of a layer is on, and how good that is at best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.placement.curves import CURVES
from compiler.placement.traffic import Flow
from ir.arrays import Ints

BoxShape = Callable[[Ints, Ints], Ints]  # of the far corner's x and y: the less, the better
BOX_SHAPES: tuple[BoxShape, ...] = (
    lambda x, y: np.abs(x - y),  # square
    lambda x, y: -np.abs(x - y),  # long
    lambda x, y: x,  # high
    lambda x, y: y,  # wide
)


@dataclass(frozen=True, eq=False)
class Layout:
    """The PGs of a layer in a region of width x height cores.

    x, y: [PGs of the layer] core from the port at (0, 0); value: packets x hops within the region.
    """

    width: int
    height: int
    x: Ints
    y: Ints
    value: int


def value_of(flows: Sequence[Flow], x: Ints, y: Ints) -> int:
    """Packets x hops of `flows`, whose PGs are those of x and y in order."""
    if not flows:
        return 0
    starts = np.array([f.first_pg - flows[0].first_pg for f in flows])
    hops = np.maximum.reduceat(x, starts) + np.maximum.reduceat(y, starts)
    return sum(f.packets * n for f, n in zip(flows, hops.tolist(), strict=True))


def lay_out(flows: Sequence[Flow], width: int, height: int, per_core: int) -> Layout:
    """Best of a few quick layouts: every curve in two orders, and boxes of each shape; no search.

    flows: all of one layer in order of their PGs, which fit the region.
    """
    dense = by_density(flows)
    candidates = [
        along(flows, order, curve(width, height), per_core)
        for curve in CURVES
        for order in (list(range(len(flows))), dense)
    ]
    for shape in BOX_SHAPES:
        fitted = box_fit(flows, dense, width, height, per_core, shape)
        if fitted is not None:
            candidates.append(fitted)
    values = [value_of(flows, x, y) for x, y in candidates]
    best = int(np.argmin(values))
    return Layout(width, height, *candidates[best], values[best])


def by_density(flows: Sequence[Flow]) -> list[int]:
    """Flows with the most packets per PG first (Smith's rule)."""
    return sorted(range(len(flows)), key=lambda i: (-flows[i].packets / flows[i].pgs, i))


def along(
    flows: Sequence[Flow], order: Sequence[int], curve: tuple[Ints, Ints], per_core: int
) -> tuple[Ints, Ints]:
    """Groups in `order`, one after another along `curve`: core (x, y) of each PG."""
    base = flows[0].first_pg
    place = np.empty(sum(f.pgs for f in flows), dtype=np.int64)
    used = 0
    for i in order:
        start = flows[i].first_pg - base
        place[start : start + flows[i].pgs] = np.arange(used, used + flows[i].pgs)
        used += flows[i].pgs
    core = place // per_core
    return curve[0][core], curve[1][core]


def improved(flows: Sequence[Flow], layout: Layout, per_core: int, rounds: int) -> Layout:
    """Swap and move groups along each curve, as long as it helps, in at most `rounds` trials."""
    best = layout
    for curve in CURVES:
        path = curve(layout.width, layout.height)
        order, rng = by_density(flows), np.random.default_rng(0)
        value = value_of(flows, *along(flows, order, path, per_core))
        for _ in range(rounds if len(flows) > 1 else 0):
            a, b = rng.integers(len(flows), size=2).tolist()
            trial = order.copy()
            trial.insert(b, trial.pop(a))
            x, y = along(flows, trial, path, per_core)
            found = value_of(flows, x, y)
            if found <= value:
                order, value = trial, found
            if found < best.value:
                best = Layout(layout.width, layout.height, x, y, found)
    return best


def box_fit(
    flows: Sequence[Flow],
    order: Sequence[int],
    width: int,
    height: int,
    per_core: int,
    shape: BoxShape,
) -> tuple[Ints, Ints] | None:
    """Each group, in `order`, in the first box at the port that has room; None if one is left.

    Of boxes equally near the one that `shape` prefers; in it the farthest cores first, which are of
    least use to others. Column chains are kept whole on a core.
    """
    y, x = np.divmod(np.arange(width * height), width)
    boxes = np.lexsort((shape(x, y), x + y))
    farthest = np.argsort(-(x + y), kind="stable")
    room, base = np.full(width * height, per_core), flows[0].first_pg
    core = np.empty(sum(f.pgs for f in flows), dtype=np.int64)
    for i in order:
        longest = max(length for length, _ in flows[i].chains)
        whole = (room // longest * longest).reshape(height, width)
        enough = whole.cumsum(axis=0).cumsum(axis=1).ravel()[boxes] >= flows[i].pgs
        at = boxes[int(np.argmax(enough))]
        near = farthest[(x[farthest] <= x[at]) & (y[farthest] <= y[at])].tolist()
        pg = flows[i].first_pg - base
        for length, count in flows[i].chains if enough.any() else ():
            for k in near:
                fit = min(count, int(room[k]) // length)
                core[pg : pg + fit * length] = k
                pg, count = pg + fit * length, count - fit
                room[k] -= fit * length
        if pg < flows[i].first_pg - base + flows[i].pgs:
            return None
    return x[core], y[core]

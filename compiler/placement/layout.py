"""One region: which core each PG of a layer is on, and how good that is at best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.placement.curves import CURVES
from compiler.placement.traffic import Flow
from compiler.placement.walk import best_order, fill_boxes, value_along
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
    groups, dense = Groups.of(flows), by_density(flows)
    paths = [curve(width, height) for curve in CURVES]
    walks = [(order, path) for path in paths for order in (list(range(len(flows))), dense)]
    values = [groups.value_along(order, path, per_core) for order, path in walks]
    best = int(np.argmin(values))
    layout = Layout(width, height, *along(flows, *walks[best], per_core), values[best])
    y, x = np.divmod(np.arange(width * height), width)
    for shape in BOX_SHAPES:
        core, value = groups.boxed(dense, x, y, per_core, shape)
        if 0 <= value < layout.value:
            layout = Layout(width, height, x[core], y[core], value)
    return layout


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
    """Move groups to other places along each curve, as long as it helps, in `rounds` trials."""
    if len(flows) < 2:
        return layout
    best, groups, dense = layout, Groups.of(flows), np.array(by_density(flows))
    for curve in CURVES:
        path = curve(layout.width, layout.height)
        trials = np.random.default_rng(0).integers(len(flows), size=(rounds, 2))
        order, value = best_order(dense, trials, groups.pgs, groups.packets, *path, per_core)
        if value < best.value:
            place = along(flows, order.tolist(), path, per_core)
            best = Layout(layout.width, layout.height, *place, value)
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
    core, value = Groups.of(flows).boxed(order, x, y, per_core, shape)
    return None if value < 0 else (x[core], y[core])


@dataclass(frozen=True, eq=False)
class Groups:
    """Flows as columns.

    first (PG, from the first of all on), pgs, packets: [flows]; their chains are those of
    chain_at[i] to chain_at[i + 1], of which lengths and counts say how many PGs each has and how
    many there are.
    """

    first: Ints
    pgs: Ints
    packets: Ints
    chain_at: Ints
    lengths: Ints
    counts: Ints

    @classmethod
    def of(cls, flows: Sequence[Flow]) -> "Groups":
        """All of one layer, in order of their PGs."""
        columns = np.array([(f.first_pg, f.pgs, f.packets, len(f.chains)) for f in flows]).T
        lengths, counts = np.array([chain for flow in flows for chain in flow.chains]).T
        first, pgs, packets, chains = map(np.ascontiguousarray, columns)
        return cls(first - first[0], pgs, packets, np.cumsum([0, *chains]), lengths, counts)

    def value_along(self, order: Sequence[int], path: tuple[Ints, Ints], per_core: int) -> int:
        """Packets x hops of the groups one after another along a path: see `along`."""
        return int(value_along(np.array(order), self.pgs, self.packets, *path, per_core))

    def boxed(
        self, order: Sequence[int], x: Ints, y: Ints, per_core: int, shape: BoxShape
    ) -> tuple[Ints, int]:
        """Core of each PG in boxes, see `box_fit`, and packets x hops: -1 if a group is left.

        x, y: [cores] of the region, row by row.
        """
        core, value = fill_boxes(
            np.array(order),
            self.first,
            self.pgs,
            self.packets,
            self.chain_at,
            self.lengths,
            self.counts,
            np.lexsort((shape(x, y), x + y)),
            np.argsort(-(x + y), kind="stable"),
            x,
            y,
            per_core,
        )
        return core, int(value)

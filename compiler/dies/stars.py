"""Stars: a hub, the items it sends to and hears from, and what these cost by their distance.

Every net is given to one hub: a cast to its source, a flow to that of its ends that more is sent to
and from. So what stars cost adds up to the byte-links.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from compiler.dies.problem import Problem
from ir.arrays import Ints

SCALE = 1 << 20  # costs are whole numbers of byte-links / 2^20, rounded down
_SHARES = 4


@dataclass(frozen=True, eq=False)
class Star:
    """A hub and its items of one layer, ascending.

    d links from the hub, item i costs linear[i] x d, and step[i] more where d is not 0, in
    byte-links / 2^20; each entry of `costs` is such a pair, and all of the layer's items together
    cost at least as much as any of them says.
    """

    hub: int
    layer: int
    items: tuple[int, ...]
    costs: tuple[tuple[list[int], list[int]], ...]


@dataclass(frozen=True, eq=False)
class _Hub:
    """Of a hub: flows [item, bytes]; casts [bytes, targets]."""

    flows: list[tuple[int, int]]
    casts: list[tuple[int, list[int]]]


def stars_of(problem: Problem, apart: Collection[tuple[int, int]] = ()) -> list[Star]:
    """All stars, by hub and layer, without the flows between pairs of items in `apart`.

    A flow goes over d_i links. A cast to q targets goes over at least max d_i, so at least
    sum d_i / q of them. And it goes into each die with a target other than the hub's. Of the
    targets on one die, m at most, let w_i be the bytes of all casts that go to i, w_ij of those
    that go to both: into this die come at least max w_i >= sum w_i / m bytes, and by Bonferroni's
    inequality sum of w_i less sum over pairs of w_ij, so at least the sum over i of w_i less half
    of the m - 1 largest w_ij. The first of these is the linear cost, the better of the others the
    step; any mean of linear and step holds too.
    """
    found: list[Star] = []
    most = max(1, _most_on_a_die(problem.area, problem.capacity_um2))
    layer = problem.layer.tolist()
    for hub, of in sorted(_hubs(problem, apart).items()):
        flow, far, near = _costs(of, most)
        parts: dict[int, list[int]] = defaultdict(list)
        for item in sorted(flow):
            parts[layer[item]].append(item)
        for part, items in parts.items():
            costs = tuple(
                (
                    [flow[i] + far[i] * (_SHARES - share) // _SHARES for i in items],
                    [near[i] * share // _SHARES for i in items],
                )
                for share in range(_SHARES + 1 if of.casts else 1)
            )
            found.append(Star(hub, part, tuple(items), costs))
    return found


def _hubs(problem: Problem, apart: Collection[tuple[int, int]]) -> dict[int, _Hub]:
    nets = problem.nets
    heavy = np.zeros(len(problem.items), dtype=np.float64)
    np.add.at(heavy, nets.source, nets.bytes)
    np.add.at(heavy, nets.member, nets.bytes[nets.owner])
    found: dict[int, _Hub] = defaultdict(lambda: _Hub([], []))
    for n, (hub, size) in enumerate(zip(nets.source.tolist(), nets.bytes.tolist(), strict=True)):
        targets = nets.member[nets.start[n] : nets.start[n + 1]].tolist()
        if len(targets) > 1:
            found[hub].casts.append((size, targets))
        else:
            near, far = sorted((hub, targets[0]), key=lambda i: (-heavy[i], i))
            if (min(near, far), max(near, far)) not in apart:
                found[near].flows.append((far, size))
    return found


def _costs(of: _Hub, most: int) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    """Of each item: of flows, of casts by distance, and by being elsewhere; x 2^20."""
    flow: dict[int, int] = defaultdict(int)
    far: dict[int, int] = defaultdict(int)
    for item, size in of.flows:
        flow[item] += size * SCALE
    for size, targets in of.casts:
        for item in targets:
            flow[item] += 0
            far[item] += size * SCALE // len(targets)
    near = dict.fromkeys(flow, 0)
    if of.casts:
        items = sorted(far)
        together = _together(of.casts, items)
        alone = together.diagonal().copy()
        np.fill_diagonal(together, 0)
        mates = np.sort(together, axis=1)[:, ::-1][:, : most - 1].sum(axis=1)
        for item, w, half in zip(items, alone.tolist(), mates.tolist(), strict=True):
            near[item] = max(w * SCALE // most, w * SCALE - half * SCALE // 2 - half * SCALE % 2)
    return flow, far, near


def _together(casts: list[tuple[int, list[int]]], items: list[int]) -> Ints:
    """Bytes of casts that go to both of two items: int64 [items, items]."""
    row = {item: n for n, item in enumerate(items)}
    out = np.zeros((len(items), len(items)), dtype=np.int64)
    for size, targets in casts:
        rows = [row[item] for item in targets]
        out[np.ix_(rows, rows)] += size
    return out


def _most_on_a_die(sizes: Ints, room: int) -> int:
    """Of these sizes the most that fit into so much room together."""
    return int(np.searchsorted(np.sort(sizes).cumsum(), room, side="right"))


def most_of_layer(problem: Problem, layers: tuple[int, ...]) -> int:
    """The most items of some layers on a die that has the least overhead of any of them."""
    room = problem.capacity_um2 - int(problem.overhead[list(layers)].min())
    return _most_on_a_die(problem.area[np.isin(problem.layer, layers)], room)

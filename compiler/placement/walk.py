"""The inner loops of `layout`, compiled: groups laid along a path, or in boxes at the port.

x, y: [cores] of a region, the path in its order; pgs, packets: [groups]; order: [groups] which of
them comes first, second, ...
"""

import numpy as np

from ir.arrays import Array
from ir.jit import compiled


@compiled
def value_along(order: Array, pgs: Array, packets: Array, x: Array, y: Array, per_core: int) -> int:
    """Packets x hops of the groups one after another along the path."""
    value = used = 0
    for group in order:
        first, last = used // per_core, (used + pgs[group] - 1) // per_core
        value += packets[group] * (x[first : last + 1].max() + y[first : last + 1].max())
        used += pgs[group]
    return value


@compiled
def best_order(
    order: Array, trials: Array, pgs: Array, packets: Array, x: Array, y: Array, per_core: int
) -> tuple[Array, int]:
    """The best order met, and its packets x hops, moving on from `order` to what is no worse.

    trials: [trials, 2] the place that a group is taken from, and the one it is put at.
    """
    now = order.copy()
    value = value_along(now, pgs, packets, x, y, per_core)
    best, least = now.copy(), value
    for trial in range(len(trials)):
        taken, put = trials[trial]
        moved = now.copy()
        if taken < put:
            moved[taken:put] = now[taken + 1 : put + 1]
        else:
            moved[put + 1 : taken + 1] = now[put:taken]
        moved[put] = now[taken]
        found = value_along(moved, pgs, packets, x, y, per_core)
        if found <= value:
            now, value = moved, found
        if found < least:
            best, least = moved, found
    return best, least


@compiled
def fill_boxes(
    order: Array,
    first: Array,
    pgs: Array,
    packets: Array,
    chain_at: Array,
    lengths: Array,
    counts: Array,
    boxes: Array,
    farthest: Array,
    x: Array,
    y: Array,
    per_core: int,
) -> tuple[Array, int]:
    """Core of each PG, see `layout.box_fit`, and packets x hops; -1 if a group finds no box.

    first: [groups] first PG; chain_at, lengths, counts: its column chains, PGs of each and how many
    there are. boxes: the far corners of the boxes, the best first; farthest: the cores, the
    farthest first. x, y: [cores] row by row.
    """
    width, cores = int(x.max()) + 1, len(x)
    room = np.full(cores, per_core)
    held = np.zeros(cores, dtype=np.int64)  # PGs that the box up to each core has room for
    core = np.empty(pgs.sum(), dtype=np.int64)
    value = 0
    for group in order:
        longest = lengths[chain_at[group] : chain_at[group + 1]].max()
        for k in range(cores):
            left = held[k - 1] if x[k] else 0
            up = held[k - width] if y[k] else 0
            both = held[k - width - 1] if x[k] and y[k] else 0
            held[k] = room[k] // longest * longest + left + up - both
        corner = -1
        for box in boxes:
            if held[box] >= pgs[group]:
                corner = box
                break
        if corner < 0:
            return core, -1
        pg, right, down = first[group], 0, 0
        for chain in range(chain_at[group], chain_at[group + 1]):
            length, count = lengths[chain], counts[chain]
            for k in farthest:
                if count == 0:
                    break
                if x[k] <= x[corner] and y[k] <= y[corner]:
                    fit = min(count, room[k] // length)
                    if fit > 0:
                        right, down = max(right, x[k]), max(down, y[k])
                    core[pg : pg + fit * length] = k
                    pg, count = pg + fit * length, count - fit
                    room[k] -= fit * length
        if pg < first[group] + pgs[group]:
            return core, -1
        value += packets[group] * (right + down)
    return core, value

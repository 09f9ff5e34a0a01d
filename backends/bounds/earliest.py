"""When instructions start at the earliest: chains of reads, and the work of units before joins.

A join starts after all its work. Of a pool of m equal units let S be some rows of that work, r when
the first of them can start, q the shortest time that passes from when a row of S has left its unit
to the join. The last of S leaves its unit at r + busy(S) / m or later, so no schedule starts the
join before

    r + busy(S) / m + q

S is every set of the rows with the largest r: of the work of the join alone, with its own q, and of
all the work of its stream so far, with the least q of it. All rows of the program are before its
end. Rows are taken in the order of ids, which no read goes against, so the r of a join's work are
known when the join's turn comes; they hold what was found of the joins before.
"""

from typing import NamedTuple

import numpy as np

from backends.bounds.joins import Joins, Links
from ir.arrays import Array, Ints
from ir.jit import compiled, frozen

NEVER = -(1 << 60)


class Earliest(NamedTuple):
    """What was found, ps.

    start: earliest start [rows]. [rows + 1], of joins and, at the last, the program's end: held, no
    earlier start by what is below (0: nothing is known); by, the pool whose rows S it follows from,
    or -1; first, the first row of S; behind, its q.
    """

    start: Ints
    held: Ints
    by: Ints
    first: Ints
    behind: Ints


class _Work(NamedTuple):
    """Rows before joins: the join that needs each, and ps from when its unit is free to it."""

    rows: Array
    needed: Array
    behind: Array


def earliest(of: Links, found: Joins, size: Ints) -> Earliest:
    """Earliest starts of a program's instructions and of its end; size: units of each pool."""
    rows = len(of.duration)
    zeros, none = np.zeros(rows + 1, dtype=np.int64), np.full(rows + 1, -1, dtype=np.int64)
    out = Earliest(zeros[1:].copy(), zeros, none, none.copy(), zeros.copy())
    work = _Work(*(frozen(c, np.int64) for c in (found.work, found.needed, found.behind)))
    units, end = frozen(size, np.int64), np.full(rows, rows, dtype=np.int64)
    _starts(of, work, frozen(found.stream, np.int64), frozen(found.at, np.int64), units, out)
    tail = _tails(of.at, of.values, of.duration) + of.duration - of.busy
    every = (np.argsort(of.pool, kind="stable"), end, tail)
    _pools(of, _Work(*(frozen(column, np.int64) for column in every)), units, out)
    return out


@compiled
def _tails(at: Array, values: Array, duration: Array) -> Array:
    """Longest chain that waits for each row, to the end of the program: int64 [rows]."""
    out = np.zeros(len(duration), np.int64)
    for row in range(len(duration) - 1, -1, -1):
        for i in range(at[row], at[row + 1]):
            out[values[i]] = max(out[values[i]], out[row] + duration[row])
    return out


@compiled
def _insert(load: Array, end: Array, leaf: int, busy: int, ended: int) -> None:
    """Add a row to a tree of rows by start: the load below each node, and when it is done."""
    load[leaf], end[leaf] = busy, ended
    node = leaf // 2
    while node > 0:
        load[node] = load[2 * node] + load[2 * node + 1]
        end[node] = max(end[2 * node + 1], end[2 * node] + load[2 * node + 1])
        node //= 2


@compiled
def _first(end: Array, leaves: int) -> int:
    """The first row of the set that the root's end follows from."""
    node = 1
    while node < leaves:
        right = 2 * node + 1
        node = right if end[right] == end[node] else 2 * node
    return node - leaves


@compiled
def _hold(out: Earliest, join: int, done: int, pool: int, first: int, behind: int) -> None:
    """Keep what was found of a join, if it is the most."""
    if done > out.held[join]:
        out.held[join], out.by[join] = done, pool
        out.first[join], out.behind[join] = first, behind


@compiled
def _joins(rows: Array, of: Links, work: _Work, units: int, out: Earliest) -> None:
    """What rows of one pool, by start, mean for the joins that need them."""
    leaves = 1
    while leaves < len(rows):
        leaves *= 2
    load, end = np.zeros(2 * leaves, np.int64), np.full(2 * leaves, NEVER, np.int64)
    turn = np.argsort(work.needed[rows], kind="mergesort")
    pool, least, low = of.pool[rows[0]], np.int64(-NEVER), 0
    while low < len(turn):
        join, high = work.needed[rows[turn[low]]], low
        while high < len(turn) and work.needed[rows[turn[high]]] == join:
            high += 1
        behind, total = np.int64(-NEVER), np.int64(0)
        for k in range(high - 1, low - 1, -1):
            row = rows[turn[k]]
            begin, busy = out.start[row], of.busy[row]
            total, behind = total + busy, min(behind, work.behind[row])
            if total > 0:
                _hold(out, join, begin - -total // units + behind, pool, row, int(behind))
            _insert(load, end, leaves + turn[k], busy, units * begin + busy)
        least = min(least, behind)
        if load[1] > 0:
            row = rows[_first(end, leaves)]
            _hold(out, join, -(-end[1] // units) + least, pool, row, int(least))
        low = high


@compiled
def _pools(of: Links, work: _Work, size: Array, out: Earliest) -> None:
    """The same for the rows of every pool, which lie together."""
    low = 0
    for high in range(1, len(work.rows) + 1):
        pool = of.pool[work.rows[low]]
        if high < len(work.rows) and of.pool[work.rows[high]] == pool:
            continue
        rows = work.rows[low:high]
        _joins(rows[np.argsort(out.start[rows], kind="mergesort")], of, work, size[pool], out)
        low = high


@compiled
def _starts(
    of: Links, work: _Work, stream: Array, work_at: Array, size: Array, out: Earliest
) -> None:
    """Fill in `out` in the order of ids, but for what all rows mean for the program's end."""
    for row in range(len(stream)):
        if stream[row] >= 0:
            own = work.rows[work_at[stream[row]] : work_at[stream[row] + 1]]
            _pools(of, _Work(own, work.needed, work.behind), size, out)
        if row < len(of.duration):
            out.start[row] = out.held[row]
            for i in range(of.at[row], of.at[row + 1]):
                read = of.values[i]
                out.start[row] = max(out.start[row], out.start[read] + of.duration[read])

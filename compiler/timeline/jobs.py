"""A draft as the loops of the list schedule take it: arrays made once for many schedules."""

from dataclasses import dataclass

import numpy as np

from compiler.emit.stream import Draft
from ir.arrays import Bools, Ints
from ir.program import Lists


@dataclass(frozen=True, eq=False)
class Edges:
    """Rows of each row or unit, int64: those of i are rows[at[i]:at[i + 1]]."""

    at: Ints
    rows: Ints


@dataclass(frozen=True, eq=False)
class Jobs:
    """The instructions of a draft and what orders them.

    [rows]: duration_ps, busy_ps, priority (of the draft), opcode, node, whole (work on a whole
    sequence), last_reader, pool (first unit of it) and missing (how many rows it waits for). ended:
    rows that must have ended before each; ends, starts: rows that wait for its end, or its start;
    fills: groups whose input buffer it fills. [units]: servers (of the pool that begins there, else
    1). entries: vectors an input buffer holds.
    """

    duration_ps: Ints
    busy_ps: Ints
    priority: Ints
    opcode: Ints
    node: Ints
    whole: Bools
    last_reader: Bools
    pool: Ints
    missing: Ints
    ended: Edges
    ends: Edges
    starts: Edges
    fills: Edges
    servers: Ints
    entries: int

    def __len__(self) -> int:
        return len(self.pool)


def prepare(draft: Draft, servers: dict[int, int], entries: int) -> Jobs:
    """The jobs of a draft. servers: first unit of a pool -> number of units."""
    columns = draft.columns
    pool, filled = columns["unit"], draft.dst.values.astype(np.int64)
    last = [int(column.max(initial=-1)) for column in (pool, filled)]
    units = max([*last, *(first + n - 1 for first, n in servers.items())], default=-1) + 1
    count = np.ones(max(units, 1), dtype=np.int64)
    for first, n in servers.items():
        count[first] = n
    ended, started = _merged(draft.reads, draft.after), _merged(draft.chained)
    return Jobs(
        columns["duration_ps"],
        columns["busy_ps"],
        columns["priority"],
        columns["opcode"],
        columns["node"],
        columns["token"] < 0,
        draft.last_reader,
        pool,
        np.diff(ended.at) + np.diff(started.at),
        ended,
        _turned(ended),
        _turned(started),
        Edges(draft.dst.offsets, filled),
        count,
        entries,
    )


def bases(sizes: Ints) -> Ints:
    """Where each of several arrays begins that lie one after another, and where the last ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def _merged(*lists: Lists) -> Edges:
    """The entries of several list columns together."""
    rows = np.concatenate([edges.rows() for edges in lists])
    values = np.concatenate([edges.values for edges in lists]).astype(np.int64)
    at = np.sum([edges.offsets for edges in lists], axis=0)
    return Edges(at, values[np.argsort(rows, kind="stable")])


def _turned(edges: Edges) -> Edges:
    """The same edges by the row at their other end."""
    count = len(edges.at) - 1
    target = np.repeat(np.arange(count, dtype=np.int64), np.diff(edges.at))
    at = bases(np.bincount(edges.rows, minlength=count))
    return Edges(at, target[np.argsort(edges.rows, kind="stable")])

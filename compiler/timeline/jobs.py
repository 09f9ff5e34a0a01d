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
    sequence), frees (number of the entry of an input buffer that an MVM is the last of its group to
    use, -1 = none), unit (of the draft), pool (its circuits, or the first unit of its pool) and
    missing (how many rows it waits for). ended: rows that must have ended before each; ends,
    starts: rows that wait for its end, or its start; fills: whose input buffers it fills, by
    circuits, and for each of them a group of it, `filled`. [units]: servers (of the pool that
    begins there, else 1), groups (those that are the same circuits, at the first of them). entries:
    vectors an input buffer holds; users: groups that use each numbered entry, after the last of
    which it is free.
    """

    duration_ps: Ints
    busy_ps: Ints
    priority: Ints
    opcode: Ints
    node: Ints
    whole: Bools
    frees: Ints
    unit: Ints
    pool: Ints
    missing: Ints
    ended: Edges
    ends: Edges
    starts: Edges
    fills: Edges
    filled: Ints
    groups: Edges
    servers: Ints
    entries: int
    users: Ints

    def __len__(self) -> int:
        return len(self.pool)


def prepare(
    draft: Draft, servers: dict[int, int], entries: int, circuits: Ints | None = None
) -> Jobs:
    """The jobs of a draft. servers: first unit of a pool -> number of units.

    circuits: of the units (`ir.program.circuits`); None: no two groups are the same.
    """
    columns = draft.columns
    unit, filled = columns["unit"], draft.dst.values.astype(np.int64)
    last = [int(column.max(initial=-1)) for column in (unit, filled)]
    units = max([*last, *(first + n - 1 for first, n in servers.items())], default=-1) + 1
    units = max(units, 0 if circuits is None else len(circuits))
    count = np.ones(max(units, 1), dtype=np.int64)
    for first, n in servers.items():
        count[first] = n
    circuit = np.arange(len(count)) if circuits is None else circuits
    ended, started = _merged(draft.reads, draft.after), _merged(draft.chained)
    fills, filled, frees = _fills(draft, circuit)
    groups = Edges(
        bases(np.bincount(circuit, minlength=len(count))), np.argsort(circuit, kind="stable")
    )
    return Jobs(
        columns["duration_ps"],
        columns["busy_ps"],
        columns["priority"],
        columns["opcode"],
        columns["node"],
        columns["token"] < 0,
        frees,
        unit,
        circuit[unit],
        np.diff(ended.at) + np.diff(started.at),
        ended,
        _turned(ended),
        _turned(started),
        fills,
        filled,
        groups,
        count,
        entries,
        np.bincount(frees[frees >= 0], minlength=len(unit)),
    )


def _fills(draft: Draft, circuit: Ints) -> tuple[Edges, Ints, Ints]:
    """Whose input buffers each row fills, a group of each, and the entry that each MVM frees.

    A vector for several groups of a stack is in their buffer once, until the last of their last
    readers has ended. circuit: [units].
    """
    frees = np.where(draft.last_reader, np.arange(len(draft)), -1)
    if np.all(circuit == np.arange(len(circuit))):
        groups = draft.dst.values.astype(np.int64)
        return Edges(draft.dst.offsets, groups), groups, frees
    once = draft.dst.renamed(circuit)
    entries = draft.dst.rows() * len(circuit) + circuit[draft.dst.values]
    entry, place = np.unique(entries, return_index=True)
    groups = draft.dst.values[place].astype(np.int64)
    mine = np.flatnonzero(draft.last_reader[draft.reads.rows()])
    reader, read = draft.reads.rows()[mine], draft.reads.values[mine].astype(np.int64)
    wanted = read * len(circuit) + circuit[draft.columns["unit"][reader]]
    place = np.minimum(np.searchsorted(entry, wanted), max(len(entry) - 1, 0))
    found = entry[place] == wanted
    first = np.full(len(entry), len(draft))
    np.minimum.at(first, place[found], reader[found])
    frees[reader[found]] = first[place[found]]
    return Edges(once.offsets, once.values.astype(np.int64)), groups, frees


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

"""Instructions that wait for much, and what each of them waits for.

A *join* is a job of an attention or a selection over a whole sequence. The *work* of a join is what
it waits for since the joins before: it reads it, or reads what reads it, and no other join lies
between. What several joins wait for is the work of the first by id. Joins that lie one after
another, each of which reads the one before, are a *stream*: what one of them waits for, all later
ones do. What no join waits for is the work of the end of the program, whose id is the number of
rows.
"""

from typing import NamedTuple

import numpy as np

from ir.arrays import Array, Bools, Ints
from ir.jit import compiled, frozen
from ir.program import Opcode, Program


class Links(NamedTuple):
    """What a program's order follows from, with [rows] int64 each.

    at, values: row i reads values[at[i]:at[i + 1]] (int32), all of lower ids; duration, busy: ps;
    pool: of its unit.
    """

    at: Array
    values: Array
    duration: Array
    busy: Array
    pool: Array


class Joins(NamedTuple):
    """Which rows are joins, and their work.

    [rows]: join; needed: the join whose work a row is; behind: ps from when its unit is free again
    to that join's start, at least. [rows + 1] stream: the number of the stream that begins with
    this row, or -1; the end of the program is one. work: rows by stream, pool, join, those of
    stream s at work[at[s]:at[s + 1]].
    """

    join: Bools
    needed: Ints
    behind: Ints
    stream: Ints
    work: Ints
    at: Ints


def links(program: Program, pool: Ints) -> Links:
    """The links of a program; pool: of each unit."""
    return Links(
        frozen(program.reads.offsets, np.int64),
        frozen(program.reads.values, np.int32),
        frozen(program.duration_ps, np.int64),
        frozen(program.busy_ps, np.int64),
        frozen(pool[program.unit], np.int64),
    )


def joins(program: Program, of: Links) -> Joins:
    """The joins of a program and their work."""
    rows = len(program)
    selection = (program.opcode == Opcode.TOPK) & (program.token < 0)
    join = (program.opcode == Opcode.ATTN) | selection
    needed, tail = _needed(of.at, of.values, of.duration, frozen(join, np.bool_))
    heads = np.append(np.flatnonzero(join & ~_goes_on(of, join)), rows)
    stream = np.full(rows + 1, -1, dtype=np.int64)
    stream[heads] = np.arange(len(heads))
    number = np.searchsorted(heads, needed, side="right") - 1
    # a join of the same stream is no work of the next: its start is not known before the stream's
    work = np.flatnonzero(np.arange(rows) < heads[number])
    work = work[np.lexsort((needed[work], of.pool[work], number[work]))]
    at = np.searchsorted(number[work], np.arange(len(heads) + 1))
    return Joins(join, needed, tail + of.duration - of.busy, stream, work, at)


def _goes_on(of: Links, join: Bools) -> Bools:
    """Which rows read the row before, and both are joins: bool [rows]."""
    reader = np.repeat(np.arange(len(join)), np.diff(of.at))
    follows = np.zeros(len(join), dtype=np.bool_)
    follows[reader[of.values == reader - 1]] = True
    after: Bools = np.concatenate([[False], join[:-1]])
    return follows & join & after


@compiled
def _needed(at: Array, values: Array, duration: Array, join: Array) -> tuple[Array, Array]:
    """The join whose work each row is, and the longest chain between the two: int64 [rows]."""
    rows = len(duration)
    needed, behind = np.full(rows, rows, np.int64), np.zeros(rows, np.int64)
    for row in range(rows - 1, -1, -1):
        by = row if join[row] else needed[row]
        chain = 0 if join[row] else behind[row] + duration[row]
        for i in range(at[row], at[row + 1]):
            read = values[i]
            if by < needed[read]:
                needed[read], behind[read] = by, chain
            elif by == needed[read]:
                behind[read] = max(behind[read], chain)
    return needed, behind

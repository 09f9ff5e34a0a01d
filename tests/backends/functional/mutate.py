"""Programs with one thing changed."""

from dataclasses import fields, replace
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np

from ir.program import Lists, Opcode, Program


def put(program: Program, column: str, row: int, value: int) -> Program:
    """One entry of one column."""
    changed = getattr(program, column).copy()
    changed[row] = value
    return replace(program, **{column: changed})


def swap(program: Program, column: str, one: int, other: int) -> Program:
    """The entries of two rows exchanged."""
    values = getattr(program, column)
    return put(put(program, column, one, values[other]), column, other, values[one])


def lists(rows: list[list[int]]) -> Lists:
    offsets = np.cumsum([0, *(len(r) for r in rows)], dtype=np.int64)
    return Lists(offsets, np.array([v for r in rows for v in r], dtype=np.int32))


def reads(program: Program, row: int, values: list[int]) -> Program:
    """Another list of reads for one row."""
    rows = [program.reads[i].tolist() for i in range(len(program))]
    rows[row] = values
    return replace(program, reads=lists(rows))


def read_instead(program: Program, row: int, old: int, new: int) -> Program:
    return reads(program, row, [new if v == old else v for v in program.reads[row].tolist()])


def apart(program: Program, row: int) -> Program:
    """What a row makes gets bytes of its own, at the end of its buffer: nothing overwrites it."""
    size, buffer = int(program.bytes[row]), int(program.buffer[row])
    at = program.buffers[buffer]
    roomy = replace(at, bytes=at.bytes + size)
    buffers = (*program.buffers[:buffer], roomy, *program.buffers[buffer + 1 :])
    return put(replace(program, buffers=buffers), "offset", row, at.bytes)


def drop(program: Program, row: int) -> Program:
    """Without an instruction: later ids move up by one, and who read it reads one value less."""
    keep = np.arange(len(program)) != row
    moved = np.cumsum(keep) - 1
    changed: dict[str, Any] = {}
    for column in fields(program):
        value = getattr(program, column.name)
        if isinstance(value, np.ndarray):
            changed[column.name] = value[keep]
        elif isinstance(value, Lists):
            kept = [value[i].tolist() for i in np.flatnonzero(keep).tolist()]
            if column.name == "reads":
                kept = [[int(moved[v]) for v in r if v != row] for r in kept]
            changed[column.name] = lists(kept)
    changed["writes"] = np.where(changed["writes"] >= 0, moved[changed["writes"]], -1).astype(
        np.int32
    )
    return replace(program, **changed)


def duplicate(program: Program, row: int, start_ps: int) -> Program:
    """With an instruction once more, as the last one, from `start_ps` on."""
    changed: dict[str, Any] = {}
    for column in fields(program):
        value = getattr(program, column.name)
        if isinstance(value, np.ndarray):
            changed[column.name] = np.append(value, value[row])
        elif isinstance(value, Lists):
            changed[column.name] = lists([value[i].tolist() for i in (*range(len(value)), row)])
    changed["start_ps"][-1] = start_ps
    if program.writes[row] >= 0:
        changed["writes"][-1] = len(program)
    return replace(program, **changed)


def turned(program: Program) -> Program:
    """Other ids and nothing else: of instructions whose values are there the last comes next."""
    count = len(program)
    users: list[list[int]] = [[] for _ in range(count)]
    for reader, read in zip(program.reads.rows(), program.reads.values, strict=True):
        users[read].append(int(reader))
    waits = np.diff(program.reads.offsets).tolist()
    ready, order = [-row for row in range(count) if not waits[row]], list[int]()
    heapify(ready)
    while ready:
        order.append(-heappop(ready))
        for user in users[order[-1]]:
            waits[user] -= 1
            if not waits[user]:
                heappush(ready, -user)
    place, changed = np.argsort(order).astype(np.int32), dict[str, Any]()
    for column in fields(program):
        value = getattr(program, column.name)
        if isinstance(value, np.ndarray):
            changed[column.name] = value[order]
        elif isinstance(value, Lists):
            changed[column.name] = lists([value[row].tolist() for row in order])
    changed["reads"] = Lists(changed["reads"].offsets, place[changed["reads"].values])
    writes = changed["writes"]
    changed["writes"] = np.where(writes >= 0, place[writes], -1).astype(np.int32)
    return replace(program, **changed)


def rows(program: Program, opcode: Opcode, **where: int) -> list[int]:
    """Rows of an opcode with these values in columns, in order of effect."""
    mask = program.opcode == opcode
    for column, value in where.items():
        mask &= getattr(program, column) == value
    found = np.flatnonzero(mask)
    return [int(row) for row in found[np.lexsort((found, program.start_ps[found]))]]

"""Lower bounds on a program's makespan, from the program alone.

Three times that no schedule of the program can beat:

- the critical path: the longest chain of instructions that read each other's values;
- the busiest unit: the total busy time of one unit, or of a pool divided by its units;
- the segments: attention over a whole sequence is a barrier, as is the selection by experts that
  choose tokens. What lies between two barriers of a sequence (it reads the first, the second reads
  it) cannot overlap what lies between two others. Each segment takes at least its own critical
  path, and for every unit at least its busy time there with the shortest chain before and after.
  They add up, with the barriers between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ir.arrays import Array, Ints
from ir.jit import compiled, frozen
from ir.program import Opcode, Program, Unit

CHAIN = -1  # in place of a pool: instructions that read each other's values


@dataclass(frozen=True)
class Part:
    """Time that no schedule can spare, and what takes it.

    unit: one unit, the first of its pool where several are equal, with `name` for them all; None:
    a chain of instructions that read each other's values.
    """

    unit: Unit | None
    name: str
    ps: int


@dataclass(frozen=True)
class Bounds:
    """critical_path_ps, busiest_ps with `busiest` its name, segments_ps: see the module.

    parts: what the largest of the three is made of, the longest first; they sum to it.
    """

    critical_path_ps: int
    busiest_ps: int
    busiest: str
    segments_ps: int = 0
    parts: tuple[Part, ...] = ()

    @property
    def bound_ps(self) -> int:
        """The largest of them."""
        return max(self.critical_path_ps, self.busiest_ps, self.segments_ps)


def lower_bounds(program: Program) -> Bounds:
    """All bounds of `program`; reads point to lower ids, so passes in id order suffice."""
    at, values = frozen(program.reads.offsets, np.int64), frozen(program.reads.values, np.int32)
    duration = frozen(program.duration_ps, np.int64)
    no_barrier = np.full(len(program), -1, dtype=np.int64)
    before = _before(at, values, duration, _levels(at, values, no_barrier))
    path = int((before + duration).max(initial=0))
    pool, size, names = pools(program)
    busy = np.zeros(len(size), dtype=np.int64)
    np.add.at(busy, pool[program.unit], program.busy_ps)
    means = -(-busy // size)
    most = int(np.argmax(means)) if len(means) else -1
    name, total = (names[most], int(means[most])) if most >= 0 else ("none", 0)
    every = [_segments(program, pool, size, sequence) for sequence in _sequences(program)]
    segments = max(every, key=lambda held: sum(held.values()), default={})
    between = sum(segments.values())
    largest = {CHAIN: path} if path >= max(total, between) else {most: total}
    if between > max(path, total):
        largest = segments
    return Bounds(path, total, name, between, _parts(largest, program, pool, names))


def _parts(
    held: Mapping[int, int], program: Program, pool: Ints, names: list[str]
) -> tuple[Part, ...]:
    """{pool or CHAIN: ps} with their units, the longest first."""
    by_time = sorted(held.items(), key=lambda item: (-item[1], item[0]))
    return tuple(
        Part(None, "", ps)
        if key == CHAIN
        else Part(program.units[int(np.argmax(pool == key))], names[key], ps)
        for key, ps in by_time
        if ps
    )


def _sequences(program: Program) -> list[int]:
    """Sequences with attention."""
    return [int(s) for s in np.unique(program.seq[program.opcode == Opcode.ATTN])]


def pools(program: Program) -> tuple[Ints, Ints, list[str]]:
    """(pool of each unit, units of each pool, its name): equal units make one pool."""
    names: dict[str, int] = {}
    pool = []
    for unit in program.units:
        several = unit.kind in ("dpu", "mha")
        shared = unit.kind if unit.layer < 0 else f"{unit.kind}.{unit.layer}"
        pool.append(names.setdefault(shared if several else unit.name, len(names)))
    of_unit = np.array(pool, dtype=np.int64)
    return of_unit, np.bincount(of_unit, minlength=len(names)), list(names)


def _segments(program: Program, pool: Ints, size: Ints, sequence: int) -> dict[int, int]:
    """What the segments of one sequence, and the attentions between them, take at least.

    {pool, or CHAIN: ps}: each segment counts for the pool that needs longest in it, or for its own
    critical path where that is as long.
    """
    at, values = frozen(program.reads.offsets, np.int64), frozen(program.reads.values, np.int32)
    duration = frozen(program.duration_ps, np.int64)
    barriers = _chain(program, at, values, sequence)
    barrier = np.full(len(program), -1, dtype=np.int64)
    barrier[barriers] = np.arange(len(barriers))
    after, until = _levels(at, values, barrier), _until(at, values, barrier, len(barriers))
    # between barrier s - 1 and barrier s; the last segment has no barrier behind it
    segment = np.where((barrier < 0) & (until == after), after, -1)
    head = _before(at, values, duration, segment)
    tail = _behind(at, values, duration, segment)
    rows = np.flatnonzero(segment >= 0)
    longest = np.zeros(len(barriers) + 1, dtype=np.int64)
    np.maximum.at(longest, segment[rows], (head + duration + tail)[rows])
    holder = np.full(len(longest), CHAIN)
    idle = program.duration_ps - program.busy_ps  # until a result is there its unit may be free
    jobs = _Jobs(
        segment[rows],
        pool[program.unit[rows]],
        program.busy_ps[rows],
        head[rows],
        (tail + idle)[rows],
    )
    where, by, least = _longest(jobs, size)
    longer = least > longest[where]
    longest[where[longer]], holder[where[longer]] = least[longer], by[longer]
    of_barrier = np.where(
        program.opcode[barriers] == Opcode.ATTN, pool[program.unit[barriers]], CHAIN
    )
    held = np.zeros(len(size) + 1, dtype=np.int64)  # the last entry is the chain's
    np.add.at(held, np.concatenate([holder, of_barrier]), np.append(longest, duration[barriers]))
    used = np.flatnonzero(held[:-1]).tolist()
    return {CHAIN: int(held[CHAIN]), **{key: int(held[key]) for key in used}}


class _Jobs(NamedTuple):
    """Jobs of one sequence between its barriers: int64 [jobs] each."""

    segment: Ints
    pool: Ints
    busy: Ints
    head: Ints
    tail: Ints


def _longest(jobs: _Jobs, size: Ints) -> tuple[Ints, Ints, Ints]:
    """(segment, the pool that needs longest there, that time): one entry a segment with work.

    A pool needs its busy time divided by its units, the shortest chain before and the shortest
    behind.
    """
    key = jobs.segment * len(size) + jobs.pool
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    if not len(first):
        return key, key, key
    segment, pool = key[first] // len(size), key[first] % len(size)
    load = np.add.reduceat(jobs.busy[order], first)
    least = np.minimum.reduceat(jobs.head[order], first)
    least += np.minimum.reduceat(jobs.tail[order], first) - (-load // size[pool])
    some = np.flatnonzero(load > 0)
    by_time = some[np.lexsort((-pool[some], least[some], segment[some]))]
    last = by_time[np.flatnonzero(np.diff(segment[by_time], append=-1))]
    return segment[last], pool[last], least[last]


def _chain(program: Program, at: Array, values: Array, sequence: int) -> Ints:
    """Barriers of a sequence each of which waits for the one before: rows, ascending."""
    whole = np.isin(program.opcode, (Opcode.ATTN, Opcode.TOPK)) & (program.token < 0)
    barriers = np.flatnonzero(whole & (program.seq == sequence))
    while True:
        barrier = np.full(len(program), -1, dtype=np.int64)
        barrier[barriers] = np.arange(len(barriers))
        waits = _levels(at, values, barrier)[barriers] == barrier[barriers]
        if waits.all():
            return barriers
        barriers = np.delete(barriers, np.argmin(waits))


@compiled
def _levels(at: Array, values: Array, barrier: Array) -> Array:
    """Barriers that each row comes after (itself not counted for a barrier): int64 [rows]."""
    out = np.zeros(len(barrier), np.int64)
    for row in range(len(barrier)):
        for i in range(at[row], at[row + 1]):
            read = values[i]
            level = barrier[read] + 1 if barrier[read] >= 0 else out[read]
            out[row] = max(out[row], level)
    return out


@compiled
def _until(at: Array, values: Array, barrier: Array, barriers: int) -> Array:
    """The first barrier that needs each row, or the number of barriers: int64 [rows]."""
    out = np.full(len(barrier), barriers, np.int64)
    for row in range(len(barrier) - 1, -1, -1):
        needed = barrier[row] if barrier[row] >= 0 else out[row]
        for i in range(at[row], at[row + 1]):
            out[values[i]] = min(out[values[i]], needed)
    return out


@compiled
def _before(at: Array, values: Array, duration: Array, segment: Array) -> Array:
    """Longest chain that a row waits for within its segment, ps: int64 [rows]."""
    out = np.zeros(len(duration), np.int64)
    for row in range(len(duration)):
        for i in range(at[row], at[row + 1]):
            read = values[i]
            if segment[read] == segment[row]:
                out[row] = max(out[row], out[read] + duration[read])
    return out


@compiled
def _behind(at: Array, values: Array, duration: Array, segment: Array) -> Array:
    """Longest chain that waits for a row within its segment, ps: int64 [rows]."""
    out = np.zeros(len(duration), np.int64)
    for row in range(len(duration) - 1, -1, -1):
        for i in range(at[row], at[row + 1]):
            read = values[i]
            if segment[read] == segment[row]:
                out[read] = max(out[read], out[row] + duration[row])
    return out

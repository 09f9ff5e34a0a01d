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

from dataclasses import dataclass

import numpy as np

from ir.arrays import Array, Ints
from ir.jit import compiled, frozen
from ir.program import Opcode, Program

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Bounds:
    """critical_path_ps, busiest_ps with `busiest` its name, segments_ps: see the module."""

    critical_path_ps: int
    busiest_ps: int
    busiest: str
    segments_ps: int = 0

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
    pool, size, names = _pools(program)
    busy = np.zeros(len(size), dtype=np.int64)
    np.add.at(busy, pool[program.unit], program.busy_ps)
    means = -(-busy // size)
    most = int(np.argmax(means)) if len(means) else -1
    segments = max((_segments(program, pool, size, seq) for seq in _sequences(program)), default=0)
    name, total = (names[most], int(means[most])) if most >= 0 else ("none", 0)
    return Bounds(path, total, name, segments)


def _sequences(program: Program) -> list[int]:
    """Sequences with attention."""
    return [int(s) for s in np.unique(program.seq[program.opcode == Opcode.ATTN])]


def _pools(program: Program) -> tuple[Ints, Ints, list[str]]:
    """(pool of each unit, units of each pool, its name): equal units of a region, or one."""
    names: dict[str, int] = {}
    pool = []
    for unit in program.units:
        several = unit.kind in ("dpu", "mha")
        shared = unit.kind if unit.layer < 0 else f"{unit.kind}.{unit.layer}"
        pool.append(names.setdefault(shared if several else unit.name, len(names)))
    of_unit = np.array(pool, dtype=np.int64)
    return of_unit, np.bincount(of_unit, minlength=len(names)), list(names)


def _segments(program: Program, pool: Ints, size: Ints, sequence: int) -> int:
    """Sum of the segments between the attentions of one sequence, and of those attentions."""
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
    key = segment[rows] * len(size) + pool[program.unit[rows]]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    if not len(first):
        return int(duration[barriers].sum())
    idle = program.duration_ps - program.busy_ps  # until a result is there its unit may be free
    load = np.add.reduceat(program.busy_ps[rows], first)
    some = load > 0
    least = np.minimum.reduceat(head[rows], first) + np.minimum.reduceat(
        tail[rows] + idle[rows], first
    )
    least += -(-load // size[key[first] % len(size)])
    longest = np.zeros(len(barriers) + 1, dtype=np.int64)
    np.maximum.at(longest, key[first][some] // len(size), least[some])
    np.maximum.at(longest, segment[rows], (head + duration + tail)[rows])
    return int(longest.sum() + duration[barriers].sum())


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

"""The program as a Chrome trace: opens in https://ui.perfetto.dev.

A row per unit; an arrow from every LOAD over its expert's two MVMs to the COMBINE that sums the
result; a counter of the data rate on buses, return links, mesh, DRAM and links between dies. Of the
Trace Event Format it uses X (slice), M (name), s, t and f (arrow) and C (counter).

Perfetto keeps whole nanoseconds and lets no two slices of a row overlap: docs/decisions/0013.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ir.arrays import Ints
from ir.program import Opcode, Program

Event = dict[str, object]

FORM = 1  # of what the events say
NS_PER_US = 1000
KINDS = ("group", "acc", "link", "bus", "return", "mesh", "dpu", "mha", "dram", "d2d")
COUNTED = ("bus", "return", "mesh", "dram", "d2d")
LONGEST_CHAIN = 64  # STORE, ACC, MVM, XFER, MUL, ACT, MUL, XFER, ACC, MVM, LOAD, and CROSSes


def trace_json(program: Program, rows: Ints | None = None) -> str:
    """The instructions `rows` (None: all) in Trace Event Format, the text of a file.

    Times are microseconds, as the format demands, with three decimals: whole nanoseconds. An arrow
    is drawn between those of its ends that are among the rows.
    """
    drawn = _draw(program, np.arange(len(program)) if rows is None else np.sort(rows))
    # an arrow meets the slice read last, so the arrows come behind the slices
    events = chain(
        (json.dumps(event, separators=(",", ":")) for event in _names(program, drawn)),
        _slices(program, drawn),
        _arrows(program, drawn),
        _counters(program, drawn),
    )
    about = f'"displayTimeUnit":"ns","otherData":{{"moexbar.form":"{FORM}"}}'
    return f'{{{about},"traceEvents":[{",".join(events)}]}}'


def first_rows(program: Program, events: int) -> Ints:
    """The `events` instructions that start first (with all that start at the same moment less)."""
    if len(program) <= events:
        return np.arange(len(program))
    last = np.sort(program.start_ps)[events]
    return np.flatnonzero(program.start_ps < last)


@dataclass(frozen=True)
class _Drawn:
    """The slices of the instructions `rows` (ascending): unit, tid, start_ns, length_ns int64.

    tid: the trace's row. Unit u has the rows u * lanes, u * lanes + 1, ... of which all but the
    first serve instructions that start in the same nanosecond as others of their unit. pids: the
    process of each kind of unit.
    """

    rows: Ints
    unit: Ints
    tid: Ints
    start_ns: Ints
    length_ns: Ints
    lanes: int
    pids: dict[str, int]


def _draw(program: Program, rows: Ints) -> _Drawn:
    """A slice per instruction, as long as its unit is busy; none overlaps another of its row.

    Starts and ends are rounded, not lengths: so what ends before another starts still does. No two
    slices of a row start together, or Perfetto would give the arrows of one to the other; the
    longest is on the first row. Perfetto reads a tid of 0 as the pid: no pid is also a tid.
    """
    unit = program.unit[rows].astype(np.int64)
    start = _whole_ns(program.start_ps[rows])
    length = _whole_ns(program.start_ps[rows] + program.busy_ps[rows]) - start
    order = np.lexsort((-length, start, unit))
    place = np.arange(len(rows))
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = (np.diff(unit[order]) != 0) | (np.diff(start[order]) != 0)
    lane = np.empty(len(rows), dtype=np.int64)
    lane[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    lanes = int(lane.max(initial=0)) + 1
    pids = {kind: len(program.units) * lanes + n for n, kind in enumerate(KINDS)}
    return _Drawn(rows, unit, unit * lanes + lane, start, length, lanes, pids)


def _whole_ns(ps: Ints) -> Ints:
    """Picoseconds as nanoseconds, half a nanosecond up."""
    return (ps + 500) // 1000


def _names(program: Program, drawn: _Drawn) -> Iterator[Event]:
    """Names of the processes (kinds of unit) and rows (units) in use, in the order of the table."""
    used = {program.units[unit].kind for unit in np.unique(drawn.unit).tolist()}
    for kind, pid in drawn.pids.items():
        if kind in used:
            where: Event = {"ph": "M", "pid": pid, "tid": 0}
            yield {"name": "process_name", **where, "args": {"name": kind}}
            yield {"name": "process_sort_index", **where, "args": {"sort_index": pid}}
    for tid in np.unique(drawn.tid).tolist():
        unit, lane = program.units[tid // drawn.lanes], tid % drawn.lanes
        where = {"ph": "M", "pid": drawn.pids[unit.kind], "tid": tid}
        name = unit.name + (f" +{lane}" if lane else "")
        yield {"name": "thread_name", **where, "args": {"name": name}}
        yield {"name": "thread_sort_index", **where, "args": {"sort_index": tid}}


def _slices(program: Program, drawn: _Drawn) -> Iterator[str]:
    """One slice per instruction, as text at once: most of a file are slices."""
    p, d, rows = program, drawn, drawn.rows
    pids = [d.pids[unit.kind] for unit in p.units]
    names = [op.name for op in Opcode]
    place = (rows, d.unit, d.tid, d.start_ns / NS_PER_US, d.length_ns / NS_PER_US)
    columns = (p.opcode, p.step, p.energy_fj / 1000, p.layer, p.token, p.expert, p.slot)
    for row, unit, tid, ts, dur, code, step, energy_pj, layer, token, expert, slot in zip(
        *(values.tolist() for values in place),
        *(column[rows].tolist() for column in columns),
        strict=True,
    ):
        name = names[code]
        label = name + (f" t{token}" if token >= 0 else "") + (f" e{expert}" if expert >= 0 else "")
        args = f'"id":{row},"step":{step},"energy_pj":{energy_pj}'
        args += f',"layer":{layer}' if layer >= 0 else ""
        args += f',"token":{token}' if token >= 0 else ""
        args += f',"expert":{expert}' if expert >= 0 else ""
        args += f',"slot":{slot}' if slot >= 0 else ""
        where = f'"pid":{pids[unit]},"tid":{tid},"ts":{ts},"dur":{dur}'
        yield f'{{"ph":"X","name":"{label}","cat":"{name}",{where},"args":{{{args}}}}}'


def _paths(program: Program, rows: Ints) -> Ints:
    """LOAD, first MVM, second MVM and COMBINE of every expert's result: int64 [results, 4].

    Followed back from each STORE that a COMBINE among `rows` reads, along first reads. -1 = none.
    """
    p, reads = program, program.reads
    owner = reads.rows()
    mine = np.zeros(len(p), dtype=np.bool_)
    mine[rows] = True
    ends = (p.opcode[owner] == Opcode.COMBINE) & mine[owner]
    ends &= p.opcode[reads.values] == Opcode.STORE
    at = reads.values[ends].astype(np.int64)
    out = np.full((len(at), 4), -1, dtype=np.int64)
    out[:, 3] = owner[ends]
    first = np.full(len(p), -1, dtype=np.int64)
    some = np.diff(reads.offsets) > 0
    first[some] = reads.values[reads.offsets[:-1][some]]
    for _ in range(LONGEST_CHAIN):
        going = (at >= 0) & (out[:, 0] < 0)
        code = np.where(going, p.opcode[at], 255)
        for found, column in (
            ((code == Opcode.MVM) & (p.stage[at] == 1), 2),
            ((code == Opcode.MVM) & (p.stage[at] == 0), 1),
            (code == Opcode.LOAD, 0),
        ):
            out[found, column] = at[found]
        at = np.where(going, first[at], -1)
    out[(out >= 0) & ~mine[out]] = -1
    return out


def _arrows(program: Program, drawn: _Drawn) -> Iterator[str]:
    """An arrow per expert's result; each end lies at the start of its instruction's slice."""
    pids = [drawn.pids[unit.kind] for unit in program.units]
    paths = _paths(program, drawn.rows)
    places = np.searchsorted(drawn.rows, paths)
    for number, path in enumerate(np.where(paths >= 0, places, -1).tolist(), start=1):
        ends = [at for at in path if at >= 0]
        for place, at in enumerate(ends if len(ends) > 1 else []):
            last = place == len(ends) - 1
            kind = "s" if place == 0 else "f" if last else "t"
            where = f'"pid":{pids[drawn.unit[at]]},"tid":{drawn.tid[at]}'
            where += f',"ts":{drawn.start_ns[at].item() / NS_PER_US}'
            where += ',"bp":"e"' if last else ""  # to the slice around this time, not the next
            yield f'{{"ph":"{kind}","name":"result","cat":"flow","id":{number},{where}}}'


def _counters(program: Program, drawn: _Drawn) -> Iterator[str]:
    """Bytes per nanosecond on all links of a kind together, wherever it changes."""
    kinds: npt.NDArray[Any] = np.array([unit.kind for unit in program.units])
    busy_ps = program.busy_ps[drawn.rows]
    for kind in COUNTED:
        here = np.flatnonzero((kinds[drawn.unit] == kind) & (busy_ps > 0))
        # thousandths of a byte per nanosecond
        rate = program.bytes[drawn.rows[here]] * 10**6 // busy_ps[here]
        start, end = drawn.start_ns[here], drawn.start_ns[here] + drawn.length_ns[here]
        time, place = np.unique(np.concatenate([start, end]), return_inverse=True)
        change = np.zeros(len(time), dtype=np.int64)
        np.add.at(change, place, np.concatenate([rate, -rate]))
        for ns, level in zip(time.tolist(), np.cumsum(change).tolist(), strict=True):
            where = f'"name":"{kind} GB/s","pid":{drawn.pids[kind]},"ts":{ns / NS_PER_US}'
            yield f'{{"ph":"C",{where},"args":{{"GB/s":{level / 1000}}}}}'

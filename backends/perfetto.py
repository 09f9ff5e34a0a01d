"""The program as a Chrome trace: opens in https://ui.perfetto.dev.

One row per unit; an arrow from every LOAD over its expert's two MVMs to the COMBINE that sums the
result; a counter of the data rate on buses, return links, mesh and DRAM. Of the Trace Event Format
it uses X (slice), M (name), s, t and f (arrow) and C (counter).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ir.arrays import Ints
from ir.program import Opcode, Program

Event = dict[str, object]

PS_PER_US = 1e6
PROCESSES = {
    "group": 1,
    "acc": 2,
    "link": 3,
    "bus": 4,
    "return": 5,
    "mesh": 6,
    "dpu": 7,
    "mha": 8,
    "dram": 9,
}
COUNTED = ("bus", "return", "mesh", "dram")
LONGEST_CHAIN = 16  # STORE, ACC, MVM, XFER, MUL, ACT, MUL, XFER, ACC, MVM, LOAD: 10 back


def chrome_trace(program: Program, rows: Ints | None = None) -> dict[str, object]:
    """Trace Event Format of the instructions `rows`; None = all.

    Times are microseconds, as the format demands, so a nanosecond reads as 0.001. An arrow is
    drawn between those of its ends that are among the rows.
    """
    chosen = np.arange(len(program)) if rows is None else np.sort(rows)
    events = [*_names(program, chosen), *_slices(program, chosen)]
    events += [*_arrows(program, chosen), *_counters(program, chosen)]
    return {"displayTimeUnit": "ns", "traceEvents": events}


def first_rows(program: Program, events: int) -> Ints:
    """The `events` instructions that start first (with all that start at the same moment less)."""
    if len(program) <= events:
        return np.arange(len(program))
    last = np.sort(program.start_ps)[events]
    return np.flatnonzero(program.start_ps < last)


def _pid(program: Program) -> list[int]:
    """Process of each unit."""
    return [PROCESSES[unit.kind] for unit in program.units]


def _names(program: Program, rows: Ints) -> Iterator[Event]:
    """Names of the processes (kinds of unit) and rows (units) in use, in the order of the table."""
    pids = _pid(program)
    used = np.unique(program.unit[rows]).tolist()
    for kind, pid in PROCESSES.items():
        if any(pids[unit] == pid for unit in used):
            yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": kind}}
            yield {
                "ph": "M",
                "name": "process_sort_index",
                "pid": pid,
                "tid": 0,
                "args": {"sort_index": pid},
            }
    for unit in used:
        where = {"pid": pids[unit], "tid": unit}
        name = {"name": program.units[unit].name}
        yield {"ph": "M", "name": "thread_name", **where, "args": name}
        yield {"ph": "M", "name": "thread_sort_index", **where, "args": {"sort_index": unit}}


def _slices(program: Program, rows: Ints) -> Iterator[Event]:
    """One slice per instruction, as long as its unit is busy."""
    p, pids = program, _pid(program)
    names = [op.name for op in Opcode]
    columns = (
        rows,
        p.opcode[rows],
        p.unit[rows],
        p.start_ps[rows],
        p.busy_ps[rows],
        p.layer[rows],
        p.token[rows],
        p.expert[rows],
        p.slot[rows],
        p.step[rows],
        p.energy_fj[rows],
    )
    for row, code, unit, start, busy, layer, token, expert, slot, step, energy in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        name = names[code]
        label = name + (f" t{token}" if token >= 0 else "") + (f" e{expert}" if expert >= 0 else "")
        facts = {"layer": layer, "token": token, "expert": expert, "slot": slot}
        args: Event = {"id": row, "step": step, "energy_pj": energy / 1000}
        args |= {key: value for key, value in facts.items() if value >= 0}
        yield {
            "ph": "X",
            "name": label,
            "cat": name,
            "pid": pids[unit],
            "tid": unit,
            "ts": start / PS_PER_US,
            "dur": busy / PS_PER_US,
            "args": args,
        }


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


def _arrows(program: Program, rows: Ints) -> Iterator[Event]:
    """An arrow per expert's result; each end lies at the start of its instruction's slice."""
    p, pids = program, _pid(program)
    for number, path in enumerate(_paths(program, rows).tolist(), start=1):
        ends = [row for row in path if row >= 0]
        for place, row in enumerate(ends if len(ends) > 1 else []):
            unit = int(p.unit[row])
            event: Event = {
                "ph": "t",
                "name": "result",
                "cat": "flow",
                "id": number,
                "pid": pids[unit],
                "tid": unit,
                "ts": int(p.start_ps[row]) / PS_PER_US,
            }
            if place == 0:
                event["ph"] = "s"
            elif place == len(ends) - 1:
                event |= {"ph": "f", "bp": "e"}  # to the slice around this time, not the next
            yield event


def _counters(program: Program, rows: Ints) -> Iterator[Event]:
    """Bytes per nanosecond on all links of a kind together, wherever it changes."""
    kinds: npt.NDArray[Any] = np.array([unit.kind for unit in program.units])
    for kind in COUNTED:
        here = rows[(kinds[program.unit[rows]] == kind) & (program.busy_ps[rows] > 0)]
        start, busy = program.start_ps[here], program.busy_ps[here]
        rate = program.bytes[here] * 10**6 // busy  # thousandths of a byte per nanosecond
        time, place = np.unique(np.concatenate([start, start + busy]), return_inverse=True)
        change = np.zeros(len(time), dtype=np.int64)
        np.add.at(change, place, np.concatenate([rate, -rate]))
        for ps, level in zip(time.tolist(), np.cumsum(change).tolist(), strict=True):
            yield {
                "ph": "C",
                "name": f"{kind} GB/s",
                "pid": PROCESSES[kind],
                "ts": ps / PS_PER_US,
                "args": {"GB/s": level / 1000},
            }

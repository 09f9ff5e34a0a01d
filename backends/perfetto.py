"""The program as a Chrome trace: opens in https://ui.perfetto.dev, one row per unit."""

from collections.abc import Iterator

import numpy as np

from ir.program import Opcode, Program

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


def chrome_trace(program: Program, first: int = 0, last: int | None = None) -> dict[str, object]:
    """Trace Event Format of the instructions that start in [first, last) picoseconds.

    Times are microseconds, as the format demands, so a nanosecond reads as 0.001.
    """
    stop = program.makespan_ps + 1 if last is None else last
    rows = np.flatnonzero((program.start_ps >= first) & (program.start_ps < stop))
    events: list[dict[str, object]] = [*_names(program, np.unique(program.unit[rows]))]
    events += [_event(program, int(row)) for row in rows]
    return {"displayTimeUnit": "ns", "traceEvents": events}


def _names(
    program: Program, used: np.ndarray[tuple[int], np.dtype[np.int32]]
) -> Iterator[dict[str, object]]:
    for kind, pid in PROCESSES.items():
        yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": kind}}
    for number in used.tolist():
        unit = program.units[number]
        yield {
            "ph": "M",
            "name": "thread_name",
            "pid": PROCESSES[unit.kind],
            "tid": number,
            "args": {"name": unit.name},
        }


def _event(program: Program, row: int) -> dict[str, object]:
    unit = int(program.unit[row])
    token, expert = int(program.token[row]), int(program.expert[row])
    name = Opcode(int(program.opcode[row])).name
    label = name + (f" t{token}" if token >= 0 else "") + (f" e{expert}" if expert >= 0 else "")
    return {
        "ph": "X",
        "name": label,
        "cat": name,
        "pid": PROCESSES[program.units[unit].kind],
        "tid": unit,
        "ts": int(program.start_ps[row]) / PS_PER_US,
        "dur": int(program.busy_ps[row]) / PS_PER_US,
        "args": {
            "id": row,
            "layer": int(program.layer[row]),
            "token": token,
            "expert": expert,
            "slot": int(program.slot[row]),
            "energy_pj": int(program.energy_fj[row]) / 1000,
        },
    }

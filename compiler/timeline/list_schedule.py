"""Start times: a list schedule of the draft over all units.

Discrete events. An instruction is ready when everything it reads (and everything it was told to
wait for) is there; among the ready ones a free unit takes the one with the lowest priority number,
then the lowest id. A LOAD or XFER that fills input buffers also needs a free entry in every group
it goes to; the entry is free again when its last MVM there has ended. One that must wait for an
entry is set aside, so that it does not hold up others on the same bus.
"""

from dataclasses import dataclass

import numpy as np

from compiler.emit.stream import Draft
from compiler.timeline.events import run
from ir.arrays import Ints
from ir.errors import CheckError
from ir.program import Lists


@dataclass(frozen=True, eq=False)
class Times:
    """start_ps and unit (the server of a pool that took the job) of every instruction."""

    start_ps: Ints
    unit: Ints


def list_schedule(draft: Draft, servers: dict[int, int], entries: int) -> Times:
    """Times for every instruction; `entries`: vectors an input buffer holds.

    servers: first unit of a pool -> number of units. Raises CheckError (a fault of the emitter) if
    some instruction can never start.
    """
    columns = draft.columns
    pool, dst = columns["unit"], draft.dst
    last = [int(column.max(initial=-1)) for column in (pool, dst.values)]
    units = max([*last, *(first + n - 1 for first, n in servers.items())], default=-1) + 1
    count = np.ones(max(units, 1), dtype=np.int64)
    for first, n in servers.items():
        count[first] = n
    waits_end, ends = _successors((draft.reads, draft.after))
    waits_start, starts = _successors((draft.chained,))
    start, unit = run(
        columns["duration_ps"],
        columns["busy_ps"],
        columns["priority"],
        pool,
        draft.last_reader,
        waits_end + waits_start,
        *ends,
        *starts,
        dst.offsets,
        dst.values.astype(np.int64),
        count,
        _bases(np.bincount(pool, minlength=len(count))),
        _bases(np.bincount(dst.values, minlength=len(count))),
        _bases(count),
        entries,
    )
    stuck = np.flatnonzero(start < 0)
    if len(stuck):
        raise CheckError("progress", f"#{stuck[0]}", f"{len(stuck)} instructions never start")
    return Times(start, unit)


def _bases(sizes: Ints) -> Ints:
    """Where each of several arrays begins that lie one after another, and where the last ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def _successors(lists: tuple[Lists, ...]) -> tuple[Ints, tuple[Ints, Ints]]:
    """How many each row waits for, and who waits for it, of the edges (value -> row) in `lists`."""
    rows = len(lists[0])
    missing: Ints = np.sum([np.diff(edges.offsets) for edges in lists], axis=0)
    source = np.concatenate([edges.values for edges in lists])
    target = np.concatenate([edges.rows() for edges in lists])
    at = _bases(np.bincount(source, minlength=rows))
    return missing, (at, target[np.argsort(source, kind="stable")])

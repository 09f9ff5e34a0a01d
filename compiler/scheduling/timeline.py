"""Start times: a list schedule of the draft over all units.

Discrete events. An instruction is ready when everything it reads (and everything it was told to
wait for) is there; among the ready ones a free unit takes the one with the lowest priority number,
then the lowest id. A LOAD or XFER that fills input buffers also needs a free entry in every group
it goes to; the entry is free again when its last MVM there has ended. One that must wait for an
entry is set aside, so that it does not hold up others on the same bus.
"""

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compiler.emit.stream import Draft
from ir.errors import CheckError
from ir.program import Lists

Ints = npt.NDArray[np.int64]


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
    run = _Run(draft, servers, entries)
    run.go()
    stuck = np.flatnonzero(np.asarray(run.start) < 0)
    if len(stuck):
        raise CheckError("progress", f"#{stuck[0]}", f"{len(stuck)} instructions never start")
    return Times(np.asarray(run.start, dtype=np.int64), np.asarray(run.unit, dtype=np.int64))


class _Run:
    """The event loop's state, in plain lists of integers: numpy scalars are slow one at a time.

    A heap entry is one integer, its sort key x rows + row, for the same reason: tuples are slower
    and a million of them keep the garbage collector busy.
    """

    def __init__(self, draft: Draft, servers: dict[int, int], entries: int) -> None:
        columns, self.rows = draft.columns, len(draft)
        self.duration: list[int] = columns["duration_ps"].tolist()
        self.busy: list[int] = columns["busy_ps"].tolist()
        self.turn: list[int] = (columns["priority"] * self.rows + np.arange(self.rows)).tolist()
        self.pool: list[int] = columns["unit"].tolist()
        self.unit: list[int] = list(self.pool)
        self.start = [-1] * self.rows
        self.last_reader: list[bool] = draft.last_reader.tolist()
        self.missing, self.on_end = _successors((draft.reads, draft.after))
        chained, self.on_start = _successors((draft.chained,))
        self.missing = [a + b for a, b in zip(self.missing, chained, strict=True)]
        self.dst = _Edges(draft.dst.offsets.tolist(), draft.dst.values.tolist())
        units = max(self.pool, default=-1) + 1
        units = max([units, *(first + n for first, n in servers.items()), *self.dst.values])
        self.free = [
            [u + n - 1 - i for i in range(n)] for u in range(units + 1) for n in [servers.get(u, 1)]
        ]
        self.ready: list[list[int]] = [[] for _ in range(units + 1)]
        self.entries = [entries] * (units + 1)
        self.parked: list[list[int]] = [[] for _ in range(units + 1)]
        self.freeing: list[int] = []  # heaps of time x rows + row: the unit is free, the job ends
        self.ending: list[int] = []
        self.dirty: dict[int, None] = {}

    def go(self) -> None:
        for row, missing in enumerate(self.missing):
            if not missing:
                self._make_ready(row)
        self._dispatch(0)
        while self.ending:  # a unit is free no later than its job ends
            first = min(self.freeing[0], self.ending[0]) if self.freeing else self.ending[0]
            now = first // self.rows
            limit = (now + 1) * self.rows
            while self.freeing and self.freeing[0] < limit:
                self._release(heapq.heappop(self.freeing) % self.rows)
            while self.ending and self.ending[0] < limit:
                self._end(heapq.heappop(self.ending) % self.rows)
            self._dispatch(now)

    def _make_ready(self, row: int) -> None:
        pool = self.pool[row]
        heapq.heappush(self.ready[pool], self.turn[row])
        self.dirty[pool] = None

    def _release(self, row: int) -> None:
        pool = self.pool[row]
        self.free[pool].append(self.unit[row])
        self.dirty[pool] = None

    def _end(self, row: int) -> None:
        if self.last_reader[row]:
            group = self.unit[row]
            self.entries[group] += 1
            self._wake(group)
        self._satisfy(self.on_end.of(row))

    def _satisfy(self, successors: list[int]) -> None:
        missing = self.missing
        for other in successors:
            missing[other] -= 1
            if not missing[other]:
                self._make_ready(other)

    def _dispatch(self, now: int) -> None:
        while self.dirty:
            pool = next(iter(self.dirty))
            del self.dirty[pool]
            free, ready = self.free[pool], self.ready[pool]
            while free and ready:
                row = heapq.heappop(ready) % self.rows
                if self._claim_entries(row):
                    self._begin(row, free.pop(), now)

    def _claim_entries(self, row: int) -> bool:
        """Take an input buffer entry in every group this row fills, or park it at a full one."""
        groups = self.dst.of(row)
        for group in groups:
            if not self.entries[group]:
                heapq.heappush(self.parked[group], self.turn[row])
                for other in groups:  # the entries it leaves may serve another that waits
                    self._wake(other)
                return False
        for group in groups:
            self.entries[group] -= 1
        return True

    def _wake(self, group: int) -> None:
        """If the group has a free entry, let the first that is parked for it try again."""
        if self.entries[group] and self.parked[group]:
            self._make_ready(heapq.heappop(self.parked[group]) % self.rows)

    def _begin(self, row: int, unit: int, now: int) -> None:
        self.unit[row], self.start[row] = unit, now
        heapq.heappush(self.freeing, (now + self.busy[row]) * self.rows + row)
        heapq.heappush(self.ending, (now + self.duration[row]) * self.rows + row)
        self._satisfy(self.on_start.of(row))


@dataclass(frozen=True, eq=False)
class _Edges:
    """Lists of integers, one after another: row i is values[at[i]:at[i + 1]]."""

    at: list[int]
    values: list[int]

    def of(self, row: int) -> list[int]:
        return self.values[self.at[row] : self.at[row + 1]]


def _successors(lists: tuple[Lists, ...]) -> tuple[list[int], _Edges]:
    """Predecessor counts and successor lists of the edges (value -> row) in `lists`."""
    rows = len(lists[0])
    missing = np.sum([np.diff(edges.offsets) for edges in lists], axis=0)
    source = np.concatenate([edges.values for edges in lists])
    target = np.concatenate([edges.rows() for edges in lists])
    at = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=rows))])
    return missing.tolist(), _Edges(at.tolist(), target[np.argsort(source, kind="stable")].tolist())

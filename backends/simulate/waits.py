"""What a simulated program waited for, and who held it up.

The time from the moment an instruction's values are there to its start is split: `unit`, others
held its unit; `order`, its unit stood idle for one that goes before it; then, with the unit free,
`entry`, an input buffer was full; `slot`, the slot before was not over (lockstep); `room`, its
bytes were still in use; `late`, nothing held it back. `data` is time of the unit: it was this
instruction's turn and the unit stood free, but its values were not there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backends.simulate import kernels
from backends.simulate.replay import Simulation
from ir.arrays import Array, Ints
from ir.jit import frozen
from ir.program import Opcode

CAUSES = ("data", "unit", "order", "entry", "slot", "room", "late")


@dataclass(frozen=True)
class Total:
    """Waits of one cause by the instructions of one opcode."""

    cause: str
    opcode: str
    waits: int
    total_ps: int
    longest_ps: int
    longest: int


@dataclass(frozen=True)
class Pair:
    """How long jobs of `waiter` waited while `holder` held the PGs (`unit`) or an input buffer.

    holder: an expert; waiter: an expert, or -1 where a broadcast waited for a free entry.
    """

    unit: str
    cause: str
    holder: int
    waiter: int
    waits: int
    total_ps: int


@dataclass(frozen=True, eq=False)
class Waits:
    """Waiting of every instruction by cause: {cause: int64 [rows], ps}."""

    done: Simulation

    @cached_property
    def _queues(self) -> tuple[Ints, Array, Array, Ints]:
        """kernels.queues for the experts' MVMs."""
        p, m = self.done.program, self.done.machine
        at, jobs = kernels.jobs_by_unit(m.order, m.unit, m.units)
        named = (p.opcode == Opcode.MVM) & (p.expert >= 0)
        held, holder, waiter, amount = kernels.queues(
            at,
            jobs,
            p.start_ps,
            frozen(p.busy_ps, np.int64),
            self.done.ready_ps,
            self.done.free_ps,
            named,
        )
        return held, holder, waiter, amount

    @cached_property
    def by_cause(self) -> dict[str, Ints]:
        """The waits: see the module's docstring."""
        s = self.done
        held = self._queues[0]
        behind = np.maximum(s.free_ps - s.ready_ps, 0)
        turn = np.maximum(s.free_ps, s.ready_ps)
        grant = np.maximum(s.grant_ps - turn, 0)
        of = {"entry": kernels.ENTRY, "slot": kernels.SLOT, "room": kernels.ROOM}
        return {
            "data": np.maximum(s.ready_ps - s.free_ps, 0),
            "unit": held,
            "order": behind - held,
            **{cause: np.where(s.why == code, grant, 0) for cause, code in of.items()},
            "late": s.late_ps,
        }

    def holder(self, cause: str) -> Array:
        """The instruction that each row waited for last, by cause: int32 [rows], -1 = none."""
        s = self.done
        if cause == "data":
            return s.writer
        if cause in ("unit", "order"):
            return s.before
        none = np.full(len(s.program), -1, dtype=np.int32)
        return none if cause == "late" else np.where(self.by_cause[cause] > 0, s.giver, none)

    def longest(self, row: int) -> tuple[str, int, int]:
        """(cause, ps, holder) of a row's longest wait; ("", 0, -1) if it waited for nothing."""
        cause = max(CAUSES, key=lambda name: int(self.by_cause[name][row]))
        ps = int(self.by_cause[cause][row])
        return (cause, ps, int(self.holder(cause)[row])) if ps else ("", 0, -1)

    def totals(self) -> Iterator[Total]:
        """Sums by cause and opcode, largest first within a cause."""
        code = self.done.program.opcode
        for cause in CAUSES:
            ps = self.by_cause[cause]
            rows = []
            for opcode in Opcode:
                here = np.flatnonzero((code == opcode) & (ps > 0))
                if len(here):
                    worst = int(here[np.argmax(ps[here])])
                    total = int(ps[here].sum())
                    rows.append(Total(cause, opcode.name, len(here), total, int(ps[worst]), worst))
            yield from sorted(rows, key=lambda row: -row.total_ps)

    def pairs(self) -> list[Pair]:
        """Who held whom up, longest first: experts at shared PGs, and at their input buffers."""
        p, entry = self.done.program, self.by_cause["entry"]
        _, holder, waiter, amount = self._queues
        loads = np.flatnonzero((entry > 0) & (self.done.giver >= 0))
        loads = loads[p.expert[self.done.giver[loads]] >= 0]
        holder = np.concatenate([holder, self.done.giver[loads]])
        waiter = np.concatenate([waiter, loads.astype(np.int32)])
        amount = np.concatenate([amount, entry[loads]])
        cause = np.repeat([0, 1], [len(amount) - len(loads), len(loads)])
        key = np.stack([p.unit[holder], cause, p.expert[holder], p.expert[waiter]])
        known, place = np.unique(key, axis=1, return_inverse=True)
        total = np.zeros(known.shape[1], dtype=np.int64)
        np.add.at(total, place, amount)
        count = np.bincount(place, minlength=known.shape[1])
        return [
            Pair(
                p.units[int(known[0, n])].name,
                ("unit", "entry")[known[1, n]],
                int(known[2, n]),
                int(known[3, n]),
                int(count[n]),
                int(total[n]),
            )
            for n in np.argsort(-total, kind="stable").tolist()
        ]

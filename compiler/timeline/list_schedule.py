"""Start times: a list schedule of the draft over all units, by one priority rule.

Discrete events. An instruction is ready when everything it reads (and everything it was told to
wait for) is there; among the ready ones a free unit takes the one with the lowest priority number,
then the lowest id. A LOAD or XFER that fills input buffers also needs a free entry in every group
it goes to; the entry is free again when its last MVM there has ended. One that must wait for an
entry is set aside, so that it does not hold up others on the same bus.
"""

from dataclasses import dataclass

import numpy as np

from compiler.timeline.events import run
from compiler.timeline.jobs import Jobs, bases
from ir.arrays import Ints
from ir.errors import CheckError


@dataclass(frozen=True, eq=False)
class Times:
    """start_ps and unit (the server of a pool that took the job) of every instruction.

    end_ps: the last end.
    """

    start_ps: Ints
    unit: Ints
    end_ps: int


def list_schedule(jobs: Jobs, priority: Ints) -> Times:
    """Times for every instruction by the priority numbers [rows].

    Raises CheckError (a fault of the emitter) if some instruction can never start.
    """
    start, unit = run(
        jobs.duration_ps,
        jobs.busy_ps,
        priority,
        jobs.pool,
        jobs.frees,
        jobs.users,
        jobs.missing,
        jobs.ends.at,
        jobs.ends.rows,
        jobs.starts.at,
        jobs.starts.rows,
        jobs.fills.at,
        jobs.fills.rows,
        jobs.filled,
        jobs.groups.at,
        jobs.groups.rows,
        jobs.servers,
        bases(np.bincount(jobs.pool, minlength=len(jobs.servers))),
        bases(np.bincount(jobs.filled, minlength=len(jobs.servers))),
        bases(jobs.servers),
        jobs.entries,
    )
    unit = np.where(jobs.unit == jobs.pool, unit, jobs.unit)  # of a stack the one that was asked
    stuck = np.flatnonzero(start < 0)
    if len(stuck):
        raise CheckError("progress", f"#{stuck[0]}", f"{len(stuck)} instructions never start")
    return Times(start, unit, int((start + jobs.duration_ps).max(initial=0)))

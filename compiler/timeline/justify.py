"""Latest starts: a list schedule backwards from the end gives the priorities of the next one.

Forward-backward improvement (Li and Willis, EJOR 56, 1992; justification: Valls, Ballestin and
Quintanilla, EJOR 165, 2005). Backwards everything waits for what reads it, so an instruction is put
off until a unit that is short of time needs what comes of it: how long a chain behind it waits for
units is in its latest start, as it is in no rule that adds durations. Input buffers are left out,
as are starts that wait for a start: the numbers are priorities, and nothing is timed by them.
"""

from dataclasses import replace

import numpy as np

from compiler.timeline.jobs import Edges, Jobs
from compiler.timeline.list_schedule import Times, list_schedule
from ir.arrays import Ints


def latest_starts(jobs: Jobs, times: Times) -> Ints:
    """Starts counted back from the end, ps, at most 0: the last to end goes first, backwards."""
    end_ps = times.start_ps + jobs.duration_ps
    start_ps = list_schedule(_backwards(jobs), -end_ps).start_ps
    return -(start_ps + jobs.duration_ps)


def _backwards(jobs: Jobs) -> Jobs:
    """The jobs with every wait for an end turned round, and no other wait."""
    count = len(jobs)
    none = Edges(np.zeros(count + 1, dtype=np.int64), np.zeros(0, dtype=np.int64))
    return replace(
        jobs,
        missing=np.diff(jobs.ends.at),
        ended=jobs.ends,
        ends=jobs.ended,
        starts=none,
        fills=none,
        filled=none.rows,
        frees=np.full(count, -1),
    )

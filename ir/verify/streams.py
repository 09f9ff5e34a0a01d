"""Streamed attention from its definition: chains of jobs, each of some queries of a sequence.

A job names the last token that it is for, and is for all after the job before. Together the jobs of
a pass are for each of its tokens once, in order. A job reads what its own tokens made, and the job
before: so it has the keys and values of all tokens up to its own, and of none behind. The last job
reads again what the keys and values of the others are made of, which stays until then.
"""

from dataclasses import dataclass

import numpy as np

from ir.arrays import Bools, Ints
from ir.verify.visits import Visits
from ir.workload import Attention, Dense, Digital, MoELayer, Workload


@dataclass(frozen=True, eq=False)
class Streams:
    """The jobs of streamed attention; the columns are the program's [rows].

    mine: which rows are such jobs. of: row of the job for each visit, -1 = none: [operators,
    visits]. Of each job: before, the one before it in its pass (-1: none); asked, its queries;
    keys, those that it looks at, of the tokens so far. Of other rows -1 or 0.
    """

    mine: Bools
    of: Ints
    before: Ints
    asked: Ints
    keys: Ints


def streams_of(mine: Bools, node: Ints, visit: Ints, tokens: Bools, visits: Visits) -> Streams:
    """The chains of the rows `mine`; tokens: each operator's own visits [operators, visits]."""
    rows = np.flatnonzero(mine)
    of = np.full(tokens.shape, -1, dtype=np.int64)
    before, asked, keys = (np.full(len(mine), fill, dtype=np.int64) for fill in (-1, 0, 0))
    for operator in np.unique(node[rows]).tolist():
        jobs = rows[node[rows] == operator]
        jobs = jobs[np.argsort(visit[jobs], kind="stable")]
        of_job = visits.of_pass[visit[jobs]]
        same = of_job[1:] == of_job[:-1]
        before[jobs[1:][same]] = jobs[:-1][same]
        here = np.flatnonzero(tokens[operator])
        of_pass = visits.of_pass[here]
        place = np.searchsorted(visit[jobs], here)
        next_job = np.minimum(place, len(jobs) - 1)
        ours = (place < len(jobs)) & (of_job[next_job] == of_pass)
        of[operator, here[ours]] = jobs[next_job[ours]]
        asked += np.bincount(jobs[next_job[ours]], minlength=len(mine))
        number = np.zeros(len(visits), dtype=np.int64)
        number[here] = np.arange(len(here)) - np.searchsorted(of_pass, of_pass) + 1
        keys[jobs] = number[visit[jobs]]
    return Streams(mine, of, before, asked, keys)


def may_stream(workload: Workload) -> Bools:
    """Operators that may be done query by query: attention that is proven causal: [operators]."""
    out = np.zeros(len(workload.operators), dtype=np.bool_)
    for index, op in enumerate(workload.operators):
        match op:
            case Attention():
                out[index] = op.causal and op.proven and op.key_side in (None, op.side)
            case Dense() | Digital() | MoELayer():
                pass
    return out

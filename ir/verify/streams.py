"""Streamed attention from its definition: chains of jobs, each of some queries of a sequence.

A job names the last token that it is for, and is for all after the job before. Together the jobs of
a pass are for each of its tokens once, in order. A job reads what its own tokens made, and the job
before: so it has the keys and values of all tokens up to its own, and of none behind. The last job
reads again what the keys and values of the others are made of, which stays until then.

Where a chip keeps keys and values in the regions' buffers, all passes of a sequence are one chain.
"""

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.schedule import Caches
from ir.verify.visits import Visits
from ir.workload import Attention, Dense, Digital, MoELayer, Workload


@dataclass(frozen=True, eq=False)
class Streams:
    """The jobs of streamed attention; the columns are the program's [rows].

    mine: which rows are such jobs. of: row of the job for each visit, -1 = none: [operators,
    visits]. Of each job: before, the one before it in its chain (-1: none); asked, its queries;
    keys, those that it looks at, of the tokens so far. Of other rows -1 or 0. chain: number of the
    chain that each visit's jobs are in, [operators, visits].
    """

    mine: Bools
    of: Ints
    before: Ints
    asked: Ints
    keys: Ints
    chain: Ints


def streams_of(
    mine: Bools, node: Ints, visit: Ints, tokens: Bools, kept: Bools, visits: Visits
) -> Streams:
    """The chains of the rows `mine`.

    tokens: each operator's own visits, [operators, visits]; kept: whether its keys and values stay
    in a region's buffer, [operators].
    """
    rows = np.flatnonzero(mine)
    sequences = max(len(visits.sequence_ids), 1)
    chain = np.where(kept[:, None], visits.of_pass % sequences, visits.of_pass)
    of = np.full(tokens.shape, -1, dtype=np.int64)
    before, asked, keys = (np.full(len(mine), fill, dtype=np.int64) for fill in (-1, 0, 0))
    for operator in np.unique(node[rows]).tolist():
        jobs = rows[node[rows] == operator]
        jobs = jobs[np.argsort(visit[jobs], kind="stable")]
        of_job = visits.of_pass[visit[jobs]]
        in_turn = jobs[np.argsort(chain[operator, visit[jobs]], kind="stable")]
        of_chain = chain[operator, visit[in_turn]]
        same = of_chain[1:] == of_chain[:-1]
        before[in_turn[1:][same]] = in_turn[:-1][same]
        here = np.flatnonzero(tokens[operator])
        place = np.searchsorted(visit[jobs], here)
        next_job = np.minimum(place, len(jobs) - 1)
        ours = (place < len(jobs)) & (of_job[next_job] == visits.of_pass[here])
        of[operator, here[ours]] = jobs[next_job[ours]]
        asked += np.bincount(jobs[next_job[ours]], minlength=len(mine))
        keys[jobs] = _places(here, chain[operator], len(visits))[visit[jobs]]
    return Streams(mine, of, before, asked, keys, chain)


def _places(here: Ints, chain: Ints, visits: int) -> Ints:
    """Which of its chain each of the visits `here` is, from 1 on: [visits], 0 for others."""
    order = here[np.argsort(chain[here], kind="stable")]
    of_chain = chain[order]
    out = np.zeros(visits, dtype=np.int64)
    out[order] = np.arange(len(order)) - np.searchsorted(of_chain, of_chain) + 1
    return out


def may_stream(workload: Workload) -> Bools:
    """Operators that may be done query by query: attention that is proven causal: [operators]."""
    out = np.zeros(len(workload.operators), dtype=np.bool_)
    for index, op in enumerate(workload.operators):
        match op:
            case Attention():
                out[index] = op.causal and op.proven and op.key_side in (None, op.side)
            case Dense() | Digital() | MoELayer():
                pass
            case _:
                assert_never(op)
    return out


def keys_here(kept: Bools, visits: Visits) -> Bools:
    """Whether no keys of a visit's pass are in DRAM: [operators, visits].

    All tokens of its sequence run, or their keys and values are in a region's buffer (`kept`).
    """
    whole = visits.count(visits.runs) == visits.so_far
    here: Bools = whole[visits.of_pass] | kept[:, None]
    return here


def kept_in_buffers(workload: Workload, chip: Chip, caches: Caches) -> Bools:
    """Operators whose keys and values stay in the regions' buffers: [operators]."""
    asked = chip.memory.kv == "buffers" and caches.kv and chip.digital.accounting == "full"
    newest = np.array([op.newest for op in workload.operators], dtype=np.bool_)
    return may_stream(workload) & ~newest & asked

"""Streamed attention: every job on what has been read by then, and on nothing else.

A job is for the tokens after the job before it up to its own. It has the rows that its own reads
bring and those that the jobs before it had; the rows of later tokens are zeros when it is computed.
So an attention that looks ahead, or a job whose keys are not there, gives other numbers than the
model.

The first job of a step may go on with the last of the step before, and then has what that one had;
else it starts anew.
"""

from dataclasses import dataclass

import numpy as np

from backends.functional.machine import At, Machine, StreamRows, rounded
from backends.functional.names import Name
from backends.functional.values import Batch, wrong
from ir.arrays import Array, Ints
from ir.workload import Attention


@dataclass(frozen=True, eq=False)
class _Job:
    """A job: its row, the tokens that it is for, and what it reads beside the job before.

    goes_on: whether there is a job before.
    """

    row: int
    tokens: Ints
    read: Ints
    goes_on: bool


def run_stream(at: At[Attention], ids: Ints) -> None:
    """The jobs `ids` of one attention in one step, which each name the last of their tokens."""
    m, op = at.m, at.op
    chains = _chains(at, ids)
    rows = _rows_so_far(m, at.index, chains)
    found: list[dict[str, Array]] = [{} for _ in m.runs]
    for turn in range(max(map(len, chains))):
        jobs = [chain[turn] for chain in chains if turn < len(chain)]
        for job in jobs:
            _take(m, op, job, rows)
        feeds = _feeds(m, op, rows)
        given = [m.nodes.run(op, fed, op.outputs) for fed in feeds]
        _collect(at, np.concatenate([job.tokens for job in jobs]), given, found)
    found = rounded(at, _feeds(m, op, rows), found)
    _write(m, op, [job for chain in chains for job in chain], found)


def _chains(at: At[Attention], ids: Ints) -> list[list[_Job]]:
    """The jobs by sequence, in order; each goes on with the one before."""
    m, p = at.m, at.m.program
    made = m.made.setdefault((m.step, at.index), np.full(m.tokens, -1, dtype=np.int64))
    chains: list[list[_Job]] = []
    for seq in np.unique(p.seq[ids]).tolist():
        mine = ids[p.seq[ids] == seq]
        mine = mine[np.argsort(p.token[mine], kind="stable")]
        every, before, chain = m.so_far(seq, at.op.side), -1, list[_Job]()
        last = m.jobs.get((at.index, seq), -1)
        for row in mine.tolist():
            read = np.unique(m.values.reads(np.array([row]))[1])
            job = np.isin(read, ids) | (read == last)
            jobs, own = read[job], read[~job]
            wanted = [chain[-1].row] if chain else jobs[jobs == last].tolist()
            before = int(p.token[last]) if wanted and not chain else before
            if jobs.tolist() != wanted:
                raise wrong(p, row, f"goes on with jobs {jobs.tolist()}, expected {wanted}")
            tokens = every[(every > before) & (every <= p.token[row])]
            if not len(tokens):
                raise wrong(p, row, "is for no token")
            made[tokens], before = row, int(p.token[row])
            chain.append(_Job(row, tokens, own, bool(wanted)))
        m.jobs[at.index, seq] = chain[-1].row
        chains.append(chain)
    return chains


def _rows_so_far(m: Machine, index: int, chains: list[list[_Job]]) -> StreamRows:
    """What earlier steps have read for these chains; nothing for those that start anew."""
    rows = m.streams.setdefault(index, StreamRows())
    for chain in chains:
        if not chain[0].goes_on:
            for held in rows.rows.values():
                mine = np.flatnonzero(m.values.sequence == m.program.seq[chain[0].row])
                held[mine[mine < m.tokens - m.before]] = 0
    return rows


def _take(m: Machine, op: Attention, job: _Job, rows: StreamRows) -> None:
    """What a job reads for its own tokens: a row of every input for each."""
    p, values = m.program, m.values
    lost = job.read[values.batch[job.read] < 0]
    if len(lost):
        raise wrong(p, job.row, f"reads {p.name(int(lost[0]))}, not written before")
    for name in op.inputs:
        if name in m.workload.inputs:
            continue
        mine = job.read[values.holds(job.read, name)]
        if not len(mine):
            raise wrong(p, job.row, f"reads no value {name!r}")
        table = values.table(int(mine[0]), name)
        if table is not None:
            rows.tables[name] = table
            continue
        source, token = _by_token(m, job, mine)
        missing = np.setdiff1d(job.tokens, token)
        if len(missing):
            raise wrong(p, job.row, f"does not read {name!r} of token {missing[0]}")
        found = values.rows(np.full(len(source), job.row), source, name, token)
        held = rows.rows.setdefault(name, _none(m, name, found))
        held[token] = found


def _by_token(m: Machine, job: _Job, read: Ints) -> tuple[Ints, Ints]:
    """(value, token) of what a job reads of its own tokens; the last reads earlier ones again."""
    token = m.program.token[read].astype(np.int64)
    several = m.values.row[read] < 0  # of several tokens: it takes those of its own
    own = np.isin(token, job.tokens) & ~several
    source, of = [read[own]], [token[own]]
    for value in read[several].tolist():
        here = np.intersect1d(job.tokens, m.covers[value])
        source.append(np.full(len(here), value))
        of.append(here)
    return np.concatenate(source), np.concatenate(of)


def _none(m: Machine, name: str, like: Array) -> Array:
    """No rows yet, but those of the tokens before the window, as the model has them."""
    rows = np.zeros((m.tokens, *like.shape[1:]), dtype=like.dtype)
    own = m.to_rows(name, [found[name] for found in m.whole]) if m.before else None
    if own is not None:
        rows[m.tokens - m.before :] = own[m.tokens - m.before :].reshape(m.before, *like.shape[1:])
    return rows


def _feeds(m: Machine, op: Attention, rows: StreamRows) -> list[dict[str, Array]]:
    """The inputs of the attention's nodes as they are by now, one dict per run."""
    out: list[dict[str, Array]] = []
    for place, (run, whole) in enumerate(zip(m.runs_of(op.side), m.whole, strict=True)):
        fed: dict[str, Array] = {}
        for name in op.inputs:
            if name in m.workload.inputs:
                fed[name] = m.runs[place].feeds[name]
            elif name in rows.tables:
                fed[name] = rows.tables[name][place]
            else:
                fed[name] = rows.rows[name][run.tokens.ravel()].reshape(whole[name].shape)
        out.append(fed)
    return out


def _collect(
    at: At[Attention],
    tokens: Ints,
    given: list[dict[str, Array]],
    found: list[dict[str, Array]],
) -> None:
    """Keep the rows of these tokens of what the nodes gave, in arrays of the model's shapes."""
    m = at.m
    for run, new, kept in zip(m.runs_of(at.op.side), given, found, strict=True):
        mine = np.isin(run.tokens.ravel(), tokens)
        for name, array in new.items():
            shape = m.row_shape(name)
            if shape is None:  # what holds all keys is whole when the last job is done
                kept[name] = array
                continue
            held = kept.setdefault(name, np.zeros_like(array))
            rows = (run.tokens.size, *shape)
            held.reshape(rows)[mine] = array.reshape(rows)[mine]


def _write(m: Machine, op: Attention, jobs: list[_Job], found: list[dict[str, Array]]) -> None:
    """Each job writes the rows of its tokens: one of a single token its row, others their own."""
    arrays: dict[Name, Array] = {}
    tables: dict[str, list[Array]] = {}
    for name in op.outputs:
        per_run = [values[name] for values in found]
        rows = m.to_rows(name, per_run)
        if rows is None:
            tables[name] = per_run
        else:
            arrays[name] = rows
    single = [job for job in jobs if len(job.tokens) == 1]
    ids = np.array([job.row for job in single], dtype=np.int64)
    token = np.array([job.tokens[0] for job in single], dtype=np.int64)
    m.values.put(ids, token, Batch(arrays, tables))
    for job in (job for job in jobs if len(job.tokens) > 1):
        m.covers[job.row] = job.tokens
        alone = {name: _alone(rows, job.tokens) for name, rows in arrays.items()}
        m.values.put(np.array([job.row]), np.array([-1]), Batch(alone, tables))


def _alone(rows: Array, tokens: Ints) -> Array:
    out = np.zeros_like(rows)
    out[tokens] = rows[tokens]
    return out

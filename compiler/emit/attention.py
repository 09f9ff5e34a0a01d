"""Attention: a stream of queries where no token looks ahead, else a barrier over a sequence.

A streamed attention is a chain of jobs, each of one query or a tile of them, in the order of the
tokens. A job reads what its own tokens made and the job before, whose keys and values it goes on
with. What keys and values are made of stays where it is until the last job that looks at them, so
that one reads it again. Where a chip keeps keys and values in the regions' buffers, the chain goes
on through the decode steps, and its last job is that of the last step.
"""

import numpy as np

from compiler.emit.at import At
from compiler.emit.caches import in_buffers, may_stream, read_keys, write_keys
from compiler.emit.context import Context
from compiler.emit.sequences import per_sequence
from compiler.emit.stream import Costs
from ir import timing
from ir.arrays import Ints
from ir.program import Opcode
from ir.timing import Cost
from ir.units import attention_tile
from ir.workload import Attention


def emit_attention(at: At[Attention]) -> None:
    """The attention of every sequence of the step.

    It is on one of the chip's attention units, or its heads are spread over the region's.
    """
    at.produce(_stream(at) if _streams(at) else _barrier(at))
    if not _in_buffers(at):
        write_keys(at)


def _streams(at: At[Attention]) -> bool:
    """Whether queries go as their tokens come: no key is ahead, and none comes from DRAM."""
    ctx = at.ctx
    here = _in_buffers(at) or not ctx.step.kv
    return may_stream(at.op, ctx.chip) and here


def _in_buffers(at: At[Attention]) -> bool:
    return in_buffers(at.op, at.ctx.schedule.caches, at.ctx.chip)


def _stream(at: At[Attention]) -> Ints:
    """Job of each token: [window tokens]."""
    ctx = at.ctx
    out = np.full(ctx.tokens, -1, dtype=np.int64)
    longest, copies = ctx.schedule.longest_prefill, ctx.mapping.dense_copies
    tile = attention_tile(at.op, _units(at), longest, ctx.chip, copies)
    sources = {name: at.fetch(name) for name in at.op.inputs}
    for part in ctx.by_sequence(at.rows):
        job = np.arange(len(part)) // tile
        ends = np.append(np.flatnonzero(np.diff(job)), len(part) - 1) + 1
        sizes = np.diff(ends, prepend=0)
        keys = ends + ctx.so_far(int(ctx.schedule.sequence[part[0]]), at.op.side) - len(part)
        costs = [_cost(at, int(q), int(n)) for q, n in zip(sizes, keys, strict=True)]
        macs = [_macs(at.op, int(q), int(n)) for q, n in zip(sizes, keys, strict=True)]
        rows = ctx.stream.append(
            Opcode.ATTN,
            at.unit("mha"),
            Costs(costs, np.arange(len(costs))),
            at.tag(part[ends - 1]),
            rows=len(ends),
            size=np.array([ctx.bytes_of(at.op.width * int(q)) for q in sizes], dtype=np.int64),
            macs=np.array(macs, dtype=np.int64),
            buffer=at.region,
        )
        out[part] = rows[job]
        ctx.stream.link("reads", rows[1:], rows[:-1])
        for source in sources.values():
            pairs = np.unique(np.stack([rows[job], source[part]]), axis=1)
            ctx.stream.link("reads", *pairs)
        _hold(at, [sources[name] for name in at.op.kept], part, rows[job])
    return out


def _hold(at: At[Attention], kept: list[Ints], part: Ints, job: Ints) -> None:
    """What keys and values are made of stays until the last job of the chain, which reads it again.

    kept: who made each of that, [window tokens]; part: tokens of a sequence, done by `job` [part].
    """
    ctx, last = at.ctx, job == job[-1]
    if _in_buffers(at):
        key = at.index, int(ctx.schedule.sequence[part[0]])
        held = _go_on(at, key, job)
        if not ctx.last_step:
            held += np.unique(np.concatenate([source[part] for source in kept])).tolist()
            return
        ctx.stream.link("reads", np.full(len(held), job[-1]), np.array(held, dtype=np.int64))
    for source in kept:
        made = np.setdiff1d(source[part[~last]], source[part[last]])
        ctx.stream.link("reads", np.full(len(made), job[-1]), made)


def _go_on(at: At[Attention], key: tuple[int, int], job: Ints) -> list[int]:
    """The first job goes on with the last of the step before; what earlier steps have made."""
    ctx = at.ctx
    ctx.stream.link("reads", job[:1], np.array([ctx.chains.get(key, -1)]))
    ctx.chains[key] = int(job[-1])
    return ctx.kept.setdefault((*key, "keys"), [])


def _barrier(at: At[Attention]) -> Ints:
    """One job per sequence: a barrier over the sequence's tokens.

    With a key-value cache only the tokens that arrive ask; every token so far answers.
    """
    ctx, op = at.ctx, at.op
    parts = ctx.by_sequence(at.rows)
    of = [int(ctx.schedule.sequence[part[0]]) for part in parts]
    keys = [ctx.so_far(sequence, op.key_side) for sequence in of]
    own = [ctx.so_far(sequence, op.side) for sequence in of]
    asked = [queries(ctx, part, n) for part, n in zip(parts, own, strict=True)]
    costs = [_cost(at, q, n) for q, n in zip(asked, keys, strict=True)]
    macs = [_macs(op, q, n) for q, n in zip(asked, keys, strict=True)]
    kept = read_keys(at)
    return per_sequence(at, Opcode.ATTN, at.unit("mha"), costs, macs, kept)


def _cost(at: At[Attention], asked: int, keys: int) -> Cost:
    """Of a job of the newest of so many keys."""
    ctx, op = at.ctx, at.op
    units = _units(at)
    return timing.attention(
        ctx.chip,
        asked,
        keys,
        op.heads,
        op.head_dim,
        causal=op.causal,
        units=units,
        kept_ps=timing.kept_ps(ctx.chip, keys, op.kv_heads, op.head_dim, units),
    )


def _units(at: At[Attention]) -> int:
    """Attention units that share a job."""
    table = at.ctx.units.table
    return table[at.unit("mha")].units


def _macs(op: Attention, asked: int, keys: int) -> int:
    return timing.attention_macs(asked, keys, op.heads, op.head_dim, causal=op.causal)


def queries(ctx: Context, part: Ints, so_far: int) -> int:
    """Tokens of a sequence whose attention is computed in this step."""
    return int(np.isin(part, ctx.step.fresh).sum()) if ctx.step.kv else so_far

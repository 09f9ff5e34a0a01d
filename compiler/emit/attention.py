"""Attention: a stream of queries where no token looks ahead, else a barrier over a sequence.

A streamed attention is a chain of jobs, each of one query or a tile of them, in the order of the
tokens. A job reads what its own tokens made and the job before, whose keys and values it goes on
with. What keys and values are made of stays where it is until the last job that looks at them, so
that one reads it again.
"""

import numpy as np

from compiler.emit.at import At
from compiler.emit.caches import read_keys, write_keys
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
    write_keys(at)


def _streams(at: At[Attention]) -> bool:
    """Whether queries go as their tokens come: all keys are of this step, and none is ahead."""
    ctx, op = at.ctx, at.op
    alone = op.key_side in (None, op.side) and not op.newest and not ctx.step.kv
    return ctx.streams_attention and op.causal and op.proven and alone


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
        costs = [_cost(at, int(q), int(n)) for q, n in zip(sizes, ends, strict=True)]
        macs = [_macs(at.op, int(q), int(n)) for q, n in zip(sizes, ends, strict=True)]
        rows = ctx.stream.append(
            Opcode.ATTN,
            ctx.units.mha(at.region),
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
        before, last = np.split(part, [ends[-1] - sizes[-1]])
        for source in map(sources.__getitem__, at.op.kept):
            made = np.setdiff1d(source[before], source[last])
            ctx.stream.link("reads", np.full(len(made), rows[-1]), made)
    return out


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
    return per_sequence(at, Opcode.ATTN, ctx.units.mha(at.region), costs, macs, kept)


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
    return table[at.ctx.units.mha(at.region)].units


def _macs(op: Attention, asked: int, keys: int) -> int:
    return timing.attention_macs(asked, keys, op.heads, op.head_dim, causal=op.causal)


def queries(ctx: Context, part: Ints, so_far: int) -> int:
    """Tokens of a sequence whose attention is computed in this step."""
    return int(np.isin(part, ctx.step.fresh).sum()) if ctx.step.kv else so_far

"""Reads and writes of the caches in DRAM: keys and values, router scores, expert outputs.

What a step appends is written once its makers are done, and read again in every later step: the
read of step n waits for the writes of the steps before it. One instruction per sequence, operator
and kind of content, since they share one memory port. On a chip with the reference's accounting
keys and values are read in series with the step (after its own are appended, all of them), and
writes and the GO cache cost nothing.
"""

import numpy as np

from compiler.emit.context import Context
from ir import timing
from ir.arrays import Ints
from ir.program import Opcode
from ir.selection import Capacity
from ir.workload import Attention, MoELayer, Operator


def read_keys(ctx: Context, index: int, op: Attention) -> Ints:
    """KV_RD for each sequence's attention, where a cache holds them: [window tokens] or -1."""
    out = np.full(ctx.tokens, -1, dtype=np.int64)
    if not ctx.step.kv:
        return out
    series = timing.reads_in_series(ctx.chip)
    for part in ctx.by_sequence(ctx.rows_of(op)):
        seq = int(ctx.schedule.sequence[part[0]])
        fresh = len(np.intersect1d(part, ctx.step.fresh))
        tokens = ctx.so_far(seq) - (0 if series else fresh)
        row = _read(
            ctx,
            Opcode.KV_RD,
            index,
            seq,
            tokens * timing.key_bytes(ctx.chip, op.kv_heads, op.head_dim),
            "keys",
        )
        if series:
            made = np.unique([source[part] for source in _makers(ctx, index, op)])
            ctx.stream.link("reads", np.full(len(made), row), made)
        out[part] = row
    return out


def write_keys(ctx: Context, index: int, op: Attention) -> None:
    """KV_WR of the keys and values of each sequence's new tokens."""
    if not _kept_later(ctx, kv=True):
        return
    sources = _makers(ctx, index, op)
    for part in ctx.by_sequence(ctx.step.fresh):
        size = len(part) * timing.key_bytes(ctx.chip, op.kv_heads, op.head_dim)
        _write(ctx, Opcode.KV_WR, index, part, size, "keys", [s[part] for s in sources])


def _makers(ctx: Context, index: int, op: Attention) -> list[Ints]:
    """Who makes the attention's inputs, each [window tokens]; the model's own are nobody's."""
    names = [name for name in op.inputs if name not in ctx.workload.inputs]
    return [ctx.fetch(name, ctx.region(op), index) for name in names]


def read_inputs(ctx: Context, index: int, op: MoELayer) -> Ints:
    """KV_RD of the layer's earlier inputs, which its router scores again: [window tokens] or -1."""
    earlier = np.setdiff1d(ctx.step.scored, ctx.step.rows)
    return _read_vectors(ctx, Opcode.KV_RD, index, op, earlier, "inputs")


def write_inputs(ctx: Context, index: int, op: MoELayer, x: Ints) -> None:
    """KV_WR of the layer's new inputs, where later steps score them again without their makers."""
    if op.router.capacity is None or ctx.schedule.caches.go or not _kept_later(ctx, kv=True):
        return
    _write_vectors(ctx, Opcode.KV_WR, index, op, x, "inputs")


def read_scores(ctx: Context, index: int, op: MoELayer, capacity: Capacity, seq: int) -> int:
    """GO_RD of the scores that a new token is compared with; -1 where they cost nothing."""
    if timing.reads_in_series(ctx.chip):
        return -1
    before = ctx.so_far(seq) - 1
    size = timing.score_bytes(op.router.experts, scores_kept(capacity, before))
    return _read(ctx, Opcode.GO_RD, index, seq, size, "scores")


def write_scores(
    ctx: Context, index: int, op: MoELayer, capacity: Capacity, topk: Ints, part: Ints
) -> None:
    """GO_WR of a sequence's new scores after its TOPK [window tokens]."""
    if not _kept_later(ctx, go=True):
        return
    kept = scores_kept(capacity, len(part))
    size = timing.score_bytes(op.router.experts, kept if ctx.step.number == 0 else len(part))
    _write(ctx, Opcode.GO_WR, index, part, size, "scores", [topk[part]])


def read_outputs(ctx: Context, index: int, op: MoELayer) -> Ints:
    """GO_RD of earlier tokens' outputs, where those run again: [window tokens] or -1."""
    earlier = np.setdiff1d(ctx.step.rows, ctx.step.scored)
    return _read_vectors(ctx, Opcode.GO_RD, index, op, earlier, "outputs")


def write_outputs(ctx: Context, index: int, op: MoELayer, combined: Ints) -> None:
    """GO_WR of the new tokens' outputs, where later steps run all tokens again."""
    if op.router.capacity is None or ctx.schedule.caches.kv or not _kept_later(ctx, go=True):
        return
    _write_vectors(ctx, Opcode.GO_WR, index, op, combined, "outputs")


def scores_kept(capacity: Capacity, tokens: int) -> int:
    """Scores per expert that later tokens are compared with: its best C, or all if C grows."""
    return tokens if capacity.constant is None else min(tokens, capacity.constant)


def _kept_later(ctx: Context, *, kv: bool = False, go: bool = False) -> bool:
    """Whether the cache is on, later steps read it, and the chip counts its writes."""
    on = (not kv or ctx.schedule.caches.kv) and (not go or ctx.schedule.caches.go)
    last = ctx.step.number == ctx.schedule.steps[-1].number
    return on and not last and not timing.reads_in_series(ctx.chip)


def _read_vectors(
    ctx: Context, opcode: Opcode, index: int, op: MoELayer, tokens: Ints, kind: str
) -> Ints:
    """A vector of d_model for each of `tokens`, sequence by sequence: [window tokens] or -1."""
    out = np.full(ctx.tokens, -1, dtype=np.int64)
    for part in ctx.by_sequence(tokens):
        seq = int(ctx.schedule.sequence[part[0]])
        out[part] = _read(ctx, opcode, index, seq, len(part) * ctx.bytes_of(op.d_model), kind)
    return out


def _write_vectors(
    ctx: Context, opcode: Opcode, index: int, op: MoELayer, made: Ints, kind: str
) -> None:
    """The new tokens' vectors `made` [window tokens], sequence by sequence."""
    for part in ctx.by_sequence(ctx.step.fresh):
        size = len(part) * ctx.bytes_of(op.d_model)
        _write(ctx, opcode, index, part, size, kind, [made[part]])


def _read(ctx: Context, opcode: Opcode, index: int, seq: int, size: int, kind: str) -> int:
    op: Operator = ctx.workload.operators[index]
    writes = ctx.kept.get((index, seq, kind), [])
    row = ctx.stream.append(
        opcode,
        ctx.units.number("dram"),
        timing.dram(ctx.chip, size),
        ctx.whole_tag(index, seq),
        rows=1,
        buffer=ctx.region(op),
    )
    ctx.stream.link("reads", np.full(len(writes), row[0]), np.array(writes, dtype=np.int64))
    return int(row[0])


def _write(
    ctx: Context, opcode: Opcode, index: int, part: Ints, size: int, kind: str, sources: list[Ints]
) -> None:
    seq = int(ctx.schedule.sequence[part[0]])
    row = ctx.stream.append(
        opcode,
        ctx.units.number("dram"),
        timing.dram(ctx.chip, size),
        ctx.whole_tag(index, seq),
        rows=1,
    )
    made = np.unique(np.concatenate(sources))
    ctx.stream.link("reads", np.full(len(made), row[0]), made)
    ctx.kept.setdefault((index, seq, kind), []).append(int(row[0]))

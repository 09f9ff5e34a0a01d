"""Reads and writes of the caches in DRAM: keys and values, router scores, expert outputs.

Keys and values that a chip keeps in the buffers of its regions need neither (`attention`).

What a step appends is written once its makers are done, and read again in every later step: the
read of step n waits for the writes of the steps before it. One instruction per sequence, operator
and kind of content, since they share one memory port. On a chip with the reference's accounting
keys and values are read in series with the step (after its own are appended, all of them), and
writes and the GO cache cost nothing.
"""

import numpy as np

from compiler.emit.at import At
from compiler.emit.context import Context, Kept
from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.program import Opcode
from ir.schedule import Caches
from ir.selection import Capacity
from ir.workload import Attention, MoELayer, Operator


def may_stream(op: Attention, chip: Chip) -> bool:
    """Whether an attention may go query by query: no query looks at what comes after it."""
    alone = op.key_side in (None, op.side) and not op.newest
    return chip.digital.accounting == "full" and op.causal and op.proven and alone


def in_buffers(op: Attention, caches: Caches, chip: Chip) -> bool:
    """Whether an attention's keys and values stay in its region's buffer from step to step."""
    return chip.memory.kv == "buffers" and caches.kv and may_stream(op, chip)


def read_keys(at: At[Attention]) -> Ints:
    """KV_RD for each sequence's attention, where a cache holds them: [window tokens] or -1."""
    ctx = at.ctx
    out = np.full(ctx.tokens, -1, dtype=np.int64)
    if not ctx.step.kv:
        return out
    series = timing.reads_in_series(ctx.chip)
    sources = _makers(at) if series else []  # moved here before the read, which waits for them
    for part in ctx.by_sequence(at.rows):
        seq = int(ctx.schedule.sequence[part[0]])
        fresh = len(np.intersect1d(part, ctx.step.fresh))
        tokens = ctx.so_far(seq) - (0 if series else fresh)
        row = _read(at, Opcode.KV_RD, seq, tokens * _key_bytes(at), "keys")
        if series:
            made = np.unique([source[part] for source in sources])
            ctx.stream.link("reads", np.full(len(made), row), made)
        out[part] = row
    return out


def write_keys(at: At[Attention]) -> None:
    """KV_WR of the keys and values of each sequence's new tokens."""
    if not _kept_later(at.ctx, kv=True):
        return
    sources = _makers(at)
    for part in at.ctx.by_sequence(at.ctx.step.fresh):
        size = len(part) * _key_bytes(at)
        _write(at, Opcode.KV_WR, part, size, "keys", [s[part] for s in sources])


def _key_bytes(at: At[Attention]) -> int:
    """Bytes of a token's key and value."""
    return timing.key_bytes(at.ctx.chip, at.op.kv_heads, at.op.head_dim)


def _makers(at: At[Attention]) -> list[Ints]:
    """Who makes the attention's inputs, each [window tokens]; the model's own are nobody's."""
    return [at.fetch(name) for name in at.op.inputs if name not in at.ctx.workload.inputs]


def read_inputs(at: At[MoELayer]) -> Ints:
    """KV_RD of the layer's earlier inputs, which its router scores again: [window tokens] or -1."""
    earlier = np.setdiff1d(at.ctx.step.scored, at.ctx.step.rows)
    return _read_vectors(at, Opcode.KV_RD, earlier, "inputs")


def write_inputs(at: At[MoELayer], x: Ints) -> None:
    """KV_WR of the layer's new inputs, where later steps score them again without their makers."""
    ctx = at.ctx
    if at.op.router.capacity is None or ctx.schedule.caches.go or not _kept_later(ctx, kv=True):
        return
    _write_vectors(at, Opcode.KV_WR, x, "inputs")


def read_scores(at: At[MoELayer], capacity: Capacity, seq: int) -> int:
    """GO_RD of the scores that a new token is compared with; -1 where they cost nothing."""
    if timing.reads_in_series(at.ctx.chip):
        return -1
    before = at.ctx.so_far(seq) - 1
    size = timing.score_bytes(at.op.router.experts, scores_kept(capacity, before))
    return _read(at, Opcode.GO_RD, seq, size, "scores")


def write_scores(at: At[MoELayer], capacity: Capacity, topk: Ints, part: Ints) -> None:
    """GO_WR of a sequence's new scores after its TOPK [window tokens]."""
    if not _kept_later(at.ctx, go=True):
        return
    kept = len(part) if at.ctx.step.number else scores_kept(capacity, len(part))
    size = timing.score_bytes(at.op.router.experts, kept)
    _write(at, Opcode.GO_WR, part, size, "scores", [topk[part]])


def read_outputs(at: At[MoELayer]) -> Ints:
    """GO_RD of earlier tokens' outputs, where those run again: [window tokens] or -1."""
    earlier = np.setdiff1d(at.ctx.step.rows, at.ctx.step.scored)
    return _read_vectors(at, Opcode.GO_RD, earlier, "outputs")


def write_outputs(at: At[MoELayer], combined: Ints) -> None:
    """GO_WR of the new tokens' outputs, where later steps run all tokens again."""
    ctx = at.ctx
    if at.op.router.capacity is None or ctx.schedule.caches.kv or not _kept_later(ctx, go=True):
        return
    _write_vectors(at, Opcode.GO_WR, combined, "outputs")


def scores_kept(capacity: Capacity, tokens: int) -> int:
    """Scores per expert that later tokens are compared with: its best C, or all if C grows."""
    return tokens if capacity.constant is None else min(tokens, capacity.constant)


def _kept_later(ctx: Context, *, kv: bool = False, go: bool = False) -> bool:
    """Whether the cache is on, later steps read it, and the chip counts its writes."""
    on = (not kv or ctx.schedule.caches.kv) and (not go or ctx.schedule.caches.go)
    return on and not ctx.last_step and not timing.reads_in_series(ctx.chip)


def _read_vectors(at: At[MoELayer], opcode: Opcode, tokens: Ints, kind: Kept) -> Ints:
    """A vector of d_model for each of `tokens`, sequence by sequence: [window tokens] or -1."""
    ctx = at.ctx
    out = np.full(ctx.tokens, -1, dtype=np.int64)
    for part in ctx.by_sequence(tokens):
        seq = int(ctx.schedule.sequence[part[0]])
        out[part] = _read(at, opcode, seq, len(part) * ctx.bytes_of(at.op.d_model), kind)
    return out


def _write_vectors(at: At[MoELayer], opcode: Opcode, made: Ints, kind: Kept) -> None:
    """The new tokens' vectors `made` [window tokens], sequence by sequence."""
    for part in at.ctx.by_sequence(at.ctx.step.fresh):
        size = len(part) * at.ctx.bytes_of(at.op.d_model)
        _write(at, opcode, part, size, kind, [made[part]])


def _read(at: At[Operator], opcode: Opcode, seq: int, size: int, kind: Kept) -> int:
    ctx = at.ctx
    writes = ctx.kept.get((at.index, seq, kind), [])
    row = ctx.stream.append(
        opcode,
        at.unit("dram"),
        timing.dram(ctx.chip, size),
        at.whole_tag(seq),
        rows=1,
        buffer=at.region,
    )
    ctx.stream.link("reads", np.full(len(writes), row[0]), np.array(writes, dtype=np.int64))
    return int(row[0])


def _write(
    at: At[Operator], opcode: Opcode, part: Ints, size: int, kind: Kept, sources: list[Ints]
) -> None:
    ctx = at.ctx
    seq = int(ctx.schedule.sequence[part[0]])
    row = ctx.stream.append(
        opcode,
        at.unit("dram"),
        timing.dram(ctx.chip, size),
        at.whole_tag(seq),
        rows=1,
    )
    made = np.unique(np.concatenate(sources))
    ctx.stream.link("reads", np.full(len(made), row[0]), made)
    ctx.kept.setdefault((at.index, seq, kind), []).append(int(row[0]))

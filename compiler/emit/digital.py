"""Instructions of the digital and attention units outside the MoE layers."""

import numpy as np

from compiler.emit.at import At
from compiler.emit.context import Context, Value
from compiler.emit.sequences import per_sequence
from ir import timing
from ir.chip import Chip
from ir.program import Opcode
from ir.timing import Cost
from ir.workload import Digital, DigitalKind

OPCODE: dict[DigitalKind, Opcode] = {
    "embed": Opcode.EMBED,
    "norm": Opcode.NORM,
    "add": Opcode.ADD,
    "mul": Opcode.MUL,
    "act": Opcode.ACT,
    "other": Opcode.DIGITAL,
    "join": Opcode.DIGITAL,
}


def emit_digital(at: At[Digital]) -> None:
    """One instruction per token, per sequence, or one in all, as the operator's scope says."""
    ctx, op = at.ctx, at.op
    if op.scope == "constant":
        if op.outputs[0] not in ctx.values:  # the first step makes it for all
            _emit_constant(at)
        return
    tokens = at.rows
    if op.scope == "sequence":
        parts = ctx.by_sequence(tokens)
        work = [timing.digital(ctx.chip, op.elements * len(s)) for s in parts]
        costs = [_with_products(ctx.chip, op, w, len(s)) for w, s in zip(work, parts, strict=True)]
        macs = [op.macs * len(s) for s in parts]
        ids = per_sequence(at, OPCODE[op.kind], at.dpu, costs, macs)
    else:
        rows = ctx.stream.append(
            OPCODE[op.kind],
            at.dpu,
            _token_cost(ctx.chip, op),
            at.tag(tokens),
            rows=len(tokens),
            reads=[at.fetch(name)[tokens] for name in op.inputs],
            size=ctx.bytes_of(op.width),
            macs=op.macs,
            buffer=at.region,
        )
        ids = ctx.spread(tokens, rows)
    at.produce(ids)


def _with_products(chip: Chip, op: Digital, work: Cost, tokens: int) -> Cost:
    """One use for so many tokens: the matrices that the operator holds are read once for all."""
    data = op.weight_bytes + op.gathered_bytes * tokens
    return timing.with_products(chip, work, op.macs * tokens, data)


def _token_cost(chip: Chip, op: Digital) -> Cost:
    if op.kind == "join":
        return timing.join()
    if op.kind == "norm":
        work = timing.norm(chip, op.width)
    elif op.kind == "act":
        work = timing.act(chip, op.width, op.passes)
    else:
        work = timing.digital(chip, op.elements if op.kind == "other" else op.width)
    return _with_products(chip, op, work, 1)


def _emit_constant(at: At[Digital]) -> None:
    """Tables and masks: made once, by whatever they are made of; no region holds them.

    They follow from the number of tokens, which a program has: they come with it and take no time.
    Of a token's vector they use the shape at most, so only other constants are read.
    """
    ctx, op = at.ctx, at.op
    known = [ctx.values[name] for name in op.inputs if name in ctx.values]
    made = [value.ids[:1] for value in known if value.layer == -1]
    row = ctx.stream.append(
        OPCODE[op.kind],
        at.dpu,
        Cost(0, 0, 0),
        at.whole_tag(),
        rows=1,
        reads=made,
        size=ctx.bytes_of(max(op.elements, op.width)),  # a view makes nothing, but is held
        buffer=at.region,
    )
    at.produce(np.full(ctx.tokens, row[0]), held=False)


def emit_samples(ctx: Context) -> None:
    """The next token of every sequence, from the model's first output of its newest token."""
    last = len(ctx.workload.operators) - 1
    at, value = At(ctx, last, ctx.workload.operators[last]), ctx.values[ctx.workload.outputs[0]]
    newest = np.array([part[-1] for part in ctx.by_sequence(ctx.step.rows)], dtype=np.int64)
    rows = ctx.stream.append(
        Opcode.SAMPLE,
        at.dpu,
        timing.sample(ctx.chip),
        at.tag(newest),
        rows=len(newest),
        reads=[value.ids[newest]],
        size=ctx.bytes_of(timing.SAMPLE_VALUES),
        buffer=at.region,
    )
    ids = rows[np.searchsorted(ctx.schedule.sequence[newest], ctx.schedule.sequence)]
    ctx.sampled = Value(ids, at.region, timing.SAMPLE_VALUES)

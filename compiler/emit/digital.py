"""Instructions of the digital and attention units outside the MoE layers."""

import numpy as np
import numpy.typing as npt

from compiler.emit.context import Context
from ir import timing
from ir.program import Opcode, UnitKind
from ir.timing import Cost
from ir.workload import Attention, Digital, DigitalKind

Ints = npt.NDArray[np.int64]

OPCODE: dict[DigitalKind, Opcode] = {
    "embed": Opcode.EMBED,
    "norm": Opcode.NORM,
    "add": Opcode.ADD,
    "mul": Opcode.MUL,
    "act": Opcode.ACT,
    "other": Opcode.DIGITAL,
}


def emit_digital(ctx: Context, index: int, op: Digital) -> None:
    """One instruction per token, per sequence, or one in all, as the operator's scope says."""
    if op.scope == "constant":
        _emit_constant(ctx, index, op)
    elif op.scope == "sequence":
        costs = [timing.digital(ctx.chip, op.elements * len(s)) for s in ctx.sequences()]
        ids = _per_sequence(ctx, index, op, OPCODE[op.kind], "dpu", costs, [0] * len(costs))
        ctx.produce(op, ids, layer=ctx.region(op))
    else:
        layer = ctx.region(op)
        ids = ctx.stream.append(
            OPCODE[op.kind],
            ctx.units.number("dpu"),
            _token_cost(ctx, op),
            ctx.tag(index, ctx.every_token),
            rows=ctx.tokens,
            reads=[ctx.fetch(name, layer, index) for name in op.inputs],
            size=ctx.bytes_of(op.width),
            buffer=layer,
        )
        ctx.produce(op, ids, layer=layer)


def _token_cost(ctx: Context, op: Digital) -> Cost:
    if op.kind == "norm":
        return timing.norm(ctx.chip, op.width)
    if op.kind == "act":
        return timing.act(ctx.chip, op.width)
    return timing.digital(ctx.chip, op.elements if op.kind == "other" else op.width)


def _emit_constant(ctx: Context, index: int, op: Digital) -> None:
    """Tables and masks: made once, by whatever they are made of; no region holds them.

    Of a token's vector they use the shape at most, so only other constants are read.
    """
    known = [ctx.values[name] for name in op.inputs if name in ctx.values]
    made = [value.ids[:1] for value in known if value.layer == -1]
    row = ctx.stream.append(
        OPCODE[op.kind],
        ctx.units.number("dpu"),
        timing.digital(ctx.chip, op.elements),
        ctx.whole_tag(index),
        rows=1,
        reads=made,
        size=ctx.bytes_of(max(op.elements, op.width)),  # a view makes nothing, but is held
        buffer=ctx.region(op),
    )
    ctx.produce(op, np.full(ctx.tokens, row[0]), layer=-1)


def emit_attention(ctx: Context, index: int, op: Attention) -> None:
    """One job per sequence on an attention unit: a barrier over the sequence's tokens."""
    lengths = [len(s) for s in ctx.sequences()]
    costs = [
        timing.attention(ctx.chip, n, op.heads, op.head_dim, causal=op.causal) for n in lengths
    ]
    macs = [timing.attention_macs(n, op.heads, op.head_dim, causal=op.causal) for n in lengths]
    ids = _per_sequence(ctx, index, op, Opcode.ATTN, "mha", costs, macs)
    ctx.produce(op, ids, layer=ctx.region(op))


def _per_sequence(
    ctx: Context,
    index: int,
    op: Attention | Digital,
    opcode: Opcode,
    pool: UnitKind,
    costs: list[Cost],
    macs: list[int],
) -> Ints:
    """One instruction per sequence that reads all its tokens; returns its id for each token."""
    layer, sequences = ctx.region(op), ctx.sequences()
    sources = [ctx.fetch(name, layer, index) for name in op.inputs]
    first = np.array([s[0] for s in sequences], dtype=np.int64)
    rows = ctx.stream.append(
        opcode,
        ctx.units.number(pool),
        costs,
        ctx.whole_tag(index, ctx.schedule.sequence[first]),
        rows=len(sequences),
        size=np.array([ctx.bytes_of(op.width * len(s)) for s in sequences], dtype=np.int64),
        macs=np.array(macs, dtype=np.int64),
        buffer=layer,
    )
    out = np.empty(ctx.tokens, dtype=np.int64)
    for row, members in zip(rows, sequences, strict=True):
        out[members] = row
        for source in sources:
            made = np.unique(source[members])
            ctx.stream.link("reads", np.full(len(made), row), made)
    return out

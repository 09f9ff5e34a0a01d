"""The two pipelined stages of experts: routed ones take turns on shared PGs."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from compiler.emit.context import Context
from compiler.emit.crossbars import emit_load, emit_product, emit_store
from compiler.emit.stream import Tag
from ir import timing
from ir.arrays import Bools, Ints
from ir.mapping import Block, RoutedOwner, SharedOwner
from ir.program import Opcode
from ir.workload import MoELayer


@dataclass(frozen=True, eq=False)
class Turns:
    """One row per turn of a group, by slot: which token runs which expert on which LOAD.

    last: no later turn of the group uses the same LOAD.
    """

    token: Ints
    group: Ints
    expert: Ints | int
    replica: Ints | int
    slot: Ints | int
    load: Ints
    last: Bools


def emit_experts(ctx: Context, index: int, op: MoELayer, turns: Turns, routed: Ints) -> Ints:
    """Every routed turn; returns the STOREs [turns]. routed: [window tokens] TOPK of each."""
    first = RoutedOwner(0)
    one = [b for b in ctx.mapping.blocks if b.operator == index and b.owner == first]
    gates = routed[turns.token] if op.weight_on == "input" else None
    mvm, stores = _two_stages(ctx, index, op, turns, one, turns.group, gates=gates)
    if ctx.step.of(op.layer).order.lockstep:
        ctx.stream.lockstep.add(op.layer)
        _lockstep(ctx, turns, mvm)
    return stores


def emit_shared(ctx: Context, index: int, op: MoELayer, tokens: Ints, x: Ints) -> list[Ints]:
    """Every shared expert on every one of `tokens`; returns the STOREs [tokens] of each."""
    out: list[Ints] = []
    for number in range(len(op.shared)):
        up, down = (ctx.units.banks[index, SharedOwner(number), stage] for stage in (0, 1))
        tag = ctx.tag(index, tokens, stage=0)
        load = emit_load(ctx, op.layer, op.d_model, tag, [x[tokens]])
        group = np.full(len(tokens), up.number)
        ctx.stream.link("dst", load, ctx.groups("group", op.layer, 0, group))
        turns = Turns(tokens, group, -1, -1, -1, load, np.ones(len(tokens), dtype=np.bool_))
        blocks = [*up.blocks, *down.blocks]
        second = np.full(len(tokens), down.number)
        out.append(_two_stages(ctx, index, op, turns, blocks, second)[1])
    return out


def _two_stages(
    ctx: Context,
    index: int,
    op: MoELayer,
    turns: Turns,
    blocks: list[Block],
    down_group: Ints,
    *,
    gates: Ints | None = None,
) -> tuple[Ints, Ints]:
    """Up (and gate), activation, down for every turn: first-stage MVMs and STOREs, ids [turns].

    blocks: those of one expert (all have the same shape); down_group: group numbers of stage 1;
    gates: [turns] who made the factors of the experts' inputs, where a model puts them there.
    """
    up, down = (tuple(b for b in blocks if b.stage == stage) for stage in (0, 1))
    shared_pg = isinstance(blocks[0].owner, RoutedOwner)
    tag = ctx.tag(index, turns.token, stage=0, expert=turns.expert, slot=turns.slot)
    tag = replace(tag, replica=turns.replica)
    first = emit_product(ctx, op.layer, turns.group, up, turns.load, tag, shared_pg=shared_pg)
    ctx.stream.mark_last_readers(first.mvm[turns.last])
    hidden = _activate(ctx, op, up, turns.group, first.sums, tag, gates)
    tag = replace(tag, stage=1)
    link = ctx.groups("link", op.layer, 1, down_group)
    moved = ctx.stream.append(
        Opcode.XFER,
        link,
        ctx.costs_by_path(
            op.layer, 1, down_group, partial(timing.xfer, ctx.chip, down[0].weight.rows)
        ),
        tag,
        rows=len(turns.token),
        reads=[hidden],
    )
    ctx.stream.link("dst", moved, ctx.groups("group", op.layer, 1, down_group))
    second = emit_product(ctx, op.layer, down_group, down, moved, tag, shared_pg=shared_pg)
    ctx.stream.mark_last_readers(second.mvm)
    return first.mvm, emit_store(ctx, op.layer, down_group, second.sums, op.d_model, tag)


def _activate(
    ctx: Context,
    op: MoELayer,
    up: tuple[Block, ...],
    group: Ints,
    sums: list[Ints],
    tag: Tag,
    gates: Ints | None,
) -> Ints:
    """Take the up (and gate) sums to a digital unit, activate, and multiply if gated.

    A factor of the experts' input multiplies the sums, which are linear in it: the vector that is
    broadcast stays one for all of a token's experts.
    """
    rows, width, dpu = len(group), up[0].weight.columns, ctx.units.dpu(op.layer)
    both = sum(b.weight.columns for b in up)
    out = ctx.stream.append(
        Opcode.XFER,
        ctx.groups("link", op.layer, 0, group),
        ctx.costs_by_path(op.layer, 0, group, partial(timing.xfer, ctx.chip, both)),
        tag,
        rows=rows,
        reads=sums,
        src=ctx.groups("group", op.layer, 0, group),
        buffer=op.layer,
    )
    if gates is not None:
        out = ctx.stream.append(
            Opcode.MUL,
            dpu,
            timing.add(ctx.chip, both),
            tag,
            rows=rows,
            reads=[out, gates],
            size=ctx.bytes_of(both),
            buffer=op.layer,
        )
    size = ctx.bytes_of(width)
    acted = ctx.stream.append(
        Opcode.ACT,
        dpu,
        timing.act(ctx.chip, width),
        tag,
        rows=rows,
        reads=[out],
        size=size,
        buffer=op.layer,
    )
    if len(up) == 1:
        return acted
    return ctx.stream.append(
        Opcode.MUL,
        dpu,
        timing.add(ctx.chip, width),
        tag,
        rows=rows,
        reads=[acted, out],
        size=size,
        buffer=op.layer,
    )


def _lockstep(ctx: Context, turns: Turns, mvm: Ints) -> None:
    """A slot's first-stage MVMs wait until all of the slot before have ended."""
    at = np.broadcast_to(np.asarray(turns.slot), mvm.shape)  # ascending, as turns are
    slot = np.unique(at, return_inverse=True)[1]  # an idle slot is no turn's slot before
    this, before = np.searchsorted(slot, slot), np.searchsorted(slot, slot - 1)
    count = this - before
    waiting = np.repeat(mvm, count)  # not the LOADs: a kept input has none of its own
    ends = np.repeat(np.cumsum(count), count)
    ctx.stream.link("after", waiting, mvm[np.repeat(this, count) - (ends - np.arange(len(ends)))])

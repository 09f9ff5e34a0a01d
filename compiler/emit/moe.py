"""Instructions of one MoE layer: route, broadcast, experts, combine."""

import numpy as np
import numpy.typing as npt

from compiler.emit.context import Context
from compiler.emit.crossbars import emit_bank, emit_load
from compiler.emit.experts import Turns, emit_experts, emit_shared
from ir import timing
from ir.program import Opcode
from ir.schedule import SlotOrder
from ir.workload import MoELayer

Ints = npt.NDArray[np.int64]


def emit_moe(ctx: Context, index: int, op: MoELayer) -> None:
    """GATE, TOPK, LOAD, two stages of every expert, COMBINE: for every token of the window."""
    x = ctx.fetch(op.inputs[0], op.layer, index)
    gate = _gate(ctx, index, op, x)
    routed = _route(ctx, index, op, gate)
    turns = _broadcast(ctx, index, op, x, routed)
    stores = [(turns.token, emit_experts(ctx, index, op, turns))]
    stores += [(ctx.every_token, ids) for ids in emit_shared(ctx, index, op, x)]
    ctx.produce(op, _combine(ctx, index, op, stores, routed, gate), layer=op.layer)


def _route(ctx: Context, index: int, op: MoELayer, gate: Ints) -> Ints:
    """The TOPK that decides for each token, from the GATE of each.

    Token choice has one TOPK per token; expert choice one per sequence, over all its tokens.
    """
    dpu, capacity = ctx.units.number("dpu"), op.router.capacity
    if capacity is None:
        k = op.router.top_k or 1
        return ctx.stream.append(
            Opcode.TOPK,
            dpu,
            timing.topk(ctx.chip, op.router.experts, k),
            ctx.tag(index, ctx.every_token),
            rows=ctx.tokens,
            reads=[gate],
            size=4 * k,  # an id and a weight of two bytes each
            buffer=op.layer,
        )
    out = np.empty(ctx.tokens, dtype=np.int64)
    for members in ctx.sequences():
        row = ctx.stream.append(
            Opcode.TOPK,
            dpu,
            timing.topk(ctx.chip, len(members), op.router.experts),
            ctx.whole_tag(index, int(ctx.schedule.sequence[members[0]])),
            rows=1,
            size=4 * capacity.of(len(members)) * op.router.experts,
            buffer=op.layer,
        )
        ctx.stream.link("reads", np.full(len(members), row[0]), gate[members])
        out[members] = row[0]
    return out


def _gate(ctx: Context, index: int, op: MoELayer, x: Ints) -> Ints:
    """The scores: the router's matrix on a digital unit, or on crossbars where the chip says.

    With them the gates of shared experts, always on the digital unit.
    """
    experts, shared, sources = op.router.experts, op.gated_shared, [x]
    on_crossbar = (index, -1, 0) in ctx.units.banks
    if on_crossbar:
        tag = ctx.tag(index, ctx.every_token, stage=0)
        load = emit_load(ctx, op.layer, op.d_model, tag, [x])
        product = emit_bank(ctx, index, ctx.units.banks[index, -1, 0], load)
        sources = [product, x] if shared else [product]
    sources += [ctx.fetch(name, op.layer, index) for name in op.inputs[1:]]
    return ctx.stream.append(
        Opcode.GATE,
        ctx.units.number("dpu"),
        timing.gate(ctx.chip, op.d_model, experts, shared, on_crossbar=on_crossbar),
        ctx.tag(index, ctx.every_token),
        rows=ctx.tokens,
        reads=sources,
        macs=op.d_model * (shared if on_crossbar else experts + shared),
        size=2 * (experts + shared),
        buffer=op.layer,
    )


def _broadcast(ctx: Context, index: int, op: MoELayer, x: Ints, routed: Ints) -> Turns:
    """One LOAD per transfer, in slot order on the region's bus."""
    order = ctx.schedule.of(op.layer)
    table = order.order.table
    kept = _kept(order.order, retain=ctx.chip.pg.retain_input)
    slot, group = np.nonzero((table >= 0) & ~kept)
    key = slot * (ctx.tokens + 1) + table[slot, group]
    transfers, transfer = np.unique(key, return_inverse=True)
    token, at = transfers % (ctx.tokens + 1), transfers // (ctx.tokens + 1)
    reads = [x[token]]
    if ctx.chip.digital.experts_wait_for_router:
        reads.append(routed[token])
    load = emit_load(ctx, op.layer, op.d_model, ctx.tag(index, token, stage=0, slot=at), reads)
    ctx.stream.link("dst", load[transfer], ctx.groups("group", op.layer, 0, group))
    ctx.stream.link("chained", load[1:], load[:-1])
    filled = np.full(table.shape, -1, dtype=np.int64)
    filled[slot, group] = load[transfer]
    for s in range(1, len(table)):
        filled[s] = np.where(kept[s], filled[s - 1], filled[s])
    last = np.ones(table.shape, dtype=np.bool_)
    last[:-1] = ~kept[1:]
    where = (order.slot, order.group)
    return Turns(
        order.token, order.group, order.expert, order.replica, order.slot,
        filled[where], last[where],
    )  # fmt: skip


def _kept(order: SlotOrder, *, retain: bool) -> npt.NDArray[np.bool_]:
    """[slots, groups]: the group still holds this token's vector from the slot before."""
    kept = np.zeros(order.table.shape, dtype=np.bool_)
    if retain:
        kept[1:] = (order.table[1:] == order.table[:-1]) & (order.table[1:] >= 0)
    return kept


def _combine(
    ctx: Context,
    index: int,
    op: MoELayer,
    stores: list[tuple[Ints, Ints]],
    routed: Ints,
    gate: Ints,
) -> Ints:
    """Gate-weighted sum of each token's expert outputs (zeros where it has none), scaled.

    Shared experts are added, each times its gate where it has one.
    """
    parts = np.zeros(ctx.tokens, dtype=np.int64)
    for owner, _ in stores:
        parts += np.bincount(owner, minlength=ctx.tokens)
    plain, scaled = len(op.shared) - op.gated_shared, op.scale != 1.0
    costs = {
        n: timing.combine(ctx.chip, n, n - plain, op.d_model, scaled=scaled)
        for n in np.unique(parts).tolist()
    }
    ids = ctx.stream.append(
        Opcode.COMBINE,
        ctx.units.number("dpu"),
        [costs[n] for n in parts.tolist()],
        ctx.tag(index, ctx.every_token),
        rows=ctx.tokens,
        reads=[routed, gate] if op.gated_shared else [routed],
        size=ctx.bytes_of(op.d_model),
        buffer=op.layer,
    )
    for owner, rows in stores:
        ctx.stream.link("reads", ids[owner], rows)
    return ids

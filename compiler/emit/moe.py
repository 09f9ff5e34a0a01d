"""Instructions of one MoE layer: route, broadcast, experts, combine."""

import numpy as np

from compiler.emit.at import At
from compiler.emit.caches import (
    read_inputs,
    read_outputs,
    read_scores,
    scores_kept,
    write_inputs,
    write_outputs,
    write_scores,
)
from compiler.emit.crossbars import Vectors, emit_bank, emit_load
from compiler.emit.experts import Turns, carry_routing, emit_digital, emit_experts, emit_shared
from compiler.emit.stream import Costs
from ir import timing
from ir.arrays import Bools, Ints
from ir.chip import Chip
from ir.mapping import DenseOwner
from ir.program import Opcode
from ir.schedule import SlotOrder
from ir.selection import Capacity
from ir.workload import MoELayer


def emit_moe(at: At[MoELayer]) -> None:
    """GATE, TOPK, LOAD, two stages of every expert, COMBINE: for every token of the step."""
    ctx = at.ctx
    x = at.fetch(at.op.inputs[0], np.intersect1d(ctx.step.rows, ctx.step.scored))
    earlier = read_inputs(at)
    scored = at.scored
    gate = ctx.spread(scored, _gate(at, scored, np.where(earlier >= 0, earlier, x)))
    routed = _route(at, gate)
    write_inputs(at, x)
    done = read_outputs(at)
    tokens = at.rows[done[at.rows] < 0]
    turns = _broadcast(at, x, routed)
    stores = [(turns.token, emit_experts(at, turns, routed))]
    stores.append(emit_digital(at, x, routed))
    stores += [(tokens, ids) for ids in emit_shared(at, tokens, x)]
    passed = _passed(at, tokens, x)
    combined = ctx.spread(tokens, _combine(at, tokens, stores, passed, routed, gate))
    write_outputs(at, combined)
    at.produce(np.where(done >= 0, done, combined))


def _route(at: At[MoELayer], gate: Ints) -> Ints:
    """The TOPK that decides for each token, from the GATE of each: [window tokens] both.

    Token choice has one TOPK per token; expert choice one per sequence, over all tokens it has
    scores of: in a decode step with a GO cache those of the new token and the kept ones.
    """
    ctx, router, scored = at.ctx, at.op.router, at.scored
    if router.capacity is None:
        k = router.top_k or 1
        rows = ctx.stream.append(
            Opcode.TOPK,
            at.dpu,
            timing.topk(ctx.chip, router.outputs, k),
            at.tag(scored),
            rows=len(scored),
            reads=[gate[scored]],
            size=4 * k,  # an id and a weight of two bytes each
            buffer=at.region,
        )
        return ctx.spread(scored, rows)
    out = np.full(ctx.tokens, -1, dtype=np.int64)
    for part in ctx.by_sequence(scored):
        out[part] = _choose(at, router.capacity, part, gate[part])
        if ctx.schedule.caches.go:
            write_scores(at, router.capacity, out, part)
    return out


def _choose(at: At[MoELayer], capacity: Capacity, part: Ints, gate: Ints) -> int:
    """TOPK of every expert over one sequence's scores `gate` [part] and those kept of it."""
    ctx, experts = at.ctx, at.op.router.experts
    seq, kept, scores = int(ctx.schedule.sequence[part[0]]), 0, -1
    old = ctx.schedule.caches.go and ctx.step.number > 0
    if old:
        kept = scores_kept(capacity, ctx.so_far(seq) - len(part))
        scores = read_scores(at, capacity, seq)
    row = ctx.stream.append(
        Opcode.TOPK,
        at.dpu,
        timing.top_tokens(ctx.chip, len(part), kept, experts),
        at.whole_tag(seq),
        rows=1,
        size=4 * capacity.of(ctx.so_far(seq)) * experts,
        buffer=at.region,
    )
    ctx.stream.link("reads", np.full(len(part), row[0]), gate)
    ctx.stream.link("reads", row, np.array([scores]))
    return int(row[0])


def _gate(at: At[MoELayer], tokens: Ints, x: Ints) -> Ints:
    """The scores of `tokens`: the router's matrix on a digital unit, or on crossbars.

    With them the gates of shared experts, always on the digital unit, and what else the layer gives
    out, which may be made of its input. x: [window tokens] the experts' vectors.
    """
    ctx, op = at.ctx, at.op
    scores, shared = op.router.outputs, op.gated_shared
    read = {n: (x if n == op.inputs[0] else at.fetch(n, tokens))[tokens] for n in op.inputs}
    banks = ctx.units.banks.get((ctx.workload.matrix_homes[at.index], DenseOwner(), 0))
    sources = [read[name] for name in op.gate_inputs(on_crossbars=banks is not None)]
    if banks is not None:
        width = op.scored_width
        scored = Vectors(op.scored, tokens, read[op.scored], width, width)
        sources.insert(0, emit_bank(at, banks, scored))
    cost = timing.gate(
        ctx.chip,
        op.d_model,
        scores,
        shared,
        on_crossbar=banks is not None,
        scored=op.score_products,
    )
    return ctx.stream.append(
        Opcode.GATE,
        at.dpu,
        cost,
        at.tag(tokens),
        rows=len(tokens),
        reads=sources,
        macs=op.score_products * scores * (banks is None) + op.d_model * shared,
        size=2 * (scores + shared),
        buffer=at.region,
    )


def _broadcast(at: At[MoELayer], x: Ints, routed: Ints) -> Turns:
    """The turns of a step's order, and the LOADs that bring their vectors."""
    order = at.ctx.step.of(at.op.layer)
    kept = _kept(order.order, retain=at.ctx.chip.pg.retain_input)
    filled = _loads(at, order.order.table, kept, x, routed)
    for s in range(1, len(filled)):
        filled[s] = np.where(kept[s], filled[s - 1], filled[s])
    last = np.ones(kept.shape, dtype=np.bool_)
    last[:-1] = ~kept[1:]
    where = (order.slot, order.group)
    return Turns(
        order.token,
        order.group,
        order.expert,
        order.replica,
        order.slot,
        filled[where],
        last[where],
    )


def _loads(at: At[MoELayer], table: Ints, kept: Bools, x: Ints, routed: Ints) -> Ints:
    """One LOAD per transfer, in slot order on the bus of each die: ids [slots, groups].

    table: [slots, groups] the token of each, -1 = none; kept: whether the group has it already.
    """
    ctx, out = at.ctx, np.full(table.shape, -1, dtype=np.int64)
    slot, group = np.nonzero((table >= 0) & ~kept)
    for die, mine in at.by_die(0, group):
        here, token = at.on(die), table[slot[mine], group[mine]]
        key = slot[mine] * (ctx.tokens + 1) + token
        transfers, transfer = np.unique(key, return_inverse=True)
        of_slot, token = np.divmod(transfers, ctx.tokens + 1)
        reads = [here.carry(at.op.inputs[0], x, at.op.d_model, token)[token]]
        if ctx.chip.digital.experts_wait_for_router:
            reads.append(carry_routing(here, routed, token)[token])
        load = emit_load(here, at.op.d_model, at.tag(token, stage=0, slot=of_slot), reads)
        ctx.stream.link("dst", load[transfer], at.groups("group", 0, group[mine]))
        before = np.append(ctx.last_load.get((at.index, die), -1), load[:-1])
        ctx.stream.link("chained", load, before[: len(load)])
        ctx.last_load[at.index, die] = int(load[-1])
        out[slot[mine], group[mine]] = load[transfer]
    return out


def _kept(order: SlotOrder, *, retain: bool) -> Bools:
    """[slots, groups]: the group still holds this token's vector from the slot before."""
    kept = np.zeros(order.table.shape, dtype=np.bool_)
    if retain:
        kept[1:] = (order.table[1:] == order.table[:-1]) & (order.table[1:] >= 0)
    return kept


def _passed(at: At[MoELayer], tokens: Ints, x: Ints) -> tuple[Ints, Ints]:
    """Of `tokens` those that pass themselves on, and who made their vectors: [tokens] both."""
    own = tokens[at.ctx.passed[at.op.layer][tokens]] if at.op.adds_tokens else tokens[:0]
    return own, x[own]


def _combine(
    at: At[MoELayer],
    tokens: Ints,
    stores: list[tuple[Ints, Ints]],
    passed: tuple[Ints, Ints],
    routed: Ints,
    gate: Ints,
) -> Ints:
    """Gate-weighted sum of each token's expert outputs (zeros where it has none), scaled.

    Or these side by side, where the layer keeps them apart.

    Shared experts are added, each times its gate where it has one. passed: the tokens that are
    weighted and added themselves, and who made them. Ids [tokens].
    """
    ctx, op = at.ctx, at.op
    parts = np.zeros(ctx.tokens, dtype=np.int64)
    for owner, _ in stores:
        parts += np.bincount(owner, minlength=ctx.tokens)
    own = np.bincount(passed[0], minlength=ctx.tokens)
    sums = np.stack([parts[tokens], own[tokens]])
    numbers, which = np.unique(sums, axis=1, return_inverse=True)
    costs = [_combine_cost(ctx.chip, op, n, itself) for n, itself in numbers.T.tolist()]
    ids = ctx.stream.append(
        Opcode.COMBINE,
        at.dpu,
        Costs(costs, which.ravel()),
        at.tag(tokens),
        rows=len(tokens),
        reads=[routed[tokens], gate[tokens]] if op.gated_shared else [routed[tokens]],
        size=ctx.bytes_of(op.d_out),
        buffer=at.region,
    )
    combine = ctx.spread(tokens, ids)
    for owner, rows in [*stores, passed]:
        ctx.stream.link("reads", combine[owner], rows)
    return ids


def _combine_cost(chip: Chip, op: MoELayer, parts: int, itself: int) -> timing.Cost:
    """The sum of `parts` outputs; routed ones are weighted here unless their input was.

    itself: 1 where the token is weighted and added too, else 0.
    """
    scaled = op.scale != 1.0
    if op.apart == "outputs":  # put side by side, in one pass
        size = 1, int(op.weights_outputs), op.d_out, op.d_expert
        return timing.combine(chip, *size, scaled=scaled)
    weighted = op.gated_shared + itself
    if op.weight_on == "output":
        weighted += parts - len(op.shared)
    size = parts + itself, weighted, op.d_out, op.d_expert
    return timing.combine(chip, *size, scaled=scaled)

"""The two pipelined stages of experts, or their one: routed ones take turns on shared PGs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from compiler.emit.at import At
from compiler.emit.context import Context
from compiler.emit.crossbars import Vectors, dealt, emit_broadcast, emit_product, emit_store
from compiler.emit.stream import Costs, Tag
from compiler.fire_groups import FireGroup
from ir import timing
from ir.arrays import Bools, Ints
from ir.links import routing_values
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

    def only(self, mine: Ints) -> "Turns":
        """Those of `mine`: indices of turns."""

        def of(column: Ints | int) -> Ints | int:
            return column if isinstance(column, int) else column[mine]

        return Turns(
            self.token[mine],
            self.group[mine],
            of(self.expert),
            of(self.replica),
            of(self.slot),
            self.load[mine],
            self.last[mine],
        )


def emit_experts(at: At[MoELayer], turns: Turns, routed: Ints) -> Ints:
    """Every routed turn; returns the STOREs [turns]. routed: [window tokens] TOPK of each."""
    ctx = at.ctx
    mvm, stores = np.empty((2, len(turns.token)), dtype=np.int64)
    for experts, blocks in _alike(at):
        alike = np.isin(turns.expert, experts)
        for first, second, mine in _by_dies(at, turns.group, turns.group):
            here = mine[alike[mine]]
            own, on = turns.only(here), at.on(first)
            if at.op.single:
                mvm[here], stores[here] = _one_stage(on, own, blocks)
                continue
            gates = None
            if at.op.weight_on == "input":
                gates = carry_routing(on, routed, own.token)[own.token]
            mvm[here], stores[here] = _two_stages(
                on, at.on(second), own, blocks, own.group, gates=gates
            )
    if ctx.step.of(at.op.layer).order.lockstep:
        ctx.stream.lockstep.add(at.region)
        _lockstep(ctx, turns, mvm)
    return stores


def _by_dies(at: At[MoELayer], first: Ints, second: Ints) -> Iterator[tuple[int, int, Ints]]:
    """The dies of both stages' groups, and which of the rows have these: indices.

    first, second: [rows] group of each stage; of experts of a single matrix the second one is not
    asked for.
    """
    for die, mine in at.by_die(0, first):
        if at.op.single:
            yield die, die, mine
            continue
        for other, rows in at.by_die(1, second[mine]):
            yield die, other, mine[rows]


def carry_routing(at: At[MoELayer], routed: Ints, tokens: Ints) -> Ints:
    """Who has the experts and gates of `tokens` on this die: ids [window tokens]."""
    values = routing_values(at.op, at.ctx.chip)
    return at.carry(f"{at.op.name} routing", routed, values, tokens)


def _alike(at: At[MoELayer]) -> list[tuple[list[int], list[Block]]]:
    """Experts whose matrices cost the same, and the blocks of the first of them."""
    blocks: dict[int, list[Block]] = {}
    cells = at.ctx.chip.crossbar.cells
    for block in at.ctx.mapping.of_operator.get(at.home, ()):
        match block.owner:
            case RoutedOwner(expert, 0):
                blocks.setdefault(expert, []).append(block)
            case _:
                pass
    alike: dict[tuple[object, ...], list[int]] = {}
    for expert, own in blocks.items():
        sizes = tuple(
            (b.rows, b.columns, w.rows, w.columns, cells(w), w.bias is None)
            for b, w in ((b, b.weight) for b in own)
        )
        alike.setdefault(sizes, []).append(expert)
    return [(experts, blocks[experts[0]]) for experts in alike.values()]


def emit_digital(at: At[MoELayer], x: Ints, routed: Ints) -> tuple[Ints, Ints]:
    """Every pair whose expert no crossbar holds, on a digital unit: tokens and ids [pairs].

    x, routed: [window tokens] who made each token's vector, and the TOPK of each.
    """
    ctx, op = at.ctx, at.op
    token, expert = ctx.step.of(op.layer).digital.T
    if not len(token):
        return token, token
    costs = [timing.digital_expert(ctx.chip, e, op.passes) for e in op.experts]
    ids = ctx.stream.append(
        Opcode.DIGITAL,
        at.dpu,
        Costs(costs, expert),
        at.tag(token, expert=expert),
        rows=len(token),
        reads=[x[token], routed[token]],
        macs=np.array([e.macs for e in op.experts], dtype=np.int64)[expert],
        size=ctx.bytes_of(op.d_out),
        buffer=at.region,
    )
    return token, ids


def emit_shared(at: At[MoELayer], tokens: Ints, x: Ints) -> list[Ints]:
    """Every shared expert on every one of `tokens`; returns the results [tokens] of each.

    Its copies take the tokens in turn.
    """
    width = at.op.d_model
    value = Vectors(at.op.inputs[0], tokens, x[tokens], width, width)
    banks, out = at.ctx.units.banks, list[Ints]()
    for number in range(len(at.op.shared)):
        up, down = (banks.get((at.home, SharedOwner(number), stage), []) for stage in (0, 1))
        if up:
            out.append(_shared(at, up, down, value))
    return out


def _shared(at: At[MoELayer], up: list[FireGroup], down: list[FireGroup], value: Vectors) -> Ints:
    """One shared expert; up, down: the bank of each of its copies, by stage."""
    (group, copy), out = dealt(up, len(value.tokens)), np.empty(len(value.tokens), dtype=np.int64)
    then = dealt(down, len(value.tokens))[0] if down else group
    for first, second, mine in _by_dies(at, group, then):
        here = at.on(first)
        own = value.on(here, mine)
        load = emit_broadcast(here, up[0], group[mine], own)
        whose = copy if isinstance(copy, int) else copy[mine]
        turns = Turns(own.tokens, group[mine], -1, whose, -1, load, np.ones_like(mine, dtype=bool))
        blocks = [*up[0].blocks, *(down[0].blocks if down else ())]
        if down:
            out[mine] = _two_stages(here, at.on(second), turns, blocks, then[mine])[1]
        else:
            out[mine] = _one_stage(here, turns, blocks)[1]
    return out


def _one_stage(at: At[MoELayer], turns: Turns, blocks: list[Block]) -> tuple[Ints, Ints]:
    """The one matrix of an expert for every turn: MVMs, and STOREs or what is made of those.

    Both [turns]. An activation is applied where the result arrives.
    """
    ctx = at.ctx
    tag = at.tag(turns.token, stage=0, expert=turns.expert, slot=turns.slot)
    tag = replace(tag, replica=turns.replica)
    shared_pg = isinstance(blocks[0].owner, RoutedOwner)
    product = emit_product(at, turns.group, tuple(blocks), turns.load, tag, shared_pg=shared_pg)
    ctx.stream.mark_last_readers(product.mvm[turns.last])
    stores = emit_store(at, turns.group, product.sums, at.op.d_result, tag)
    if not at.op.curved:
        return product.mvm, _home(at, turns.token, stores, at.op.d_result)
    acted = ctx.stream.append(
        Opcode.ACT,
        at.dpu,
        timing.act(ctx.chip, at.op.d_result, at.op.passes),
        tag,
        rows=len(stores),
        reads=[stores],
        size=ctx.bytes_of(at.op.d_result),
        buffer=at.buffer,
    )
    return product.mvm, _home(at, turns.token, acted, at.op.d_result)


def _home(at: At[MoELayer], tokens: Ints, ids: Ints, values: int) -> Ints:
    """Results of the die that is worked on, in the region's home: ids [rows]."""
    return at.cross(tokens, ids, values, at.die, at.home_die)


def _two_stages(
    at: At[MoELayer],
    there: At[MoELayer],
    turns: Turns,
    blocks: list[Block],
    down_group: Ints,
    *,
    gates: Ints | None = None,
) -> tuple[Ints, Ints]:
    """Up (and gate), activation, down for every turn: first-stage MVMs and results, ids [turns].

    at, there: the layer on the dies of the first and the second stage. blocks: those of one expert
    (those of all turns have the same shape); down_group: group numbers of stage 1; gates: [turns]
    who made the factors of the experts' inputs, where a model puts them there.
    """
    ctx = at.ctx
    up, down = (tuple(b for b in blocks if b.stage == stage) for stage in (0, 1))
    shared_pg = isinstance(blocks[0].owner, RoutedOwner)
    tag = at.tag(turns.token, stage=0, expert=turns.expert, slot=turns.slot)
    tag = replace(tag, replica=turns.replica)
    first = emit_product(at, turns.group, up, turns.load, tag, shared_pg=shared_pg)
    ctx.stream.mark_last_readers(first.mvm[turns.last])
    hidden, width = _activate(at, up, turns.group, first.sums, tag, gates), down[0].weight.rows
    hidden = at.cross(turns.token, hidden, width, at.die, there.die)
    tag = replace(tag, stage=1)
    moved = ctx.stream.append(
        Opcode.XFER,
        at.groups("link", 1, down_group),
        at.costs_by_path(1, down_group, partial(timing.xfer, ctx.chip, width)),
        tag,
        rows=len(turns.token),
        reads=[hidden],
    )
    ctx.stream.link("dst", moved, at.groups("group", 1, down_group))
    second = emit_product(there, down_group, down, moved, tag, shared_pg=shared_pg)
    ctx.stream.mark_last_readers(second.mvm)
    stores = emit_store(there, down_group, second.sums, at.op.d_out, tag)
    return first.mvm, _home(there, turns.token, stores, at.op.d_out)


def _activate(
    at: At[MoELayer],
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
    ctx, rows, width = at.ctx, len(group), up[0].weight.columns
    both = sum(b.weight.columns for b in up)
    out = ctx.stream.append(
        Opcode.XFER,
        at.groups("link", 0, group),
        at.costs_by_path(0, group, partial(timing.xfer, ctx.chip, both)),
        tag,
        rows=rows,
        reads=sums,
        src=at.groups("group", 0, group),
        buffer=at.buffer,
    )
    if gates is not None:
        out = ctx.stream.append(
            Opcode.MUL,
            at.dpu,
            timing.add(ctx.chip, both),
            tag,
            rows=rows,
            reads=[out, gates],
            size=ctx.bytes_of(both),
            buffer=at.buffer,
        )
    size = ctx.bytes_of(width)
    acted = ctx.stream.append(
        Opcode.ACT,
        at.dpu,
        timing.act(ctx.chip, width, at.op.passes),
        tag,
        rows=rows,
        reads=[out],
        size=size,
        buffer=at.buffer,
    )
    if len(up) == 1:
        return acted
    return ctx.stream.append(
        Opcode.MUL,
        at.dpu,
        timing.add(ctx.chip, width),
        tag,
        rows=rows,
        reads=[acted, out],
        size=size,
        buffer=at.buffer,
    )


def _lockstep(ctx: Context, turns: Turns, mvm: Ints) -> None:
    """A slot's first-stage MVMs wait until all of the slot before have ended."""
    slots = np.broadcast_to(np.asarray(turns.slot), mvm.shape)  # ascending, as turns are
    slot = np.unique(slots, return_inverse=True)[1]  # an idle slot is no turn's slot before
    this, before = np.searchsorted(slot, slot), np.searchsorted(slot, slot - 1)
    count = this - before
    waiting = np.repeat(mvm, count)  # not the LOADs: a kept input has none of its own
    ends = np.repeat(np.cumsum(count), count)
    ctx.stream.link("after", waiting, mvm[np.repeat(this, count) - (ends - np.arange(len(ends)))])

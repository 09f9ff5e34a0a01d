"""One vector through the crossbars: LOAD, MVM, ACC, STORE."""

from dataclasses import dataclass, replace

import numpy as np

from compiler.emit.at import At
from compiler.emit.context import Sent
from compiler.emit.stream import Costs, Tag
from compiler.fire_groups import FireGroup
from ir import timing
from ir.arrays import Ints
from ir.chip import Chip
from ir.converters import reads, rows_read
from ir.mapping import Block, DenseOwner, owner_columns
from ir.program import Opcode
from ir.timing import Cost, Fired
from ir.workload import Dense, Operator


@dataclass(frozen=True, eq=False)
class Product:
    """Ids [rows] of the MVMs, and of what holds the finished sums (one array per adding job)."""

    mvm: Ints
    sums: list[Ints]


def fired(chip: Chip, blocks: tuple[Block, ...]) -> Fired:
    """What the tiles of `blocks` use of their crossbars, wherever on them they lie.

    A matrix of rows x columns weights uses as many cells as it has, its rows in every column of
    tiles and its columns, of as many cells as a weight has, in every row of tiles.
    """
    size, total = chip.crossbar, Fired(0, 0, 0, 0)
    for block in blocks:
        rows, columns = block.weight.rows, block.weight.columns * size.cells(block.weight)
        last = rows - (block.rows - 1) * size.rows
        times = (block.rows - 1) * reads(chip) + -(-last // rows_read(chip))
        total += Fired(block.tiles, rows * block.columns, rows * columns, columns * times)
    return total


def emit_load(at: At[Operator], values: int, tag: Tag, reads: list[Ints]) -> Ints:
    """Broadcast vectors of `values` over the region's bus, one LOAD per row of `reads`."""
    bus = at.unit("bus")
    width, size = at.ctx.units.table[bus].width, at.ctx.extents[at.region, at.die]
    cost = timing.load(at.ctx.chip, values, width, size)
    return at.ctx.stream.append(Opcode.LOAD, bus, cost, tag, rows=len(reads[0]), reads=reads)


def emit_product(
    at: At[Operator],
    group: Ints,
    blocks: tuple[Block, ...],
    filled: Ints,
    tag: Tag,
    *,
    shared_pg: bool,
) -> Product:
    """All blocks of one stage fire on one vector; their partial sums are added.

    group: [rows] group number of each row; filled: [rows] the LOAD or XFER that filled its input
    buffer. Without partial sums or a bias there is nothing to add and no ACC.
    """
    ctx, stage, rows = at.ctx, blocks[0].stage, len(filled)
    in_turn = replace(tag, priority=ctx.turn(tag.slot)) if shared_pg else tag
    units = at.groups("group", stage, group)
    fires = fired(ctx.chip, blocks)
    either = [
        timing.mvm(ctx.chip, fires, shared=shared_pg, stacked=stacked) for stacked in (False, True)
    ]
    mvm = ctx.stream.append(
        Opcode.MVM,
        units,
        Costs(either, ctx.units.stacked[units].astype(np.int64)),
        in_turn,
        rows=rows,
        reads=[filled],
        macs=sum(b.weight.macs for b in blocks),
        size=ctx.bytes_of(sum(b.weight.columns for b in blocks)),
    )
    bias = any(b.weight.bias for b in blocks)
    if blocks[0].rows == 1 and not bias:
        return Product(mvm, [mvm])
    columns = sum(b.columns for b in blocks)
    per_tile = ctx.chip.crossbar.weights_per_row(blocks[0].weight)
    cost = timing.accumulate(ctx.chip, blocks[0].rows, columns, per_tile, bias=bias)
    if ctx.chip.accumulate.where == "dpu":  # one job per output column of tiles
        unit: Ints | int = at.dpu
        jobs = columns
    else:
        unit, jobs = at.groups("acc", stage, group), 1
    sums = ctx.stream.append(
        Opcode.ACC,
        unit,
        cost,
        tag.repeated(jobs),
        rows=rows * jobs,
        reads=[np.tile(mvm, jobs)],
    )
    return Product(mvm, list(sums.reshape(jobs, rows)))


def emit_store(at: At[Operator], group: Ints, sums: list[Ints], values: int, tag: Tag) -> Ints:
    """Finished sums of `group` [rows] over the region's return link into its buffer."""
    ctx = at.ctx
    link = at.unit("return")
    of = ctx.units.table[link]

    def store(hops: int, _ports: int) -> Cost:  # the return link is a bus of its own
        return timing.store(ctx.chip, values, of.width, of.lanes, hops)

    cost = at.costs_by_path(tag.stage, group, store)
    return ctx.stream.append(
        Opcode.STORE, link, cost, tag, rows=len(sums[0]), reads=sums, buffer=at.buffer
    )


@dataclass(frozen=True, eq=False)
class Vectors:
    """A value of `tokens`; made: [tokens] by whom; sent: how many numbers of it.

    It is in the region's home, as wide as `width`; `on` says who has it on another die.
    """

    name: str
    tokens: Ints
    made: Ints
    sent: int
    width: int

    def on(self, at: At[Operator], mine: Ints) -> "Vectors":
        """Those of `mine` [rows] on the die that is worked on."""
        tokens = self.tokens[mine]
        made = at.ctx.spread(self.tokens, self.made)
        made = at.carry(self.name, made, self.width, tokens)
        return replace(self, tokens=tokens, made=made[tokens])


def dealt(banks: list[FireGroup], rows: int) -> tuple[Ints, Ints | int]:
    """The copies of a bank in turn: group number of each row, and its copy (-1 if there is one)."""
    copy = np.arange(rows) % len(banks)
    numbers = np.array([bank.number for bank in banks], dtype=np.int64)
    return numbers[copy], copy if len(banks) > 1 else -1


def emit_broadcast(at: At[Operator], bank: FireGroup, group: Ints, x: Vectors) -> Ints:
    """The LOADs [tokens] that bring a value to a bank: one for all that multiply it in the region.

    bank: one of its copies; group: [tokens] the one that a token goes to. A bank that takes a
    token's value once more (one matrix, one input, two products) shares the token's second LOAD.
    """
    ctx, first, tokens = at.ctx, bank.blocks[0], x.tokens
    sent = ctx.sent.setdefault((x.name, at.region, at.die, x.sent), Sent())
    matrix = first.operator, owner_columns(first.owner)[2]
    uses = sent.uses.setdefault(matrix, np.zeros(ctx.tokens, dtype=np.int64))
    turn, out = uses[tokens], np.empty(len(tokens), dtype=np.int64)
    for n in range(int(turn.max(initial=-1)) + 1):
        if n == len(sent.loads):
            sent.loads.append(np.full(ctx.tokens, -1, dtype=np.int64))
        loads, mine = sent.loads[n], turn == n
        lacking = mine & (loads[tokens] < 0)
        new = tokens[lacking]
        if len(new):
            loads[new] = emit_load(at, x.sent, at.tag(new, stage=0), [x.made[lacking]])
        out[mine] = loads[tokens[mine]]
    uses[tokens] += 1
    ctx.stream.link("dst", out, at.groups("group", bank.stage, group))
    return out


def emit_bank(at: At[Operator], banks: list[FireGroup], x: Vectors) -> Ints:
    """A value through the copies of a dense matrix, dealt in turn; returns the STOREs [tokens]."""
    bank, out = banks[0], np.empty(len(x.tokens), dtype=np.int64)
    group, copy = dealt(banks, len(x.tokens))
    columns = sum(b.weight.columns for b in bank.blocks)
    for die, mine in at.by_die(bank.stage, group):
        here = at.on(die)
        own = x.on(here, mine)
        load = emit_broadcast(here, bank, group[mine], own)
        replica = copy if isinstance(copy, int) else copy[mine]
        tag = replace(at.tag(own.tokens, stage=bank.stage), replica=replica)
        product = emit_product(here, group[mine], bank.blocks, load, tag, shared_pg=False)
        at.ctx.stream.mark_last_readers(product.mvm)
        stores = emit_store(here, group[mine], product.sums, columns, tag)
        out[mine] = at.cross(own.tokens, stores, columns, die, at.die)
    return out


def emit_dense(at: At[Dense]) -> None:
    """One MVM per token; products of the same input in one region (q, k, v) share its LOAD."""
    ctx, tokens, name = at.ctx, at.rows, at.op.inputs[0]
    banks = ctx.units.banks[at.home, DenseOwner(), 0]
    made, rows = at.fetch(name)[tokens], at.op.weight.rows
    x = Vectors(name, tokens, made, rows, at.width_of(name))
    at.produce(ctx.spread(tokens, emit_bank(at, banks, x)))

"""Stations of the operators outside the MoE layers: digital work, attention, dense products."""

from dataclasses import dataclass

import numpy as np

from compiler.design.flow import Nodes, Site, Station, Use, Way
from compiler.design.kernels import Jobs, Kernel
from compiler.design.queues import queue
from compiler.design.shared import meetings
from compiler.emit.caches import may_stream
from compiler.emit.crossbars import fired
from compiler.fire_groups import FireGroup
from ir import timing
from ir.arrays import Ints
from ir.mapping import Block, RoutedOwner
from ir.timing import Cost
from ir.units import attention_tile
from ir.workload import Attention, Dense, Digital


def add_digital(way: Way, index: int, op: Digital) -> None:
    """One job of a token, or of a sequence; tables and masks take nothing."""
    if op.scope == "constant":
        return
    region = way.workload.region_at(index)
    before = way.fetch(op.inputs, region, op.width)

    def make(site: Site) -> Kernel:
        tokens = way.floor.tokens
        if op.scope == "token":
            cost, servers = _of_token(site, op), site.values["dpus"]
            return way.one_unit(cost, servers=servers, newest=op.newest)
        sizes = np.bincount(tokens.job)
        costs = [_of_sequence(site, op, int(n)) for n in sizes]
        return jobs(tokens.job, costs)

    node = way.add(Station("dpu", region, op.name, ("dpus",), before, make))
    way.values |= dict.fromkeys(op.outputs, (region, (node,)))


def _of_token(site: Site, op: Digital) -> Cost:
    chip = site.chip
    if op.kind == "join":
        return timing.join()
    if op.kind == "norm":
        work = timing.norm(chip, op.width)
    elif op.kind == "act":
        work = timing.act(chip, op.width, op.passes)
    else:
        work = timing.digital(chip, op.elements if op.kind == "other" else op.width)
    return timing.with_products(chip, work, op.macs, op.weight_bytes + op.gathered_bytes)


def _of_sequence(site: Site, op: Digital, tokens: int) -> Cost:
    work = timing.digital(site.chip, op.elements * tokens)
    data = op.weight_bytes + op.gathered_bytes * tokens
    return timing.with_products(site.chip, work, op.macs * tokens, data)


def jobs(job: Ints, costs: list[Cost]) -> Jobs:
    """Jobs of these costs, one after another."""
    busy = np.array([cost.busy_ps for cost in costs], dtype=np.int64)
    return Jobs(job, busy, sum(cost.energy_fj for cost in costs))


def add_attention(way: Way, index: int, op: Attention) -> None:
    """Tiles of queries where no token looks ahead, else whole sequences; of decode steps one."""
    region = way.workload.region_at(index)
    before = way.fetch(op.inputs, region, op.width)
    streams = may_stream(op, way.floor.chip)
    decode = way.floor.tokens.decode > 0

    def make(site: Site) -> Kernel:
        tokens, units = way.floor.tokens, site.values["mha"]
        tile = len(tokens)
        if streams:
            copies = site.values["copies"]
            tile = attention_tile(op, units, tokens.prefill, site.chip, copies)
        number = tokens.job * len(tokens) + (tokens.place // tile if not decode else 0)
        job = np.unique(number, return_inverse=True)[1]
        queries = np.bincount(job)
        keys = np.zeros(len(queries), dtype=np.int64)
        np.maximum.at(keys, job, tokens.place + 1)
        costs = [_attention(site, op, int(q), int(n)) for q, n in zip(queries, keys, strict=True)]
        return jobs(job, costs)

    node = way.add(Station("mha", region, op.name, ("mha", "copies"), before, make))
    way.values |= dict.fromkeys(op.outputs, (region, (node,)))


def _attention(site: Site, op: Attention, queries: int, keys: int) -> Cost:
    units = site.values["mha"]
    kept = timing.kept_ps(site.chip, keys, op.kv_heads, op.head_dim, units)
    return timing.attention(
        site.chip,
        queries,
        keys,
        op.heads,
        op.head_dim,
        causal=op.causal,
        units=units,
        kept_ps=kept,
    )


def add_dram(way: Way) -> None:
    """What decode steps read and write of keys and values, on the one port of the chip."""
    chip, tokens = way.floor.chip, way.floor.tokens
    kept = [
        timing.key_bytes(chip, op.kv_heads, op.head_dim)
        for op in way.workload.attentions()
        if not (may_stream(op, chip) and chip.memory.kv == "buffers")
    ]
    if not tokens.decode or not kept:
        return

    def make(site: Site) -> Kernel:
        each = [timing.dram(site.chip, size) for size in kept]
        parts = [timing.dram(site.chip, n * size) for n in tokens.place.tolist() for size in kept]
        reads = np.array([cost.busy_ps for cost in parts]).reshape(len(tokens), -1).sum(axis=1)
        busy = reads + sum(cost.busy_ps for cost in each)
        energy = sum(cost.energy_fj for cost in parts)
        energy += len(tokens) * sum(cost.energy_fj for cost in each)
        return queue(busy, busy, energy_fj=energy)

    region = way.workload.regions[0]
    way.add(Station("dram", region, "keys and values", (), (), make, whole=True))


def add_sample(way: Way) -> None:
    """A step's token is chosen, and taken to where the next step begins."""
    if not way.floor.tokens.decode:
        return
    region, before = way.values[way.workload.outputs[0]]

    def make(site: Site) -> Kernel:
        return way.one_unit(timing.sample(site.chip), servers=site.values["dpus"])

    node = way.add(Station("dpu", region, "sample", ("dpus",), before, make))
    way.values["sample"] = region, (node,)
    way.fetch(["sample"], way.workload.region_at(0), timing.SAMPLE_VALUES)


@dataclass(frozen=True)
class Product:
    """Blocks that fire together on one vector, as one of several banks.

    operator: whose blocks they are; newest: they multiply the newest token alone, and stand once.
    """

    operator: int
    stage: int
    blocks: tuple[Block, ...]
    newest: bool = False

    @property
    def columns(self) -> int:
        """Values that it gives."""
        return sum(block.weight.columns for block in self.blocks)

    def banks(self, site: Site) -> int:
        """How often it stands."""
        return 1 if self.newest else site.values["copies"]


def fire(site: Site, blocks: tuple[Block, ...], *, shared: bool) -> tuple[Cost, Cost]:
    """An MVM of the blocks, and the sums of its parts, where it has some."""
    chip, first = site.chip, blocks[0]
    mvm = timing.mvm(chip, fired(chip, blocks), shared=shared, stacked=site.shares)
    bias = any(block.weight.bias for block in blocks)
    if first.rows == 1 and not bias:
        return mvm, Cost(0, 0, 0)
    columns = sum(block.columns for block in blocks)
    per_tile = chip.crossbar.weights_per_row(first.weight)
    return mvm, timing.accumulate(chip, first.rows, columns, per_tile, bias=bias)


def add_product(way: Way, product: Product, name: str, region: int, sent: int, x: Nodes) -> int:
    """LOAD and MVM of a value on the copies of a bank; returns the station that has its sums."""
    load = way.load(name, region, sent, x)
    what = f"{product.operator}.{product.stage}"

    def make(site: Site) -> Kernel:
        costs = fire(site, product.blocks, shared=False)
        own = way.units(*costs, copies=product.banks(site), newest=product.newest)
        met = meetings(way, site, product.blocks)
        if not np.any(met):
            return own
        busy = own.busy + met[0] * max(cost.busy_ps for cost in costs)
        return queue(busy, own.alone, product.banks(site), own.energy_fj)

    def entries(site: Site) -> Kernel:
        mvm, acc = fire(site, product.blocks, shared=False)
        rows, held = way.rows(newest=product.newest), site.load(sent).duration_ps + mvm.duration_ps
        busy = -(-held // site.values["buffers"])
        taken = rows + meetings(way, site, product.blocks)[0]
        return queue(taken * busy, rows * (held + acc.duration_ps), product.banks(site))

    alone = ("copies",) if way.stack == 1 else way.sizes(region)
    done = way.add(Station("group", region, what, alone, (load,), make))
    needs = (*way.sizes(region), "transfers", "buffers")
    held = Station("group", region, f"{what} input", needs, x, entries, whole=True)
    way.beside[done] = [way.add(held)]

    def mvms(site: Site, group: FireGroup) -> Ints:
        mine = dealt(len(way.floor.tokens), product.banks(site), group)
        return way.rows(newest=product.newest) * mine

    way.use(product.blocks, Use(done, mvms, lambda s: fire(s, product.blocks, shared=False)))
    return done


def dealt(tokens: int, copies: int, group: FireGroup) -> Ints:
    """[tokens] 1 for those that come to one of the copies of a bank, which take them in turn."""
    owner = group.blocks[0].owner
    copy = 0 if isinstance(owner, RoutedOwner) else owner.copy
    found: Ints = (np.arange(tokens) % copies == copy).astype(np.int64)
    return found


def add_dense(way: Way, index: int, op: Dense) -> None:
    """All products of one input in a region: one LOAD, MVMs side by side, their results in turn."""
    if op.outputs[0] in way.values:
        return  # with another of the same input
    region, name = way.workload.region_at(index), op.inputs[0]
    mine = [
        (i, other)
        for i, other in enumerate(way.workload.operators)
        if isinstance(other, Dense)
        and (other.inputs[0], other.weight.rows) == (name, op.weight.rows)
        and way.workload.region_at(i) == region
        and other.newest == op.newest
    ]
    x = way.fetch([name], region, op.weight.rows)
    done = []
    for i, other in mine:
        home = way.workload.homes[i]
        product = Product(home, 0, way.floor.blocks_of(home), other.newest)
        done.append(add_product(way, product, name, region, op.weight.rows, x))
    widths = {i: other.weight.columns for i, other in mine}
    node = add_stores(way, region, op.name, tuple(done), widths)
    way.values |= {n: (region, (node,)) for _, other in mine for n in other.outputs}


def add_stores(
    way: Way, region: int, what: str, before: Nodes, widths: dict[int, int], stage: int = 0
) -> int:
    """Results of dense products of a token, one after another on the return link.

    widths: {operator: values}.
    """

    def make(site: Site) -> Kernel:
        costs = []
        for operator, values in widths.items():
            home = way.workload.homes[operator]
            hops, _ = site.laid.to_bank(region, home, stage)
            costs.append(site.store(values, hops))
        busy = sum(cost.busy_ps for cost in costs)
        last = max(cost.duration_ps - cost.busy_ps for cost in costs)
        rows = way.rows(newest=all(way.workload.operators[index].newest for index in widths))
        energy = sum(cost.energy_fj for cost in costs) * int(rows.sum())
        return queue(rows * busy, rows * (busy + last), energy_fj=energy)

    needs = (*way.sizes(region), "transfers", "lanes")
    return way.add(Station("return", region, what, needs, before, make))

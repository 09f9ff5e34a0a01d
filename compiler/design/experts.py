"""Stations of an MoE layer: router, turns of the expert groups, shared experts, weighted sum."""

from collections.abc import Callable, Mapping

import numpy as np

from compiler.design.floor import Counts
from compiler.design.flow import Nodes, Site, Station, Use, Way
from compiler.design.kernels import Kernel, Turns
from compiler.design.pairs import Pair
from compiler.design.queues import queue
from compiler.design.shared import meetings
from compiler.design.steps import Product, add_product, add_stores, dealt, fire, jobs
from compiler.emit.caches import scores_kept
from compiler.fire_groups import FireGroup
from ir import timing
from ir.arrays import Ints
from ir.mapping import Block, DenseOwner, RoutedOwner, SharedOwner
from ir.timing import Cost
from ir.workload import MoELayer


def add_moe(way: Way, index: int, op: MoELayer) -> None:
    """GATE, TOPK, the experts' turns and their results, shared experts, COMBINE."""
    region = way.workload.region_at(index)
    x = way.fetch(op.inputs[:1], region, op.d_model)
    gate = _add_gate(way, index, op, region)
    routed = _add_choice(way, op, region, gate)
    stores = [_add_experts(way, index, op, region, x, routed)]
    stores += _add_shared(way, index, op, region, x)
    shared, most = len(op.shared), _pairs(way, op)

    def make(site: Site) -> Kernel:
        kinds = {int(n): _combine(site, op, int(n) + shared) for n in np.unique(most)}
        busy = np.array([kinds[n].busy_ps for n in most.tolist()], dtype=np.int64)
        servers = site.values["dpus"]
        energy = sum(kinds[n].energy_fj for n in most.tolist())
        return queue(-(-busy // servers), busy, energy_fj=energy)

    before = tuple(sorted({*stores, routed, gate}))
    node = way.add(Station("dpu", region, f"{op.name} sum", ("dpus",), before, make))
    way.values |= dict.fromkeys(op.outputs, (region, (node,)))


def _pairs(way: Way, op: MoELayer) -> Ints:
    """Experts of each token: [tokens]."""
    found: Ints = way.floor.tokens.chosen[op.layer].sum(axis=1).astype(np.int64)
    return found


def _combine(site: Site, op: MoELayer, parts: int) -> Cost:
    """As the emitter counts it, for tokens that do not pass themselves on."""
    scaled = op.scale != 1.0
    if op.apart == "outputs":
        size = 1, int(op.weights_outputs), op.d_out, op.d_expert
        return timing.combine(site.chip, *size, scaled=scaled)
    weighted = op.gated_shared
    if op.weight_on == "output":
        weighted += parts - len(op.shared)
    return timing.combine(site.chip, parts, weighted, op.d_out, op.d_expert, scaled=scaled)


def _blocks(way: Way, home: int) -> Mapping[object, tuple[Block, ...]]:
    """Blocks by owner and stage."""
    found: dict[object, tuple[Block, ...]] = {}
    for block in way.floor.blocks_of(home):
        key = block.owner, block.stage
        found[key] = (*found.get(key, ()), block)
    return found


def _add_gate(way: Way, index: int, op: MoELayer, region: int) -> int:
    """The scores, of a product on crossbars or of a digital unit."""
    holder = way.workload.matrix_homes[index]
    blocks = _blocks(way, holder).get((DenseOwner(), 0))
    read = way.fetch(op.gate_inputs(on_crossbars=blocks is not None), region, op.d_model)
    if blocks is not None:
        scored = way.fetch([op.scored], region, op.scored_width)
        product = Product(holder, 0, blocks)
        done = add_product(way, product, op.scored, region, op.scored_width, scored)
        widths = {holder: product.columns}
        read = (*read, add_stores(way, region, f"{op.name} scores", (done,), widths))

    def make(site: Site) -> Kernel:
        cost = timing.gate(
            site.chip,
            op.d_model,
            op.router.outputs,
            op.gated_shared,
            on_crossbar=blocks is not None,
            scored=op.score_products,
        )
        return way.one_unit(cost, servers=site.values["dpus"])

    return way.add(Station("dpu", region, f"{op.name} gate", ("dpus",), read, make))


def _add_choice(way: Way, op: MoELayer, region: int, gate: int) -> int:
    """The selection: of each token, or of every sequence's tokens by the experts."""
    router, tokens = op.router, way.floor.tokens

    def make(site: Site) -> Kernel:
        if router.capacity is None:
            cost = timing.topk(site.chip, router.outputs, router.top_k or 1)
            return way.one_unit(cost, servers=site.values["dpus"])
        sizes, first = np.bincount(tokens.job), np.unique(tokens.job, return_index=True)[1]
        kept = [
            scores_kept(router.capacity, n) if tokens.decode else 0 for n in tokens.place[first]
        ]
        costs = [
            timing.top_tokens(site.chip, int(n), int(m), router.experts)
            for n, m in zip(sizes, kept, strict=True)
        ]
        return jobs(tokens.job, costs)

    return way.add(Station("dpu", region, f"{op.name} choice", ("dpus",), (gate,), make))


def _add_experts(way: Way, index: int, op: MoELayer, region: int, x: Nodes, routed: int) -> int:
    """The turns of the groups, what is between their two stages, and their results."""
    pairs, blocks = _pairs(way, op), _blocks(way, way.workload.homes[index])
    widest = max(range(len(op.experts)), key=op.hidden_widths.__getitem__)
    up, down = (blocks.get((RoutedOwner(widest), stage), ()) for stage in (0, 1))
    waits = way.floor.chip.digital.experts_wait_for_router
    node = _add_broadcasts(way, op, region, (*x, routed) if waits else x)

    def turns(site: Site) -> Kernel:
        found, load = site.counts(op.layer), site.load(op.d_model)
        pairs_of = [Pair.of(site, op, (up, down), number) for number in range(found.groups)]
        turns = np.bincount(found.group, found.times, found.groups).astype(np.int64).tolist()
        parts = (
            found.first,
            found.group,
            found.times,
            load.duration_ps,
            load.busy_ps,
            pairs_of[0].mvm.busy_ps,
            site.values["buffers"],
            np.array([pair.pace_ps for pair in pairs_of], dtype=np.int64),
            np.array([pair.after_ps for pair in pairs_of], dtype=np.int64),
            sum(n * pair.energy_fj for n, pair in zip(turns, pairs_of, strict=True)),
        )
        met = meetings(way, site, up, found.groups)
        if not np.any(met):
            return Turns(*parts)
        mvm, acc = fire(site, up, shared=True)
        held = -(-(load.duration_ps + mvm.duration_ps) // site.values["buffers"])
        return Turns(*parts, met=met * max(mvm.busy_ps, acc.busy_ps, held))

    needs = (*way.sizes(region), "transfers", "buffers")
    node = way.add(Station("group", region, f"{op.name} turns", needs, (node,), turns))
    way.use(up, _use(op, node, up))
    if down:
        what = f"{op.name} hidden"
        node = _add_pairs(way, op, region, what, node, lambda s: _hidden(s, op, up, routed=True))

    def results(site: Site) -> Kernel:
        store, (mvm, acc) = site.store(op.d_result, 0), fire(site, down or up, shared=True)
        before = mvm.duration_ps + acc.duration_ps if down else 0
        busy = pairs * store.busy_ps
        after = before + store.duration_ps + np.maximum(pairs - 1, 0) * store.busy_ps
        energy = mvm.energy_fj + acc.energy_fj if down else 0
        return queue(busy, after, energy_fj=energy * int(pairs.sum()))

    needs = (*way.sizes(region), "transfers", "lanes")
    node = way.add(Station("return", region, f"{op.name} results", needs, (node,), results))
    if down:
        way.use(down, _use(op, node, down))
    if not (op.single and op.curved):
        return node
    return _add_pairs(way, op, region, f"{op.name} curve", node, lambda site: [_curve(site, op)])


def _use(op: MoELayer, node: int, blocks: tuple[Block, ...]) -> Use:
    """The groups of experts of a stage, and the station that their products belong to."""

    def mvms(site: Site, group: FireGroup) -> Ints:
        return site.counts(op.layer).of_group(group.number)

    return Use(node, mvms, lambda site: fire(site, blocks, shared=True))


def _add_broadcasts(way: Way, op: MoELayer, region: int, before: Nodes) -> int:
    """The bus of a layer's LOADs: one for each token that has experts, as its turns follow."""

    def make(site: Site) -> Kernel:
        found, load = site.counts(op.layer), site.load(op.d_model)
        times = _times(found, retain=site.chip.pg.retain_input)
        energy = int(times.sum()) * load.energy_fj
        return queue(times * load.busy_ps, np.zeros_like(times), energy_fj=energy)

    needs = (*way.sizes(region), "transfers")
    before = tuple(sorted(set(before)))
    return way.add(Station("bus", region, f"{op.name} broadcasts", needs, before, make))


def _times(found: Counts, *, retain: bool) -> Ints:
    """LOADs of each token whose turns follow one another: those of its fullest group, or one."""
    most = np.zeros(len(found.first) - 1, dtype=np.int64)
    token = np.repeat(np.arange(len(most)), np.diff(found.first))
    np.maximum.at(most, token, found.times)
    return np.minimum(most, 1) if retain else most


def _curve(site: Site, op: MoELayer) -> Cost:
    """The activation of what an expert of a single matrix gives."""
    return timing.act(site.chip, op.d_result, op.passes)


def _hidden(site: Site, op: MoELayer, up: tuple[Block, ...], *, routed: bool) -> list[Cost]:
    """Between the stages: a factor of the input, the activation, the product of gate and up."""
    width, both = up[0].weight.columns, sum(block.weight.columns for block in up)
    costs = [timing.act(site.chip, width, op.passes)]
    if routed and op.weight_on == "input":
        costs.append(timing.add(site.chip, both))
    if len(up) > 1:
        costs.append(timing.add(site.chip, width))
    return costs


def _add_pairs(
    way: Way,
    op: MoELayer,
    region: int,
    what: str,
    node: int,
    costs: Callable[[Site], list[Cost]],
) -> int:
    """Digital work of every pair."""
    pairs = _pairs(way, op)

    def make(site: Site) -> Kernel:
        work, servers = costs(site), site.values["dpus"]
        each = sum(cost.busy_ps for cost in work)
        energy = sum(cost.energy_fj for cost in work) * int(pairs.sum())
        return queue(-(-pairs * each // servers), -(-pairs // servers) * each, energy_fj=energy)

    return way.add(Station("dpu", region, what, ("dpus",), (node,), make))


def _add_shared(way: Way, index: int, op: MoELayer, region: int, x: Nodes) -> list[int]:
    """Every shared expert: a product of every token, or two with its activation between."""
    home = way.workload.homes[index]
    blocks, nodes = _blocks(way, home), []
    for number in range(len(op.shared)):
        up, down = (blocks.get((SharedOwner(number), stage), ()) for stage in (0, 1))
        if not up:
            continue
        product = Product(home, 0, up)
        node = add_product(way, product, op.inputs[0], region, op.d_model, x)
        if down:
            node = _add_shared_hidden(way, op, region, node, (home, up, down))
        stage, what = (1, "shared") if down else (0, "shared")
        widths = {home: op.d_result}
        nodes.append(add_stores(way, region, f"{op.name} {what}", (node,), widths, stage))
    return nodes


def _add_shared_hidden(
    way: Way,
    op: MoELayer,
    region: int,
    node: int,
    parts: tuple[int, tuple[Block, ...], tuple[Block, ...]],
) -> int:
    """A shared expert's activation, and its second stage on as many copies as the first."""
    home, up, down = parts

    def hidden(site: Site) -> Kernel:
        work = _hidden(site, op, up, routed=False)
        return way.one_unit(*work, servers=site.values["dpus"])

    def second(site: Site) -> Kernel:
        both = sum(block.weight.columns for block in up)
        there = timing.xfer(site.chip, both, *site.laid.to_bank(region, home, 0))
        back = timing.xfer(site.chip, down[0].weight.rows, *site.laid.to_bank(region, home, 1))
        mvm, acc = fire(site, down, shared=False)
        held = back.duration_ps + mvm.duration_ps
        entry = Cost(0, -(-held // site.values["buffers"]), 0)
        return way.units(there, back, mvm, acc, entry, copies=site.values["copies"])

    node = way.add(Station("dpu", region, f"{op.name} shared hidden", ("dpus",), (node,), hidden))

    def mvms(site: Site, group: FireGroup) -> Ints:
        return dealt(len(way.floor.tokens), site.values["copies"], group)

    needs = (*way.sizes(region), "buffers")
    node = way.add(Station("group", region, f"{home}.1", needs, (node,), second))
    way.use(down, Use(node, mvms, lambda site: fire(site, down, shared=False)))
    return node

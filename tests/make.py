"""Small workloads, chips, routings and compiled programs for tests: no files, no solver.

Everything is built directly from the types of `ir/`; `compile_small` runs the real partition,
placement and emitter with a contiguous grouping and a compact slot order made here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from compiler.grouping import split_counts, split_pairs
from compiler.options import GroupingOptions, Options, PlacementOptions, Shape, SlotOptions
from compiler.partition import partition, with_dense_copies, with_replicas
from compiler.pipeline import realise
from compiler.placement import place
from compiler.placement.sites import Sites
from compiler.steps import pairs_run, plan_steps
from ir.activation import usual
from ir.arrays import Bools, Ints, Span
from ir.certificate import Certificate
from ir.chip import (
    Accumulate,
    Bus,
    Chip,
    Crossbar,
    Digital,
    Memory,
    Mesh,
    Mvm,
    PeripheralGroup,
)
from ir.compiled import Compiled
from ir.mapping import Block, Grouping, LayerGrouping, Mapping
from ir.schedule import Caches, Schedule, SlotOrder, assign_experts
from ir.selection import ByCapacity, ByIds, Capacity
from ir.stacks import NO_STACKS, Stacking
from ir.workload import (
    AnyOperator,
    Attention,
    Dense,
    Expert,
    MoELayer,
    Router,
    Weight,
    Workload,
)
from ir.workload import Digital as DigitalOp

SMALL_CHIP = Chip(
    name="small",
    description="8x8 crossbars of 4-bit cells: 4 weights of 8 bits in a row",
    crossbar=Crossbar(8, 8, cell_bits=4, weight_bits=8, differential=False, array_um2=10),
    mvm=Mvm(
        input_bits=8,
        output_bits=8,
        dac_bits=8,
        read_ps=10_000,
        columns_per_adc=1,
        conversion_ps=0,
        drain_ps=0,
        cycle_fj=10_000,
    ),
    pg=PeripheralGroup(
        mux=2,
        peripheral_um2=100,
        mux_switch_um2=1,
        mux_settle_ps=0,
        input_buffers=2,
        retain_input=True,
        idle_uw=0,
    ),
    accumulate=Accumulate(where="pg", hop_ps=12_000, hop_fj=12_930, psum_bits=16),
    bus=Bus(
        transfers_per_slot=2,
        bits_per_ns=None,
        latency_ps=0,
        bit_fj=50,
        um2_per_bit_per_ns=100,
        return_lanes=0,
    ),
    mesh=Mesh(pgs_per_core=4, width=0, height=0, hop_ps=12_000, hop_fj=12_930),
    digital=Digital(
        dpus=2,
        mha_units=1,
        add_base_ps=4_000,
        add_ps=8_000,
        add_fj=9_430,
        norm_ps=60_000,
        norm_fj=75_000,
        relu_ps=1_000,
        relu_fj=900,
        smooth_base_ps=6_000,
        smooth_ps=16_000,
        smooth_fj=9_630,
        sample_ps=1_000,
        macs_per_ns=64,
        mac_fj=250,
        attention="macs",
        router_on="digital",
        experts_wait_for_router=True,
        dpu_um2=1_000,
        mha_um2=1_000,
    ),
    memory=Memory(
        region_buffer_bytes=0,
        buffer_um2_per_kib=400,
        dram_mb_per_s=10_000,
        dram_active_uw=1_000,
        dram_idle_uw=100,
        passive_uw=0,
    ),
)


def small_chip(**changes: Any) -> Chip:
    """SMALL_CHIP with fields changed: `small_chip(pg={"mux": 4}, mesh={"pgs_per_core": 2})`."""
    parts = {
        name: replace(getattr(SMALL_CHIP, name), **fields) if isinstance(fields, dict) else fields
        for name, fields in changes.items()
    }
    return replace(SMALL_CHIP, **parts)


@dataclass
class _Builder:
    """The operators so far and the name of the token vectors they end in."""

    d: int
    bits: int
    bias: bool
    operators: list[AnyOperator]

    def add(
        self,
        cls: type[AnyOperator],
        name: str,
        layer: int,
        inputs: tuple[str, ...],
        width: int,
        **fields: Any,
    ) -> str:
        """Append an operator of one node and one output `name`; returns the name."""
        self.operators.append(
            cls(
                name=name,
                layer=layer,
                inputs=inputs,
                outputs=(name,),
                nodes=(f"node_{name}",),
                width=width,
                **fields,
            )
        )
        return name

    def digital(
        self, kind: str, name: str, layer: int, *inputs: str, width: int = 0, scope: str = "token"
    ) -> str:
        """A digital operator of `kind`."""
        width = width or self.d
        return self.add(
            DigitalOp, name, layer, inputs, width, kind=kind, scope=scope, elements=width
        )

    def dense(self, name: str, layer: int, x: str, rows: int, columns: int) -> str:
        """Multiply by a weight on crossbars."""
        return self.add(Dense, name, layer, (x,), columns, weight=self.weight(name, rows, columns))

    def weight(self, tensor: str, rows: int, columns: int, index: int | None = None) -> Weight:
        """A weight of the model's element type."""
        bias = f"{tensor}.bias" if self.bias else None
        return Weight(tensor, rows, columns, bits=self.bits, index=index, bias=bias)

    def expert(self, name: str, f: int, gated: bool, index: int | None) -> Expert:
        """One expert of hidden width f."""
        return Expert(
            up=self.weight(f"{name}.up", self.d, f, index),
            down=self.weight(f"{name}.down", f, self.d, index),
            gate=self.weight(f"{name}.gate", self.d, f, index) if gated else None,
        )


def small_workload(
    layers: int = 2,
    d: int = 20,
    f: int = 12,
    experts: int = 4,
    k: int = 2,
    *,
    gated: bool = True,
    shared: int = 0,
    shared_f: int | None = None,
    shared_gates: tuple[bool, ...] = (),
    scale: float = 1.0,
    expert_choice: bool = False,
    capacity: Capacity | None = None,
    dense_layers: tuple[int, ...] = (),
    bits: int = 8,
    bias: bool = False,
    masks: bool = False,
    vocabulary: int = 30,
    newest: bool = False,
    embedded: bool = False,
    weight_on: Literal["output", "input"] = "output",
    widths: tuple[int, ...] = (),
    tied: bool = False,
) -> Workload:
    """A decoder: embed, per layer (norm, q, k, v, attention, o, add, norm, MoE, add), norm, head.

    widths: of the routed experts by turns, where they are not all f. tied: all MoE layers have the
    experts of the first.
    shared_gates: which shared experts have a gate. dense_layers have up, act, down instead of the
    MoE layer. `masks` adds what real exports carry: two constant operators that the attention's
    mask is made of, and one that mixes a sequence.
    newest: the last norm and the head are for the newest token alone. embedded: the embedding is a
    product on crossbars, whose LOADs wait for the choice of the token.
    """
    build = _Builder(d, bits, bias, [])
    mask: tuple[str, ...] = ()
    if masks:
        row = build.digital("other", "positions", -1, width=7, scope="constant")
        column = build.digital("other", "triangle", -1, width=3, scope="constant")
        mask = (build.digital("other", "mask", -1, row, column, width=9, scope="constant"),)
    if embedded:
        x = build.dense("embed", -1, "ids", 8, d)
    else:
        x = build.digital("embed", "embed", -1, "ids")
    if masks:
        x = build.digital("other", "mixed", -1, x, scope="sequence")
    scores = build.weight("router", d, experts)
    if expert_choice:
        capacity = capacity or Capacity(numerator=k, denominator=experts)
        selection = ByCapacity("scores", capacity)
        router = Router("expert-choice", experts, selection, projection=scores)
    else:
        router = Router("softmax-topk", experts, ByIds("chosen", "gates"), k, scores)
    for n in range(layers):
        h = build.digital("norm", f"norm_a{n}", n, x)
        q, key, v = (build.dense(f"{c}{n}", n, h, d, d) for c in "qkv")
        a = build.add(
            Attention,
            f"attention{n}",
            n,
            (q, key, v, *mask),
            d,
            heads=2,
            kv_heads=2,
            head_dim=d // 2,
            causal=True,
        )
        x = build.digital("add", f"add_a{n}", n, x, build.dense(f"o{n}", n, a, d, d))
        h = build.digital("norm", f"norm_b{n}", n, x)
        if n in dense_layers:
            up = build.dense(f"up{n}", n, h, d, 2 * f)
            act = build.digital("act", f"act{n}", n, up, width=2 * f)
            y = build.dense(f"down{n}", n, act, 2 * f, d)
        else:
            y = build.add(
                MoELayer,
                f"moe{n}",
                n,
                (h,),
                d,
                router=router,
                experts=tuple(
                    build.expert(
                        f"moe{n * (not tied)}", widths[e % len(widths)] if widths else f, gated, e
                    )
                    for e in range(experts)
                ),
                shared=tuple(
                    build.expert(f"shared{n}.{s}", shared_f or f, gated, None)
                    for s in range(shared)
                ),
                shared_gates=tuple(
                    build.weight(f"gate{n}.{s}", d, 1) if has else None
                    for s, has in enumerate(shared_gates)
                ),
                scale=scale,
                weight_on=weight_on,
                activation=usual("silu"),
                form="loop",
            )
        x = build.digital("add", f"add_b{n}", n, x, y)
    x = build.digital("norm", "norm_end", layers - 1, x)
    head = build.dense("head", layers - 1, x, d, vocabulary)
    if newest:
        build.operators[-2:] = [replace(op, newest=True) for op in build.operators[-2:]]
    return Workload("small", "0" * 64, ("ids",), (head,), tuple(build.operators))


def random_routing(
    workload: Workload, sequence: Ints, seed: int = 0, *, skew: float = 1.0
) -> dict[int, Bools]:
    """Who goes where: {MoE layer: bool [tokens, experts]}, popular experts first if skew > 0."""
    rng = np.random.default_rng(seed)
    out: dict[int, Bools] = {}
    for op in workload.moe_layers:
        experts = op.router.experts
        score = rng.gumbel(size=(len(sequence), experts)) - skew * np.arange(experts) / experts
        chosen = np.zeros(score.shape, dtype=np.bool_)
        if op.router.capacity is None:
            best = np.argsort(-score, axis=1, kind="stable")[:, : op.router.top_k]
            chosen[np.arange(len(sequence))[:, None], best] = True
        else:
            for s in np.unique(sequence):
                members = np.flatnonzero(sequence == s)
                best = np.argsort(-score[members], axis=0, kind="stable")
                taken = members[best[: op.router.capacity.of(len(members))]]
                chosen[taken, np.arange(experts)[None, :]] = True
        out[op.layer] = chosen
    return out


def contiguous(workload: Workload, size: int) -> Grouping:
    """Neighbouring experts in groups of `size`; the last one may be smaller.

    Layers on the experts of another have that one's groups.
    """
    layers = []
    for op in workload.moe_layers:
        if workload.expert_homes[op.layer] != op.layer:
            continue
        experts = range(op.router.experts)
        groups = tuple(tuple(experts[i : i + size]) for i in range(0, len(experts), size))
        layers.append(
            LayerGrouping(op.layer, groups, "contiguous", Certificate("slots", 0, 0, "heuristic"))
        )
    return Grouping(tuple(layers))


def compact_order(grouping: LayerGrouping, chosen: Bools, *, lockstep: bool = False) -> SlotOrder:
    """Every group runs its tokens in token order without a gap."""
    counts = split_counts(grouping, chosen)
    queues = [np.repeat(np.arange(len(counts)), counts[:, g]) for g in range(counts.shape[1])]
    slots = max((len(q) for q in queues), default=0)
    table = np.full((slots, len(queues)), -1, dtype=np.int64)
    for g, queue in enumerate(queues):
        table[: len(queue), g] = queue
    return SlotOrder("compact", table, slots, 0, "heuristic", lockstep=lockstep)


def serial_order(grouping: LayerGrouping, chosen: Bools, *, lockstep: bool = True) -> SlotOrder:
    """One token at a time: token t takes max_g counts[t, g] slots."""
    rows: list[list[int]] = []
    for token, counts in enumerate(split_counts(grouping, chosen)):
        rows += [[token if turn < c else -1 for c in counts] for turn in range(counts.max())]
    groups = len(grouping.groups)
    table = np.array(rows, dtype=np.int64).reshape(-1, groups)
    return SlotOrder("token-serial", table, len(table), 0, "heuristic", lockstep=lockstep)


def options_of(shape: Shape, fit: Span, score: Span, **names: Any) -> Options:
    """Options by the command line's names, all in one: grouping="lpt", scheduling="compact"..."""
    stages: dict[str, dict[str, Any]] = {"grouping": {}, "placement": {}, "slots": {}}
    others: dict[str, Any] = {}
    for name, value in names.items():
        stage, field = STAGE_OF.get(name, ("", name))
        (stages[stage] if stage else others)[field] = value
    return Options(
        shape,
        fit,
        score,
        GroupingOptions(**stages["grouping"]),
        PlacementOptions(**stages["placement"]),
        SlotOptions(**stages["slots"]),
        **others,
    )


SitesOf = Callable[[tuple[Block, ...], Grouping], Sites]
STAGE_OF = {
    "grouping": ("grouping", "solver"),
    "groups": ("grouping", "groups"),
    "group_size": ("grouping", "size"),
    "replicas": ("grouping", "replicas"),
    "objective": ("grouping", "objective"),
    "placement": ("placement", "solver"),
    "pack": ("placement", "pack"),
    "dense_copies": ("placement", "dense_copies"),
    "stacks": ("placement", "stacks"),
    "scheduling": ("slots", "policy"),
    "bus": ("slots", "bus"),
    "buffer": ("slots", "buffer"),
}


def map_small(
    workload: Workload,
    chip: Chip,
    grouping: Grouping | None = None,
    *,
    pack: bool = False,
    copies: int = 1,
    stacks: Stacking = NO_STACKS,
    sites: SitesOf | None = None,
) -> Mapping:
    """Partition, contiguous groups of `mux` or those given, in-order placement.

    sites: says which die everything is on.
    """
    grouping = grouping or contiguous(workload, chip.pg.mux)
    blocks = with_replicas(partition(workload, chip), grouping)
    blocks = with_dense_copies(blocks, workload, copies)
    options = PlacementOptions(pack=pack, stacks=stacks)
    on = sites(blocks, grouping) if sites else None
    placement = place(blocks, grouping, chip, options, sites=on)
    return Mapping(blocks, grouping, placement, copies, stacks)


def compile_small(
    workload: Workload | None = None,
    chip: Chip = SMALL_CHIP,
    *,
    tokens: int = 6,
    sequence: Ints | None = None,
    chosen: dict[int, Bools] | None = None,
    lockstep: bool = False,
    seed: int = 0,
    decode: int = 0,
    caches: Caches | None = None,
    grouping: Grouping | None = None,
    pack: bool = False,
    copies: int = 1,
    stacks: Stacking = NO_STACKS,
    passed: dict[int, Bools] | None = None,
    sites: SitesOf | None = None,
) -> Compiled:
    """A verified program of `tokens` tokens in one sequence, or of `sequence`.

    The last `decode` tokens of every sequence arrive one at a time.
    """
    workload = workload or small_workload()
    sequence = np.zeros(tokens, dtype=np.int64) if sequence is None else sequence
    chosen = random_routing(workload, sequence, seed) if chosen is None else chosen
    mapping = map_small(
        workload, chip, grouping, pack=pack, copies=copies, stacks=stacks, sites=sites
    )
    order_of = serial_order if lockstep else compact_order
    arrival = arrivals(sequence, decode)
    caches = caches or Caches()
    choice = any(op.router.capacity is not None for op in workload.moe_layers)
    steps = []
    reference = chip.memory.accounting == "reference"
    for step in plan_steps(arrival, caches, expert_choice=choice, reference=reference):
        orders = []
        for g in mapping.grouping.for_layers(workload.expert_homes).layers:
            run = pairs_run(step, chosen[g.layer])
            picked = g.on_crossbars(run)
            order = order_of(g, picked, lockstep=lockstep)
            pairs = assign_experts(order, g, picked, split_pairs(g, picked))
            orders.append(replace(pairs, digital=np.argwhere(run & ~picked)))
        steps.append(replace(step, layers=tuple(orders)))
    every = np.arange(len(sequence))
    schedule = Schedule(sequence, arrival, every, tuple(steps), caches, sampled=decode > 0)
    return realise(workload, chip, mapping, schedule, chosen, passed=passed or {})


def arrivals(sequence: Ints, decode: int) -> Ints:
    """Step in which each token arrives: the last `decode` of every sequence one by one."""
    length = {s: int((sequence == s).sum()) for s in np.unique(sequence).tolist()}
    first = np.searchsorted(sequence, sequence)
    left = np.array([length[s] for s in sequence.tolist()]) - (np.arange(len(sequence)) - first)
    step: Ints = np.maximum(decode - left + 1, 0)
    return step

"""Forms that few models have: right programs of each pass every check."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from compiler.pipeline import realise
from ir.activation import usual
from ir.certificate import Certificate
from ir.chip import Chip, Split
from ir.compiled import Compiled
from ir.mapping import Grouping, LayerGrouping
from ir.schedule import Caches
from ir.selection import ByIds
from ir.sides import Side
from ir.verify import check_mapping, check_program
from ir.workload import AnyOperator, Attention, Dense, Digital, Expert, MoELayer, Weight, Workload
from tests.compiler.emit.test_apart import kept
from tests.compiler.emit.test_idle_outputs import compiled as with_chosen
from tests.compiler.emit.test_idle_outputs import mixed, with_idle
from tests.compiler.emit.test_single_matrices import single
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.dies import JOINED, at_random, die_chip
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import stacks_of

TWO = np.array([0, 0, 0, 0, 1, 1, 1, 1])
ONE_AND_THREE = np.array([0, 1, 1, 1])
ON_CROSSBARS: dict[str, Any] = {"router_on": "crossbar"}
IN_TILES: dict[str, Any] = {"mha_bits_per_ns": 64}  # jobs of two queries
SLOW_BUFFERS: dict[str, Any] = {
    "memory": {"buffer_bits_per_ns": 1},
    "bus": {"transfers_per_slot": 4096},
}
SHARES = Split(cell_energy=1, driver_energy=3, adc_energy=4, shift_add_energy=1)
OF_TWO = replace(SHARES, columns_per_adc=2)
OWN_UNITS = {"dpus": 0, "mha_units": 0}  # each region's own, as many as it needs


def changed(workload: Workload, change: Callable[[AnyOperator], AnyOperator]) -> Workload:
    """The same with operators changed."""
    return replace(workload, operators=tuple(map(change, workload.operators)))


def in_ternary(workload: Workload) -> Workload:
    """The same with ternary matrices in its experts and dense products."""

    def of(weight: Weight) -> Weight:
        return replace(weight, format="ternary")

    def change(op: AnyOperator) -> AnyOperator:
        match op:
            case Dense():
                return replace(op, weight=of(op.weight))
            case MoELayer():
                assert all(e.down and e.gate for e in op.experts)
                experts = tuple(
                    Expert(of(e.up), e.down and of(e.down), e.gate and of(e.gate))
                    for e in op.experts
                )
                return replace(op, experts=experts)
            case _:
                return op

    return changed(workload, change)


def with_bias_of_one_of_two(workload: Workload) -> Workload:
    """Of the matrices that an expert's first stage reads at once the second has no bias."""

    def of(expert: Expert) -> Expert:
        assert expert.gate
        return replace(expert, gate=replace(expert.gate, bias=None))

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, experts=tuple(map(of, op.experts))) if isinstance(op, MoELayer) else op

    return changed(workload, change)


def with_bias_of_one_expert_less(workload: Workload) -> Workload:
    """Of the matrices that the experts' second stage reads the first one's has none."""

    def change(op: AnyOperator) -> AnyOperator:
        if not isinstance(op, MoELayer):
            return op
        one, *others = op.experts
        assert one.down
        return replace(op, experts=(replace(one, down=replace(one.down, bias=None)), *others))

    return changed(workload, change)


def with_one_different(workload: Workload, **fields: Any) -> Workload:
    """The second MoE layer has other fields."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, **fields) if op.name == "moe1" else op

    return changed(workload, change)


def with_a_router_of_its_own(workload: Workload) -> Workload:
    """The second MoE layer, on the experts of the first, scores by another matrix."""
    router = workload.moe_layers[1].router
    scores = Weight("router1", 20, router.experts, bits=8)
    return with_one_different(workload, router=replace(router, projection=scores))


def with_inputs_apart_in_one() -> Workload:
    """Two layers on the same matrices: of the second each expert of a token reads a vector."""
    (layer,) = kept("nothing").moe_layers
    workload = small_workload(tied=True)
    same: dict[str, Any] = {"experts": layer.experts, "router": layer.router}

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, **same) if isinstance(op, MoELayer) else op

    return with_one_different(changed(workload, change), apart="inputs")


def with_held_matrices(workload: Workload) -> Workload:
    """Digital operators of every scope hold matrices; the first norm takes rows of a stack too."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, Digital) and op.kind in ("norm", "other"):
            return replace(op, macs=300, weight_bytes=400, gathered_bytes=50)
        return op

    return changed(workload, change)


def with_fewer_key_heads(workload: Workload) -> Workload:
    """One head of keys and values for both of the queries."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, kv_heads=1) if isinstance(op, Attention) else op

    return changed(workload, change)


def of_two_sides(source: int, target: int) -> Workload:
    """The first layer is an encoder's, what follows a decoder's, which looks at its keys."""
    first = [op.layer for op in small_workload().operators].index(1)

    def side(number: int, op: AnyOperator) -> AnyOperator:
        if (number < first and op.layer == 0) or op.name == "embed":
            op = replace(op, side=0)
        else:
            op = replace(op, side=1)
        if not isinstance(op, Attention):
            return op
        return replace(op, key_side=0, causal=op.side == 0)

    workload = small_workload()
    operators = [side(n, op) for n, op in enumerate(workload.operators)]
    names = [op.name for op in operators]
    for name in ("k1", "v1"):
        at = names.index(name)
        operators[at] = replace(operators[at], side=0, inputs=("add_b0",))
    again = replace(operators[0], name="embed1", outputs=("embed1",), inputs=("more",), side=1)
    at = names.index("norm_a1")
    operators[at] = replace(operators[at], inputs=("embed1",))
    for name in ("add_a1",):
        at = names.index(name)
        inputs = tuple("embed1" if v == "add_b0" else v for v in operators[at].inputs)
        operators[at] = replace(operators[at], inputs=inputs)
    operators.insert(1, again)
    sides = (Side(("ids",), source), Side(("more",), target))
    return replace(workload, inputs=("ids", "more"), operators=tuple(operators), sides=sides)


def with_attention_of(workload: Workload, name: str) -> Workload:
    """Attention takes another value too."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs, name)) if isinstance(op, Attention) else op

    return changed(workload, change)


def with_mask_of_the_user(workload: Workload) -> Workload:
    """Attention takes a mask that comes with the token, and that no operator makes."""
    return replace(with_attention_of(workload, "mask"), inputs=(*workload.inputs, "mask"))


def experts_first(workload: Workload) -> Workload:
    """The first MoE layer works on what comes with the token."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=("ids",)) if op.name == "moe0" else op

    return changed(workload, change)


def of_other_kinds(workload: Workload) -> Workload:
    """A digital operator of no special kind for each token, and one that puts vectors together.

    The nodes of the first have twice as many elements as its result.
    """
    kinds: dict[str, Any] = {"norm_b0": "other", "add_b0": "join"}

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, Digital) and op.name in kinds:
            return replace(op, kind=kinds[op.name], elements=2 * op.width)
        return op

    return changed(workload, change)


def scoring_other_vectors(workload: Workload) -> Workload:
    """The routers score vectors of 12 values, which a product makes beside the experts' of 20."""
    operators: list[AnyOperator] = []
    for op in workload.operators:
        if isinstance(op, MoELayer):
            low, (h,) = f"low{op.layer}", op.inputs
            operators.append(
                Dense(
                    name=low,
                    layer=op.layer,
                    inputs=(h,),
                    outputs=(low,),
                    nodes=(f"node_{low}",),
                    width=12,
                    weight=Weight(low, 20, 12, bits=8),
                )
            )
            scores = Weight("router", 12, op.router.experts, bits=8)
            router = replace(op.router, projection=scores, reads=low)
            op = replace(op, inputs=(h, low), router=router)
        operators.append(op)
    return replace(workload, operators=tuple(operators))


def scored_by_several_matrices(workload: Workload) -> Workload:
    """The first layer's router has no one matrix that crossbars could hold."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, MoELayer) and op.layer == 0:
            return replace(op, router=replace(op.router, projection=None))
        return op

    return changed(workload, change)


def multiplying_at_once(workload: Workload) -> Workload:
    """Queries, keys and values are of the first operator's vectors, with no norm between."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=("embed",)) if op.name in ("q0", "k0", "v0") else op

    return changed(workload, change)


def with_attention_added_as_it_is(workload: Workload) -> Workload:
    """The first sum takes a token's part of the attention's result beside what a product makes."""

    def change(op: AnyOperator) -> AnyOperator:
        if op.name == "add_a0":
            return replace(op, inputs=(*op.inputs, "attention0"))
        return op

    return changed(workload, change)


def with_one_matrix_for_two(workload: Workload) -> Workload:
    """Keys and values of the first layer, and queries of the second, are of one matrix."""
    products = {op.name: op for op in workload.operators if isinstance(op, Dense)}

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, Dense) and op.name in ("v0", "q1"):
            return replace(op, weight=products["k0"].weight)
        return op

    return changed(workload, change)


def with_the_mask_beside_vectors(workload: Workload) -> Workload:
    """MoE layers take a constant too, which is everywhere and in no cache."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs, "mask")) if isinstance(op, MoELayer) else op

    return changed(workload, change)


def with_a_shared_one(workload: Workload) -> Workload:
    """Beside the experts of one matrix one of these that every token goes to."""

    def change(op: AnyOperator) -> AnyOperator:
        if not isinstance(op, MoELayer):
            return op
        return replace(op, shared=(Expert(Weight("shared", 20, 20, bits=8), None),))

    return changed(workload, change)


def with_weights_of_outputs(workload: Workload) -> Workload:
    """The router tells a gate for each of the experts that it chooses."""

    def change(op: AnyOperator) -> AnyOperator:
        if isinstance(op, MoELayer):
            return replace(op, router=replace(op.router, selection=ByIds("ids", "gates")))
        return op

    return changed(workload, change)


def second_stage_in_a_stack() -> Compiled:
    """A shared expert's, whose first stage is alone; a switch settles."""
    workload = small_workload(layers=1, shared=1)
    chip = small_chip(pg={"stack_limit": 2, "mux_settle_ps": 500})
    stacks = stacks_of(map_small(workload, chip), ("q0", "shared0.1.0"))
    return compile_small(workload, chip, stacks=stacks)


def one_product() -> Workload:
    """Nothing but one matrix, of what the first operator looks up."""
    workload = small_workload(layers=1)
    embed, head = workload.operators[0], workload.operators[-1]
    return replace(workload, operators=(embed, replace(head, inputs=embed.outputs)))


def nothing_but_a_product() -> Workload:
    """One operator, of what comes in."""
    head = one_product().operators[-1]
    return replace(one_product(), operators=(replace(head, inputs=("ids",)),))


def with_a_constant_of_shapes(workload: Workload) -> Workload:
    """The mask takes a model input's shape and a vector's, beside the constants it is made of."""
    embed = next(op for op in workload.operators if op.name == "embed")
    others = [op for op in workload.operators if op.name != "embed"]

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=("ids", "embed", *op.inputs)) if op.name == "mask" else op

    return replace(workload, operators=(embed, *map(change, others)))


def with_a_table(workload: Workload) -> Workload:
    """Attention takes a constant too."""
    table = Digital(
        name="table",
        layer=-1,
        inputs=(),
        outputs=("table",),
        nodes=("node_table",),
        width=9,
        kind="other",
        scope="constant",
        elements=9,
    )

    taking = with_attention_of(workload, "table")
    return replace(taking, operators=(table, *taking.operators))


def with_a_sum_of_the_last_layers(workload: Workload) -> Workload:
    """The last layer adds what the experts of the first one gave too."""
    last = f"add_a{len(workload.moe_layers) - 1}"

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs, "moe0")) if op.name == last else op

    return changed(workload, change)


def looking_at_attention(workload: Workload) -> Workload:
    """The second layer's attention takes the first one's results as its values."""

    def change(op: AnyOperator) -> AnyOperator:
        return replace(op, inputs=(*op.inputs[:2], "attention0")) if op.name == "attention1" else op

    return changed(workload, change)


def without_the_second_attention(workload: Workload) -> Workload:
    """The second layer's first sum takes a product of the norm's, and no other token."""
    gone = {"q1", "k1", "attention1"}
    operators = (op for op in workload.operators if op.name not in gone)
    fewer = replace(workload, operators=tuple(operators))
    return changed(fewer, lambda op: replace(op, inputs=("v1",)) if op.name == "o1" else op)


def with_attention_twice(workload: Workload) -> Workload:
    """What the first attention gives are the queries, keys and values of another."""
    operators: list[AnyOperator] = []
    for op in workload.operators:
        if op.name == "o0":
            op = replace(op, inputs=("again",))
        operators.append(op)
        if isinstance(op, Attention):
            again: dict[str, Any] = {"name": "again", "outputs": ("again",), "queries": ()}
            operators.append(replace(op, inputs=op.outputs * 3, nodes=("node_again",), **again))
    return replace(workload, operators=tuple(operators))


def attention_first() -> Workload:
    """It streams what comes with the tokens, in place of looking up their vectors."""
    workload = streaming(small_workload(layers=1))
    embed, *others = workload.operators
    attention = next(op for op in others if isinstance(op, Attention))
    first = replace(
        attention,
        name="embed",
        inputs=("ids", "ids", "ids"),
        outputs=embed.outputs,
        nodes=embed.nodes,
        queries=(),
    )
    return replace(workload, operators=(first, *others))


def of_both_choices(workload: Workload) -> Workload:
    """The first layer's experts choose among tokens; of the second's each token chooses."""
    chosen = {op.name: op for op in small_workload().operators if isinstance(op, MoELayer)}

    def change(op: AnyOperator) -> AnyOperator:
        return chosen["moe1"] if op.name == "moe1" else op

    return changed(workload, change)


def with_digital(*experts: int) -> Grouping:
    """Pairs of the experts that are on crossbars, in both layers."""
    rest = [e for e in range(4) if e not in experts]
    groups = tuple(tuple(rest[i : i + 2]) for i in range(0, len(rest), 2))
    unknown = Certificate("slots", 0, 0, "heuristic")
    return Grouping(tuple(LayerGrouping(n, groups, "by hand", unknown, experts) for n in (0, 1)))


def chosen_on(sides: tuple[Side, ...], layers: tuple[int, ...]) -> dict[int, Any]:
    """Two experts for every token of the layer's side, of sequences as long as the longer side."""
    most = max(side.tokens for side in sides)
    place = np.tile(np.arange(most), 2)
    pairs = np.array([[True, False, True, False], [False, True, True, False]])
    return {
        layer: pairs[place % 2] & (place < side.tokens)[:, None]
        for layer, side in zip(layers, sides, strict=True)
    }


def on_sides(
    source: int,
    target: int,
    change: Callable[[Workload], Workload] = lambda workload: workload,
    digital: dict[str, Any] = IN_TILES,
) -> Compiled:
    """Two sequences of as many source and target tokens; the encoder looks at no later ones."""
    workload = change(of_two_sides(source, target))
    sequence, chosen = np.repeat([0, 1], max(source, target)), chosen_on(workload.sides, (0, 1))
    return compile_small(workload, small_chip(digital=digital), sequence=sequence, chosen=chosen)


def in_lockstep_at_first() -> Compiled:
    """The prefill's tokens run one by one, those of the next step as they come."""
    workload, chip = small_workload(layers=1, k=3), small_chip(pg={"retain_input": False})
    c = compile_small(workload, chip, lockstep=True, decode=1)
    first, last = c.schedule.steps
    free = tuple(replace(o, order=replace(o.order, lockstep=False)) for o in last.layers)
    schedule = replace(c.schedule, steps=(first, replace(last, layers=free)))
    return realise(workload, chip, c.mapping, schedule, c.chosen)


def without_prefill(*, reference: bool) -> Compiled:
    """Two decode steps alone, numbers 1 and 2: what was before has left its caches."""
    accounting = {"accounting": "reference" if reference else "full"}
    chip = small_chip(memory=accounting, digital=accounting)
    workload = small_workload(layers=1, expert_choice=True)
    c = compile_small(workload, chip, sequence=SEQUENCE, decode=2)
    later = replace(c.schedule, steps=c.schedule.steps[1:])
    return realise(workload, chip, c.mapping, later, c.chosen)


def waiting() -> Compiled:
    """A job for every sequence computes the same as a stream's jobs, and is no fault."""
    c = compile_small(streaming(small_workload(), proven=False), sequence=SEQUENCE)
    return replace(c, workload=streaming(c.workload))


def plain(workload: Workload, chip: Chip | None = None, **window: Any) -> Callable[[], Compiled]:
    """What compiles a workload."""
    return cache(lambda: compile_small(workload, chip or small_chip(), **window))


STREAMED = streaming(small_workload())
FORMS: dict[str, Callable[[], Compiled]] = {
    "tied layers": plain(small_workload(tied=True), decode=1),
    "tied layers, routers on crossbars": plain(
        small_workload(tied=True, shared=1), small_chip(digital=ON_CROSSBARS), sequence=TWO
    ),
    "tied layers in lockstep": plain(small_workload(tied=True, k=3), lockstep=True),
    "one matrix an expert": plain(single()),
    "one matrix an expert, a curve after it": plain(single("relu", bias=True)),
    "one matrix of other widths, sums on digital units": plain(
        single("relu", columns=30), small_chip(accumulate={"where": "dpu"})
    ),
    "outputs apart": plain(kept("outputs")),
    "inputs apart": plain(kept("inputs")),
    "tokens that pass themselves on": cache(mixed),
    "routers with idle outputs": plain(with_idle((0, 2), (4, 5), scale=2.5)),
    "idle outputs, in the table": cache(lambda: with_chosen(with_idle((0, 2), (4, 5)))),
    "streams that go on in buffers": plain(
        STREAMED, small_chip(memory={"kv": "buffers"}, digital=IN_TILES), sequence=TWO, decode=2
    ),
    "streams without a cache": plain(
        STREAMED, small_chip(digital=IN_TILES), sequence=SEQUENCE, decode=1, caches=Caches(kv=False)
    ),
    "streams on units of their own": plain(
        STREAMED, small_chip(digital={**OWN_UNITS, **IN_TILES}), sequence=SEQUENCE, copies=2
    ),
    "heads of keys for several": plain(with_fewer_key_heads(small_workload()), decode=2),
    "heads of keys for several, in buffers": plain(
        with_fewer_key_heads(STREAMED), small_chip(memory={"kv": "buffers"}), decode=2
    ),
    "ternary matrices": plain(in_ternary(small_workload())),
    "ternary matrices, a cell each": plain(
        in_ternary(small_workload()), small_chip(crossbar={"signed_cells": True})
    ),
    "experts on digital units": plain(small_workload(k=3), grouping=with_digital(3), decode=1),
    "two of four experts on digital units": plain(
        small_workload(k=3, shared=1, weight_on="input"), grouping=with_digital(0, 2)
    ),
    "digital operators with matrices": plain(
        with_held_matrices(small_workload(masks=True)), sequence=TWO, decode=1
    ),
    "an encoder longer than its decoder": cache(lambda: on_sides(5, 3)),
    "a decoder longer than its encoder": cache(lambda: on_sides(2, 4)),
    "a mask of the user": plain(
        with_mask_of_the_user(STREAMED), small_chip(digital=IN_TILES), sequence=TWO, decode=2
    ),
    "a mask of the user, keys in series": plain(
        with_mask_of_the_user(small_workload()),
        small_chip(memory={"accounting": "reference"}, digital={"accounting": "reference"}),
        decode=2,
        caches=Caches(kv=True, go=False),
    ),
    "experts on what comes with the token": plain(experts_first(small_workload()), decode=1),
    "operators of other kinds": plain(of_other_kinds(small_workload()), decode=1),
    "one matrix for several products": plain(
        with_one_matrix_for_two(small_workload()), sequence=TWO, copies=2
    ),
    "experts that choose, and tokens that do": plain(
        of_both_choices(small_workload(expert_choice=True)), sequence=TWO, decode=2
    ),
    "units of each region": plain(small_workload(k=3), small_chip(digital=OWN_UNITS)),
    "several attention units a region": plain(
        small_workload(), small_chip(digital={**OWN_UNITS, "mha_units_per_region": 2})
    ),
    "few rows at a time": plain(small_workload(), small_chip(mvm={"rows_per_read": 3})),
}
NARROW: dict[str, Callable[[], Compiled]] = {  # what one clause of a check asks for; none is drawn
    "streams, the first of one token": plain(
        STREAMED, small_chip(digital=IN_TILES), sequence=ONE_AND_THREE
    ),
    "streams, the first of one token, in buffers": plain(
        STREAMED, small_chip(memory={"kv": "buffers"}, digital=IN_TILES), sequence=ONE_AND_THREE
    ),
    "streams whose jobs' results are added": plain(
        with_attention_added_as_it_is(STREAMED), small_chip(digital=IN_TILES), sequence=SEQUENCE
    ),
    "buffers, digital units as in the reference": plain(
        STREAMED,
        small_chip(memory={"kv": "buffers"}, digital={"accounting": "reference"}),
        sequence=TWO,
        decode=1,
    ),
    "a buffer slower than its bus": plain(small_workload(), small_chip(**SLOW_BUFFERS)),
    "buffers slower than their buses, on dies": plain(
        small_workload(),
        die_chip(JOINED["ring of 4"], **SLOW_BUFFERS),
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "a mask of the user, keys in buffers": plain(
        with_mask_of_the_user(STREAMED),
        small_chip(memory={"kv": "buffers"}, digital=IN_TILES),
        sequence=TWO,
        decode=2,
    ),
    "routers on crossbars that score tokens again": plain(
        small_workload(expert_choice=True),
        small_chip(digital=ON_CROSSBARS),
        decode=1,
        caches=Caches(go=False),
    ),
    "tied layers, their one router on crossbars": plain(
        small_workload(tied=True), small_chip(digital=ON_CROSSBARS), decode=1
    ),
    "routers that score other vectors": plain(
        scoring_other_vectors(small_workload()), sequence=TWO, decode=1
    ),
    "routers on crossbars that score other vectors": plain(
        scoring_other_vectors(small_workload(shared=1)), small_chip(digital=ON_CROSSBARS)
    ),
    "routers on crossbars, of one layer digital": plain(
        scored_by_several_matrices(small_workload()), small_chip(digital=ON_CROSSBARS)
    ),
    "digital experts on what comes with the token": plain(
        experts_first(small_workload(k=3)), grouping=with_digital(0, 2), decode=1
    ),
    "digital experts of unlike widths": plain(
        small_workload(k=3, widths=(12, 8)), grouping=with_digital(0, 1)
    ),
    "experts without gates, on dies": plain(
        small_workload(gated=False),
        die_chip(JOINED["ring of 4"]),
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "flash converters, energy of others of fewer columns": plain(
        small_workload(), small_chip(split=OF_TWO, mvm={"adc_kind": "flash", "columns_per_adc": 4})
    ),
    "flash converters, energy of their own": plain(
        small_workload(), small_chip(split=SHARES, mvm={"adc_kind": "flash"})
    ),
    "sampling converters, energy of others of fewer columns": plain(
        small_workload(), small_chip(split=OF_TWO, mvm={"columns_per_adc": 4})
    ),
    "a bias of one of two matrices, each a tile high": plain(
        with_bias_of_one_of_two(small_workload(layers=1, d=8, f=6, bias=True))
    ),
    "streams in buffers, experts choose again": plain(
        streaming(small_workload(expert_choice=True)),
        small_chip(memory={"kv": "buffers"}, digital=IN_TILES),
        sequence=TWO,
        decode=2,
        caches=Caches(go=False),
    ),
    "one attention that streams": plain(
        streaming(small_workload(layers=1)), small_chip(digital=IN_TILES), sequence=SEQUENCE
    ),
    "an encoder that streams": cache(lambda: on_sides(3, 5, streaming)),
    "products of the first operator's vectors": plain(multiplying_at_once(small_workload())),
    "one token, a router on crossbars": plain(
        small_workload(), small_chip(digital=ON_CROSSBARS), tokens=1
    ),
    "attention that could stream and waits": cache(waiting),
    "no MoE layer, caches of keys alone": plain(
        small_workload(dense_layers=(0, 1)), decode=1, caches=Caches(go=False)
    ),
    "decode steps alone": cache(lambda: without_prefill(reference=False)),
    "decode steps alone, as in the reference": cache(lambda: without_prefill(reference=True)),
    "a constant beside vectors that are kept": plain(
        with_the_mask_beside_vectors(small_workload(layers=1, expert_choice=True, masks=True)),
        decode=1,
        caches=Caches(go=False),
    ),
    "one token, looked up on crossbars": plain(small_workload(layers=1, embedded=True), tokens=1),
    "a constant that takes shapes": plain(
        with_a_constant_of_shapes(small_workload(layers=1, masks=True)), decode=1
    ),
    "nothing but a product": plain(nothing_but_a_product(), decode=1),
    "attention first, which streams": plain(
        attention_first(), small_chip(digital=IN_TILES), sequence=SEQUENCE
    ),
    "an encoder that streams, with a table": cache(
        lambda: on_sides(3, 5, lambda workload: with_a_table(streaming(workload)))
    ),
    "constants, on dies": plain(
        small_workload(masks=True),
        die_chip(JOINED["ring of 4"]),
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "streams, on dies": plain(
        STREAMED,
        die_chip(JOINED["ring of 4"], digital=IN_TILES),
        sequence=SEQUENCE,
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "a digital unit for seven peripheral groups": plain(
        small_workload(layers=1), small_chip(digital={**OWN_UNITS, "pgs_per_dpu": 7})
    ),
    "lockstep in the first step alone": cache(in_lockstep_at_first),
    "few rows at a time, energy of each": plain(
        small_workload(layers=1), small_chip(split=SHARES, mvm={"rows_per_read": 3})
    ),
    "one matrix an expert, one shared, a router on crossbars": plain(
        with_a_shared_one(single()), small_chip(digital=ON_CROSSBARS)
    ),
    "a bias of all but one of the second matrices": plain(
        with_bias_of_one_expert_less(small_workload(layers=1, bias=True))
    ),
    "layers on the same matrices, of another curve": plain(
        with_one_different(small_workload(tied=True), activation=usual("relu"))
    ),
    "layers on the same matrices, one's inputs apart": plain(with_inputs_apart_in_one()),
    "tied layers, a router each on crossbars": plain(
        with_a_router_of_its_own(small_workload(tied=True)), small_chip(digital=ON_CROSSBARS)
    ),
    "crossbars higher than wide": plain(
        small_workload(layers=1), small_chip(crossbar={"rows": 16})
    ),
    "crossbars wider than high": plain(
        small_workload(layers=1), small_chip(crossbar={"columns": 16})
    ),
    "looked up on crossbars, on dies": plain(
        small_workload(layers=1, embedded=True),
        die_chip(JOINED["ring of 4"]),
        decode=1,
        sites=at_random(JOINED["ring of 4"], 1),
    ),
    "four regions, two values of a token after each other": plain(
        with_a_sum_of_the_last_layers(small_workload(layers=4)), tokens=1
    ),
    "a longer decoder that looks at an encoder's attention": cache(
        lambda: on_sides(2, 4, looking_at_attention)
    ),
    "as many attention units as three copies ask for": plain(
        small_workload(layers=1), small_chip(digital=OWN_UNITS), copies=3
    ),
    "a region without attention": plain(
        without_the_second_attention(small_workload()), small_chip(digital=OWN_UNITS)
    ),
    "streams that look at a whole sequence's value": plain(
        with_attention_of(streaming(small_workload(layers=1, masks=True)), "mixed"),
        small_chip(digital=IN_TILES),
        sequence=SEQUENCE,
    ),
    "streams of what streams gave, in one region": plain(
        with_attention_twice(streaming(small_workload(layers=1))),
        small_chip(digital=IN_TILES),
        sequence=SEQUENCE,
    ),
    "two groups on two dies, each other token's": plain(
        small_workload(layers=1),
        die_chip(JOINED["two"]),
        chosen={0: np.tile([[False, False, True, True], [True, True, False, False]], (3, 1))},
        sites=at_random(JOINED["two"], 1),
    ),
    "outputs apart, each with a weight": plain(with_weights_of_outputs(kept("outputs"))),
    "an encoder longer than its decoder, routers on crossbars": cache(
        lambda: on_sides(5, 3, digital=ON_CROSSBARS)
    ),
    "a second stage in a stack": cache(second_stage_in_a_stack),
    "one product in two copies, of three tokens and one": plain(
        one_product(), tokens=4, decode=1, copies=2
    ),
    "two shared experts wider than the routed": plain(
        small_workload(layers=1, shared=2, shared_f=20)
    ),
}


@pytest.mark.parametrize("name", [*FORMS, *NARROW])
def test_a_right_program_of_a_form_passes_every_check(name: str) -> None:
    c = (FORMS | NARROW)[name]()
    found = check_mapping(c.mapping, c.workload, c.chip) + check_program(c)
    assert [(check, what) for check, what in found if what != "ok"] == []

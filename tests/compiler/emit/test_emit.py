"""Instructions of small models: a listing to read, counts that follow from the definitions."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from compiler.pipeline import realise
from ir import timing
from ir.compiled import Compiled
from ir.program import Opcode, Program
from ir.schedule import SlotOrder, assign_experts, prefill_schedule
from ir.text import Filter, listing
from ir.workload import Dense, Digital, Weight
from tests.dies import JOINED, at_random, die_chip
from tests.make import compile_small, map_small, random_routing, small_chip, small_workload


def count(program: Program) -> Counter[str]:
    return Counter(Opcode(int(code)).name for code in program.opcode)


def test_listing_of_one_layer(golden: Callable[[str, str], None]) -> None:
    done = compile_small(small_workload(layers=1), tokens=2)
    text = "\n".join(listing(done.program)) + "\n"
    golden("one_layer_by_time.txt", text)


def test_listing_on_two_dies(golden: Callable[[str, str], None]) -> None:
    """Each fire group is on a random one: what crosses, when, and who reads it there."""
    dies = JOINED["two"]
    sites = at_random(dies, 0)
    done = compile_small(small_workload(layers=1), die_chip(dies), tokens=2, sites=sites)
    text = "\n".join(listing(done.program)) + "\n"
    golden("two_dies_by_time.txt", text)


def test_listing_by_unit(golden: Callable[[str, str], None]) -> None:
    done = compile_small(small_workload(layers=1), tokens=2)
    text = "\n".join(listing(done.program, Filter(token=1), group_by="unit")) + "\n"
    golden("token_1_by_unit.txt", text)


def test_counts_of_one_layer() -> None:
    tokens, k = 5, 2
    ops = count(compile_small(small_workload(layers=1, k=k), tokens=tokens).program)
    assert ops["MVM"] == tokens * 5 + 2 * tokens * k  # q, k, v, o, head; two stages a pair
    assert ops["STORE"] == tokens * 5 + tokens * k
    assert ops["ATTN"] == 1
    assert ops["GATE"] == ops["TOPK"] == ops["COMBINE"] == tokens
    assert ops["ACT"] == ops["MUL"] == tokens * k  # gated
    assert ops["NORM"] == 3 * tokens
    assert ops["ADD"] == 2 * tokens
    assert ops["EMBED"] == tokens


def test_work_of_shared_gates_and_scale() -> None:
    """Two shared experts, one gated, sum x 2.5; k 2, d 20, 4 experts.

    GATE: 20 x (4 + 1) MACs. COMBINE: four vectors, three with a weight, one scaling: 3 + 3 + 1
    operations, against 3 + 2 without gate and scale.
    """
    plain = compile_small(small_workload(layers=1, shared=2))
    more = compile_small(
        small_workload(layers=1, shared=2, shared_gates=(True, False), scale=2.5), tokens=6
    )
    for done, macs, operations in ((plain, 80, 5), (more, 100, 7)):
        p = done.program
        gate, combine = p.opcode == Opcode.GATE, p.opcode == Opcode.COMBINE
        assert p.macs[gate].tolist() == [macs] * 6
        one = timing.add(done.chip, 20).duration_ps
        assert p.duration_ps[combine].tolist() == [operations * one] * 6
    # every COMBINE reads TOPK, four STOREs, and with a gate the GATE
    read = [r for c in np.flatnonzero(combine) for r in more.program.reads[int(c)]]
    kinds = Counter(Opcode(int(more.program.opcode[r])).name for r in read)
    assert kinds == {"TOPK": 6, "STORE": 24, "GATE": 6}


def loads(done: Compiled) -> int:
    program = done.program
    return int(((program.opcode == Opcode.LOAD) & (program.slot >= 0)).sum())


@pytest.mark.parametrize("retain", [True, False])
def test_loads_are_the_transfers_of_the_slot_order(retain: bool) -> None:
    workload = small_workload(layers=1, experts=4, k=3)
    done = compile_small(workload, small_chip(pg={"retain_input": retain}), tokens=8)
    order = done.schedule.prefill.layers[0].order
    assert loads(done) == (order.transfers_retained if retain else order.transfers)


def test_q_k_and_v_share_one_load() -> None:
    program = compile_small(small_workload(layers=1), tokens=3).program
    dense = np.flatnonzero((program.opcode == Opcode.LOAD) & (program.slot < 0))
    # per token: one for q, k, v; one for o; one for the head
    assert len(dense) == 3 * 3
    assert sorted(len(program.dst[int(row)]) for row in dense) == [1] * 6 + [3] * 3


def test_router_and_shared_experts_share_one_load() -> None:
    """Per token one for q, k, v, one for o, one for the head, and one in the MoE layer for three.

    The router's matrix and two shared experts read the token once: 20 x 8 bits over the bus, at
    50 fJ a bit, instead of three times.
    """
    workload = small_workload(layers=1, shared=2)
    program = compile_small(
        workload, small_chip(digital={"router_on": "crossbar"}), tokens=3
    ).program
    dense = np.flatnonzero((program.opcode == Opcode.LOAD) & (program.slot < 0))
    assert len(dense) == 3 * 4
    assert sorted(len(program.dst[int(row)]) for row in dense) == [1] * 6 + [3] * 6
    assert program.energy_fj[dense].sum() == 12 * 20 * 8 * 50


def test_a_product_beside_an_moe_layer_shares_its_load() -> None:
    """A dense product of what the experts read: its LOAD serves the shared expert too."""
    workload = small_workload(layers=1, shared=1)
    at = [op.name for op in workload.operators].index("moe0")
    (x,) = workload.operators[at].inputs
    weight = Weight("beside", 20, 20, bits=8)
    beside = Dense("beside", 0, (x,), ("y",), ("node_y",), width=20, weight=weight)
    operators = (*workload.operators[:at], beside, *workload.operators[at:])
    p = compile_small(replace(workload, operators=operators), tokens=2).program
    loads = np.flatnonzero((p.opcode == Opcode.LOAD) & (p.node == at))
    assert [len(p.dst[int(row)]) for row in loads] == [2, 2]
    readers = p.reads.rows()[np.isin(p.reads.values, loads)]
    assert sorted(p.node[readers].tolist()) == [at, at, at + 1, at + 1]


def test_expert_choice_selects_once_per_sequence() -> None:
    sequence = np.array([0, 0, 0, 1, 1, 1, 1])
    workload = small_workload(layers=1, expert_choice=True)
    program = compile_small(workload, sequence=sequence).program
    topk = np.flatnonzero(program.opcode == Opcode.TOPK)
    assert [len(program.reads[int(row)]) for row in topk] == [3, 4]
    assert count(program)["ATTN"] == 2


def test_a_token_without_experts_is_combined_to_zero() -> None:
    workload = small_workload(layers=1)
    chosen = {0: np.zeros((3, 4), dtype=np.bool_)}
    program = compile_small(workload, tokens=3, chosen=chosen).program
    combine = np.flatnonzero(program.opcode == Opcode.COMBINE)
    assert [len(program.reads[int(row)]) for row in combine] == [1, 1, 1]  # its TOPK only


def test_shared_experts_run_on_every_token() -> None:
    plain = count(compile_small(small_workload(layers=1), tokens=4).program)
    shared = count(compile_small(small_workload(layers=1, shared=1), tokens=4).program)
    assert shared["MVM"] == plain["MVM"] + 2 * 4


def test_gates_on_the_input_multiply_the_sums_of_the_first_stage() -> None:
    # d = 20, f = 12, k = 2, 3 tokens: 6 pairs, each one MUL of 2 x 12 values: 4 ns + 8 ns x 24/256,
    # 9430 fJ x 24/256. A COMBINE adds its two outputs, and no longer weights each.
    plain = compile_small(small_workload(layers=1), tokens=3).program
    program = compile_small(small_workload(layers=1, weight_on="input"), tokens=3).program
    scale = [
        r
        for r in np.flatnonzero(program.opcode == Opcode.MUL).tolist()
        if Opcode.TOPK in program.opcode[program.reads[r]]
    ]
    assert len(scale) == 6
    assert set(program.duration_ps[scale]) == {4_000 + 750}
    assert set(program.energy_fj[scale]) == {885}  # 884.06 rounded up
    combine = program.opcode == Opcode.COMBINE
    once = timing.add(small_chip(), 20)
    assert set(program.duration_ps[combine]) == {once.duration_ps}
    assert set(plain.duration_ps[plain.opcode == Opcode.COMBINE]) == {3 * once.duration_ps}


def test_a_router_on_crossbars_is_one_more_product() -> None:
    workload = small_workload(layers=1, d=20, experts=4)
    (moe,) = workload.moe_layers
    router = replace(moe.router, projection=Weight("router", 20, 4, bits=8))
    operators = tuple(replace(op, router=router) if op is moe else op for op in workload.operators)
    workload = replace(workload, operators=operators)
    chip = small_chip(digital={"router_on": "crossbar"})
    plain = compile_small(workload, tokens=4).program
    placed = compile_small(workload, chip, tokens=4).program
    assert count(placed)["MVM"] == count(plain)["MVM"] + 4  # one per token
    assert placed.macs.sum() == plain.macs.sum()  # the same work, elsewhere


def test_partial_sums_on_digital_units_are_one_job_per_column() -> None:
    # d = 20, f = 12 on 8x8 with 4 weights a row: q has 3 row tiles and 5 columns
    workload = small_workload(layers=1, d=20, f=12)
    chip = small_chip(accumulate={"where": "dpu"})
    program = compile_small(workload, chip, tokens=1).program
    acc = program.opcode == Opcode.ACC
    assert {program.units[u].kind for u in program.unit[acc]} == {"dpu"}
    columns = 4 * 5 + 8  # q, k, v, o; head of 30 columns
    experts = 2 * (2 * 3 + 5)  # up and gate 12 columns = 3 each, down 20 = 5; two experts
    assert acc.sum() == columns + experts


def test_token_serial_waits_for_the_slot_before() -> None:
    workload = small_workload(layers=1)
    sequence = np.zeros(6, dtype=np.int64)
    chosen = random_routing(workload, sequence)
    done = compile_small(workload, small_chip(pg={"mux": 1}), chosen=chosen, lockstep=True)
    program = done.program
    mvm = (program.opcode == Opcode.MVM) & (program.slot >= 0) & (program.stage == 0)
    for slot in range(1, done.schedule.prefill.layers[0].order.slots):
        before = program.end_ps[mvm & (program.slot == slot - 1)].max()
        assert program.start_ps[mvm & (program.slot == slot)].min() >= before


def test_lockstep_with_a_kept_input() -> None:
    # one token, two experts of one group: its second turn keeps the input and has no LOAD
    workload = small_workload(layers=1, k=2)
    chosen = {0: np.array([[True, True, False, False]])}
    done = compile_small(workload, chosen=chosen, tokens=1, lockstep=True)
    assert loads(done) == 1


def test_lockstep_waits_across_an_idle_slot() -> None:
    workload, chip = small_workload(layers=1, k=1), small_chip(pg={"mux_settle_ps": 20_000})
    chosen = {0: np.array([[True, False, True, False]] * 2)}
    mapping = map_small(workload, chip)
    table = np.array([[0, 0], [-1, -1], [1, 1]], dtype=np.int64)
    order = SlotOrder("test", table, 3, 0, "heuristic", lockstep=True)
    pairs = assign_experts(order, mapping.grouping.layers[0], chosen[0])
    schedule = prefill_schedule(np.zeros(2, dtype=np.int64), (pairs,))
    program = realise(workload, chip, mapping, schedule, chosen).program
    mvm = (program.opcode == Opcode.MVM) & (program.slot >= 0) & (program.stage == 0)
    first_ends = program.end_ps[mvm & (program.slot == 0)].max()
    assert program.start_ps[mvm & (program.slot == 2)].min() >= first_ends


def test_a_layer_without_products_works_in_the_region_before_it() -> None:
    workload = small_workload(layers=1)
    last = workload.operators[-2]  # the final norm, moved to a layer of its own
    operators = tuple(replace(op, layer=2) if op is last else op for op in workload.operators)
    alone = replace(workload, operators=operators)
    assert alone.region_of(2) == 0
    assert count(compile_small(alone).program) == count(compile_small(workload).program)


def test_a_constant_operator_reads_no_token() -> None:
    workload = small_workload(layers=1, masks=True)
    shape = Digital(
        name="shape",
        layer=-1,
        inputs=("embed",),
        outputs=("shape",),
        nodes=("node_shape",),
        width=1,
        kind="other",
        scope="constant",
        elements=1,
    )
    at = next(i for i, op in enumerate(workload.operators) if op.name == "embed") + 1
    operators = (*workload.operators[:at], shape, *workload.operators[at:])
    program = compile_small(replace(workload, operators=operators)).program
    row = int(np.flatnonzero(program.node == at)[0])
    assert len(program.reads[row]) == 0

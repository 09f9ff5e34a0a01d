"""The simulator against the scheduler, which share no code: equal to the picosecond."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.simulate import Simulation, replay, retime, run
from compiler.emit import emit
from compiler.timeline.assemble import set_times
from ir import timing
from ir.chip import Chip
from ir.compiled import Compiled
from ir.errors import InputError
from ir.program import Opcode
from ir.workload import Digital
from tests.backends.simulate.random_case import random_case
from tests.make import compile_small, small_chip, small_workload

BATCH = 10


def with_mvm(chip: Chip, factor: int) -> Chip:
    """The chip with reads `factor` times as long and a bus of the same speed as before."""
    slow = replace(chip, mvm=replace(chip.mvm, read_ps=chip.mvm.read_ps * factor))
    if chip.bus.transfers_per_slot is None:
        return slow
    # the same bits per ns: B vectors per slot times as many as the slot is longer
    old, new = (timing.mvm_ps(c, shared=True) for c in (chip, slow))
    if chip.bus.transfers_per_slot * new % old:
        return slow
    wider = chip.bus.transfers_per_slot * new // old
    return replace(slow, bus=replace(slow.bus, transfers_per_slot=wider))


def on(case: Compiled, chip: Chip) -> Simulation:
    return run(case.program, case.chip, *retime(case.program, case.chip, chip))


@pytest.mark.parametrize("batch", range(10))
def test_100_random_models_and_chips(batch: int) -> None:
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        case = random_case(seed)
        given = replay(case.program, case.chip)
        # nothing starts before it may (else refused), nor after: the times are the simulator's own
        assert not np.any(given.late_ps), f"seed {seed}"
        again = on(case, case.chip)
        assert np.array_equal(again.program.start_ps, case.program.start_ps), f"seed {seed}"


@pytest.mark.parametrize("batch", range(5))
def test_a_slower_mvm_never_shortens_a_run(batch: int) -> None:
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        case = random_case(seed)
        slow = with_mvm(case.chip, 2 + seed % 3)
        done = on(case, slow).program
        assert np.all(done.start_ps >= case.program.start_ps), f"seed {seed}"
        assert done.makespan_ps > case.program.makespan_ps, f"seed {seed}"
        replay(done, slow)  # and what comes out is itself legal on the slower chip


@pytest.mark.parametrize("seed", range(20))
def test_any_longer_duration_delays_and_any_durations_stay_legal(seed: int) -> None:
    case = random_case(seed)
    rng = np.random.default_rng(seed)
    p, fixed = case.program, case.program.opcode == 2  # MVMs take what the chip says
    factor = np.where(fixed, 1, rng.integers(1, 4, len(p)))
    longer = run(p, case.chip, p.duration_ps * factor, p.busy_ps * factor).program
    assert np.all(longer.start_ps >= p.start_ps)
    replay(longer, case.chip)
    half = np.where(fixed, 2, rng.integers(1, 4, len(p)))
    other = run(p, case.chip, p.duration_ps * half // 2, p.busy_ps * half // 2).program
    replay(other, case.chip)


@pytest.mark.parametrize("seed", range(20, 30))
def test_when_everything_takes_twice_as_long_so_does_the_whole(seed: int) -> None:
    p, chip = (case := random_case(seed)).program, case.chip
    done = run(p, chip, 2 * p.duration_ps, 2 * p.busy_ps).program
    assert np.array_equal(done.start_ps, 2 * p.start_ps)


@pytest.mark.parametrize("seed", range(30, 40))
def test_all_a_nanosecond_later_is_legal_and_late_only_for_the_first(seed: int) -> None:
    case = random_case(seed)
    later = replace(case.program, start_ps=case.program.start_ps + 1000)
    done = replay(later, case.chip)
    nothing = np.maximum(np.maximum(done.ready_ps, done.free_ps), done.grant_ps) == 0
    assert np.array_equal(done.late_ps, np.where(nothing, 1000, 0))


def test_a_kept_order_is_no_faster_than_none() -> None:
    # run never beats the two bounds that no schedule can beat
    case = random_case(3)
    chain = np.zeros(len(case.program), dtype=np.int64)
    for row in range(len(case.program)):
        before = [chain[r] for r in case.program.reads[row].tolist()]
        chain[row] = max(before, default=0) + case.program.duration_ps[row]
    assert on(case, case.chip).program.makespan_ps >= chain.max()


def test_lockstep_is_kept_on_a_slower_chip() -> None:
    case = compile_small(lockstep=True, chip=small_chip(pg={"retain_input": False}))
    assert replay(case.program, case.chip).machine.locks == 2
    done = on(case, with_mvm(case.chip, 3))
    assert replay(done.program, with_mvm(case.chip, 3)).machine.locks == 2


@pytest.mark.parametrize(
    ("change", "opcodes", "factor"),
    [
        ({"digital": {"norm_ps": 120_000}}, {"NORM"}, 2),
        ({"digital": {"smooth_ps": 48_000}}, {"ACT"}, 3),
        ({"digital": {"macs_per_ns": 32}}, {"GATE", "ATTN"}, 2),
        ({"mesh": {"hop_ps": 24_000}}, {"XFER", "STORE"}, 2),
        ({"bus": {"transfers_per_slot": 1}}, {"LOAD", "STORE"}, 2),
        (
            {"digital": {"add_ps": 16_000, "add_base_ps": 8_000}, "accumulate": {"hop_ps": 24_000}},
            {"ADD", "MUL", "EMBED", "COMBINE", "TOPK", "ACC", "DIGITAL"},
            2,
        ),
    ],
)
def test_retimed_as_if_compiled_for_it(
    change: dict[str, dict[str, int]], opcodes: set[str], factor: int
) -> None:
    case, there = compile_small(), compile_small(chip=small_chip(**change))
    duration, busy = retime(case.program, case.chip, there.chip)
    names = np.array([case.program.name(r).split()[1] for r in range(len(case.program))])
    touched = np.isin(names, list(opcodes))
    assert np.array_equal(duration[~touched], case.program.duration_ps[~touched])
    # a ratio of a rounded time is off by at most that ratio's worth of picoseconds
    assert np.all(np.abs(duration - there.program.duration_ps) <= factor)
    assert np.all(np.abs(busy - there.program.busy_ps) <= factor)


# cores of 23 um, 920 ps a hop; buffers that give a core's part at 1 bit per ns hold up LOADs of
# regions of one core, and all of them once the bus is twice as wide
LONGER: dict[str, dict[str, Any]] = {
    "wires": {"cost": "by length", "fj_per_bit_mm": 100, "ps_per_mm": 40_000},
    "memory": {"buffer_bits_per_ns": 1},
    "bus": {"transfers_per_slot": 2},
}


@pytest.mark.parametrize(
    "change",
    [
        {"mesh": {"hop_ps": 30_000}},
        {"bus": {"transfers_per_slot": 4, "latency_ps": 5_000}},
        {"bus": {"transfers_per_slot": 1}},
        {"bus": {"transfers_per_slot": None, "bits_per_ns": 3}},
        {"bus": {"transfers_per_slot": None}},
        {"bus": {"return_lanes": 3}},
        {"memory": {"buffer_bits_per_ns": 7}},
        {"memory": {"buffer_bits_per_ns": None}},
        {"wires": {"ps_per_mm": 100_000}},
        {"wires": {"cost": "published"}},
        {"mvm": {"read_ps": 37_000}},
    ],
)
@pytest.mark.parametrize("input_bits", [8, 3])
def test_links_take_what_they_would_if_compiled_for_it(
    change: dict[str, dict[str, Any]], input_bits: int
) -> None:
    old = small_chip(**with_all(LONGER, {"mvm": {"input_bits": input_bits}}))
    new = small_chip(**with_all(LONGER, {"mvm": {"input_bits": input_bits}}, change))
    case, there = compile_small(chip=old), compile_small(chip=new)
    duration, busy = retime(case.program, old, new)
    assert np.array_equal(duration, there.program.duration_ps)
    assert np.array_equal(busy, there.program.busy_ps)


FASTER = [
    {"digital": {"add_ps": 16_000}},
    {"digital": {"add_base_ps": 0}},
    {"digital": {"add_ps": 3_000, "norm_ps": 77_000, "smooth_ps": 40_000, "relu_ps": 9_000}},
    {"digital": {"macs_per_ns": 48}, "memory": {"dram_mb_per_s": 700}},
    {"accumulate": {"hop_ps": 0}},
    {"accumulate": {"add_ps": 500}},
]


@pytest.mark.parametrize("change", FASTER)
@pytest.mark.parametrize("order", ["chain", "tree"])
@pytest.mark.parametrize("router_on", ["digital", "crossbar"])
def test_digital_work_takes_what_it_would_if_compiled_for_it(
    change: dict[str, dict[str, Any]], order: str, router_on: str
) -> None:
    own: dict[str, dict[str, Any]] = {"digital": {"router_on": router_on}}
    own["accumulate"] = {"order": order}
    old, new = small_chip(**with_all(own)), small_chip(**with_all(own, change))
    workload = small_workload(k=3, shared=1, shared_gates=(True,), masks=True, bias=True)
    # one norm is after a product of 7 MACs, of a matrix of 500 bytes in DRAM
    at = next(i for i, op in enumerate(workload.operators) if op.name.startswith("norm"))
    op = workload.operators[at]
    assert isinstance(op, Digital)
    every = list(workload.operators)
    every[at] = replace(op, macs=7, weight_bytes=500)
    case = compile_small(replace(workload, operators=tuple(every)), old, decode=1)
    duration, busy = retime(case.program, old, new)
    draft, units = emit(case.workload, case.mapping, case.schedule, new, case.passed)
    there = set_times(draft, units, case.workload, case.mapping, case.schedule, new)
    assert np.array_equal(duration, there.duration_ps)
    assert np.array_equal(busy, there.busy_ps)


def test_sums_that_may_be_of_several_sizes_are_not_guessed() -> None:
    # on digital units, at 250 ps and 31.25 ps a value: 5 row tiles of 4 outputs are 4 x 375 ps, and
    # 4 of 8 outputs 3 x 500 ps
    own: dict[str, dict[str, Any]] = {"accumulate": {"where": "dpu"}}
    old = small_chip(**own, digital={"add_base_ps": 250})
    new = small_chip(**own, digital={"add_base_ps": 250, "add_ps": 16_000})
    case = compile_small(small_workload(d=40), old)
    with pytest.raises(InputError, match=r"digital\.add_ps x 2, digital\.add_base_ps x 1"):
        retime(case.program, old, new)


def with_all(*changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The tables of all changes, later ones over earlier."""
    tables: dict[str, dict[str, Any]] = {}
    for change in changes:
        for table, fields in change.items():
            tables[table] = tables.get(table, {}) | fields
    return tables


def test_a_slower_bus_may_be_what_waited_for_a_buffer() -> None:
    # a bus of 4096 vectors a slot waits for the buffer, one of 1 a slot waits for nothing
    old = small_chip(memory={"buffer_bits_per_ns": 1}, bus={"transfers_per_slot": 4096})
    slower = replace(old, bus=replace(old.bus, transfers_per_slot=1))
    case, there = compile_small(chip=old), compile_small(chip=slower)
    duration, _ = retime(case.program, old, slower)
    assert np.array_equal(duration, there.program.duration_ps)


def test_hops_that_took_no_time_are_not_known() -> None:
    old = small_chip(mesh={"hop_ps": 0})
    case = compile_small(chip=old)
    with pytest.raises(InputError, match="wires of a hop 0 ps, the program was made for 0 and 0"):
        retime(case.program, old, small_chip(mesh={"hop_ps": 1_000}))


def test_lanes_that_only_the_model_says_are_refused() -> None:
    old = small_chip(bus={"return_lanes": 1})
    case = compile_small(chip=old)
    with pytest.raises(InputError, match=r"bus\.return_lanes: 0, the program was made for 1"):
        retime(case.program, old, small_chip())


def test_a_vector_that_took_another_time_is_refused() -> None:
    case = compile_small()
    row = case.program.opcode.tolist().index(Opcode.LOAD)
    case.program.busy_ps[row] += 1
    with pytest.raises(InputError, match=r"bus\.0: \d+ bytes in .* expected the time of a vector"):
        retime(case.program, case.chip, case.chip)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pg": {"mux": 4}}, "pg.mux: 4, the program was made for 2; compile for that chip"),
        ({"digital": {"dpus": 9}}, "digital.dpus: 9, the program was made for 2"),
        ({"memory": {"accounting": "reference"}}, "memory.accounting: reference, the program was"),
        ({"accumulate": {"order": "tree"}}, "accumulate.order: tree, the program was made for"),
    ],
)
def test_a_chip_that_needs_compiling_again(change: dict[str, dict[str, int]], message: str) -> None:
    case = compile_small()
    with pytest.raises(InputError, match=message):
        retime(case.program, case.chip, small_chip(**change))


def test_attention_takes_the_longer_of_two_times() -> None:
    """MACs of the last query 2 x 6 keys x 8 at 4 a ns, or 2 x 6 x 8 values of 8 bits at 3 a ns.

    Both a third as fast: three times each. One of them alone: which of the two a job took, or would
    take then, a program does not say.
    """
    speeds = {"macs_per_ns": 12, "mha_bits_per_ns": 96}
    slower = {"macs_per_ns": 4, "mha_bits_per_ns": 32}
    old = small_chip(digital=speeds)
    case = compile_small(chip=old)
    attention = case.program.opcode == Opcode.ATTN
    assert attention.any()
    duration, _ = retime(case.program, old, small_chip(digital=slower))
    assert np.all(np.abs(duration - 3 * case.program.duration_ps)[attention] <= 3)  # rounded up
    for name, speed in slower.items():
        one = small_chip(digital=speeds | {name: speed})
        with pytest.raises(InputError, match="expected the same factor for all; compile"):
            retime(case.program, old, one)

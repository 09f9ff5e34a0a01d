"""Stacks in the simulator: one job at a time and one input buffer, by hand and at random."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from backends.bounds import lower_bounds
from backends.simulate import Waits, replay, retime, run, scale
from ir import timing
from ir.errors import CheckError, InputError
from ir.program import Opcode, Program, Unit, stacked
from ir.stacks import NO_STACKS
from tests.backends.simulate.by_hand import BUS, CHIP, DPU, DPU1, GROUP, OTHER, UNITS, Job, program
from tests.backends.simulate.random_case import random_case
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import stacks_of

# both groups on peripheral group 0, whose adders are the accumulators of either
ACC, ACC_OF_OTHER = len(UNITS), len(UNITS) + 1
STACK = (
    UNITS[BUS],
    UNITS[GROUP],
    replace(UNITS[OTHER], first_pg=0),
    UNITS[DPU],
    UNITS[DPU1],
    Unit("acc", "acc.0.0.0", 0, 0, 0),
    Unit("acc", "acc.0.0.1", 0, 0, 1),
)


def of_stack(*jobs: Job) -> Program:
    return program(*jobs, units=STACK)


def moved(p: Program, row: int, start_ns: int) -> Program:
    """The program with one instruction at another time."""
    start = p.start_ps.copy()
    start[row] = 1000 * start_ns
    return replace(p, start_ps=start)


def in_turn() -> Program:
    """Two entries for both groups: the third LOAD waits until 15 ns; MVMs take 10 ns each."""
    return of_stack(
        Job(Opcode.LOAD, BUS, 0, 5, dst=(GROUP,)),
        Job(Opcode.LOAD, BUS, 5, 5, dst=(OTHER,)),
        Job(Opcode.LOAD, BUS, 15, 5, dst=(GROUP,)),
        Job(Opcode.MVM, GROUP, 5, 10, reads=(0,), expert=0),
        Job(Opcode.MVM, OTHER, 15, 10, reads=(1,), expert=2),
        Job(Opcode.MVM, GROUP, 25, 10, reads=(2,), expert=1),
    )


def for_both() -> Program:
    """A vector for both groups takes one entry, until the second MVM ends at 25 ns."""
    return of_stack(
        Job(Opcode.LOAD, BUS, 0, 5, dst=(GROUP, OTHER)),
        Job(Opcode.LOAD, BUS, 5, 5, dst=(GROUP,)),
        Job(Opcode.LOAD, BUS, 25, 5, dst=(OTHER,)),
        Job(Opcode.MVM, GROUP, 5, 10, reads=(0,), expert=0),
        Job(Opcode.MVM, OTHER, 15, 10, reads=(0,), expert=2),
        Job(Opcode.MVM, GROUP, 25, 10, reads=(1,), expert=1),
        Job(Opcode.MVM, OTHER, 35, 10, reads=(2,), expert=3),
    )


def sums() -> Program:
    """The partial sums of two MVMs, each of 8 ns on the same adders."""
    return of_stack(
        Job(Opcode.LOAD, BUS, 0, 5, dst=(GROUP, OTHER)),
        Job(Opcode.MVM, GROUP, 5, 10, reads=(0,), expert=0),
        Job(Opcode.MVM, OTHER, 15, 10, reads=(0,), expert=2),
        Job(Opcode.ACC, ACC, 15, 18, reads=(1,)),
        Job(Opcode.ACC, ACC_OF_OTHER, 33, 18, reads=(2,)),
    )


@pytest.mark.parametrize("made", [in_turn, for_both, sums])
def test_a_stack_that_takes_turns_replays_to_the_picosecond(made: Any) -> None:
    given = made()
    done = replay(given, CHIP)
    assert not np.any(done.late_ps)
    again = run(given, CHIP, given.duration_ps, given.busy_ps).program
    assert again.start_ps.tolist() == given.start_ps.tolist()


@pytest.mark.parametrize(
    ("made", "row", "start", "rule"),
    [
        (in_turn, 4, 14, "unit"),  # the other group's MVM while this one's runs
        (in_turn, 2, 14, "entry"),  # a third vector, of whichever group, for two entries
        (for_both, 4, 14, "unit"),
        (for_both, 2, 15, "entry"),  # the first MVM is done with the vector, not the second
        (for_both, 2, 24, "entry"),
        (sums, 4, 32, "unit"),
    ],
)
def test_a_stack_that_does_not_is_refused(made: Any, row: int, start: int, rule: str) -> None:
    with pytest.raises(CheckError) as refused:
        replay(moved(made(), row, start), CHIP)
    assert refused.value.check == rule
    assert refused.value.culprit.startswith(f"#{row} ")


def test_apart_the_same_times_are_legal() -> None:
    """On PGs of their own each group has two entries and computes when it likes."""
    apart = (*UNITS, *STACK[ACC:])
    for made, row, start in ((in_turn, 4, 10), (in_turn, 2, 10), (for_both, 4, 5), (sums, 4, 25)):
        replay(replace(moved(made(), row, start), units=apart), CHIP)


def test_a_vector_for_one_group_of_a_stack_is_none_for_another() -> None:
    """It is in their buffer, but nobody said that it is for the other one."""
    given = in_turn()
    wrong = replace(given, reads=replace(given.reads, values=np.array([0, 0, 2], dtype=np.int32)))
    with pytest.raises(CheckError, match=r"check vector: #4 .*reads #0, expected a LOAD or XFER"):
        replay(wrong, CHIP)


def test_waits_of_a_stack_have_the_other_group_for_cause() -> None:
    by_cause = {
        c: (ps // 1000).tolist() for c, ps in Waits(replay(for_both(), CHIP)).by_cause.items()
    }
    assert by_cause["entry"] == [0, 0, 15, 0, 0, 0, 0]  # the bus was free at 10, the entry at 25
    assert by_cause["unit"] == [0, 5, 10, 0, 10, 15, 5]
    assert sum(by_cause["late"]) == 0


def test_twice_as_slow_an_mvm_delays_the_other_group() -> None:
    given = in_turn()
    slow = scale(given, given.duration_ps, given.busy_ps, {Opcode.MVM: Fraction(2)})
    done = run(given, CHIP, *slow).program
    # MVMs 5-25, 25-45, 45-65; the first frees its entry at 25
    assert (done.start_ps // 1000).tolist() == [0, 5, 25, 5, 25, 45]


@pytest.mark.parametrize("batch", range(5))
def test_random_stacks_replay_to_the_picosecond_and_beat_no_bound(batch: int) -> None:
    """And on crossbars twice as slow: the same order is legal, and nothing starts earlier."""
    for seed in range(8 * batch, 8 * (batch + 1)):
        case = random_case(seed, stack_limit=4 + seed % 4)
        p = case.program
        assert stacked(p.units).any(), f"seed {seed}"
        assert not np.any(replay(p, case.chip).late_ps), f"seed {seed}"
        assert lower_bounds(p).bound_ps <= p.makespan_ps, f"seed {seed}"
        reads = 2 * case.chip.mvm.read_ps
        slow = replace(case.chip, mvm=replace(case.chip.mvm, read_ps=reads))
        done = run(p, case.chip, *retime(p, case.chip, slow)).program
        replay(done, slow)
        assert done.makespan_ps > p.makespan_ps, f"seed {seed}"


def test_another_settling_time_is_that_of_the_stacks_and_no_other_dense_matrix() -> None:
    """With mux 1 no expert has a switch but in a stack. As if compiled for it."""
    model = small_workload(layers=1)
    old, new = (small_chip(pg={"mux": 1, "stack_limit": 2, "mux_settle_ps": ps}) for ps in (0, 900))
    stacks = stacks_of(map_small(model, old), ("q0", "moe0.0.3"), ("k0", "v0"))
    case, there = (compile_small(model, chip, stacks=stacks) for chip in (old, new))
    duration, busy = retime(case.program, old, new)
    mvm = case.program.opcode == Opcode.MVM
    assert np.array_equal(duration[mvm], there.program.duration_ps[mvm])
    settled = stacked(case.program.units)[case.program.unit] & mvm
    assert 0 < settled.sum() < mvm.sum()
    assert np.array_equal(duration, case.program.duration_ps + 900 * settled)
    assert np.array_equal(busy, case.program.busy_ps + 900 * settled)
    replay(run(case.program, old, duration, busy).program, new)
    with pytest.raises(CheckError, match="check mvm-time"):
        replay(case.program, new)


def test_a_chip_with_room_for_smaller_stacks_alone_needs_another_program() -> None:
    chip = small_chip(pg={"stack_limit": 3})
    alone = map_small(small_workload(), chip)
    case = compile_small(chip=chip, stacks=stacks_of(alone, ("q0", "k0", "v0")))
    with pytest.raises(InputError, match=r"pg\.stack_limit"):
        retime(case.program, chip, small_chip(pg={"stack_limit": 2}))


def test_the_busiest_unit_of_a_stack_is_all_of_it() -> None:
    """12 tokens to an expert of either group: 24 MVMs of 100 ns on one unit, 12 on each apart."""
    chip = small_chip(
        pg={"stack_limit": 4}, mvm={"read_ps": 100_000}, bus={"transfers_per_slot": None}
    )
    model = small_workload(layers=1)
    chosen = {0: np.tile([True, False, True, False], (12, 1))}
    stacks = stacks_of(map_small(model, chip), ("moe0.0.0", "moe0.0.1"))
    apart, one = (
        lower_bounds(compile_small(model, chip, tokens=12, chosen=chosen, stacks=given).program)
        for given in (NO_STACKS, stacks)
    )
    assert timing.mvm_ps(chip, shared=True) == 100_000
    assert apart.busiest_ps < 24 * 100_000
    assert one.busiest_ps == 24 * 100_000
    assert one.busiest == "group.0.0.0"

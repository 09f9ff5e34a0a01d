"""Waiting, re-timing and use of units on a program whose times are worked out by hand."""

from fractions import Fraction

import numpy as np
import pytest

from backends.simulate import CAUSES, Waits, kind_uses, replay, run, scale, unit_uses
from ir.errors import CheckError
from ir.program import Opcode, Program
from tests.backends.simulate.by_hand import (
    BUS,
    CHIP,
    DPU,
    DPU1,
    GROUP,
    Job,
    program,
    three_tokens,
)
from tests.make import small_chip


def waited(program: Program) -> dict[str, list[int]]:
    """Nanoseconds of each instruction by cause, for causes that occur."""
    by_cause = Waits(replay(program, CHIP)).by_cause
    assert list(by_cause) == list(CAUSES)
    return {cause: (ps // 1000).tolist() for cause, ps in by_cause.items() if np.any(ps)}


def test_every_wait_has_its_cause() -> None:
    assert waited(three_tokens()) == {
        # the two groups stood idle until their first vectors came
        "data": [0, 0, 0, 0, 5, 0, 0, 25],
        # LOADs queue for the bus; the second and third MVM for the PGs
        "unit": [0, 5, 10, 15, 0, 5, 5, 0],
        # the bus was idle from 10 to 15 ns, waiting with the third LOAD: the fourth's turn
        "order": [0, 0, 0, 5, 0, 0, 0, 0],
        # the third LOAD's own wait in that time: both entries of the group were taken
        "entry": [0, 0, 5, 0, 0, 0, 0, 0],
    }


def test_who_held_whom() -> None:
    pairs = Waits(replay(three_tokens(), CHIP)).pairs()
    found = {(p.unit, p.cause, p.holder, p.waiter): p.total_ps for p in pairs}
    assert found == {
        ("group.0.0.0", "unit", 9, 5): 5000,
        ("group.0.0.0", "unit", 5, 9): 5000,
        ("group.0.0.0", "entry", 9, -1): 5000,
    }


def test_a_long_queue_is_split_between_all_who_held_the_unit() -> None:
    # three vectors are there at 15 ns, and three experts take turns from then on
    loads = [Job(Opcode.LOAD, BUS, 5 * n, 5, dst=(GROUP,), slot=n) for n in range(3)]
    turns = [
        Job(Opcode.MVM, GROUP, 15 + 10 * n, 10, reads=(n, (n + 1) % 3, (n + 2) % 3), expert=n)
        for n in range(3)
    ]
    deep = small_chip(pg={"input_buffers": 3})
    pairs = Waits(replay(program(*loads, *turns), deep)).pairs()
    found = {(p.holder, p.waiter): p.total_ps for p in pairs}
    assert found == {(0, 1): 10_000, (0, 2): 10_000, (1, 2): 10_000}


def test_totals_add_up_and_name_the_longest() -> None:
    totals = list(Waits(replay(three_tokens(), CHIP)).totals())
    loads = next(t for t in totals if (t.cause, t.opcode) == ("unit", "LOAD"))
    assert (loads.waits, loads.total_ps, loads.longest_ps, loads.longest) == (3, 30_000, 15_000, 3)


def test_twice_as_slow_an_mvm() -> None:
    given = three_tokens()
    slow = scale(given, given.duration_ps, given.busy_ps, {Opcode.MVM: Fraction(2)})
    done = run(given, CHIP, *slow).program
    # MVMs 20 ns: 5-25, 25-45, 45-65; the entry for the third LOAD is free at 25, so the fourth
    # LOAD goes at 30 and its MVM at 35
    assert (done.start_ps // 1000).tolist() == [0, 5, 25, 30, 5, 25, 45, 35]
    assert done.makespan_ps == 65_000


def test_a_faster_bus_than_given_starts_nothing_before_its_turn() -> None:
    given = three_tokens()
    fast = scale(given, given.duration_ps, given.busy_ps, {Opcode.LOAD: Fraction(1, 5)})
    done = run(given, CHIP, *fast).program
    # LOADs of 1 ns at 0 and 1; the third waits for the entry, free when the first MVM (1-11) ends
    assert (done.start_ps // 1000).tolist() == [0, 1, 11, 12, 1, 11, 21, 13]


def test_a_value_is_not_overwritten_while_it_is_read() -> None:
    # two values in the same ten bytes: the second is written (10-20) after the reader has ended
    def jobs(length: int) -> Program:
        return program(
            Job(Opcode.NORM, DPU, 0, 5, place=(0, 10), stage=-1),
            Job(Opcode.ADD, DPU1, 5, 5, reads=(0,), place=(10, 10), stage=-1),
            Job(Opcode.NORM, DPU, 10, length, place=(0, 10), stage=-1),
        )

    given = jobs(10)
    slow = scale(given, given.duration_ps, given.busy_ps, {Opcode.ADD: Fraction(4)})
    done = run(given, CHIP, *slow)
    assert (done.program.start_ps // 1000).tolist() == [0, 5, 25]
    assert (Waits(done).by_cause["room"] // 1000).tolist() == [0, 0, 20]
    assert Waits(done).longest(2) == ("room", 20_000, 0)


def test_a_reader_of_no_duration_goes_before_who_takes_its_bytes_at_that_moment() -> None:
    # all at 5 ns and in no time: the fourth reads the second's value, the third takes its place
    given = program(
        Job(Opcode.ADD, DPU1, 0, 5, stage=-1),
        Job(Opcode.NORM, DPU, 0, 5, place=(0, 10), stage=-1),
        Job(Opcode.DIGITAL, DPU, 5, 0, place=(0, 10), stage=-1),
        Job(Opcode.DIGITAL, DPU1, 5, 0, reads=(0, 1), stage=-1),
        Job(Opcode.NORM, DPU, 5, 5, reads=(2,), stage=-1),
    )
    slow = scale(given, given.duration_ps, given.busy_ps, {Opcode.ADD: Fraction(4)})
    done = run(given, CHIP, *slow).program
    assert (done.start_ps // 1000).tolist() == [0, 0, 20, 20, 20]


def test_what_does_not_occupy_a_unit_goes_first_of_what_starts_together() -> None:
    both = program(Job(Opcode.NORM, DPU, 5, 5, stage=-1), Job(Opcode.DIGITAL, DPU, 5, 0, stage=-1))
    assert replay(both, CHIP).before.tolist() == [1, -1]


def test_an_instruction_that_nothing_held_back_is_late() -> None:
    lazy = program(
        Job(Opcode.NORM, DPU, 0, 5, stage=-1), Job(Opcode.ADD, DPU1, 7, 5, reads=(0,), stage=-1)
    )
    assert waited(lazy) == {"data": [0, 5], "late": [0, 2]}


def test_use_of_units() -> None:
    uses = unit_uses(three_tokens())  # makespan 35 ns
    assert [(u.name, u.jobs, u.busy_ps) for u in uses[:3]] == [
        ("group.0.0.0", 3, 30_000),
        ("bus.0", 4, 20_000),
        ("group.0.0.1", 1, 10_000),
    ]
    assert uses[0].share == 30 / 35
    group = kind_uses(uses)[0]
    assert (group.kind, group.units, group.busy_ps, group.share) == ("group", 2, 40_000, 20 / 35)


def test_what_starts_at_once_with_no_duration_is_legal() -> None:
    # a pipelined unit: the second job starts when the first has been busy for 2 of its 5 ns
    pipelined = program(
        Job(Opcode.NORM, DPU, 0, 5, stage=-1, busy=2),
        Job(Opcode.NORM, DPU, 2, 5, stage=-1),
        Job(Opcode.NORM, DPU1, 5, 0, reads=(0,), stage=-1),
        Job(Opcode.ADD, DPU1, 5, 3, reads=(2,), stage=-1),
    )
    assert replay(pipelined, CHIP).late_ps.tolist() == [0, 0, 0, 0]


def test_an_empty_program() -> None:
    done = replay(program(), CHIP)
    assert done.program.makespan_ps == 0
    assert list(Waits(done).totals()) == []
    assert Waits(done).pairs() == []


def test_two_that_wait_for_each_other_are_refused() -> None:
    ring = program(
        Job(Opcode.NORM, DPU, 5, 5, reads=(1,), stage=-1),
        Job(Opcode.NORM, DPU1, 5, 5, reads=(0,), stage=-1),
    )
    with pytest.raises(CheckError, match="check data: #0 NORM"):
        replay(ring, CHIP)

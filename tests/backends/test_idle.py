"""Peripheral groups at rest: on, or off and woken, whichever takes less."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.cost import cost
from backends.idle import Idle, idle
from ir.chip import Chip
from ir.program import Lists, Opcode, Program
from tests.make import compile_small, small_chip


def two_groups() -> Program:
    """Three MVMs of 10 ns in 100 ns: of 2 PGs at 20 and 60 ns, of 3 at 0, and 4 PGs without any.

    Rests: 20, 30 and 30 ns of the first, the last of them to the end; 90 ns of the second, to the
    end; 100 ns of the third.
    """
    program = compile_small().program
    groups = [unit for unit in program.units if unit.kind == "group"][:3]
    rows = np.flatnonzero(program.opcode == Opcode.MVM)[:3]
    nothing = Lists(np.zeros(4, dtype=np.int64), np.zeros(0, dtype=np.int32))
    columns: dict[str, Any] = {
        name: nothing if isinstance(column, Lists) else column[rows]
        for name, column in vars(program).items()
        if isinstance(column, np.ndarray | Lists)
    }
    columns["unit"] = np.array([0, 0, 1], dtype=np.int32)
    columns["start_ps"] = np.array([20_000, 60_000, 0])
    columns["duration_ps"] = np.array([80_000, 40_000, 10_000])
    columns["busy_ps"] = np.full(3, 10_000)
    units = tuple(replace(unit, pgs=pgs) for unit, pgs in zip(groups, (2, 3, 4), strict=True))
    return replace(program, units=units, **columns)


def chip(**pg: int | None) -> Chip:
    return small_chip(pg={"idle_uw": 1000, **pg})


ALL = 2 * 80_000 + 3 * 90_000 + 4 * 100_000  # PG x ps at rest; 1 mW for 1 ps is 1 fJ


@pytest.mark.parametrize(
    ("wake", "expected"),
    [
        # no source says what waking takes: none is ever off
        ({"wake_fj": None}, Idle(ALL, 0, 0, ALL)),
        # free: always off; the 2 PGs wake twice, the 3 fire at 0 and have not slept
        ({"wake_fj": 0}, Idle(0, 0, 4, ALL)),
        # 25 pJ: worth it for the rests of 30 ns and more, not for the 20 ns before 2 PGs fire;
        # nothing wakes those that rest to the end
        ({"wake_fj": 25_000}, Idle(2 * 20_000, 2 * 25_000, 2, ALL)),
        # 40 pJ: only those that rest to the end are off
        ({"wake_fj": 40_000}, Idle(2 * 50_000, 0, 0, ALL)),
        # 25 ns at idle power to wake and 4 pJ: 29 of the 30 pJ of that rest, 20 ns are too short
        ({"wake_fj": 4_000, "wake_ps": 25_000}, Idle(2 * 45_000, 2 * 4_000, 2, ALL)),
    ],
)
def test_a_rest_costs_the_less(wake: dict[str, int | None], expected: Idle) -> None:
    assert idle(two_groups(), chip(**wake)) == expected


def a_stack() -> Program:
    """PGs 0-1 and 0-4 of a stack, and 5-8: three MVMs of 10 ns in 100 ns.

    The first group, PGs 0-1, computes at 20 ns; the second, PGs 0-4, at 60 ns; the third, 5-8,
    never. PGs 0-1 rest 20, 30 and 30 ns; 2-4 rest 60 and 30 ns; 5-8 rest 100 ns.
    """
    program = two_groups()
    units = [replace(u, first_pg=at) for u, at in zip(program.units, (0, 0, 5), strict=True)]
    units[1] = replace(units[1], pgs=5)
    start = np.array([20_000, 60_000, 60_000])
    unit = np.array([0, 1, 2], dtype=np.int32)
    opcode = np.array([Opcode.MVM, Opcode.MVM, Opcode.NORM], dtype=np.uint8)
    duration = np.array([80_000, 40_000, 40_000])
    return replace(
        program, units=tuple(units), unit=unit, start_ps=start, opcode=opcode, duration_ps=duration
    )


IN_STACK = 2 * 80_000 + 3 * 90_000 + 4 * 100_000


@pytest.mark.parametrize(
    ("wake", "expected"),
    [
        ({"wake_fj": None}, Idle(IN_STACK, 0, 0, IN_STACK)),
        # always off: PGs 0-1 wake at 20 and 60 ns, 2-4 at 60 ns
        ({"wake_fj": 0}, Idle(0, 0, 2 * 2 + 3, IN_STACK)),
        # 25 pJ: the 20 ns before the first MVM are too short for PGs 0-1, the 30 ns before the
        # second are not; 2-4 wake for the second alone
        ({"wake_fj": 25_000}, Idle(2 * 20_000, 5 * 25_000, 5, IN_STACK)),
        # 40 pJ: only 2-4, which rest 60 ns, are worth waking
        ({"wake_fj": 40_000}, Idle(2 * 50_000, 3 * 40_000, 3, IN_STACK)),
    ],
)
def test_of_a_stack_each_pg_rests_while_none_of_its_groups_computes(
    wake: dict[str, int | None], expected: Idle
) -> None:
    assert idle(a_stack(), chip(**wake)) == expected


def test_the_report_has_both_totals() -> None:
    done = compile_small(chip=chip(wake_fj=100, wake_ps=0))
    found, energy = idle(done.program, done.chip), cost(done.program, done.chip).energy
    assert 0 < found.on_fj + found.waking_fj < found.never_off_fj
    assert energy.static_fj["peripheral groups waking"] == found.waking_fj == 100 * found.wakes
    saved = found.never_off_fj - found.on_fj - found.waking_fj
    assert energy.never_off_fj == energy.total_fj + saved


def test_pgs_of_a_stack_that_overlap_in_a_chain_are_pieces() -> None:
    """PGs 0-2, 2-3 and 3-5: 0-1, 2, 3 and 4-5. Each MVM of 10 ns keeps those at its side on.

    The first at 0 ns, the second at 40, the third at 90, in 100 ns: 0-1 rest 90 ns, 2 rests
    30 + 50, 3 rests 40 + 40, 4-5 rest 90.
    """
    program = two_groups()
    places = ((0, 3), (2, 2), (3, 3))
    units = [
        replace(u, first_pg=at, pgs=pgs) for u, (at, pgs) in zip(program.units, places, strict=True)
    ]
    chain = replace(
        program,
        units=tuple(units),
        unit=np.array([0, 1, 2], dtype=np.int32),
        start_ps=np.array([0, 40_000, 90_000]),
        duration_ps=np.full(3, 10_000),
    )
    rest = 2 * 90_000 + 80_000 + 80_000 + 2 * 90_000
    assert idle(chain, chip(wake_fj=None)) == Idle(rest, 0, 0, rest)


def test_every_peripheral_group_is_of_one_group_of_the_program() -> None:
    program = compile_small().program
    held = program.inventory.expert_pgs + program.inventory.dense_pgs
    assert sum(unit.pgs for unit in program.units) == held

"""What crosses from die to die, and what a program says without its crossings."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ir.arrays import Ints
from ir.crossings import brought, die_of, is_crossing, without_crossings
from ir.program import Opcode, Program, Unit
from tests.backends.simulate.by_hand import Job, program

UNITS = (
    Unit("dpu", "dpu.0", 0, die=0),
    Unit("dpu", "dpu.0@1", 0, die=1),
    Unit("d2d", "d2d.0.1", die=0, to=1),
    Unit("d2d", "d2d.1.0", die=1, to=0),
    Unit("dram", "dram"),
)


def made(*reads: tuple[int, ...], crossing: set[int]) -> Program:
    """A NORM or a CROSS on the link from 0 to 1 for each row, which reads these."""
    jobs = [
        Job(Opcode.CROSS if n in crossing else Opcode.NORM, 2 if n in crossing else 0, n, 1, of)
        for n, of in enumerate(reads)
    ]
    return program(*jobs, units=UNITS)


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], set[int]]:
    """What each row reads, rows before it, and which are CROSSes, of one value each."""
    rows: list[tuple[int, ...]] = [()]
    crossing = set[int]()
    for n in range(1, draw(st.integers(1, 40))):
        if draw(st.booleans()):
            crossing.add(n)
            rows.append((draw(st.integers(max(0, n - draw(st.integers(1, 5))), n - 1)),))
        else:
            rows.append(tuple(draw(st.lists(st.integers(0, n - 1), max_size=4))))
    return rows, crossing


@given(programs())
def test_readers_read_what_the_crossings_before_them_bring(
    case: tuple[list[tuple[int, ...]], set[int]],
) -> None:
    """Row after row: a CROSS stands for what it reads, which stands for something already."""
    rows, crossing = case
    stands = list(range(len(rows)))
    for n in range(len(rows)):
        if n in crossing:
            stands[n] = stands[rows[n][0]]
    p = made(*rows, crossing=crossing)
    assert brought(p).tolist() == stands
    alone = without_crossings(p)
    assert len(alone) == len(p)
    for n, of in enumerate(rows):
        wanted = [] if n in crossing else [stands[r] for r in of]
        assert alone.reads[n].tolist() == wanted
    assert not np.any(np.isin(alone.reads.values, sorted(crossing)))


def test_a_program_that_crosses_nothing_stays_as_it_is() -> None:
    p = made((), (0,), (0, 1), crossing=set())
    assert without_crossings(p) is p
    assert not is_crossing(p).any()


def test_a_way_over_a_thousand_links_ends_at_what_it_brings() -> None:
    rows = [(), *((n,) for n in range(1000)), (1000,)]
    p = made(*rows, crossing=set(range(1, 1001)))
    assert brought(p).tolist() == [0] * 1001 + [1001]
    assert without_crossings(p).reads[1001].tolist() == [0]


def test_circles_bring_themselves_and_end() -> None:
    """Of one row, of two and of five; who reads them reads one of them."""
    rows = [(0,), (2,), (1,), (4,), (5,), (6,), (7,), (3,), (5,)]
    p = made(*rows, crossing=set(range(8)))
    assert brought(p).tolist() == list(range(9))
    assert 3 <= without_crossings(p).reads[8][0] < 8


def test_what_brings_several_values_or_none_brings_itself() -> None:
    p = made((), (0,), (0, 1), (), (2,), (3,), crossing={1, 2, 3, 4, 5})
    assert brought(p).tolist() == [0, 0, 2, 3, 2, 3]


def test_values_are_where_their_unit_is_or_its_link_goes() -> None:
    units = range(len(UNITS))
    jobs = [Job(Opcode.CROSS if 1 < unit < 4 else Opcode.NORM, unit, 0, 1) for unit in units]
    found: Ints = die_of(program(*jobs, units=UNITS))
    assert found.tolist() == [0, 1, 1, 0, -1]

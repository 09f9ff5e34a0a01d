"""The peripheral share at which sharing gains nothing, worked by hand."""

from dataclasses import replace

import pytest

from backends.band import with_peripherals
from backends.breakeven import Run, peripheral_share, share_by_programs, share_by_slots
from backends.cost import cost, moe_area
from compiler.baselines import unshared
from ir.compiled import Compiled
from tests.make import SMALL_CHIP, compile_small, small_workload

WORKLOAD = small_workload(layers=1, d=8, f=4, experts=4, bits=8)


@pytest.fixture(scope="module")
def both() -> tuple[Compiled, Compiled]:
    """4 experts of 4 tiles: 16 crossbars behind 8 peripheral groups, and behind 16."""
    return compile_small(WORKLOAD), compile_small(WORKLOAD, unshared(SMALL_CHIP))


@pytest.mark.parametrize(
    ("shared", "alone", "share"),
    [
        (8, 6, 0.5),  # 8 (1 - p + p / 2) = 6: p / 2 = 1 / 4
        (12, 6, 1.0),  # twice the slots: only if a core were nothing but peripherals
        (13, 6, None),  # more than twice: never
        (6, 6, 0.0),  # no slot more: whatever a core is made of
        (5, 6, 0.0),
    ],
)
def test_by_slots(
    both: tuple[Compiled, Compiled], shared: int, alone: int, share: float | None
) -> None:
    here, there = (Run(d.program, d.chip, n) for d, n in zip(both, (shared, alone), strict=True))
    assert share_by_slots(here, there) == share


def test_by_programs(both: tuple[Compiled, Compiled]) -> None:
    """T2 A2(p) = T1 A1: A2 = 16 (1 - p) W + 8 p W + rest, A1 = 16 W + its rest, W = 110.

    The rest: mux switches, of which A1 has none, buses, buffers and digital units.
    """
    here, there = (Run(d.program, d.chip, 0) for d in both)
    t2, t1 = (cost(run.program, run.chip).moe_time_ps for run in (here, there))
    a2, a1 = (moe_area(run.program, run.chip).parts_um2 for run in (here, there))
    assert a2["mux switches"] == 16 and a1["mux switches"] == 0
    whole = 16 * 110
    names = ("mux switches", "buses", "input buffers", "buffers", "digital units")
    rest2, rest1 = (sum(area[name] for name in names) for area in (a2, a1))
    needed = whole + rest2 - (whole + rest1) * t1 / t2
    share = needed / (8 * 110)
    assert 0 < share < 1
    found = share_by_programs((here,), (there,))
    assert found is not None
    assert share <= found < share + 1 / 110  # whole um2
    # a core with that share: both give as many operations per time and area, within a um2
    even = with_peripherals(SMALL_CHIP, round(found * 110))
    assert peripheral_share(even) == found
    figures = [
        cost(run.program, replace(even, pg=replace(even.pg, mux=mux))).moe_gops_per_mm2 or 0.0
        for run, mux in ((here, 2), (there, 1))
    ]
    assert figures[0] == pytest.approx(figures[1], rel=16 / whole)
    assert figures[0] >= figures[1]


def test_by_several_programs_together(both: tuple[Compiled, Compiled]) -> None:
    """Sums of work and time, means of area: at the share found both sides give as much."""
    others = (
        compile_small(WORKLOAD, tokens=24),
        compile_small(WORKLOAD, unshared(SMALL_CHIP), tokens=24),
    )
    here, there = (
        [Run(done.program, done.chip, 0) for done in side]
        for side in zip(both, others, strict=True)
    )
    assert share_by_programs(here[:1] * 2, there[:1] * 2) == share_by_programs(here[:1], there[:1])
    found = share_by_programs(here, there)
    assert found is not None and 0 < found < 1
    rates = []
    for runs in (here, there):
        costs = [cost(run.program, with_peripherals(run.chip, round(found * 110))) for run in runs]
        macs = sum(part.macs for one in costs for part in one.moe)
        areas = sum(one.moe_area.total_um2 for one in costs)
        rates.append(macs / sum(one.moe_time_ps for one in costs) / areas)
    assert rates[0] >= rates[1]
    assert rates[0] == pytest.approx(rates[1], rel=16 / (16 * 110))  # whole um2


def test_unknown_areas_have_no_share(both: tuple[Compiled, Compiled]) -> None:
    pg = replace(SMALL_CHIP.pg, peripheral_um2=None)
    here, there = (Run(d.program, replace(d.chip, pg=pg), 1) for d in both)
    assert share_by_programs((here,), (there,)) is None
    assert peripheral_share(here.chip) is None


def test_a_program_that_takes_ten_times_as_long_never_pays(
    both: tuple[Compiled, Compiled],
) -> None:
    """Half of the peripherals make up for twice the time at the most."""
    here, there = (Run(d.program, d.chip, 0) for d in both)
    times = {
        name: 10 * getattr(here.program, name) for name in ("start_ps", "duration_ps", "busy_ps")
    }
    slow = Run(replace(here.program, **times), here.chip, 0)
    assert share_by_programs((slow,), (there,)) is None

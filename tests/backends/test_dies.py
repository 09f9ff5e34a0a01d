"""What dies hold and links carry, counted from the program's own rows; bounds of its time."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from backends.bounds import lower_bounds
from backends.cost import chip_area
from backends.dies import die_areas, link_use, refuse_full
from compiler.pipeline import realise
from ir.chip import Dies
from ir.compiled import Compiled
from ir.errors import InfeasibleError
from ir.program import Opcode
from tests.dies import JOINED, at_random, compiled_on, die_chip
from tests.make import compile_small, small_workload


@pytest.fixture(scope="module", params=JOINED)
def done(request: pytest.FixtureRequest) -> Compiled:
    """On chips without area of buffers, which are rounded up one by one."""
    return compiled_on(JOINED[request.param], 5, memory={"buffer_um2_per_kib": 0})


def test_dies_hold_all_of_the_chip(done: Compiled) -> None:
    assert die_areas(done).sum() == chip_area(done.program, done.chip).total_um2


def test_a_group_of_one_expert_has_no_switch_on_its_die() -> None:
    """Five experts in pairs, so that one is alone: as the chip counts it."""
    dies = JOINED["ring of 4"]
    chip = die_chip(dies, memory={"buffer_um2_per_kib": 0}, pg={"mux_switch_um2": 7})
    done = compile_small(small_workload(experts=5), chip, sites=at_random(dies, 1))
    assert die_areas(done).sum() == chip_area(done.program, done.chip).total_um2


def test_a_die_holds_what_is_on_it(done: Compiled) -> None:
    """Its peripheral groups and the ends of its links, which are there twice."""
    held, placement = die_areas(done), done.mapping.placement
    assert done.chip.link is not None
    pgs = Counter(placement.die_of(pg) for pg in range(placement.pgs))
    ends = Counter(unit.die for unit in done.program.units if unit.kind == "d2d")
    for die in range(placement.topology.count):
        least = pgs[die] * 100 + ends[die] * done.chip.link.end_um2
        assert held[die] >= least
        assert ends[die] == len(placement.topology.neighbours[die])
        if not pgs[die]:
            assert held[die] == least


def test_links_carry_what_their_rows_say(done: Compiled) -> None:
    p, use = done.program, link_use(done.program)
    rows = [row for row in range(len(p)) if p.opcode[row] == Opcode.CROSS]
    busy = Counter[str]()
    for row in rows:
        busy[p.units[p.unit[row]].name] += int(p.busy_ps[row])
    assert use.crossings == len(rows) > 0
    assert use.bytes == sum(int(p.bytes[row]) for row in rows)
    assert use.energy_fj == sum(int(p.energy_fj[row]) for row in rows)
    assert (busy[use.busiest], use.busy_ps) == (max(busy.values()), max(busy.values()))


def test_a_program_on_one_die_crosses_nothing() -> None:
    use = link_use(compile_small().program)
    assert (use.crossings, use.bytes, use.energy_fj, use.busiest, use.busy_ps) == (0, 0, 0, "", 0)


def test_a_die_that_is_too_full_is_refused(done: Compiled) -> None:
    most = int(die_areas(done).max())
    dies = done.chip.dies
    assert dies is not None
    refuse_full(replace(done, chip=replace(done.chip, dies=replace(dies, area_um2=most))))
    small: Dies = replace(dies, area_um2=most - 1)
    with pytest.raises(InfeasibleError, match=rf"die {int(die_areas(done).argmax())}: needs"):
        refuse_full(replace(done, chip=replace(done.chip, dies=small)))


def test_no_bound_is_above_the_makespan(done: Compiled) -> None:
    bounds = lower_bounds(done.program)
    for bound in (bounds.critical_path_ps, bounds.busiest_ps, bounds.segments_ps):
        assert 0 < bound <= done.program.makespan_ps


def test_a_link_that_is_slow_binds(done: Compiled) -> None:
    """An eighth of the bandwidth: what no schedule beats is at least what the link takes."""
    assert done.chip.link is not None
    chip = replace(done.chip, link=replace(done.chip.link, bits_per_ns_per_mm=1))
    slow = realise(done.workload, chip, done.mapping, done.schedule, done.chosen)
    use, bounds = link_use(slow.program), lower_bounds(slow.program)
    assert bounds.busiest_ps >= use.busy_ps > link_use(done.program).busy_ps
    assert np.all(slow.program.busy_ps <= slow.program.duration_ps)

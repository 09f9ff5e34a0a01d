"""What dies hold and links carry, counted from the program's own rows; bounds of its time."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.bounds import lower_bounds
from backends.cost import chip_area
from backends.dies import die_areas, link_use, refuse_full
from compiler.dies.areas import areas_of
from compiler.dies.pieces import in_model_order
from compiler.fire_groups import fire_groups
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


SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pairs": ({}, {}),
    "five experts in pairs": ({"experts": 5}, {"pg": {"mux_switch_um2": 50}}),
    "no group shares": ({}, {"pg": {"mux": 1, "mux_switch_um2": 50}}),
    "two shared experts, router on crossbars": (
        {"shared": 2, "shared_gates": (True, False)},
        {"digital": {"router_on": "crossbar"}},
    ),
    "unlike widths": ({"widths": (12, 5)}, {}),
    "sums on digital units": ({"bias": True}, {"accumulate": {"where": "dpu"}}),
    "digital units for so many groups": ({}, {"digital": {"pgs_per_dpu": 3}}),
    "digital units by number": ({}, {"digital": {"dpus_per_region": 3}}),
    "three input buffers": ({}, {"pg": {"input_buffers": 3}}),
    "weights on the input": ({"weight_on": "input", "gated": False}, {}),
    "a wide return": ({"k": 4}, {"bus": {"um2_per_bit_per_ns": 5000}}),
}


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("name", SHAPES)
def test_an_assignment_counts_on_all_that_dies_then_hold(name: str, copies: int) -> None:
    """But for buffers: else a die that was said to have room is refused in the end."""
    dies = JOINED["ring of 4"]
    workload, changes = SHAPES[name]
    model = small_workload(**workload)
    memory = {"buffer_um2_per_kib": 0}
    chip = die_chip(dies, **changes, memory=memory)
    done = compile_small(model, chip, sites=at_random(dies, 7), copies=copies)
    mapping, placement = done.mapping, done.mapping.placement
    fires = in_model_order(fire_groups(mapping.blocks, mapping.grouping))
    areas = areas_of(model, mapping.grouping, fires, chip, 6, 6, copies)
    assert chip.link is not None
    room = np.full(dies.count, 2 * chip.link.end_um2)
    for fire in fires:
        room[placement.die_of(fire.first_pg(placement.pg_start))] += areas.of_fire(fire)
    for region in placement.regions:
        room[region.die] += areas.of_region[region.layer]
        if region is placement.region(region.layer):
            room[region.die] += areas.at_home[region.layer]
    assert np.all(die_areas(done) <= room), die_areas(done) - room

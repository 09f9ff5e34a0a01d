"""Copies of experts as a decision: time, area and choice are those of programs with them."""

from dataclasses import replace

import numpy as np
import pytest

from backends.cost import cost
from backends.pace import pace
from compiler.design.choices import Design, Menu, Whole
from compiler.design.designer import Designer
from compiler.design.figures import figures
from compiler.design.floor import Floor
from compiler.design.menus import usual_menu
from compiler.design.model import Model
from compiler.design.problem import Asked
from compiler.options import GroupingOptions, Shape
from ir.errors import InputError
from ir.workload import Workload
from tests.compiler.design.make import CHIP, design_for, floor_of, program_of, streaming
from tests.make import small_workload

SEARCH = GroupingOptions("local-search")
MENU = Menu((1, 2), (1,), (8,), (2,), (2,), (3,), (1,), replicas=(0, 2))


def searched(work: Workload, shape: Shape, batch_in_buffers: bool = False) -> Floor:
    """A floor whose groups may hold replicas."""
    memory = replace(CHIP.memory, kv="buffers") if batch_in_buffers else CHIP.memory
    return floor_of(work, shape, replace(CHIP, memory=memory), solver="local-search")


TWO = searched(streaming(experts=6), Shape(32))
FOUR = searched(streaming(layers=4), Shape(48))


def on(design: Design, stack: int) -> Design:
    """With so many layers of a region."""
    return replace(design, whole=replace(design.whole, stack=stack))


@pytest.mark.parametrize("replicas", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_prefill_takes_what_its_program_takes(size: int, replicas: int) -> None:
    """Within a twentieth, and the same area but for rounding of KiB and values in flight.

    Of 6 experts and 5 replicas in groups of 1, 2 and 3: 11, 6 and 4 groups, where 6 have 6, 3
    and 2.
    """
    design = design_for(TWO, size, replicas=replicas)
    done, ours = program_of(TWO, design), figures(TWO, design)
    groups = [len(layer.groups) for layer in done.mapping.grouping.layers]
    assert groups == [-(-(6 + replicas) // size)] * 2
    assert sum(map(len, done.mapping.grouping.layers[0].groups)) == 6 + replicas
    assert ours.time_ps == pytest.approx(done.program.makespan_ps, rel=0.05)
    theirs = cost(done.program, done.chip)
    held = theirs.area.parts_um2["buffers"] - ours.area_um2["buffers"]
    assert abs(theirs.area.total_um2 - ours.total_um2 - held) <= 2 * 400
    assert ours.total_fj == pytest.approx(theirs.energy.total_fj, rel=0.03)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_decode_step_shares_its_own_tokens_out(batch: int) -> None:
    """Copies share the pairs of each step, not those of all: the counts are the program's."""
    floor = searched(streaming(experts=6), Shape(8, batch, 8), batch_in_buffers=True)
    design = design_for(floor, 2, replicas=3)
    done = program_of(floor, design)
    measured = pace(done.program)
    assert measured is not None
    assert figures(floor, design).time_ps == pytest.approx(measured.step_ps, rel=0.05)
    step = done.schedule.steps[3].layers[0]
    first = 2 * batch  # of the third step, behind two of `batch` tokens
    counts = floor.counts(0, 2, 3)
    ours = [counts.of_group(g)[first : first + batch].sum() for g in range(counts.groups)]
    assert ours == np.bincount(step.group, minlength=counts.groups).tolist()


@pytest.mark.parametrize(("size", "stack"), [(1, 2), (2, 2), (2, 4)])
def test_layers_that_share_a_region_have_their_replicas_in_it(size: int, stack: int) -> None:
    """Time within a tenth; the area of what stands behind peripheral groups is the program's."""
    design = on(design_for(FOUR, size, replicas=2), stack)
    done, ours = program_of(FOUR, design), figures(FOUR, design)
    assert ours.time_ps == pytest.approx(done.program.makespan_ps, rel=0.1)
    theirs = cost(done.program, done.chip).area
    behind = ("peripheral groups", "arrays", "mux switches")
    assert ours.area_um2["crossbars and peripheral groups"] == sum(
        theirs.parts_um2[part] for part in behind
    )


def test_a_group_without_experts_is_none() -> None:
    """A grouping that leaves a replica out, and its group empty, is as one without that group."""
    floor = searched(streaming(experts=2, k=1), Shape(8))
    grouping = floor.grouping(1, 2)
    layer = grouping.layers[0]
    padded = replace(layer, groups=(*layer.groups, ()))
    floor._grouped[1, 3] = replace(grouping, layers=(padded, *grouping.layers[1:]))
    assert floor.counts(layer.layer, 1, 3).groups == floor.counts(layer.layer, 1, 2).groups
    times = [figures(floor, design_for(floor, 1, replicas=n)).time_ps for n in (2, 3)]
    assert times[0] == times[1]


def test_more_copies_take_more_area_and_are_chosen_where_time_is_short() -> None:
    """Groups of 3 of 6 experts: a third group, by two replicas, takes a third of the turns."""
    designer = Designer(TWO, replace(MENU, sizes=(3,), copies=(2,)))
    small, fast = designer.best(Asked("area")), designer.best(Asked("time"))
    assert (small.design.replicas, fast.design.replicas) == (0, 2)
    assert fast.figures.time_ps < 0.9 * small.figures.time_ps
    assert fast.design.grouping(SEARCH).replicas == 2
    fewer = replace(fast.design, replicas=0)
    assert figures(TWO, fewer).total_um2 < fast.figures.total_um2


def test_layers_without_experts_do_not_depend_on_replicas() -> None:
    """Of a model whose first layer is dense: its stations are the same with any number."""
    floor = searched(streaming(layers=2, dense_layers=(0,)), Shape(8))
    model = Model(floor, Whole(2))
    for station in model.stations:
        assert ("replicas" in station.needs) <= (station.region == 1)
    assert any("replicas" in station.needs for station in model.stations)
    values = [design_for(floor, replicas=n).values for n in (0, 2)]
    assert model.site(0, values[0]).laid is model.site(0, values[1]).laid
    assert model.site(1, values[0]).laid is not model.site(1, values[1]).laid


def test_without_experts_it_is_no_decision() -> None:
    floor = replace(floor_of(streaming(), Shape(8)), workload=streaming(dense_layers=(0, 1)))
    assert Designer(floor, MENU).best(Asked("time")).design.replicas == 0


def test_what_cannot_have_replicas_is_refused_at_once() -> None:
    """A solver that places none, and groups of which one holds all 4 experts and 2 copies."""
    with pytest.raises(InputError, match="'sorted' places no replicas"):
        Designer(floor_of(streaming(), Shape(8)), MENU)
    Designer(floor_of(streaming(), Shape(8)), replace(MENU, replicas=(0,)))
    floor = searched(streaming(), Shape(8))
    with pytest.raises(InputError, match="2 with groups of 8, but layer 0 has 4 experts"):
        Designer(floor, replace(MENU, sizes=(1, 8)))
    with pytest.raises(InputError, match="whole numbers from 0 up"):
        replace(MENU, replicas=(2, 0))


def test_replicas_that_grouping_is_asked_for_are_the_usual_ones() -> None:
    floor = searched(small_workload(), Shape(8))
    assert usual_menu(floor).replicas == (0,)
    asked = replace(floor.options, grouping=replace(SEARCH, replicas=2))
    assert usual_menu(replace(floor, options=asked)).replicas == (2,)


def test_of_many_layers_the_best_is_that_of_the_best_number() -> None:
    """Seven layers, whose sizes are not chosen at once: the fastest of all is one of two."""
    floor = searched(streaming(layers=7, experts=6), Shape(24))
    menu = replace(MENU, sizes=(3,), copies=(2,), transfers=(4, 8))
    each = {n: _fastest(floor, replace(menu, replicas=(n,))) for n in (0, 2)}
    found = Designer(floor, menu).best(Asked("time"))
    assert found.best.value == min(each.values()) == each[2] < each[0]
    assert found.design.replicas == 2


def _fastest(floor: Floor, menu: Menu) -> int:
    return Designer(floor, menu).best(Asked("time")).best.value

"""Layers that share a region's peripheral groups: area, time and choice are those of programs."""

import re
from dataclasses import replace

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
from compiler.options import Shape, StackOptions
from ir import timing
from ir.stacks import Stacking
from tests.compiler.design.make import CHIP, design_for, floor_of, program_of, streaming

FOUR = floor_of(streaming(layers=4), Shape(24))
UNLIKE = floor_of(streaming(layers=3, dense_layers=(0,), shared=1), Shape(24))
MENU = Menu((1, 2), (1, 2), (4,), (2,), (2,), (3,), (1,), stack=(1, 2))


def stacked(floor: Floor, stack: int, size: int = 2, **values: int) -> Design:
    """The design with everything enough, in regions of so many layers."""
    alone = design_for(floor, size, **values)
    return replace(alone, whole=replace(alone.whole, stack=stack))


def test_regions_are_those_that_the_compiler_makes() -> None:
    """Of four layers in twos each is with the one two on; all of a region have one group size."""
    assert [FOUR.together(n, 2) for n in range(4)] == [(0, 2), (1, 3), (0, 2), (1, 3)]
    assert [FOUR.together(n, 3) for n in range(4)] == [(0, 2), (1, 3), (0, 2), (1, 3)]
    assert FOUR.leaders(2) == (0, 1)
    assert UNLIKE.together(2, 2) == (0, 2)
    assert UNLIKE.leaders(2) == (1, 2)  # of the first region the dense layer has no experts
    sizes = FOUR.design_of({**design_for(FOUR).values, 0: 1, 1: 2}, Whole(2, stack=2)).sizes
    assert sizes == ((0, 1), (1, 2), (2, 1), (3, 2))
    for region in program_of(FOUR, stacked(FOUR, 2)).mapping.placement.regions:
        assert region.layers == FOUR.together(region.layer, 2)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize(("floor", "stack"), [(FOUR, 2), (FOUR, 4), (UNLIKE, 2), (UNLIKE, 3)])
def test_the_area_is_that_of_the_program(floor: Floor, stack: int, copies: int) -> None:
    """Groups of one and of two: the switches are all of stacks, or all of experts and of stacks."""
    for size in (1, 2):
        design = stacked(floor, stack, size, copies=copies)
        done = program_of(floor, design)
        theirs, ours = cost(done.program, done.chip).area, figures(floor, design)
        held = theirs.parts_um2["buffers"] - ours.area_um2["buffers"]
        assert abs(theirs.total_um2 - ours.total_um2 - held) <= 2 * 400
        behind = ("peripheral groups", "arrays", "mux switches")
        assert ours.area_um2["crossbars and peripheral groups"] == sum(
            theirs.parts_um2[part] for part in behind
        )


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(("floor", "stack"), [(FOUR, 2), (FOUR, 4), (UNLIKE, 2), (UNLIKE, 3)])
@pytest.mark.parametrize("tokens", [48, 96])
def test_a_prefill_whose_layers_all_meet_takes_nearly_what_its_program_takes(
    floor: Floor, stack: int, size: int, tokens: int
) -> None:
    """All layers are at work at once: close to what takes up to four times as long.

    Within 8.5 % for 48 tokens and 5 % for 96.
    """
    longer = floor_of(floor.workload, Shape(tokens))
    design = stacked(longer, stack, size)
    theirs = program_of(longer, design).program.makespan_ps
    within = {48: 0.085, 96: 0.05}[tokens]
    assert figures(longer, design).time_ps == pytest.approx(theirs, rel=within)


def test_layers_that_do_not_meet_take_nothing() -> None:
    """One token is at one layer at a time: a stack costs it no more than its ways on the mesh."""
    floor = floor_of(streaming(layers=4), Shape(1))
    model = [Model(floor, Whole(2, stack=stack)) for stack in (1, 2)]
    values = design_for(floor).values
    for node, station in enumerate(model[1].stations):
        if station.unit == "group" and not station.whole:
            shared, own = (m.kernel(node, values).busy.tolist() for m in model)
            assert shared == own
    design = stacked(floor, 2)
    theirs = program_of(floor, design).program.makespan_ps
    assert figures(floor, design).time_ps == pytest.approx(theirs, rel=0.02)


def test_a_decode_step_does_the_work_of_all_layers_and_a_token_goes_its_way() -> None:
    """Of one sequence as long as its program; the busiest stack has the work of four layers."""
    chip = replace(CHIP, memory=replace(CHIP.memory, kv="buffers"))
    floor = floor_of(streaming(layers=4), Shape(8, 1, 8), chip)
    design = stacked(floor, 4)
    measured = pace(program_of(floor, design).program)
    assert measured is not None
    assert figures(floor, design).time_ps == pytest.approx(measured.step_ps, rel=0.05)
    alone, shared = (_most_work(Model(floor, Whole(2, stack=n)), design) for n in (1, 4))
    tokens, mvm_ps = 8, timing.mvm_ps(chip, shared=False)
    assert (alone, shared) == (tokens * mvm_ps, 4 * tokens * mvm_ps)  # of dense products


def _most_work(model: Model, design: Design) -> int:
    """Of the busiest dense product, or of the busiest stack that begins with one."""
    nodes = [n for n in model.order if model.stations[n].unit == "group"]
    dense = [n for n in nodes if not re.search("moe|input", model.stations[n].what)]
    return max(model.kernel(n, design.values).work_ps for n in dense)


def test_the_best_of_all_regions_is_found() -> None:
    """Least area is with two layers a region, and least time with one: as if each were alone."""
    both = Designer(FOUR, MENU)
    each = {n: Designer(FOUR, replace(MENU, stack=(n,))) for n in (1, 2)}
    for asked, stack in ((Asked("area"), 2), (Asked("time"), 1)):
        found = both.best(asked)
        alone = {n: one.best(asked).best.value for n, one in each.items()}
        assert found.design.stack == stack
        assert found.best.value == min(alone.values()) == alone[stack]


def test_what_is_asked_of_the_compiler_is_what_was_counted() -> None:
    """Rules of stacks, their layers, and crossbars behind a peripheral group: 2 x 2 at most."""
    design = stacked(FOUR, 2)
    assert design.placement(FOUR.options.placement).stacks == StackOptions("apart", 2)
    assert design.settings["pg.stack_limit"] == design.on(CHIP).pg.most == 4
    alone = design_for(FOUR)
    assert "pg.stack_limit" not in alone.settings
    assert isinstance(alone.placement(FOUR.options.placement).stacks, Stacking)


@pytest.mark.parametrize(
    ("layers", "shape", "expected"),
    [
        (1, Shape(4), (1,)),
        (2, Shape(4), (1, 2)),
        (4, Shape(4), (1, 2, 4)),  # three in a region part four layers in two, as two do
        (6, Shape(4), (1, 2, 3)),  # and four part six in two, as three do
        (6, Shape(2, 1, 2), (1, 2, 4, 8)),
    ],
)
def test_the_usual_numbers_of_layers(layers: int, shape: Shape, expected: tuple[int, ...]) -> None:
    assert usual_menu(floor_of(streaming(layers=layers), shape)).stack == expected

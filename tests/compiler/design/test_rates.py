"""Times of designs without a program are near those of their programs, whatever the model is."""

from dataclasses import replace

import pytest

from backends.cost import cost
from backends.pace import pace
from compiler.design.choices import Menu, Whole, design_of
from compiler.design.figures import figures
from compiler.design.model import Model
from compiler.design.rates import rate
from compiler.options import Shape
from tests.compiler.design.make import CHIP, design_for, floor_of, program_of, streaming
from tests.make import small_workload

PREFILL = Shape(24)
FORMS = {
    "plain": streaming(),
    "a barrier": small_workload(),
    "masks and a mixed sequence": streaming(masks=True),
    "shared experts": streaming(shared=2, shared_gates=(True, False)),
    "one layer dense": streaming(dense_layers=(0,)),
    "gates on the input": streaming(weight_on="input"),
    "biases": streaming(bias=True, f=20),
    "not gated": streaming(gated=False, experts=8),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("asked", [{}, {"transfers": 1, "lanes": 1, "buffers": 1, "dpus": 1}])
def test_a_prefill_takes_what_its_program_takes(form: str, asked: dict[str, int]) -> None:
    """Within a twentieth, with everything plenty and with one of each, where much waits."""
    floor = floor_of(FORMS[form], PREFILL)
    design = design_for(floor, **asked)
    found = figures(floor, design).time_ps
    assert found == pytest.approx(program_of(floor, design).program.makespan_ps, rel=0.05)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_decode_step_takes_what_its_program_takes(batch: int) -> None:
    chip = replace(CHIP, memory=replace(CHIP.memory, kv="buffers"))
    floor = floor_of(streaming(), Shape(8, batch, 8), chip)
    design = design_for(floor)
    measured = pace(program_of(floor, design).program)
    assert measured is not None
    assert figures(floor, design).time_ps == pytest.approx(measured.step_ps, rel=0.05)


def test_a_decode_step_of_many_sequences_takes_what_its_busiest_unit_does() -> None:
    """Twelve sequences on one digital unit: its work of a step, in which no token's way matters."""
    chip = replace(CHIP, memory=replace(CHIP.memory, kv="buffers"))
    floor = floor_of(streaming(), Shape(4, 12, 4), chip)
    design = design_for(floor, dpus=1)
    measured, found = pace(program_of(floor, design).program), figures(floor, design)
    assert measured is not None
    assert found.time_ps == pytest.approx(measured.step_ps, rel=0.05)
    assert list(found.made_of.values()) == [found.time_ps]
    assert found.of("product") == found.of("energy") * found.of("area")


def test_a_router_on_crossbars_is_a_product_like_others() -> None:
    chip = replace(CHIP, digital=replace(CHIP.digital, router_on="crossbar"))
    floor = floor_of(streaming(), PREFILL, chip)
    design = design_for(floor)
    program = program_of(floor, design).program
    assert figures(floor, design).time_ps == pytest.approx(program.makespan_ps, rel=0.05)


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_area_is_that_of_the_program_but_for_values_in_flight(size: int, copies: int) -> None:
    """Rounding of KiB: less than 1 of buffers and 1 of input buffers, 400 um2 each."""
    floor = floor_of(streaming(shared=1), PREFILL)
    design = design_for(floor, size, copies=copies)
    done = program_of(floor, design)
    theirs = cost(done.program, done.chip).area
    ours = figures(floor, design)
    held = theirs.parts_um2["buffers"] - ours.area_um2["buffers"]
    assert abs(theirs.total_um2 - ours.total_um2 - held) <= 2 * 400


def test_the_path_adds_up_and_no_other_design_is_faster_than_it() -> None:
    """A path is a sum over stations; under other decisions it is a bound on their time."""
    floor = floor_of(streaming(experts=8), PREFILL)
    menu = Menu(sizes=(2,), transfers=(1, 4), copies=(1, 2), lanes=(1, 2), dpus=(1, 3))
    model = Model(floor, Whole(2))
    values = design_for(floor).values
    found = rate(model, values)
    total = sum(model.kernel(s.station, values).length(s.first, s.last) for s in found.path)
    assert total == found.time_ps
    for name in ("transfers", "copies", "lanes", "dpus"):
        for value in menu.of(name):
            other = design_of(values | {name: value}, Whole(2)).values
            bound = sum(model.kernel(s.station, other).length(s.first, s.last) for s in found.path)
            assert bound <= rate(model, other).time_ps


def test_a_path_goes_by_the_last_query_of_a_tile() -> None:
    """A token leaves attention with its tile, so it may wait for one that comes after it.

    With keys that take long to read all 24 queries are one tile: the first to leave waits for them.
    """
    slow = replace(CHIP, digital=replace(CHIP.digital, mha_bits_per_ns=1))
    floor = floor_of(streaming(), PREFILL, slow)
    model, values = Model(floor, Whole(2)), design_for(floor, mha=1).values
    found = rate(model, values)
    assert any(step.first > step.last for step in found.path)
    total = sum(model.kernel(s.station, values).length(s.first, s.last) for s in found.path)
    assert total == found.time_ps


def test_energy_is_that_of_the_program_but_for_rests() -> None:
    """Hops are means over groups. Rests of PGs, here without power, may be far off: means too."""
    memory = replace(CHIP.memory, passive_uw=2000, buffer_bit_fj=80)
    floor = floor_of(streaming(shared=1), PREFILL, replace(CHIP, memory=memory))
    design = design_for(floor)
    done = program_of(floor, design)
    theirs = cost(done.program, done.chip).energy.total_fj
    assert figures(floor, design).total_fj == pytest.approx(theirs, rel=0.03)

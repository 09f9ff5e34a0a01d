"""What stands exactly at a limit is accepted; what is one beyond is refused (`wrong`)."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from compiler.pipeline import realise
from ir.compiled import Compiled
from ir.mapping import DenseOwner, Mapping
from ir.program import Lists, Opcode
from ir.verify import check_mapping
from ir.verify.mapping import check_crossbars
from ir.verify.tiles import MappingCase
from tests.backends.functional import mutate
from tests.ir.verify.forms.rare import FORMS
from tests.ir.verify.results import results
from tests.ir.verify.wrong.edits import Make, edited, mapped, placed, with_buffers_of
from tests.ir.verify.wrong.find import block, rows
from tests.ir.verify.wrong.moves import used_in_two_regions
from tests.ir.verify.wrong.programs import base, no_adders, on_dies, stepping
from tests.make import compile_small, small_workload


def remapped(c: Compiled, mapping: Mapping) -> Compiled:
    """The same turns on another mapping, with the program that follows from it."""
    return realise(c.workload, c.chip, mapping, c.schedule, c.chosen, passed=c.passed)


def beside(down: int, right: int) -> Mapping:
    """Expert 1's last rows of `up` on the crossbar of expert 0's, so many rows and cells on.

    20 rows are 8 + 8 + 4, so there is room for 4 more below; 12 columns of two cells are 8 + 8 + 8.
    """
    c = plain()
    spots, one = c.mapping.placement.spots.copy(), block(c.mapping, "up", 1)
    for kind in (2, 3):  # of the last row of tiles
        spots[one, kind] = (0, down, right)
    return placed(c, spots=spots).mapping


@cache
def plain() -> Compiled:
    """Correct: experts 0 and 1 behind the same PGs, each on crossbars of its own."""
    return compile_small(small_workload(layers=1))


@cache
def side_by_side() -> Compiled:
    """Correct: the last rows of two experts on one crossbar, the one right below the other."""
    return remapped(plain(), beside(4, 0))


@cache
def the_other_below() -> Compiled:
    """Correct: the same with the first expert's rows below the second's."""
    c = plain()
    spots = c.mapping.placement.spots.copy()
    for expert, row in ((0, 4), (1, 0)):
        for kind in (2, 3):
            spots[block(c.mapping, "up", expert), kind] = (0, row, 0)
    return remapped(c, placed(c, spots=spots).mapping)


@cache
def as_large_as_the_chips() -> Compiled:
    """Correct: a buffer takes all that a region has room for."""
    c = plain()
    return with_buffers_of(c, max(buffer.bytes for buffer in c.program.buffers))


@cache
def units_the_other_way_round() -> Compiled:
    """Correct: which unit stands where in the table does not matter; a source is the last one."""
    p = plain().program
    source = int(p.src.max())
    order = [*(i for i in reversed(range(len(p.units))) if i != source), source]
    place = np.append(np.argsort(order), -1)  # of no unit: none
    units, dst = tuple(p.units[i] for i in order), Lists(p.dst.offsets, place[p.dst.values])
    moved = replace(p, units=units, unit=place[p.unit], src=place[p.src], dst=dst)
    return replace(plain(), program=moved)


@cache
def columns_far_apart() -> Compiled:
    """Correct: the first and the last column of three PGs are where the other was.

    Row tiles of a column are neighbours; where the next column begins does not matter.
    """
    c = plain()
    core = c.mapping.placement.core.copy()
    core[:3], core[-3:] = core[-3:].copy(), core[:3].copy()
    return remapped(c, placed(c, core=core).mapping)


@cache
def last_choice_is_not_written() -> Compiled:
    """Correct: nobody reads it, so that it need not be a value."""
    c = stepping()
    return edited(c, "writes", rows(c.program, Opcode.SAMPLE)[-1], -1)


def ids_the_other_way_round(make: Make) -> Make:
    """Correct: ids say no more than that what is read comes first."""

    def turned() -> Compiled:
        c = make()
        return replace(c, program=mutate.turned(c.program))

    turned.__name__ = "ids_the_other_way_round"
    return turned


TURNED: tuple[Make, ...] = (
    base,
    stepping,
    on_dies,
    FORMS["an encoder longer than its decoder"],
    FORMS["streams that go on in buffers"],
)


AT_LIMITS: list[Make] = [
    side_by_side,
    the_other_below,
    as_large_as_the_chips,
    units_the_other_way_round,
    columns_far_apart,
    last_choice_is_not_written,
    no_adders,
    *(ids_the_other_way_round(make) for make in TURNED),
]


@pytest.mark.parametrize("make", AT_LIMITS, ids=lambda make: str(make.__name__))
def test_what_is_exactly_at_a_limit_is_accepted(make: Make) -> None:
    assert set(results(make()).values()) == {"ok"}


@pytest.mark.parametrize("down", [1, 2, 3])
def test_tiles_that_share_a_row_are_refused(down: int) -> None:
    c = plain()
    found = dict(check_mapping(beside(down, 0), c.workload, c.chip))
    assert found["crossbars"] != "ok"


def test_a_value_goes_from_its_maker_to_each_region_that_uses_it() -> None:
    assert set(results(used_in_two_regions()).values()) == {"ok"}


@pytest.mark.parametrize(("row", "problem"), [(4, None), (3, "holds {} and {} in the same cells")])
def test_every_tile_on_the_only_crossbar(row: int, problem: str | None) -> None:
    """Two matrices of 4 rows, one tile each: rows 0 to 3, and from `row` on."""
    c = plain()
    held = block(c.mapping, "up", 0)
    weight = replace(c.mapping.blocks[held].weight, rows=4, columns=4)
    one = replace(c.mapping.blocks[held], weight=weight, owner=DenseOwner(0), rows=1, columns=1)
    spots = np.zeros((2, 4, 3), dtype=np.int64)
    spots[1, :, 1] = row
    small = mapped(placed(c, pg_start=np.zeros(2, dtype=np.int64), spots=spots), blocks=(one, one))
    case = MappingCase(small.mapping, c.workload, c.chip)
    fault = check_crossbars(case)
    named = problem and problem.format(case.tile_name(0), case.tile_name(1))
    assert (fault and fault.problem) == named

"""What is wrong on several dies is refused by execution and replay too, if it matters to them."""

import pytest

from backends.functional.order import check_order
from backends.simulate import replay
from ir.errors import CheckError
from tests.ir.verify.wrong.crossings import (
    crossing_on_a_mesh,
    crossing_over_another_link,
    dst_of_a_crossing,
    link_left_out,
    move_over_a_link,
    moved_on_a_die_without_a_crossing,
    nothing_in_a_crossing,
    read_across_dies,
    two_values_in_a_crossing,
    work_on_the_units_of_another_die,
)
from tests.ir.verify.wrong.edits import Corrupt
from tests.ir.verify.wrong.links import (
    crossing_before_its_value,
    crossings_at_once,
    reader_before_its_crossing,
)
from tests.ir.verify.wrong.programs import on_dies

EXECUTION_REFUSES = (
    read_across_dies,
    link_left_out,
    crossing_over_another_link,
    work_on_the_units_of_another_die,
    moved_on_a_die_without_a_crossing,
    two_values_in_a_crossing,
    nothing_in_a_crossing,
    crossing_before_its_value,
    reader_before_its_crossing,
)
REPLAY_REFUSES = (
    crossing_on_a_mesh,
    move_over_a_link,
    dst_of_a_crossing,
    crossings_at_once,
    crossing_before_its_value,
    reader_before_its_crossing,
)


@pytest.mark.parametrize("corrupt", EXECUTION_REFUSES, ids=lambda f: f.__name__)
def test_execution_refuses_what_is_not_where_it_is_read(
    corrupt: Corrupt,
) -> None:
    c = on_dies()
    check_order(c.program, c.chip.pg.input_buffers)
    with pytest.raises(CheckError):
        check_order(corrupt(c).program, c.chip.pg.input_buffers)


@pytest.mark.parametrize("corrupt", REPLAY_REFUSES, ids=lambda f: f.__name__)
def test_replay_refuses_links_that_are_held_and_values_that_are_not_there(
    corrupt: Corrupt,
) -> None:
    c = on_dies()
    replay(c.program, c.chip)
    with pytest.raises(CheckError):
        replay(corrupt(c).program, c.chip)

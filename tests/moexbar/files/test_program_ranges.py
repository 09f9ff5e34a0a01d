"""What the numbers of a program may be: sums stay below 2^62, without being formed in 64 bits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ir.errors import InputError
from ir.program import Program
from moexbar.files.program_ranges import MOST, SUM, check_columns
from tests.make import compile_small


def with_column(name: str, value: int) -> Program:
    program = compile_small().program
    column: dict[str, Any] = {name: np.full(len(program), value, dtype=np.int64)}
    return replace(program, **column)


def test_a_program_of_ours_is_within_them() -> None:
    check_columns(compile_small().program, "p")


@pytest.mark.parametrize("name", ["energy_fj", "macs", "bytes", "duration_ps"])
def test_each_number_is_allowed_and_their_sum_is_not(name: str) -> None:
    """532 instructions of 2^52 each are 2^61.06 together, twice as many are 2^62.06."""
    rows = len(compile_small().program)
    assert SUM / 2 < rows * MOST < SUM
    check = "start_ps" if name == "duration_ps" else name  # of the ends, for each instruction
    few = with_column(name, MOST // rows)
    check_columns(few, "p")
    twice = np.repeat(np.arange(rows), 2)
    many = with_column(name, MOST)
    doubled = replace(
        many,
        **{
            column: getattr(many, column)[twice]
            for column in vars(many)
            if isinstance(getattr(many, column), np.ndarray)
        },
        dst=type(many.dst)(np.zeros(2 * rows + 1, dtype=np.int64), many.dst.values[:0]),
        reads=type(many.reads)(np.zeros(2 * rows + 1, dtype=np.int64), many.reads.values[:0]),
    )
    assert 2 * rows * MOST > SUM
    with pytest.raises(InputError, match=rf"p: column ({name}|{check}): .* in sum of .*2\^62"):
        check_columns(doubled, "p")


def test_ends_are_counted_for_every_instruction() -> None:
    """A wait is at most the makespan, so all waits are at most that for each instruction."""
    program = compile_small().program
    late = program.start_ps.copy()
    late[-1] = MOST
    check_columns(replace(program, start_ps=late), "p")
    assert len(program) * MOST <= SUM

"""Linear programs by columns, and assignments, by hand."""

import math

import numpy as np
import pytest

from compiler.linear import ColumnProgram, linear_assignment
from ir.errors import CheckError


def test_linear_assignment_takes_the_least_sum() -> None:
    # rows to columns 1, 2, 0 cost 1 + 2 + 3; every other way costs 5 more at least
    costs = np.array([[9, 1, 9], [9, 9, 2], [3, 9, 9]], dtype=np.int64)
    assert linear_assignment(costs).tolist() == [1, 2, 0]
    assert linear_assignment(costs.T.copy()).tolist() == [2, 0, 1]
    with pytest.raises(CheckError, match="assignment"):
        linear_assignment(np.full((2, 2), 1 << 62, dtype=np.int64))


def test_columns_come_one_by_one() -> None:
    """At least 6 of a row: 2 of a column that gives 3 for 5; then 1 of one that gives 6 for 8."""
    program = ColumnProgram([(6.0, math.inf)])
    program.add(5.0, [(0, 3.0)])
    first = program.solve()
    assert first is not None
    assert first[0] == pytest.approx(10)
    assert first[1] == pytest.approx([5 / 3])
    assert program.amounts() == pytest.approx([2])
    program.add(8.0, [(0, 6.0)])
    second = program.solve()
    assert second is not None
    assert second[0] == pytest.approx(8)
    assert program.amounts() == pytest.approx([0, 1])


def test_what_cannot_be_has_no_cost() -> None:
    """A column that gives nothing never makes the row 1."""
    program = ColumnProgram([(1.0, math.inf)])
    program.add(1.0, [])
    assert program.solve() is None

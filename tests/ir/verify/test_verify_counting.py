"""What checks count, compare and search by, at the ends of its range."""

import numpy as np
import pytest

from ir.verify.check import first_difference, first_repeat, first_uneven
from ir.verify.exclusive import _clash
from ir.verify.traffic import _counted


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([(0, 2, 0, 9), (2, 4, 0, 9)], (-1, -1)),  # side by side
        ([(0, 2, 0, 9), (1, 3, 5, 9)], (1, 0)),  # a byte of both while both live
        ([(0, 2, 0, 5), (1, 3, 5, 9)], (-1, -1)),  # the one ends when the other begins
        ([(0, 2, 0, 6), (1, 3, 5, 9)], (1, 0)),
        ([(0, 2, 0, 3), (0, 2, 3, 4), (1, 2, 3, 9)], (2, 1)),  # of the last that was there
        ([(0, 1, 0, 9), (1, 2, 1, 9), (0, 2, 4, 9)], (2, 0)),
        ([], (-1, -1)),
    ],
)
def test_who_takes_bytes_of_whom(
    values: list[tuple[int, int, int, int]], found: tuple[int, int]
) -> None:
    """(first piece, piece after the last, begin, end) by begin; compiled and as it is written."""
    columns = np.array(values, dtype=np.int64).reshape(-1, 4).T.copy()
    assert tuple(_clash(*columns)) == found
    assert tuple(_clash.py_func(*columns)) == found  # type: ignore[attr-defined]


def test_reads_are_counted_whatever_their_size() -> None:
    """Bytes of thousands are told apart by their rank."""
    edges = np.array([[1, 2, 1, 1], [10**9, 5, 10**9, 7]])
    assert _counted(edges) == {(1, 10**9): 2, (2, 5): 1, (1, 7): 1}
    large = 2**32 - 1  # one more is a factor by which 64 bits have no room for what comes first
    edges = np.array([[1, 2], [large, large], [large, large]])
    assert _counted(edges) == {(1, large, large): 1, (2, large, large): 1}


def test_keys_that_differ() -> None:
    """The lowest odd one, and whether what was found has too few of it."""
    few, all_ = np.array([1, 3]), np.array([1, 2, 3])
    assert first_difference(few, all_) == (2, True)
    assert first_difference(all_, few) == (2, False)
    assert first_difference(all_, all_) is None
    assert first_difference(np.array([4, 1]), np.array([1, 0])) == (0, True)
    assert first_uneven(np.array([1, 1, 2]), np.array([1, 2])) == (1, False)
    assert first_uneven(np.array([1, 2]), np.array([2, 1, 2])) == (2, True)
    assert first_uneven(np.array([2, 1]), np.array([1, 2])) is None
    assert first_repeat(np.array([3, 1, 3, 1])) == 1
    assert first_repeat(np.array([3, 1])) is None

"""Addresses of values: never two at once in the same bytes, room reused when it is free."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.timeline.memory import assign_offsets, lives, size_buffers
from ir.errors import InfeasibleError
from ir.program import Lists
from tests.make import small_chip


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_a_value_lives_until_its_last_reader_ends() -> None:
    reads = Lists(ints(0, 0, 1, 2), np.array([0, 0], dtype=np.int32))  # 1 and 2 read 0
    assert lives(ints(10, 20, 30), reads).tolist() == [30, 20, 30]


def test_room_is_reused_once_its_value_is_dead() -> None:
    offset, top = assign_offsets(ints(0, 0, 0), ints(8, 8, 8), ints(0, 5, 10), ints(10, 20, 30))
    assert offset.tolist() == [0, 8, 0]  # the third starts when the first has ended
    assert top == {0: 16}


def test_free_room_is_joined_with_its_neighbours() -> None:
    """Bytes 0 to 7 and 8 to 11 are free from 10 on, and the twelve of one value fit there."""
    offset, top = assign_offsets(ints(0, 0, 0), ints(8, 4, 12), ints(0, 0, 10), ints(10, 10, 20))
    assert offset.tolist() == [0, 8, 0]
    assert top == {0: 12}


def test_what_a_value_leaves_of_a_room_is_free() -> None:
    """Of bytes 0 to 7 three are taken and five are left, of which four are taken."""
    offset, top = assign_offsets(ints(0, 0, 0), ints(8, 3, 4), ints(0, 10, 10), ints(10, 20, 20))
    assert offset.tolist() == [0, 0, 3]
    assert top == {0: 8}


def test_a_value_takes_the_smallest_room_that_holds_it() -> None:
    """Free are bytes 0 to 7 and 10 to 13, two of 8 and 9 are not: four bytes go to the latter."""
    size, last = ints(8, 2, 4, 2, 4), ints(10, 90, 10, 90, 90)
    offset, top = assign_offsets(ints(0, 0, 0, 0, 0), size, ints(0, 0, 0, 0, 10), last)
    assert offset.tolist() == [0, 8, 10, 14, 10]
    assert top == {0: 16}


def test_a_free_end_grows() -> None:
    """Keys and values of four, five, six tokens, one copy a step: the buffer holds the largest."""
    offset, top = assign_offsets(ints(0, 0, 0), ints(4, 5, 6), ints(0, 1, 2), ints(1, 2, 3))
    assert offset.tolist() == [0, 0, 0]
    assert top == {0: 6}


def test_values_of_no_bytes_take_none() -> None:
    offset, top = assign_offsets(ints(0, 0, 0), ints(0, 8, 0), ints(0, 0, 5), ints(10, 10, 10))
    assert offset.tolist() == [0, 0, 0]
    assert top == {0: 8}


def test_values_without_a_buffer_have_no_offset() -> None:
    offset, top = assign_offsets(ints(-1), ints(8), ints(0), ints(1))
    assert offset.tolist() == [-1]
    assert top == {}


jobs = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from([0, 3, 4, 8, 9]), st.integers(0, 20), st.integers(1, 9)
    ),
    max_size=25,
)


@given(jobs)
def test_overlapping_lives_never_overlap_in_bytes(rows: list[tuple[int, int, int, int]]) -> None:
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    buffer, size, start, last = table[:, 0], table[:, 1], table[:, 2], table[:, 2] + table[:, 3]
    offset, top = assign_offsets(buffer, size, start, last)
    for i in range(len(rows)):
        assert offset[i] + size[i] <= top[buffer[i]]
        for j in range(i):
            together = start[i] < last[j] and start[j] < last[i] and buffer[i] == buffer[j]
            apart = offset[i] + size[i] <= offset[j] or offset[j] + size[j] <= offset[i]
            assert apart or not together


def test_a_fixed_buffer_that_is_too_small_says_what_would_fit() -> None:
    chip = small_chip(memory={"region_buffer_bytes": 100})
    fits = r"buffer of layer 1: needs 101 bytes.*set it to 101"
    with pytest.raises(InfeasibleError, match=fits) as refused:
        size_buffers({0: 50, 1: 101}, [(0, 0), (1, 0)], chip)
    short = refused.value
    assert (short.demand.value, short.supply.value, short.unit) == (101, 100, "bytes")


def test_auto_is_as_large_as_needed() -> None:
    sizes = [b.bytes for b in size_buffers({0: 50}, [(0, 0), (1, 0)], small_chip())]
    assert sizes == [50, 0]

"""When fire groups compute, and the time in which two do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.stacks import busy_table
from compiler.stacks.problem import meetings
from ir.errors import InputError
from ir.program import Opcode
from ir.stacks import Member
from tests.backends.simulate.by_hand import GROUP, OTHER, Job, program

ONE, TWO = Member(0, 0, 0), Member(0, 0, 1)  # the units GROUP and OTHER


def test_mvms_are_split_over_the_bins_they_touch() -> None:
    of = program(
        Job(
            Opcode.MVM, GROUP, 3, 10, busy=4
        ),  # 3 to 7 ns: 2 in the first bin of 5 ns, 2 in the next
        Job(Opcode.ACC, GROUP, 8, 1),  # no MVM
        Job(Opcode.MVM, GROUP, 9, 13),  # 9 to 22 ns: 1, 5, 5 and 2
        Job(Opcode.MVM, OTHER, 10, 5),  # a whole bin
        Job(Opcode.MVM, OTHER, 15, 15),  # up to the end of the last bin
    )
    bins = busy_table(of, [TWO, ONE], 5000)
    assert bins.tolist() == [
        [0, 0, 5000, 5000, 5000, 5000],
        [2000, 3000, 5000, 5000, 2000, 0],
    ]
    assert busy_table(of, [ONE], 5000).tolist() == bins[1:].tolist()
    assert busy_table(of, [ONE, Member(7, 0, 0)], 1 << 40).tolist() == [[17_000], [0]]
    assert busy_table(program(), [ONE], 10).tolist() == [[0]]
    with pytest.raises(InputError, match="bin_ps: 0, expected at least 1"):
        busy_table(of, [ONE], 0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=6), st.integers(1, 9000))
def test_bins_hold_every_picosecond_once(gaps: list[tuple[int, int]], bin_ps: int) -> None:
    jobs, now = [], 0
    for gap, length in gaps:
        jobs.append(Job(Opcode.MVM, GROUP, now + gap, length))
        now += gap + length
    bins = busy_table(program(*jobs), [ONE], bin_ps)[0]
    assert bins.sum() == 1000 * sum(length for _, length in gaps)
    assert 0 <= bins.min() <= bins.max() <= bin_ps
    # picosecond by picosecond, in units of the greatest that all times are whole numbers of
    inside = np.zeros(len(bins) * bin_ps, dtype=np.int64)
    for job in jobs:
        inside[1000 * job.start : 1000 * (job.start + job.length)] = 1
    assert bins.tolist() == inside.reshape(-1, bin_ps).sum(axis=1).tolist()


def test_meeting_is_as_if_each_were_spread_evenly_over_the_bin() -> None:
    # bins of 10 ps: 5 of 10 and 4 of 10 meet for 10 x 0.5 x 0.4 = 2 ps; 10 and 3 for 3 ps;
    # 1 and 9 for 0.9 ps, which is rounded down with the rest of its pair
    one, other = np.array([[5, 10, 1]]), np.array([[4, 3, 9], [0, 0, 9]])
    assert meetings(one, other, 10).tolist() == [[5, 0]]
    # 2^62 and beyond is refused; below, the sums are exact where floats would not be
    long = 3_000_000_001
    exact = meetings(np.array([[long // 2, 1]]), np.array([[long // 2, 1]]), 1)
    assert exact.tolist() == [[(long // 2) ** 2 + 1]]
    with pytest.raises(InputError, match="too long to multiply, use shorter ones"):
        meetings(np.array([[long]]), np.array([[1]]), long)

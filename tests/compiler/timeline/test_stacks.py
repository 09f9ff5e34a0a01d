"""The list schedule of a stack: groups that are the same circuits, on drafts followed by hand."""

import numpy as np
import pytest

from compiler.emit.stream import Draft, Stream
from compiler.timeline.jobs import prepare
from compiler.timeline.list_schedule import Times, list_schedule
from compiler.timeline.search import best_schedule
from ir.errors import CheckError
from tests.compiler.timeline.test_list_schedule import job

BUS, ONE, TWO, APART = range(4)
STACK = np.array([BUS, ONE, ONE, APART])  # units 1 and 2 stand behind the same peripheral groups


def load(stream: Stream, *groups: int) -> int:
    """A LOAD of 5 ps that brings a vector to these groups."""
    row = job(stream, BUS, 5)
    stream.link("dst", np.full(len(groups), row), np.array(groups))
    return row


def mvm(stream: Stream, group: int, vector: int, ps: int = 10, priority: int = 0) -> int:
    """An MVM that is the last of its group to use the vector."""
    row = job(stream, group, ps, vector, priority=priority)
    stream.mark_last_readers(np.array([row]))
    return row


def times(draft: Draft, entries: int) -> Times:
    jobs = prepare(draft, {}, entries, STACK)
    return list_schedule(jobs, jobs.priority)


def starts(stream: Stream, entries: int = 2) -> list[int]:
    return [int(ps) for ps in times(stream.finish(), entries).start_ps]


def test_groups_of_a_stack_compute_one_at_a_time() -> None:
    stream = Stream()
    for group in (ONE, TWO, APART):
        job(stream, group, 10)
    found = times(stream.finish(), 2)
    assert found.start_ps.tolist() == [0, 10, 0]
    assert found.unit.tolist() == [ONE, TWO, APART]  # each under its own name all the same


def test_the_lower_priority_number_goes_first_whichever_group_it_is_of() -> None:
    stream = Stream()
    job(stream, ONE, 10, priority=2)
    job(stream, TWO, 10, priority=0)
    job(stream, ONE, 10, priority=1)
    assert starts(stream) == [20, 0, 10]


@pytest.mark.parametrize(("entries", "second"), [(1, 15), (2, 5)])
def test_a_stack_has_one_input_buffer(entries: int, second: int) -> None:
    """One entry: the vector of the second group waits for the first one's MVM, 5 to 15 ps."""
    stream = Stream()
    mvm(stream, ONE, load(stream, ONE))
    mvm(stream, TWO, load(stream, TWO))
    assert starts(stream, entries) == [0, 5, second, max(15, second + 5)]


def test_apart_each_has_its_own() -> None:
    stream = Stream()
    mvm(stream, ONE, load(stream, ONE))
    mvm(stream, APART, load(stream, APART))
    assert starts(stream, 1) == [0, 5, 5, 10]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        # LOAD 0-5 for both, MVMs 5-15 and 15-25, until when the entry is taken; then one by one
        (1, [0, 5, 15, 25, 30, 40, 45]),
        # the second vector has the other entry at 5; the third waits for the end of the first: 25
        (2, [0, 5, 15, 5, 25, 25, 35]),
        (3, [0, 5, 15, 5, 25, 10, 35]),
    ],
)
def test_a_vector_for_two_groups_of_a_stack_takes_one_entry_until_the_last_has_used_it(
    entries: int, expected: list[int]
) -> None:
    stream = Stream()
    both = load(stream, ONE, TWO)
    mvm(stream, ONE, both, priority=0)
    mvm(stream, TWO, both, priority=1)
    for group in (ONE, TWO):
        mvm(stream, group, load(stream, group), priority=2)
    assert starts(stream, entries) == expected


def test_a_vector_used_twice_by_one_of_them_is_kept_for_the_other_too() -> None:
    """Group 1 needs it in two turns, group 2 before, between or after: 3 x 10 ps in any case."""
    for turn in (0, 2, 4):
        stream = Stream()
        both = load(stream, ONE, TWO)
        job(stream, ONE, 10, both, priority=1)  # another one of the group needs it later
        mvm(stream, ONE, both, priority=3)
        mvm(stream, TWO, both, priority=turn)
        mvm(stream, ONE, load(stream, ONE), priority=9)
        found = starts(stream, 1)
        assert sorted(found[1:4]) == [5, 15, 25]
        assert found[4:] == [35, 40]


def test_a_vector_for_a_stack_and_another_group_leaves_each_when_done() -> None:
    """The other group is done at 15 and takes its next; the stack's entry is free at 25."""
    stream = Stream()
    every = load(stream, ONE, TWO, APART)
    for group in (ONE, TWO, APART):
        mvm(stream, group, every)
    mvm(stream, APART, load(stream, APART))
    mvm(stream, TWO, load(stream, TWO))
    assert starts(stream, 1) == [0, 5, 15, 5, 15, 20, 25, 30]


def test_a_vector_of_one_group_does_not_count_for_another_load_of_the_same_time() -> None:
    """Two loads for two groups of the stack: each entry is freed by its own MVM, 15 and 25 ps."""
    stream = Stream()
    first, second = load(stream, ONE), load(stream, TWO)
    mvm(stream, ONE, first)
    mvm(stream, TWO, second)
    for group in (TWO, ONE):
        mvm(stream, group, load(stream, group))
    assert starts(stream, 2) == [0, 5, 5, 15, 15, 25, 25, 35]


def test_no_order_of_a_stack_is_shorter_than_its_work() -> None:
    """Four MVMs of 10 ps behind the same circuits; apart they would take 20 ps on each group."""
    stream = Stream()
    for group in (ONE, TWO, ONE, TWO):
        job(stream, group, 10)
    draft = stream.finish()
    assert best_schedule(prepare(draft, {}, 2, STACK)).end_ps == 40
    assert best_schedule(prepare(draft, {}, 2)).end_ps == 20


def test_a_free_entry_is_not_kept_for_a_load_whose_bus_is_busy() -> None:
    """One entry for two layers, free at 15 ps; both next vectors have been set aside by then.

    The one that is first in turn is on a bus that is taken until 100 ps. The other layer's bus is
    free, and its vector does not wait for that.
    """
    stream = Stream()
    mvm(stream, ONE, load(stream, ONE))  # 0-5, 5-15
    mvm(stream, ONE, _load_on(stream, BUS, ONE, priority=1))
    job(stream, BUS, 95, priority=2)  # 5-100
    mvm(stream, TWO, _load_on(stream, APART, TWO, priority=3))
    assert starts(stream, 1) == [0, 5, 100, 105, 5, 15, 20]


@pytest.mark.parametrize(("one", "two"), [(3, 1), (1, 3)])
def test_of_two_layers_the_first_in_turn_takes_a_free_entry(one: int, two: int) -> None:
    """One entry, free at 15 ps; both buses are, too, and both next vectors have been set aside.

    The one with the lower number is brought at 15 and used from 20 to 30, the other one at 30.
    """
    stream = Stream()
    mvm(stream, ONE, load(stream, ONE))  # 0-5, 5-15
    mvm(stream, ONE, _load_on(stream, BUS, ONE, priority=one))
    mvm(stream, TWO, _load_on(stream, APART, TWO, priority=two))
    first, second = [15, 20], [30, 35]
    assert starts(stream, 1) == [0, 5, *(first + second if one < two else second + first)]


def _load_on(stream: Stream, bus: int, group: int, priority: int) -> int:
    row = job(stream, bus, 5, priority=priority)
    stream.link("dst", np.array([row]), np.array([group]))
    return row


def test_turns_that_hold_vectors_for_each_other_are_refused() -> None:
    """Slots in lockstep, in both of which either group has its own vector: one entry is too few.

    The second MVM of group 1 keeps the entry, and waits for group 2's first one, whose vector needs
    it. One token at a time brings the same vector to both, so that no program comes to this.
    """
    for entries, stuck in ((2, False), (1, True)):
        stream = Stream()
        vectors = {group: load(stream, group) for group in (ONE, TWO)}
        before = [job(stream, group, 10, vectors[group]) for group in (ONE, TWO)]
        for group in (ONE, TWO):
            second = mvm(stream, group, vectors[group])
            stream.link("after", np.full(2, second), np.array(before))
        if stuck:
            with pytest.raises(CheckError, match="never start"):
                starts(stream, entries)
        else:
            assert starts(stream, entries) == [0, 5, 5, 15, 25, 35]

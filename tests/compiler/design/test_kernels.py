"""Stations by hand, and that all are linear in the (max, +) sense."""

import numpy as np
import pytest

from compiler.design.kernels import NEVER, NO_WAY, Jobs, Kernel, Turns
from compiler.design.queues import Even, Evens, Queue, queue
from tests.compiler.design.test_shared_kernels import random_shared


def times(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_a_queue_takes_one_token_after_another() -> None:
    """Busy 10 and gone after 12: the second, there at 3, starts at 10; the third waits for none."""
    queue = Queue(times(10, 10, 10), times(12, 12, 12))
    assert queue.run(times(0, 3, 40)).tolist() == [12, 22, 52]
    assert queue.work_ps == 30


def test_copies_take_tokens_in_turn() -> None:
    """Tokens 0 and 2 are on one copy, 1 and 3 on the other, all there at 0."""
    queue = Queue(times(10, 10, 10, 10), times(10, 10, 10, 10), copies=2)
    assert queue.run(times(0, 0, 0, 0)).tolist() == [10, 10, 20, 20]
    assert queue.work_ps == 20


def test_a_job_begins_with_its_last_token_and_ends_for_all() -> None:
    """Tokens 0 and 1 are one job of 5, which begins at 7; the next, of 3, waits until 12."""
    jobs = Jobs(times(0, 0, 1), times(5, 3))
    assert jobs.run(times(0, 7, 8)).tolist() == [12, 12, 15]
    assert jobs.busy.tolist() == [0, 5, 3]


def test_a_queue_of_even_tokens_is_one_of_their_numbers() -> None:
    """Seven tokens of 10 and 12 on three copies: the first copy has three of them."""
    ten, come = times(*[10] * 7), times(0, 1, 5, 6, 30, 31, 32)
    even = queue(ten, ten + 2, 3)
    assert isinstance(even, Even)
    assert even.run(come).tolist() == Queue(ten, ten + 2, 3).run(come).tolist()
    assert even.work_ps == Queue(ten, ten + 2, 3).work_ps == 30


def turns(entries: int, pace: int = 10) -> Turns:
    """Token 0 on group 0, token 1 on both, token 2 on group 1, twice: MVMs of 10, LOADs of 2."""
    first, group = times(0, 1, 3, 4), times(0, 0, 1, 1)
    after = times(0, 0)
    return Turns(first, group, times(1, 1, 1, 2), 2, 1, 10, entries, times(pace, pace), after)


def test_turns_wait_for_their_group() -> None:
    """With two entries LOADs start at 0, 1, 2.

    Group 0 runs 2-12 and 12-22. Group 1 runs 3-13, then twice: 13-33.
    """
    assert turns(2).run(times(0, 0, 0)).tolist() == [12, 22, 33]
    assert turns(2).work_ps == 30


def test_one_entry_holds_the_load_back_until_the_mvm_is_done() -> None:
    """Token 1's LOAD waits for group 0's entry, free at 12: 14-24 on both; token 2's until 24."""
    assert turns(1).run(times(0, 0, 0)).tolist() == [12, 24, 46]


def test_a_group_is_as_slow_as_what_comes_after() -> None:
    """A turn every 15: group 0 begins at 2 and 17, group 1 at 3 and 18, then twice: 18-38."""
    assert turns(2, 15).run(times(0, 0, 0)).tolist() == [12, 27, 38]
    assert turns(2, 15).work_ps == 45


def random_kernels(rng: np.random.Generator, tokens: int) -> list[Kernel]:
    busy, more = rng.integers(0, 20, (2, tokens))
    job = np.sort(rng.integers(0, 4, tokens))
    job = np.unique(job, return_inverse=True)[1]
    table = rng.integers(0, 3, (tokens, 3)) * (rng.random((tokens, 3)) < 0.6)
    token, group = np.nonzero(table)
    first = np.searchsorted(token, np.arange(tokens + 1))
    of_turns = first, group.astype(np.int64), table[token, group].astype(np.int64)
    return [
        *random_shared(rng, tokens),
        Queue(busy, busy + more, int(rng.integers(1, 4))),
        Even(tokens, int(busy[0]), int(busy[0] + more[0]), int(rng.integers(1, 4))),
        Jobs(job, rng.integers(0, 30, int(job.max()) + 1)),
        Turns(*of_turns, 4, 2, 10, int(rng.integers(1, 4)), *rng.integers(10, 20, (2, 3))),
    ]


def test_even_queues_side_by_side_are_each_by_itself() -> None:
    """All pairs of ten tokens on 1 to 4 copies; any other kernel among them is none of these."""
    rng = np.random.default_rng(0)
    busy, after = rng.integers(1, 30, (2, 12)).tolist()
    kernels = [Even(10, busy[n], after[n], 1 + n % 4) for n in range(12)]
    together = Evens.of(kernels)
    assert together is not None
    for first in range(10):
        for last in range(10):
            each = [kernel.length(first, last) for kernel in kernels]
            assert together.lengths(first, last).tolist() == each
    assert Evens.of([*kernels, turns(1)]) is None


@pytest.mark.parametrize("seed", range(10))
def test_the_later_of_two_arrivals_gives_the_later_of_what_they_give(seed: int) -> None:
    """So times are lengths of longest paths, and what a path takes is the same under all others."""
    rng = np.random.default_rng(seed)
    for kernel in random_kernels(rng, 12):
        one, other = np.cumsum(rng.integers(0, 15, (2, 12)), axis=1)
        together = np.maximum(kernel.run(one), kernel.run(other))
        assert np.array_equal(kernel.run(np.maximum(one, other)), together)
        assert np.array_equal(kernel.run(one + 7), kernel.run(one) + 7)
        assert np.all(kernel.run(one) >= one + kernel.alone)


@pytest.mark.parametrize("seed", range(10))
def test_a_length_is_what_a_token_takes_if_only_another_came(seed: int) -> None:
    """Of all pairs of 12 tokens; the one that comes to nothing leaves no later than before time."""
    for kernel in random_kernels(np.random.default_rng(seed), 12):
        for first in range(12):
            come = np.full(12, NEVER, dtype=np.int64)
            come[first] = 0
            left = np.maximum(kernel.run(come), NO_WAY)
            assert [kernel.length(first, last) for last in range(12)] == left.tolist()


@pytest.mark.parametrize("seed", range(10))
def test_a_token_waits_for_the_last_without_which_it_left_earlier(seed: int) -> None:
    """With the tokens before that one taken out it leaves as late, with that one too, earlier."""
    rng = np.random.default_rng(seed)
    for kernel in random_kernels(rng, 12):
        come = np.cumsum(rng.integers(0, 15, 12))
        for token, end in enumerate(kernel.run(come).tolist()):
            kept = [int(kernel.run(_from(come, first))[token]) == end for first in range(13)]
            waited = kernel.waited_for(come, token)
            assert kept[waited]
            assert not any(kept[waited + 1 :])
            assert come[waited] + kernel.length(waited, token) == end


def _from(come: np.ndarray, first: int) -> np.ndarray:
    return np.where(np.arange(len(come)) < first, NEVER, come)


@pytest.mark.parametrize("seed", range(5))
def test_lengths_of_turns_are_those_of_single_pairs(seed: int) -> None:
    """From every third of 12 tokens to all; to those before it there is no way."""
    turns = random_kernels(np.random.default_rng(seed), 12)[-1]
    assert isinstance(turns, Turns)
    rows = np.arange(0, 12, 3)
    one_by_one = [[turns.length(first, last) for last in range(12)] for first in rows.tolist()]
    assert turns.lengths(rows).tolist() == one_by_one

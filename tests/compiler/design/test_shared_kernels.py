"""Stations whose units serve other layers too, by hand."""

from dataclasses import replace

import numpy as np

from compiler.design.kernels import NO_WAY, Kernel, Turns
from compiler.design.shared_kernels import Shared


def times(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_a_token_leaves_when_the_last_of_its_units_is_done() -> None:
    """Unit 0 has 10 of tokens 0 and 2, unit 1 has 4 of tokens 0 and 1; 2 more, then on their way.

    All are there at 0: token 0 leaves at 10 + 2, token 1 at 4 + 4 + 2, token 2 at 10 + 10 + 2, and
    token 3, which needs neither, when it comes.
    """
    shared = Shared(np.array([[10, 0, 10, 0], [4, 4, 0, 0]]), 2)
    assert shared.run(times(0, 0, 0, 0)).tolist() == [12, 10, 22, 0]
    assert shared.work_ps == 20
    assert shared.busy.tolist() == [10, 4, 10, 0]
    assert shared.alone.tolist() == [12, 6, 12, 0]
    assert shared.length(1, 2) == NO_WAY  # no unit has work of both


def met(work: np.ndarray) -> Turns:
    """Token 0 on group 0, token 1 on both, token 2 on group 1, twice: MVMs of 10, LOADs of 2."""
    of_turns = times(0, 1, 3, 4), times(0, 0, 1, 1), times(1, 1, 1, 2)
    return Turns(*of_turns, 2, 1, 10, 2, times(10, 10), times(0, 0), met=work)


def test_a_group_is_free_again_after_what_it_does_for_others() -> None:
    """Group 0 runs 2-12, then 7 for others, and token 1 19-29 instead of 12-22.

    Group 1 is free at 13 and does 5 for others after token 1: token 2 runs 18-38, not 13-33. What
    comes after the last token on a group delays none.
    """
    assert met(np.zeros((2, 3), dtype=np.int64)).run(times(0, 0, 0)).tolist() == [12, 22, 33]
    assert met(np.array([[7, 0, 0], [0, 5, 0]])).run(times(0, 0, 0)).tolist() == [12, 29, 38]
    assert met(np.array([[0, 0, 99], [0, 0, 99]])).run(times(0, 0, 0)).tolist() == [12, 22, 33]


def test_what_is_done_for_others_long_before_delays_none() -> None:
    """7 after token 0 came at 0 are done at 19; token 1, there at 100, runs 102-112 on both."""
    assert met(np.array([[7, 0, 0], [0, 0, 0]])).run(times(0, 100, 100)).tolist() == [12, 112, 132]


def test_what_is_done_for_others_begins_when_the_token_before_it_is_there() -> None:
    """Group 1, which has nothing of token 0, does 9 for others from 0 on: token 1 runs there 9-19.

    So token 2 runs 19-39. On group 0 token 1 runs 12-22, as ever.
    """
    assert met(np.array([[0, 0, 0], [9, 0, 0]])).run(times(0, 0, 0)).tolist() == [12, 22, 39]


def random_shared(rng: np.random.Generator, tokens: int) -> list[Kernel]:
    """What `test_kernels` holds all kernels to is of these too."""
    each = rng.integers(1, 20, (3, tokens)) * (rng.random((3, tokens)) < 0.6)
    table = rng.integers(0, 3, (tokens, 3)) * (rng.random((tokens, 3)) < 0.6)
    token, group = np.nonzero(table)
    first = np.searchsorted(token, np.arange(tokens + 1))
    of_turns = first, group.astype(np.int64), table[token, group].astype(np.int64)
    pace, after = rng.integers(10, 20, (2, 3))
    work = rng.integers(1, 20, (3, tokens)) * (rng.random((3, tokens)) < 0.4)
    entries = int(rng.integers(1, 4))
    return [
        Shared(each, int(rng.integers(0, 5))),
        Turns(*of_turns, 4, 2, 10, entries, pace, after, met=work),
    ]


def test_all_lengths_count_what_groups_do_for_others() -> None:
    """Of 12 tokens, from every fourth: as of single pairs, and more than without the others."""
    turns = random_shared(np.random.default_rng(0), 12)[-1]
    assert isinstance(turns, Turns)
    rows = np.arange(0, 12, 4)
    found = turns.lengths(rows)
    assert found.tolist() == [[turns.length(a, b) for b in range(12)] for a in rows.tolist()]
    alone = replace(turns, met=np.zeros_like(turns.met))
    assert found.sum() > alone.lengths(rows).sum()

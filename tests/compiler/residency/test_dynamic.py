"""LRU, LFU and Belady by hand: a layer of four experts, one a token, two slots."""

import numpy as np
import pytest

from compiler.residency.dynamic import play
from compiler.residency.names import Policy
from compiler.residency.outcome import Outcome, kept
from compiler.residency.stream import stream_of
from ir.errors import InputError
from tests.compiler.residency.problems import routing

ASKED = [0, 1, 0, 2, 0, 3, 1, 0]


def played(policy: Policy, bypass: bool, asked: list[int] = ASKED) -> Outcome:
    stream = stream_of(routing([[[e] for e in asked]], 4, [0] * len(asked)), (0, len(asked)))
    pool, slots = np.zeros(4, dtype=np.int64), np.array([2])
    return play(stream, pool, slots, policy, bypass=bypass)


def test_lru() -> None:
    # slots: 0 | 0 1 | hit | 2 for 1 | hit | 3 for 2 | 1 for 0 | 0 for 3
    found = played("lru", bypass=False)
    assert (found.misses, found.writes, found.stalls) == (6, 6, 6)
    assert found.written == ((1, 6),)
    assert found == played("lru", bypass=True)


def test_lfu() -> None:
    # 0, 1 written; 2 for 1 (1 use, longest ago); 3 for 2; 1 for 3; 0 is there
    found = played("lfu", bypass=False)
    assert (found.misses, found.writes) == (5, 5)
    # with bypass 2 (1 use) is no more than 1 (1): left out, as 3; then 1 and 0 are there
    found = played("lfu", bypass=True)
    assert (found.misses, found.writes, found.bypassed) == (4, 2, 2)


def test_belady() -> None:
    # begins with 0 and 1, used soonest. Without bypass 2 must be written: for 1 (used at 6, 0 at
    # 4); then 3 for 2, never used again; 1 misses
    found = played("belady", bypass=False)
    assert (found.misses, found.writes) == (3, 3)
    found = played("belady", bypass=True)
    assert (found.misses, found.writes, found.bypassed, found.bypassed_pairs) == (2, 0, 2, 2)


def test_a_visit_fetches_together_and_its_token_waits_once() -> None:
    # tokens {0, 1}, {2, 3}, {2, 3} in four slots that are empty: 2 writes in each of two visits
    stream = stream_of(routing([[[0, 1], [2, 3], [2, 3]]], 4, [0] * 3), (0, 3))
    found = play(stream, np.zeros(4, dtype=np.int64), np.array([4]), "lru", bypass=True)
    assert (found.misses, found.stalls, found.passages) == (4, 2, 3)
    assert found.written == ((2, 2),)
    assert (found.slots, found.most_writes) == (4, 1)


def test_residents_that_never_change_without_bypass_wear_one_slot() -> None:
    stream = stream_of(routing([[[e] for e in ASKED]], 4, [0] * 8), (0, 8))
    resident = np.array([True, False, False, False])
    pool, slots = np.zeros(4, dtype=np.int64), np.array([2])
    found = kept(stream, resident, pool, slots, bypass=False)
    assert (found.misses, found.writes, found.most_writes, found.bypassed) == (4, 4, 4, 0)
    found = kept(stream, resident, pool, slots, bypass=True)
    assert (found.misses, found.writes, found.most_writes, found.bypassed) == (4, 0, 0, 4)


def test_pools_do_not_mix() -> None:
    """Two layers of one slot each, asked in turn: all hits from the second token on."""
    stream = stream_of(routing([[[0]] * 5, [[1]] * 5], 2, [0] * 5), (0, 5))
    apart = play(stream, np.array([0, 0, 1, 1]), np.array([1, 1]), "lru", bypass=False)
    assert apart.misses == 2
    one = play(stream, np.zeros(4, dtype=np.int64), np.array([1]), "lru", bypass=False)
    assert one.misses == 10


def test_more_residents_than_slots_are_refused() -> None:
    stream = stream_of(routing([[[0]]], 4, [0]), (0, 1))
    with pytest.raises(InputError, match="more than it has slots"):
        play(
            stream,
            np.zeros(4, dtype=np.int64),
            np.array([1]),
            "lru",
            bypass=True,
            first=np.ones(4, dtype=np.bool_),
        )

"""The compiled loops of the layout: groups along a path, and groups in boxes at the port."""

from itertools import permutations

import numpy as np
import pytest

from compiler.placement.walk import best_order, fill_boxes, value_along
from ir.arrays import Ints

PATH = np.array([0, 1, 2, 3]), np.zeros(4, dtype=np.int64)  # four cores in a row


def numbers(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


def test_value_along_a_path() -> None:
    """Two PGs a core; a group of 3 PGs and 5 packets, one of 2 PGs and 7.

    In that order they reach cores 1 and 2: 5 x 1 + 7 x 2. The other way round the small one stays
    on core 0: 7 x 0 + 5 x 2.
    """
    pgs, packets = numbers(3, 2), numbers(5, 7)
    assert value_along(numbers(0, 1), pgs, packets, *PATH, 2) == 19
    assert value_along(numbers(1, 0), pgs, packets, *PATH, 2) == 10


@pytest.mark.parametrize("trial", [(0, 1), (1, 0)])
@pytest.mark.parametrize("start", [(0, 1), (1, 0)])
def test_a_move_is_kept_where_it_helps(start: tuple[int, int], trial: tuple[int, int]) -> None:
    """Of two groups either move exchanges them: to 10 it is kept, to 19 it is not."""
    pgs, packets = numbers(3, 2), numbers(5, 7)
    order, least = best_order(numbers(*start), np.array([trial]), pgs, packets, *PATH, 2)
    assert (order.tolist(), least) == ([1, 0], 10)


@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_that_of_the_order_and_no_worse_than_the_start(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pgs, packets = rng.integers(1, 4, 5), rng.integers(1, 9, 5)
    x, y = rng.integers(0, 4, 8), rng.integers(0, 4, 8)
    trials = rng.integers(0, 5, (40, 2))
    start = numbers(*range(5))
    order, least = best_order(start, trials, pgs, packets, x, y, 2)
    every = [value_along(numbers(*o), pgs, packets, x, y, 2) for o in permutations(range(5))]
    assert value_along(order, pgs, packets, x, y, 2) == least
    assert min(every) <= least <= value_along(start, pgs, packets, x, y, 2)


def boxed(
    chains: list[list[tuple[int, int]]], packets: list[int], per_core: int
) -> tuple[list[int], int]:
    """Groups in order, each of chains (PGs, how many), on the first of 2 x 2 cores row by row."""
    x, y = numbers(0, 1, 0, 1), numbers(0, 0, 1, 1)
    pgs = numbers(*(sum(n * k for n, k in group) for group in chains))
    flat = [chain for group in chains for chain in group]
    core, value = fill_boxes(
        np.arange(len(chains)),
        np.cumsum(pgs) - pgs,
        pgs,
        numbers(*packets),
        np.cumsum([0, *map(len, chains)]),
        numbers(*(n for n, _ in flat)),
        numbers(*(k for _, k in flat)),
        np.arange(4),
        np.arange(4)[::-1],
        x,
        y,
        per_core,
    )
    return core.tolist(), int(value)


def test_groups_in_boxes() -> None:
    """Two PGs a core. One PG fits in the box of core 0 alone: 3 packets x 0 hops.

    A chain of two needs a core of its own, as core 0 has room for one: core 1, 5 x 1 hops. Three
    chains of one begin with the farthest core of the box of all four: cores 3, 3 and 2, 7 x 2.
    """
    chains = [[(1, 1)], [(2, 1)], [(1, 3)]]
    assert boxed(chains, [3, 5, 7], 2) == ([0, 1, 1, 2, 2, 0], 5 * 1 + 7 * 1)


def test_no_box_has_room() -> None:
    """Nine PGs and four cores of two."""
    assert boxed([[(1, 9)]], [1], 2)[1] == -1


def test_short_chains_may_leave_no_room_for_a_long_one() -> None:
    """Four cores of 3 PGs have room for 12, but a chain of 2 on each leaves one PG of each.

    With the long chain first and two short ones: cores 3, 2 and 1, at most 1 + 1 hops.
    """
    assert boxed([[(2, 4), (3, 1)]], [1], 3)[1] == -1
    assert boxed([[(3, 1), (2, 2)]], [1], 3) == ([3, 3, 3, 2, 2, 1, 1], 2)

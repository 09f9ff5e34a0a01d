"""The paper's example figure: 8 experts, 6 tokens, top-4; the best pairing of its experts."""

from collections.abc import Iterator

import numpy as np
import pytest

from compiler.grouping import Calibration, group_layer, score
from compiler.options import GroupingOptions, GroupingSolver
from ir.certificate import Certificate
from ir.mapping import LayerGrouping

TOKENS = [(2, 4, 6, 8), (2, 3, 4, 7), (1, 2, 5, 7), (1, 2, 3, 5), (1, 4, 5, 7), (3, 4, 5, 7)]
CHOSEN = np.zeros((6, 8), dtype=np.bool_)
for _token, _experts in enumerate(TOKENS):
    CHOSEN[_token, [e - 1 for e in _experts]] = True  # the figure counts from 1


def score_of(pairs: list[tuple[int, int]]) -> tuple[int, int]:
    """(slots, transfer bound) of a pairing written as in the figure."""
    groups = tuple((a - 1, b - 1) for a, b in pairs)
    unknown = Certificate("none", 0, 0, "heuristic")
    return score(LayerGrouping(0, groups, "by hand", unknown), CHOSEN, [(0, 6)])


def pairings(experts: list[int]) -> Iterator[list[tuple[int, int]]]:
    """All ways to pair an even number of experts."""
    if not experts:
        yield []
        return
    first, *rest = experts
    for i, partner in enumerate(rest):
        for others in pairings(rest[:i] + rest[i + 1 :]):
            yield [(first, partner), *others]


def test_the_papers_groups_need_7_slots_and_10_transfers_at_least() -> None:
    # loads of experts 1..8: 3 4 3 4 4 1 4 1; groups (1,2) 7, (3,4) 7, (5,6) 5, (7,8) 5: 7 slots.
    # Fullest group per token: t1 1, t2 2 (3 and 4), t3 2 (1 and 2), t4 2, t5 1, t6 2: 10.
    assert score_of([(1, 2), (3, 4), (5, 6), (7, 8)]) == (7, 10)


def test_the_best_pairing_needs_7_slots_and_9_transfers_at_least() -> None:
    # (1,4) 7, (2,3) 7, (5,6) 5, (7,8) 5. Fullest: t1 1, t2 2 (2 and 3), t3 1, t4 2, t5 2, t6 1.
    assert score_of([(1, 4), (2, 3), (5, 6), (7, 8)]) == (7, 9)


def test_no_pairing_is_better() -> None:
    """Of all 105 pairings none has fewer than 7 slots, none a transfer bound below 9.

    So 9 transfers at 7 slots cannot be beaten by any pairing; the slot scheduler shows that the
    two pairings with bound 9 at 7 slots reach it.
    """
    scores = {tuple(pairs): score_of(pairs) for pairs in pairings(list(range(1, 9)))}
    assert len(scores) == 105
    assert min(slots for slots, _ in scores.values()) == 7
    assert min(transfers for _, transfers in scores.values()) == 9
    best = [pairs for pairs, both in scores.items() if both == (7, 9)]
    assert best == [((1, 4), (2, 3), (5, 6), (7, 8)), ((1, 4), (2, 3), (5, 8), (6, 7))]


@pytest.mark.parametrize("solver", ["sorted", "lpt", "cp-sat"])
def test_solvers_on_the_example(solver: GroupingSolver) -> None:
    # 24 pairs in 4 groups: mean 6. Loads 4 4 4 4 3 3 1 1: the fifth of the sorted list shares a
    # group with one of the first four, so some group has 4 + 3 = 7: 7 slots are optimal.
    found = group_layer(Calibration(CHOSEN, [(0, 6)]), 0, 2, GroupingOptions(solver))
    assert (found.certificate.value, found.certificate.bound) == (7, 7)
    assert found.certificate.status == "optimal (bound)"

"""Many replicas: the least slots by flow, and the search that moves copies by their shares."""

import numpy as np
import pytest

from compiler.grouping import REPLICATING, Calibration, group_layer, score
from compiler.grouping.even_split import even_split
from compiler.grouping.many_replicas import give_out, improve_many
from compiler.grouping.objective import GroupingProblem, grouping_problem
from compiler.grouping.replica_search import affordable_steps
from compiler.grouping.split import CLOSED_FORM, split_counts, split_loads, split_slots
from compiler.grouping.start import many_copies
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.arrays import Bools
from ir.routing import windows


def random_copies(random: np.random.Generator, experts: int, groups: int) -> list[tuple[int, ...]]:
    """One to three groups of each expert."""
    found = []
    for _ in range(experts):
        number = min(groups, int(random.integers(1, 4)))
        found.append(tuple(sorted(random.permutation(groups)[:number].tolist())))
    return found


def test_the_flow_reaches_the_closed_form_on_300() -> None:
    random, shared = np.random.default_rng(0), 0
    for _ in range(300):
        experts, groups = int(random.integers(1, 11)), int(random.integers(1, 7))
        copies = random_copies(random, experts, groups)
        load = random.integers(0, 20, experts)
        share = even_split(load, copies, groups)
        assert share.min() >= 0
        assert share.sum(axis=1).tolist() == load.tolist()
        for of_expert, held in zip(share, copies, strict=True):
            assert set(np.flatnonzero(of_expert)) <= set(held)
        # at most 10 experts have copies, so that this is the closed form
        assert share.sum(axis=0).max() == split_slots(load[None], copies, groups)[0]
        shared += sum(len(held) > 1 for held in copies)
    assert shared > 600


def test_pairs_that_no_other_group_takes_raise_the_limit() -> None:
    # Groups 0 and 1 share experts 0 and 1 and nothing leads out: 7 + 6 pairs, 7 slots; the mean of
    # all three groups is ceil(14 / 3) = 5. By a chain, expert 2's pairs go on from group 1 to 2.
    apart = even_split(np.array([7, 6, 1]), [(0, 1), (0, 1), (2,)], 3)
    assert apart.sum(axis=0).tolist() in ([7, 6, 1], [6, 7, 1])
    chained = even_split(np.array([9, 6, 0]), [(0,), (0, 1), (1, 2)], 3)
    assert chained.sum(axis=0).max() == 9
    chained = even_split(np.array([3, 6, 6]), [(0,), (0, 1), (1, 2)], 3)
    assert chained.sum(axis=0).tolist() == [5, 5, 5]


def test_entangled_replicas_of_a_window_are_split() -> None:
    # 14 experts each in group 0 and one other have 2^14 - 1 unions, more than the closed form
    # looks at; 10 pairs each are 140 in 15 groups: 10 in 5 of them and 9 in 10
    copies = [(0, g) for g in range(1, 15)]
    assert len(copies) > CLOSED_FORM
    load = np.full(14, 10)
    assert split_slots(load[None], copies, 15).tolist() == [10]
    assert split_loads(load, copies, 15).sum(axis=0).max() == 10


def bursts(experts: int, tokens: int = 256) -> Bools:
    """Top-4 with other hot experts in each of four windows: bool [tokens, experts]."""
    random = np.random.default_rng(1)
    heat = np.repeat(2 * random.normal(size=(4, experts)), tokens // 4, axis=0)
    picked = np.argsort(-(heat + random.gumbel(size=(tokens, experts))), axis=1)[:, :4]
    chosen = np.zeros((tokens, experts), dtype=np.bool_)
    np.put_along_axis(chosen, picked, values=True, axis=1)
    return chosen


def large(replicas: int) -> GroupingProblem:
    """48 experts in 8 groups of 9 on four windows of 64 tokens."""
    return grouping_problem(bursts(48), windows(256, 64), 9, 8, replicas=replicas)


def test_which_search_is_for_which_layer() -> None:
    """300 million set loads: 745 neighbours x 16 sets x 96 windows leave 262 steps, so exactly."""
    tokens = np.ones((96, 32), dtype=np.bool_)
    small = grouping_problem(tokens, windows(96, 1), 5, 8, replicas=3)
    assert affordable_steps(small) == 300_000_000 // (745 * 16 * 96) == 262
    assert not many_copies(small)
    assert many_copies(large(24))  # 2^24 sets are not even one step
    assert not many_copies(large(0))


def test_copies_go_to_the_hottest_and_stay_apart() -> None:
    # Window 0: expert 0 has 30 pairs, window 1: expert 1 has 20; the others 10 or fewer. Of two
    # copies the first is expert 0's; with 15 a copy it is then cooler than expert 1's 20.
    loads = np.array([[30, 0, 5, 5], [0, 20, 10, 10]])
    chosen = np.concatenate([np.arange(40)[:, None] < row[None, :] for row in loads])
    problem = grouping_problem(chosen, [(0, 40), (40, 80)], 3, 2, replicas=2)
    held = give_out(problem, np.eye(2, dtype=np.bool_)[[0, 1, 0, 1]], 2)
    assert held.tolist() == [[True, True], [True, True], [True, False], [False, True]]


def test_the_search_keeps_the_rules_and_repeats() -> None:
    problem = large(24)
    start = give_out(problem, np.eye(8, dtype=np.bool_)[np.arange(48) % 8], 24)

    def found(seed: int) -> Bools:
        return improve_many(problem, start, watch=Watch(), goal=0, seed=seed, time_s=2.0)

    held = found(0)
    assert held.any(axis=1).all()
    assert held.sum(axis=0).max() <= 9
    assert held.sum() == 48 + 24
    copies = [[tuple(np.flatnonzero(row).tolist()) for row in of] for of in (held, start)]
    ours, first = (split_slots(problem.loads, of, 8).sum() for of in copies)
    assert ours < first
    assert np.array_equal(held, found(0))


@pytest.mark.parametrize("solver", REPLICATING)
def test_sixty_four_replicas(solver: GroupingSolver) -> None:
    """Every solver's certificate is the split's own count, and near the bound."""
    chosen, spans = bursts(64), windows(256, 64)
    asked, fit = GroupingOptions(solver, groups=8, replicas=64), Calibration(chosen, spans)
    found = group_layer(fit, 0, 16, asked, limits=SolverOptions(time_s=0.5))
    known = found.certificate
    assert 0 < found.replicas <= 64
    assert max(len(group) for group in found.groups) <= 16
    assert known.value == score(found, chosen, spans)[0]
    assert known.bound <= known.value <= 1.05 * known.bound
    counts = split_counts(found, chosen[:64])
    assert counts.sum() == chosen[:64].sum()

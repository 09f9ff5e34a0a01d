"""Replicas: the closed form of the best split, and the split itself, against maximum flow."""

import networkx as nx
import numpy as np
import pytest

from compiler.grouping import score, split_counts, split_pairs, window_slots
from compiler.grouping.split import critical_sets, split_loads, split_slots
from ir.certificate import Certificate
from ir.errors import InfeasibleError
from ir.mapping import LayerGrouping

UNKNOWN = Certificate("none", 0, 0, "heuristic")


def grouping(*groups: tuple[int, ...]) -> LayerGrouping:
    return LayerGrouping(0, groups, "by hand", UNKNOWN)


def column_heights(loads: list[int]) -> np.ndarray:
    """Make [tokens, experts] with loads[e] pairs for expert e, one expert per token."""
    return np.repeat(np.eye(len(loads), dtype=np.bool_), loads, axis=0)


def carried_by_flow(load: np.ndarray, copies: list[tuple[int, ...]], slots: int) -> bool:
    """Whether a maximum flow carries every pair to a copy of its expert in so many slots."""
    graph: nx.DiGraph[object] = nx.DiGraph()
    graph.add_nodes_from(["source", "sink"])
    for e, held in enumerate(copies):
        graph.add_edge("source", ("expert", e), capacity=int(load[e]))
        for g in held:
            graph.add_edge(("expert", e), ("group", g))
            graph.add_edge(("group", g), "sink", capacity=slots)
    return bool(nx.maximum_flow_value(graph, "source", "sink") == load.sum())


def random_case(seed: int) -> tuple[np.ndarray, list[tuple[int, ...]], int]:
    """Make loads [experts], the groups of each expert (up to 5 replicas), and their number."""
    random = np.random.default_rng(seed)
    groups, experts = int(random.integers(2, 7)), int(random.integers(2, 10))
    held = [{int(random.integers(groups))} for _ in range(experts)]
    for _ in range(int(random.integers(1, 6))):
        held[int(random.integers(experts))].add(int(random.integers(groups)))
    load = (random.random(experts) ** 2 * 40).astype(np.int64)
    return load, [tuple(sorted(of)) for of in held], groups


def test_closed_form_equals_maximum_flow_on_200() -> None:
    wrong, shared = [], 0
    for seed in range(200):
        load, copies, groups = random_case(seed)
        closed = int(split_slots(load[None], copies, groups)[0])
        fewest = carried_by_flow(load, copies, closed) and (
            closed == 0 or not carried_by_flow(load, copies, closed - 1)
        )
        if not fewest:
            wrong.append(seed)
        alone = [[held[0]] for held in copies]
        shared += closed < int(split_slots(load[None], [tuple(a) for a in alone], groups)[0])
    assert not wrong
    assert shared > 80  # in many of them the copies save slots


def test_the_split_reaches_the_closed_form_on_200() -> None:
    for seed in range(200):
        load, copies, groups = random_case(seed)
        share = split_loads(load, copies, groups)
        assert (share >= 0).all()
        assert share.sum(axis=1).tolist() == load.tolist()
        for e, held in enumerate(copies):
            assert not np.delete(share[e], held).any()
        assert share.sum(axis=0).max() == split_slots(load[None], copies, groups)[0]


def test_a_pair_of_copies_by_hand() -> None:
    # Group 0 has 10 + 2 of its own, group 1 has 4; expert 0 (10 pairs) is in both. All 16 pairs lie
    # in the two groups: 8 slots, by 6 pairs of expert 0 in group 0 and 4 in group 1.
    found = grouping((0, 1), (0, 2))
    chosen = column_heights([10, 2, 4])
    assert window_slots(found, chosen, [(0, 16)]).tolist() == [8]
    assert split_counts(found, chosen).sum(axis=0).tolist() == [8, 8]


def test_a_union_of_two_replica_sets_can_be_the_tightest() -> None:
    # Experts 0 (groups 0, 1) and 1 (groups 1, 2), 9 and 9 pairs, nothing else: {0, 1} holds 9 / 2,
    # {1, 2} 9 / 2, all three 18 / 3 = 6, the tightest.
    copies = [(0, 1), (1, 2)]
    assert frozenset((0, 1, 2)) in critical_sets(copies, 3)
    assert split_slots(np.array([[9, 9]]), copies, 3).tolist() == [6]


def test_replicas_far_apart_do_not_make_a_set() -> None:
    sets = critical_sets([(0, 1), (2, 3)], 4)
    assert sorted(len(s) for s in sets) == [1, 1, 1, 1, 2, 2]


def test_every_pair_goes_to_one_copy_of_its_expert() -> None:
    random = np.random.default_rng(1)
    chosen = random.random((60, 5)) < 0.4
    found = grouping((0, 1), (0, 2), (1, 3, 4))
    group = split_pairs(found, chosen)
    assert ((group >= 0) == chosen).all()
    for e, held in enumerate(found.copies()):
        assert set(group[chosen[:, e], e].tolist()) <= set(held)
    counts = split_counts(found, chosen)
    assert counts.sum() == chosen.sum()
    assert counts.sum(axis=0).max() == window_slots(found, chosen, [(0, 60)])[0]


def test_a_copy_gets_the_tokens_that_use_its_group_least() -> None:
    # Expert 0 is in both groups; half its four tokens also use expert 1 (group 0), half expert 2
    # (group 1). Sent the other way each, no token uses a group twice.
    found = grouping((0, 1), (0, 2))
    chosen = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 1]], dtype=np.bool_)
    assert split_counts(found, chosen).tolist() == [[1, 1]] * 4
    assert score(found, chosen, [(0, 4)]) == (4, 4)  # 8 pairs in 2 groups, one transfer a token


def test_without_replicas_the_split_is_the_grouping() -> None:
    chosen = np.random.default_rng(2).random((30, 4)) < 0.5
    found = grouping((0, 3), (1, 2))
    assert (split_counts(found, chosen) == found.counts(chosen)).all()


def test_entangled_replicas_are_refused_with_a_way_out() -> None:
    # 14 experts each in group 0 and one other: every non-empty subset is a union of its own.
    copies = [(0, g) for g in range(1, 15)]
    with pytest.raises(InfeasibleError, match="use fewer replicas") as refused:
        critical_sets(copies, 15)
    assert refused.value.demand.value == refused.value.supply.value + 1

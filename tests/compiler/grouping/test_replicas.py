"""Which experts get copies, and where: the exact solver against every possibility."""

from itertools import product

import numpy as np
import pytest

import compiler.grouping.cp_sat as cp_sat_room
from compiler.grouping import (
    REPLICATING,
    SOLVERS,
    Calibration,
    Job,
    group_layer,
    score,
    solve_layer,
)
from compiler.grouping.bounds import lower_bound, window_bounds
from compiler.grouping.objective import grouping_problem, slots
from compiler.grouping.replica_search import Pricing, add_replicas, improve_with_replicas
from compiler.grouping.split import split_slots
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.errors import InfeasibleError, InputError

SHAPES = [(4, 2, 3, 1), (4, 3, 2, 2), (5, 3, 2, 1), (4, 2, 3, 2)]  # experts, size, groups, replicas


def instance(seed: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    random = np.random.default_rng(seed)
    experts = SHAPES[seed % len(SHAPES)][0]
    heat = random.random((3, experts)) ** 3
    chosen = random.random((3, 12, experts)) < heat[:, None, :]
    return chosen.reshape(-1, experts), [(0, 12), (12, 24), (24, 36)]


def best_by_enumeration(loads: np.ndarray, size: int, groups: int, replicas: int) -> int:
    """Try every way to give each expert a non-empty set of groups."""
    experts = loads.shape[1]
    sets = [tuple(g for g in range(groups) if mask >> g & 1) for mask in range(1, 2**groups)]
    best = None
    for copies in product(sets, repeat=experts):
        if sum(map(len, copies)) > experts + replicas:
            continue
        if max(sum(g in held for held in copies) for g in range(groups)) > size:
            continue
        value = int(split_slots(loads, copies, groups).sum())
        best = value if best is None else min(best, value)
    assert best is not None
    return best


@pytest.mark.parametrize("solver", ["cp-sat", "highs", "scip"])
def test_exact_solvers_match_enumeration(
    solver: GroupingSolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compiler.grouping.start.improve_with_replicas", lambda _, held, **__: held)
    asked = 0
    for seed in range(16):
        chosen, spans = instance(seed)
        _, size, groups, replicas = SHAPES[seed % len(SHAPES)]
        problem = grouping_problem(chosen, spans, size, groups, replicas=replicas)
        best = best_by_enumeration(problem.loads, size, groups, replicas)
        assert lower_bound(problem) <= best
        options = GroupingOptions(solver, groups=groups, replicas=replicas)
        found = group_layer(Calibration(chosen, spans), 0, size, options)
        assert (found.certificate.value, found.certificate.bound) == (best, best), seed
        asked += found.certificate.status == "optimal (solver)"
    assert asked > 3


def test_bounds_with_replicas_hold_window_by_window() -> None:
    for seed in range(16):
        chosen, spans = instance(seed)
        _, size, groups, replicas = SHAPES[seed % len(SHAPES)]
        problem = grouping_problem(chosen, spans, size, groups, replicas=replicas)
        for row, bound in zip(problem.loads, window_bounds(problem), strict=True):
            assert bound <= best_by_enumeration(row[None], size, groups, replicas), seed


def test_local_search_is_no_worse_than_its_start_and_keeps_the_rules() -> None:
    random = np.random.default_rng(0)
    bursts = np.repeat(random.random((5, 16)) ** 4, 40, axis=0)
    chosen = random.random((200, 16)) < bursts
    spans = [(a, a + 40) for a in range(0, 161, 20)]
    problem = grouping_problem(chosen, spans, 5, 4, replicas=3)
    start = add_replicas(problem, np.arange(16) % 4)
    held = improve_with_replicas(problem, start, watch=Watch(), steps=40)
    assert held.any(axis=1).all()
    assert held.sum(axis=0).max() <= 5
    assert held.sum() == 19
    assert Pricing(problem)(held[None]) < Pricing(problem)(start[None])


@pytest.mark.parametrize("parts", [1, 3])
def test_the_price_of_many_candidates_is_the_closed_form(parts: int) -> None:
    random = np.random.default_rng(3)
    chosen = random.random((120, 6)) < random.random(6)
    spans = [(a, a + 20) for a in range(0, 101, 20)]
    problem = grouping_problem(chosen, spans, 6, 4, replicas=5, parts=parts)
    held = np.eye(4, dtype=np.bool_)[random.integers(0, 4, (50, 6))]
    held |= random.random((50, 6, 4)) < 0.2
    held = held[held.sum(axis=(1, 2)) <= 11]
    assert len(held) > 20
    expected = []
    for one in held:
        copies = [tuple(np.flatnonzero(row).tolist()) for row in one]
        per_window = split_slots(problem.loads, copies, 4)
        expected.append(per_window.reshape(parts, -1).sum(axis=1).max())
    assert Pricing(problem)(held).tolist() == expected


def test_the_hottest_expert_is_not_always_the_one_to_copy() -> None:
    # Window 0: expert 0 has 12 pairs, but three more experts of 12 fill the other groups: a copy of
    # it saves nothing anywhere. Window 1: expert 3 has 10 and all others are idle: a copy saves 5.
    loads = np.array([[12, 12, 12, 2], [3, 0, 0, 10]])
    chosen = np.concatenate([np.arange(12)[:, None] < row[None, :] for row in loads])
    options = GroupingOptions("cp-sat", groups=3, replicas=1)
    found = group_layer(Calibration(chosen, [(0, 12), (12, 24)]), 0, 2, options)
    copied = [e for e, held in enumerate(found.copies()) if len(held) > 1]
    assert copied == [3]
    # window 0: 38 pairs in 3 groups, 13; window 1: 13 pairs, 5 + 5 and the 3 apart: 5
    assert found.certificate.value == score(found, chosen, [(0, 12), (12, 24)])[0] == 18


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name not in REPLICATING])
def test_other_solvers_say_who_places_replicas(solver: GroupingSolver) -> None:
    chosen, spans = instance(0)
    with pytest.raises(InputError, match="expected one of local-search, cp-sat"):
        group_layer(Calibration(chosen, spans), 0, 2, GroupingOptions(solver, groups=3, replicas=1))


@pytest.mark.parametrize(
    ("size", "groups", "replicas", "amounts", "message"),
    [
        (
            2,
            3,
            0,
            (8, 6),
            r"needs 8 \(8 experts\), has 6 \(3 groups of 2\); use 4 groups, or groups of 3",
        ),
        (4, 2, 3, (11, 8), r"needs 11 .8 experts \+ 3 replicas., has 8 .*at most 0 replicas"),
        (20, 2, 9, (9, 8), r"needs 9 places .*, has 8 .*use at most 8 replicas, or 3 groups"),
    ],
)
def test_what_does_not_fit_names_the_short_resource(
    size: int, groups: int, replicas: int, amounts: tuple[int, int], message: str
) -> None:
    fit = Calibration(np.ones((4, 8), dtype=np.bool_), [(0, 4)])
    options = GroupingOptions("cp-sat", groups=groups, replicas=replicas)
    with pytest.raises(InfeasibleError, match=message) as refused:
        group_layer(fit, 0, size, options)
    assert (refused.value.demand.value, refused.value.supply.value) == amounts


@pytest.mark.parametrize("solver", REPLICATING)
def test_contract_with_replicas(solver: GroupingSolver) -> None:
    random = np.random.default_rng(4)
    chosen = random.random((96, 8)) < random.random(8) ** 2
    spans = [(a, a + 24) for a in range(0, 73, 12)]
    fit, limits = Calibration(chosen, spans), SolverOptions(time_s=0.5)
    options = GroupingOptions(solver, groups=4, replicas=3)
    found = [group_layer(fit, 2, 3, options, limits=limits) for _ in range(2)]
    certificate = found[0].certificate
    assert found[0].experts == 8
    assert found[0].replicas <= 3
    assert all(1 <= len(group) <= 3 for group in found[0].groups)
    assert certificate.value == score(found[0], chosen, spans)[0]
    assert certificate.bound <= certificate.value
    without = group_layer(fit, 2, 3, GroupingOptions(solver, groups=4), limits=limits)
    assert certificate.value <= without.certificate.value
    if certificate.deterministic:
        assert found[1].groups == found[0].groups


def test_a_large_layer_with_replicas_leaves_the_program_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cp_sat_room, "_SPLIT_LIMIT", 1)
    monkeypatch.setattr(cp_sat_room, "solve", lambda *_: pytest.fail("the solver was asked"))
    chosen, spans = instance(1)
    options = GroupingOptions("cp-sat", groups=2, replicas=2)
    found = group_layer(Calibration(chosen, spans), 0, 3, options)
    assert found.replicas <= 2


@pytest.mark.parametrize("room", ["local_search", "replica_search"])
def test_ctrl_c_in_the_local_search_keeps_its_start(
    room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the search without replicas, or in the one with them; 25 slots, bound 23."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"compiler.grouping.{room}.walk", interrupt)
    chosen, spans = instance(4)
    job = Job(0, Calibration(chosen, spans), 3, GroupingOptions("cp-sat", groups=2, replicas=2))
    answer = solve_layer(job)
    grouping, found = answer.grouping, answer.found
    assert found.interrupted
    assert not grouping.certificate.deterministic
    assert grouping.certificate.value == score(grouping, chosen, spans)[0]


def test_one_group_holds_no_replica_but_costs_every_pair() -> None:
    problem = grouping_problem(np.ones((4, 3), dtype=np.bool_), [(0, 4)], 3, 1)
    assert slots(problem, np.zeros(3, dtype=np.int64)) == 12

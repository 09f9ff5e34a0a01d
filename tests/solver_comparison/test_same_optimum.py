"""The same instance through every solver: one optimum, no answer below a bound or above a start.

Where integer programs are compared, the exact search before that of CP-SAT is left out; it is held
against enumeration in `tests/compiler/grouping/test_exact.py`.
"""

import numpy as np
import pytest

import compiler.grouping.start as start_room
from compiler.grouping import SOLVERS, Calibration, exact, group_layer
from compiler.grouping.objective import grouping_problem
from compiler.grouping.rules import group_contiguous
from compiler.grouping.start import first_start
from compiler.options import GroupingOptions, GroupingSolver, SolverOptions
from ir.arrays import Span
from tests.compiler.grouping.partitions import partitions

Sizes = tuple[int, int, int]  # experts, size, groups

EXACT: tuple[GroupingSolver, ...] = ("cp-sat", "highs", "scip")
ASKED = dict.fromkeys(EXACT, 0)  # instances that our own bound did not close
SMALL = [(5, 2, 3), (5, 3, 2), (6, 2, 3), (6, 3, 2)]
LARGER = [(7, 3, 3), (8, 2, 4), (8, 4, 2), (8, 3, 3), (9, 3, 3), (8, 4, 3)]


def instance(seed: int, shapes: list[Sizes]) -> tuple[np.ndarray, list[tuple[int, int]], int, int]:
    """Make a bursty layer: chosen [tokens, experts], 2 to 5 windows, size, groups."""
    random = np.random.default_rng(seed)
    experts, size, groups = shapes[seed % len(shapes)]
    count = int(random.integers(2, 6))
    heat = random.random((count, experts)) ** 3
    chosen = random.random((count, 16, experts)) < heat[:, None, :]
    spans = [(w * 16, w * 16 + 16) for w in range(count)]
    return chosen.reshape(-1, experts), spans, size, groups


def enumerated(chosen: np.ndarray, spans: list[Span], size: int, groups: int) -> int:
    loads = np.stack([chosen[a:b].sum(axis=0) for a, b in spans])
    return min(
        int((loads @ np.eye(groups, dtype=int)[one]).max(axis=1).sum())
        for one in partitions(loads.shape[1], size, groups)
    )


def optima(seed: int, shapes: list[Sizes]) -> dict[str, tuple[int, int]]:
    chosen, spans, size, groups = instance(seed, shapes)
    out: dict[str, tuple[int, int]] = {}
    for solver in EXACT:
        options = GroupingOptions(solver, groups=groups)
        known = group_layer(Calibration(chosen, spans), 0, size, options).certificate
        out[solver] = (known.value, known.bound)
        ASKED[solver] += known.status == "optimal (solver)"
    return out


@pytest.fixture
def weak_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from neighbours without a search, so that the programs have work to do."""
    monkeypatch.setattr(exact, "MOST_PLACES", 0)
    monkeypatch.setattr(start_room, "improve", lambda _, start, **__: start)
    for rule in ("group_lpt", "group_sorted", "group_karmarkar_karp"):
        monkeypatch.setattr(start_room, rule, group_contiguous)


def test_enumeration_counts_what_it_should() -> None:
    assert sum(1 for _ in partitions(6, 2, 3)) == 15  # 5 * 3 * 1 pairings
    assert sum(1 for _ in partitions(6, 3, 2)) == 10  # C(6, 3) / 2


def test_exact_solvers_and_enumeration_agree_on_100(weak_start: None) -> None:
    wrong = []
    for seed in range(100):
        best = enumerated(*instance(seed, SMALL))
        if set(optima(seed, SMALL).values()) != {(best, best)}:
            wrong.append(seed)
    assert not wrong
    assert min(ASKED.values()) > 20


@pytest.mark.slow
def test_exact_solvers_agree_on_200_more(weak_start: None) -> None:
    wrong = []
    for seed in range(100, 300):
        found = optima(seed, LARGER)
        (value, bound), *others = found.values()
        if value != bound or any(other != (value, bound) for other in others):
            wrong.append((seed, found))
    assert not wrong


@pytest.mark.parametrize("mux", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_no_answer_is_below_a_bound_or_worse_than_its_start(seed: int, mux: int) -> None:
    random = np.random.default_rng(seed)
    heat = np.repeat(random.random((6, 16)) ** 3, 32, axis=0)
    chosen = random.random((192, 16)) < heat
    spans = [(a, a + 32) for a in range(0, 161, 16)]
    start = first_start(grouping_problem(chosen, spans, mux)).value
    certificates = {
        solver: group_layer(
            Calibration(chosen, spans),
            0,
            mux,
            GroupingOptions(solver),
            limits=SolverOptions(time_s=0.5),
        ).certificate
        for solver in SOLVERS
        if mux == 2 or solver != "matching"
    }
    bound = max(known.bound for known in certificates.values())
    for solver, known in certificates.items():
        assert known.value >= bound, solver
        if solver in (*EXACT, "local-search"):
            assert known.value <= start, solver

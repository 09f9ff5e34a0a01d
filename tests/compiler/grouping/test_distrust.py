"""What comes back from the solver is checked: a wrong answer never replaces a right one.

The exact search before it, which proves this layer, is left out.
"""

import numpy as np
import pytest

import compiler.grouping.cp_sat as room
from compiler.grouping import Calibration, exact, group_layer
from compiler.grouping.bounds import lower_bound
from compiler.grouping.local_search import improve
from compiler.grouping.objective import GroupingProblem, grouping_problem, slots
from compiler.grouping.rules import group_lpt
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, SolverOptions
from compiler.solver import SolverAnswer

SPANS = [(w * 8, w * 8 + 8) for w in range(6)]


def layer() -> np.ndarray:
    """Eight experts whose best grouping into pairs does not meet our own bound."""
    random = np.random.default_rng(5)
    return random.random((48, 8)) < np.repeat(random.random((6, 8)) ** 2, 8, axis=0)


@pytest.fixture(autouse=True)
def unsearched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "MOST_PLACES", 0)


def fit() -> Calibration:
    return Calibration(layer(), SPANS)


def start_of(problem: GroupingProblem) -> np.ndarray:
    return improve(problem, group_lpt(problem), watch=Watch())


def answer_with(
    monkeypatch: pytest.MonkeyPatch, assignment: list[int] | None, status: str, bound: int | None
) -> None:
    """Make the solver say `status` and put the expert of rank r into group assignment[r]."""
    values = None
    if assignment is not None:
        values = tuple(int(v) for v in np.eye(4, dtype=int)[assignment].ravel())
    fake = SolverAnswer(status, values, bound, 0.0, True)  # type: ignore[arg-type]
    monkeypatch.setattr(room, "solve", lambda *_: fake)


def test_this_layer_reaches_the_solver() -> None:
    problem = grouping_problem(layer(), SPANS, 2)
    assert lower_bound(problem) < slots(problem, start_of(problem))


@pytest.mark.parametrize(
    ("assignment", "status", "bound"),
    [
        ([0, 0, 0, 0, 1, 2, 3, 3], "optimal", 1),  # four experts in a group of two
        ([0, 0, 1, 1, 2, 2, 3, 3], "optimal", 1),  # hottest with second hottest: far worse
        (None, "none", None),
    ],
)
def test_a_wrong_or_missing_answer_leaves_the_start(
    monkeypatch: pytest.MonkeyPatch, assignment: list[int] | None, status: str, bound: int | None
) -> None:
    problem = grouping_problem(layer(), SPANS, 2)
    best = slots(problem, start_of(problem))
    answer_with(monkeypatch, assignment, status, bound)
    found = group_layer(fit(), 0, 2, GroupingOptions("cp-sat"))
    assert found.certificate.value == best
    assert found.certificate.bound == lower_bound(problem)
    assert found.certificate.status == "feasible"
    assert max(len(group) for group in found.groups) == 2


def test_a_good_answer_with_an_overfull_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three experts in a group of two may cost no more slots; that is no answer all the same."""
    problem = grouping_problem(layer(), SPANS, 2)
    best = slots(problem, start_of(problem))
    cheat = np.array([0, 1, 1, 2, 2, 3, 3, 3])
    by_heat = np.argsort(-problem.total, kind="stable")
    overfull = min(
        (np.random.default_rng(i).permutation(cheat) for i in range(2000)),
        key=lambda assignment: slots(problem, assignment),
    )
    assert slots(problem, overfull) <= best
    answer_with(monkeypatch, overfull[by_heat].tolist(), "feasible", None)
    found = group_layer(fit(), 0, 2, GroupingOptions("cp-sat"))
    assert max(len(group) for group in found.groups) == 2
    assert found.certificate.value == best


def test_an_infeasible_verdict_is_reported_and_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, None, "infeasible", None)
    with pytest.warns(RuntimeWarning, match="please report it"):
        found = group_layer(fit(), 0, 2, GroupingOptions("cp-sat"))
    assert found.certificate.status == "feasible"


def test_a_bound_above_the_value_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_with(monkeypatch, None, "none", 10**6)
    certificate = group_layer(fit(), 0, 2, GroupingOptions("cp-sat")).certificate
    assert certificate.bound < certificate.value
    assert certificate.status == "feasible"


def test_a_model_too_large_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_MODEL_LIMIT", 1)
    monkeypatch.setattr(room, "solve", lambda *_: pytest.fail("the solver was asked"))
    certificate = group_layer(fit(), 0, 2, GroupingOptions("cp-sat")).certificate
    assert certificate.status == "feasible"


def test_seed_and_limits_reach_the_certificate() -> None:
    options = SolverOptions(time_s=0.5, seed=7)
    certificate = group_layer(fit(), 0, 2, GroupingOptions("cp-sat"), limits=options).certificate
    assert (certificate.seed, certificate.deterministic) == (7, True)
    assert certificate.status == "optimal (solver)"

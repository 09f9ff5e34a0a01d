"""Branch and bound against enumeration, and what it says when its work ends before."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.grouping import Calibration, Job, exact, group_layer, solve_at_once
from compiler.grouping.exact import Search, prove, worth_searching
from compiler.grouping.objective import Costs, GroupingProblem, grouping_problem, slots
from compiler.grouping.rules import group_contiguous
from compiler.grouping.start import Start
from compiler.grouping.watch import Watch
from compiler.options import GroupingOptions, SolverOptions
from tests.compiler.grouping.partitions import partitions

ENOUGH = 10**9
SHAPES = [(6, 2, 3, 1), (7, 2, 4, 1), (6, 2, 5, 1), (7, 3, 3, 1), (8, 4, 2, 1), (6, 3, 2, 2)]


def bursty(seed: int, experts: int, windows: int = 4) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Tokens of windows with a heat of their own: bool [16 windows, experts]; the windows."""
    random = np.random.default_rng(seed)
    heat = np.repeat(random.random((windows, experts)) ** 2, 16, axis=0)
    return random.random(heat.shape) < heat, [(16 * w, 16 * w + 16) for w in range(windows)]


def problem_of(seed: int, experts: int, size: int, groups: int, parts: int = 1) -> GroupingProblem:
    chosen, spans = bursty(seed, experts)
    return grouping_problem(chosen, spans, size, groups, parts=parts)


def start_of(problem: GroupingProblem, bound: int = 0) -> Start:
    """Neighbours together, of which nothing is known."""
    neighbours = group_contiguous(problem)
    return Start(neighbours, (), slots(problem, neighbours), bound)


@pytest.mark.parametrize(("experts", "size", "groups", "parts"), SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_all_groupings(
    seed: int, experts: int, size: int, groups: int, parts: int
) -> None:
    """Pairs, larger groups, empty places (7 in 4 pairs, 6 in 5), and the worst of two parts."""
    problem = problem_of(seed, experts, size, groups, parts)
    best = min(slots(problem, np.array(one)) for one in partitions(experts, size, groups))
    found = prove(problem, start_of(problem), ENOUGH, Watch())
    assert (found.value, found.bound) == (best, best)
    assert slots(problem, found.assignment) == best
    assert np.bincount(found.assignment).max() <= size


def test_a_limit_that_is_the_optimum_has_nothing_below_it() -> None:
    """One more has: the search is of values strictly below its limit."""
    problem = problem_of(1, 8, 2, 4)
    best = prove(problem, start_of(problem), ENOUGH, Watch()).value
    below, above = (Search(problem, best + more, ENOUGH, Watch()) for more in (0, 1))
    assert below.run() and above.run()
    assert below.best is None
    assert above.best is not None and above.limit == best


@pytest.mark.parametrize("work", [10**6, 3 * 10**6, 10**7])
def test_work_that_ends_before_leaves_a_bound_that_holds(work: int) -> None:
    """20 experts in pairs take 654,729,075 groupings; with more work more is proven of them."""
    chosen, spans = bursty(3, 20, windows=12)
    problem = grouping_problem(chosen, spans, 2)
    best = prove(problem, start_of(problem), ENOUGH, Watch())
    assert best.value == best.bound
    first = start_of(problem, bound=best.value // 2)
    found = prove(problem, first, work, Watch())
    assert first.bound < found.bound <= best.value <= found.value <= first.value
    assert slots(problem, found.assignment) == found.value
    assert (found.value, found.bound) == (
        (again := prove(problem, first, work, Watch())).value,
        again.bound,
    )


def test_what_it_is_not_made_for() -> None:
    """Replicas, costs of broadcasts, and more than 64 places: 66 experts in pairs have 66."""
    problem = problem_of(0, 6, 2, 3)
    assert worth_searching(problem)
    assert not worth_searching(replace(problem, replicas=1))
    assert not worth_searching(replace(problem, costs=Costs("time", 1, 1)))
    assert worth_searching(problem_of(0, 64, 2, 32))
    assert not worth_searching(problem_of(0, 66, 2, 33))


def test_ctrl_c_keeps_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes after the first better grouping; nothing is proven then."""
    problem, watch = problem_of(1, 8, 2, 4), Watch()
    take = Search._take

    def interrupt(search: Search, left: np.ndarray, windows: np.ndarray) -> None:
        take(search, left, windows)
        if search.best is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(Search, "_take", interrupt)
    first = start_of(problem)
    found = prove(problem, first, ENOUGH, watch)
    assert watch.interrupted
    assert found.value < first.value
    assert found.bound == first.bound


def test_cp_sat_is_not_asked_what_the_search_proves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a process too, where that takes an instant; the answer is the same."""
    chosen, spans = bursty(2, 12, windows=8)
    asked = GroupingOptions("cp-sat")
    monkeypatch.setattr("compiler.grouping.cp_sat.solve", lambda *_: pytest.fail("asked"))
    known = group_layer(Calibration(chosen, spans), 0, 2, asked)
    assert known.certificate.status == "optimal (solver)"
    at_once = solve_at_once(Job(0, Calibration(chosen, spans), 2, asked))
    assert at_once is not None
    assert at_once.grouping.groups == known.groups
    monkeypatch.setattr(exact, "MOST_PLACES", 11)
    assert solve_at_once(Job(0, Calibration(chosen, spans), 2, asked)) is None


@pytest.mark.parametrize(("layers", "seconds"), [(1, 2.0), (4, 2.0), (8, 1.0), (32, 0.25)])
def test_layers_share_the_time_of_four_for_proofs(layers: int, seconds: float) -> None:
    """Four layers of 2 s have 8 s; eight have 1 s each of these, 32 a quarter."""
    assert SolverOptions(time_s=2.0, layers=layers).proof_s == seconds

"""CP-SAT's residents: an answer that does not hold is refused, Ctrl-C keeps the best so far."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from compiler.residency import choose as room
from compiler.residency import cp_sat, exact
from compiler.residency.choose import choose
from compiler.residency.problem import Problem, part_of, problem_of
from compiler.residency.room import room_of
from compiler.residency.rules import nothing
from compiler.residency.stream import stream_of
from compiler.solver import SolveInterrupted, SolverAnswer
from ir.errors import CheckError
from tests.compiler.residency.problems import routing


def problem(seed: int = 0) -> Problem:
    """Two layers of 8 experts, 3 a token, room for 4: the search's bound leaves a gap."""
    random = np.random.default_rng(seed)
    order = np.argsort(random.gumbel(size=(2, 60, 8)) + random.gumbel(size=(2, 1, 8)), axis=2)
    stream = stream_of(routing(order[:, :, -3:].tolist(), 8, [0] * 60), (0, 60))
    return problem_of(stream, room_of(stream, 0.5))


def answering(monkeypatch: pytest.MonkeyPatch, answer: SolverAnswer, *, cut: bool = False) -> None:
    def solve(*_: object, **__: object) -> SolverAnswer:
        if cut:
            raise SolveInterrupted(answer)
        return answer

    monkeypatch.setattr(cp_sat, "solve", solve)
    monkeypatch.setattr(exact, "able", lambda _: False)


def test_the_answer_repeats() -> None:
    one, other = choose(problem(), "stalls"), choose(problem(), "stalls")
    assert np.array_equal(one.resident, other.resident)
    assert [c.value for c in one.certificates] == [c.value for c in other.certificates]


def test_a_bound_above_the_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SolverAnswer("optimal", (1, 1, 1, 1, 0, 0, 0, 0), 1000, 0.1, True))
    with pytest.raises(CheckError, match="does not hold"):
        choose(problem(), "stalls")


def test_too_many_residents_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SolverAnswer("optimal", (1,) * 8, 0, 0.1, True))
    with pytest.raises(CheckError, match="does not hold"):
        choose(problem(), "stalls")


def test_a_worse_answer_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    best = choose(problem(), "stalls")
    answering(monkeypatch, SolverAnswer("feasible", (0,) * 8, 0, 0.1, True))
    found = choose(problem(), "stalls")
    assert found.value <= problem().cost(room.start(problem(), "stalls"), "stalls")
    assert found.value >= best.value
    assert {one.status for one in found.certificates} == {"feasible"}


def test_ctrl_c_keeps_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SolverAnswer("none", None, None, 0.1, False), cut=True)
    found = choose(problem(), "stalls")
    assert found.interrupted
    assert found.value == problem().cost(found.resident, "stalls")
    assert found.certificates[0].status == "heuristic"
    assert not found.certificates[0].deterministic


def test_ctrl_c_in_the_search_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer is proven, in the second Ctrl-C comes: it has the better of the rules."""
    whole = choose(problem(), "stalls")
    calls: list[int] = []

    def search(*given: Any) -> exact.Searched:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return exact.search_pool(*given)

    monkeypatch.setattr(room, "search_pool", search)
    found = choose(problem(), "stalls")
    assert found.interrupted
    first, second = found.certificates
    assert first.value == whole.certificates[0].value
    assert (first.proven, second.status, second.deterministic) == (True, "heuristic", False)
    assert found.value == problem().cost(found.resident, "stalls")
    assert problem().fits(found.resident)


def test_the_search_tries_all_of_eight_experts() -> None:
    """70 choices of 4 a layer: the best of all, which a first dive does not always find."""
    for seed in range(10):
        for pool in (0, 1):
            part, _ = part_of(problem(seed), pool)
            costs = []
            for kept in combinations(range(8), 4):
                resident = nothing(part)
                resident[list(kept)] = True
                costs.append(part.cost(resident, "stalls"))
            found = exact.search_pool(part, nothing(part), 10**6)
            assert found.proven
            assert part.cost(found.resident, "stalls") == min(costs)
            assert not exact.search_pool(part, nothing(part), 100).proven

"""What solvers and searches say is held against what was asked: right at a limit, and one beyond.

Nothing is solved here. Each check is handed answers made up for it: what keeps the rules and is no
worse is taken, anything else leaves what was known, or is told as a fault of this package.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]

from compiler import dies as of_dies
from compiler import solver
from compiler.dies import Cast, Flow, Item, assign
from compiler.dies import Problem as DieProblem
from compiler.dies.links import before_of, links_of
from compiler.grouping.accept import accept
from compiler.grouping.objective import GroupingProblem, cost, grouping_problem
from compiler.grouping.start import Start
from compiler.grouping.watch import Watch
from compiler.options import DieOptions, SolverOptions
from compiler.placement import with_status
from compiler.residency import choose
from compiler.residency.exact import Searched
from compiler.residency.problem import Problem as ResidentProblem
from compiler.residency.room import Room
from compiler.slots.bounds import check_counts, check_table
from compiler.slots.solved import Solved, improved, judged
from compiler.solver import SolverAnswer, cp_model
from compiler.stacks import Candidate
from compiler.stacks import _status as status_of_stacks
from compiler.stacks.check import check_stacks, met_in, pgs_of
from compiler.stacks.problem import StackProblem
from compiler.stacks.two_levels import Found
from ir.certificate import Certificate, Status
from ir.chip import Dies
from ir.errors import CheckError, InfeasibleError, InputError
from ir.stacks import Member, Stacking
from ir.topology import topology_of


def answer(
    values: tuple[int, ...] | None = None,
    bound: int | None = None,
    status: Any = "feasible",
    *,
    deterministic: bool = True,
) -> SolverAnswer:
    return SolverAnswer(status, values, bound, 0.0, deterministic)


# -- the solver's door ---------------------------------------------------------------------------


def bounded(bound: float, *, maximising: bool = False, objective: bool = True) -> int | None:
    """The integer bound that is read from a CP-SAT run whose float bound is so much."""
    model = cp_model.CpModel()
    x = model.new_int_var(0, 10, "x")
    if objective:
        (model.maximize if maximising else model.minimize)(x)
    run: Any = SimpleNamespace(model=model, solver=SimpleNamespace(best_objective_bound=bound))
    return solver._safe_bound(run)


@pytest.mark.parametrize(
    ("bound", "minimising", "maximising"),
    [
        (7.0, 7, 7),
        (6.5, 7, 6),
        (7.0000001, 7, 7),  # of a float that should be 7
        (6.9999999, 7, 7),
        (7.0001, 8, 7),
        (6.9999, 7, 6),
        (-7.0, -7, -7),
        (2.0**52 + 1, 2**52 + 1 - 4, 2**52 + 1 + 4),  # a float is exact to four of these
        (float("inf"), None, None),
        (float("-inf"), None, None),
        (float("nan"), None, None),
    ],
)
def test_a_bound_is_rounded_to_the_side_on_which_it_holds(
    bound: float, minimising: int | None, maximising: int | None
) -> None:
    assert bounded(bound) == minimising
    assert bounded(bound, maximising=True) == maximising


def test_no_bound_without_an_objective() -> None:
    assert bounded(7.0, objective=False) is None


@pytest.mark.parametrize(
    ("bound", "found"),
    [
        (7.0, 7),
        (7.00009, 7),  # within the tolerance of 1e-4
        (7.00011, 8),
        (6.5, 7),
        (1000.0009, 1000),  # of large ones a hundredth of the tolerance, times the bound
        (1000.0011, 1001),
        (-1000.0009, -1000),
        (0.00009, 0),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_a_bound_of_a_float_solver_is_rounded_up_past_its_tolerance_alone(
    bound: float, found: int | None
) -> None:
    assert solver._safe_mip_bound(bound) == found


def cp_run(
    status: int | None, seconds: float = 0.0, error: Exception | None = None, *, cut: bool = False
) -> Any:
    """A CP-SAT run that has ended so, with x = 3 and a bound of 2."""
    model = cp_model.CpModel()
    model.minimize(model.new_int_var(0, 10, "x"))
    asked: list[Any] = []

    def value(variable: Any) -> int:
        asked.append(variable)
        return 3

    told = SimpleNamespace(wall_time=seconds, value=value, best_objective_bound=2.0)
    thread, progress = SimpleNamespace(error=error), SimpleNamespace(points=[(0.5, 3)])
    return SimpleNamespace(
        solver=told,
        model=model,
        status=status,
        thread=thread,
        progress=progress,
        asked=asked,
        cut=cut,
    )


@pytest.mark.parametrize(
    ("status", "word", "found"),
    [
        (cp_model.OPTIMAL, "optimal", True),
        (cp_model.FEASIBLE, "feasible", True),
        (cp_model.INFEASIBLE, "infeasible", False),
        (cp_model.UNKNOWN, "none", False),
    ],
)
def test_values_are_read_where_the_solver_has_some(status: int, word: str, found: bool) -> None:
    run = cp_run(status)
    read = solver._answer(run, ["x"], SolverOptions(), interrupted=False)  # type: ignore[list-item]
    assert (read.status, read.values, read.bound) == (
        word,
        (3,) if found else None,
        2 * found or None,
    )
    assert bool(run.asked) == found
    assert read.deterministic
    assert read.progress == ((0.5, 3),)


@pytest.mark.parametrize(
    ("status", "repeats"), [(cp_model.FEASIBLE, False), (cp_model.OPTIMAL, True)]
)
def test_an_answer_that_was_cut_short_does_not_repeat(status: int, repeats: bool) -> None:
    run = cp_run(status, cut=True)
    assert solver._answer(run, [], SolverOptions(), interrupted=False).deterministic == repeats


@pytest.mark.parametrize(
    ("status", "seconds", "interrupted", "repeats"),
    [
        (cp_model.FEASIBLE, 8.9, False, True),
        (cp_model.FEASIBLE, 9.0, False, False),  # nine tenths of its wall limit
        (cp_model.UNKNOWN, 9.0, False, False),
        (cp_model.OPTIMAL, 9.5, False, True),
        (cp_model.INFEASIBLE, 9.5, False, True),
        (cp_model.OPTIMAL, 0.0, True, False),
        (cp_model.FEASIBLE, 0.0, True, False),
    ],
)
def test_what_the_clock_or_the_user_cut_short_does_not_repeat(
    status: int, seconds: float, interrupted: bool, repeats: bool
) -> None:
    run, options = cp_run(status, seconds), SolverOptions(wall_s=10)
    read = solver._answer(run, [], options, interrupted=interrupted)
    assert read.deterministic == repeats


def test_a_run_that_failed_gives_no_answer() -> None:
    with pytest.raises(ZeroDivisionError):
        solver._answer(
            cp_run(None, error=ZeroDivisionError()), [], SolverOptions(), interrupted=False
        )
    for status in (None, int(cp_model.MODEL_INVALID)):
        with pytest.raises(CheckError, match="solver model"):
            solver._answer(cp_run(status), [], SolverOptions(), interrupted=False)


def mip_run(reason: Any, *, primal: bool = True, error: Exception | None = None) -> Any:
    """A MathOpt run that has ended so, with 2.9999999 and a bound of 2.5."""
    bounds = SimpleNamespace(dual_bound=2.5)
    result = SimpleNamespace(
        termination=SimpleNamespace(reason=reason, detail="why", objective_bounds=bounds),
        has_primal_feasible_solution=lambda: primal,
        variable_values=lambda variables: [2.9999999 for _ in variables],
    )
    return SimpleNamespace(thread=SimpleNamespace(error=error), result=result, seconds=1.0)


@pytest.mark.parametrize(
    ("reason", "primal", "status", "values", "repeats"),
    [
        (mathopt.TerminationReason.OPTIMAL, True, "optimal", (3,), True),
        (mathopt.TerminationReason.FEASIBLE, True, "feasible", (3,), False),
        (mathopt.TerminationReason.FEASIBLE, False, "feasible", None, False),
        (mathopt.TerminationReason.INFEASIBLE, True, "infeasible", None, True),
        (mathopt.TerminationReason.NO_SOLUTION_FOUND, True, "none", None, False),
    ],
)
def test_a_float_solver_s_values_are_rounded(
    reason: Any, primal: bool, status: str, values: tuple[int, ...] | None, repeats: bool
) -> None:
    read = solver._mip_answer(mip_run(reason, primal=primal), ["x"])
    assert (read.status, read.values, read.bound) == (status, values, 3)
    assert read.deterministic == repeats


def test_a_float_solver_that_failed_gives_no_answer() -> None:
    with pytest.raises(ZeroDivisionError):
        solver._mip_answer(
            mip_run(mathopt.TerminationReason.OPTIMAL, error=ZeroDivisionError()), []
        )
    with pytest.raises(CheckError, match="unbounded: why"):
        solver._mip_answer(mip_run(mathopt.TerminationReason.UNBOUNDED), [])
    run = mip_run(mathopt.TerminationReason.OPTIMAL)
    run.result = None
    with pytest.raises(CheckError, match="ended without a result"):
        solver._mip_answer(run, [])


# -- certificates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "proven"),
    [
        ("optimal (bound)", True),
        ("optimal (solver)", True),
        ("feasible", False),
        ("heuristic", False),
    ],
)
def test_what_is_proven(status: Status, proven: bool) -> None:
    assert Certificate("slots", 10, 8, status).proven == proven
    assert Certificate("slots", 10, 8, status).gap == pytest.approx(0.2)
    assert Certificate("slots", 0, 0, status).gap == 0.0
    assert Certificate("slots", 1, 0, status).gap == 1.0
    given = Certificate("slots", 10, 8, status)
    assert (given.seconds, given.seed, given.deterministic) == (0.0, 0, True)


@pytest.mark.parametrize(
    ("value", "bound", "placer", "status"),
    [
        (5, 5, "cp-sat", "optimal (solver)"),
        (5, 5, "squares", "optimal (bound)"),
        (5, 4, "cp-sat", "feasible"),
        (5, 4, "squares", "heuristic"),
    ],
)
def test_who_proves_a_placement(value: int, bound: int, placer: Any, status: str) -> None:
    given = Certificate("packets x hops", value, bound, "heuristic")
    assert with_status(given, placer).status == status


# -- groupings -----------------------------------------------------------------------------------


def pairs() -> GroupingProblem:
    """Four experts in two pairs; 0 and 1 are never used together, and nor are 2 and 3."""
    chosen = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]] * 2, dtype=np.bool_)
    chosen[:, 0] |= chosen[:, 0]
    return replace(grouping_problem(chosen, [(0, 4), (4, 8)], 2), replicas=1)


def held(*groups: tuple[int, ...]) -> np.ndarray:
    """Which group holds which of four experts."""
    out = np.zeros((4, len(groups)), dtype=np.bool_)
    for g, group in enumerate(groups):
        out[list(group), g] = True
    return out


def start_of(problem: GroupingProblem, bound: int = 0, more: int = 0) -> Start:
    """Experts 0 and 2, 1 and 3; said to cost so much more than it does."""
    assignment = np.array([0, 1, 0, 1])
    return Start(assignment, (), cost(problem, assignment, ()) + more, bound)


def taken(
    given: np.ndarray | None,
    told: SolverAnswer,
    *,
    more: int = 1,
    bound: int = 0,
    problem: GroupingProblem | None = None,
    watch: Watch | None = None,
) -> Any:
    of = problem or pairs()
    return accept(of, start_of(of, bound, more), told, given, watch or Watch(), "any")


def test_an_answer_is_taken_where_it_is_no_worse() -> None:
    problem = pairs()
    other = held((0, 3), (1, 2))
    value = cost(problem, np.array([0, 1, 1, 0]), ())
    assert (
        value == start_of(problem).value
    )  # 2 slots in each of 2 windows: 8 pairs each, two groups
    for more, expected in ((1, [0, 1, 1, 0]), (0, [0, 1, 1, 0]), (-1, [0, 1, 0, 1])):
        assert taken(other, answer(), more=more).assignment.tolist() == expected


@pytest.mark.parametrize(
    "given",
    [
        held((0, 1, 2), (3,)),  # three in a pair
        held((0, 1), (2,)),  # expert 3 in none
        held((0, 1), (2, 3), ()),  # a group too many
        held((0, 1), (2, 3))[:3],  # an expert too few
        None,
    ],
    ids=["overfull", "left out", "another group", "another expert", "none"],
)
def test_an_answer_that_breaks_a_rule_is_not(given: np.ndarray | None) -> None:
    found = taken(given, answer(), more=100)  # though any would be better than what is at hand
    assert found.assignment.tolist() == [0, 1, 0, 1]
    assert found.replicas == ()


def test_as_many_copies_as_were_asked_for_and_no_more() -> None:
    """Five places of experts are one copy more; a size of three leaves room for two."""
    problem = replace(pairs(), size=3)
    once, twice = held((0, 1, 2), (2, 3)), held((0, 1, 2), (1, 2, 3))
    assert taken(once, answer(), more=100, problem=problem).replicas == ((2, 1),)
    assert taken(twice, answer(), more=100, problem=problem).replicas == ()


@pytest.mark.parametrize(
    ("told", "ours", "bound", "status"),
    [
        (None, 0, 0, "feasible"),
        (1, 0, 1, "feasible"),
        (0, 1, 1, "feasible"),  # the higher of both
        (8, 0, 8, "optimal (solver)"),
        (9, 3, 3, "feasible"),  # above the value at hand: no bound
    ],
)
def test_a_bound_counts_up_to_the_value(
    told: int | None, ours: int, bound: int, status: str
) -> None:
    of = pairs()
    assert cost(of, np.array([0, 1, 0, 1]), ()) == 8
    found = taken(None, answer(bound=told), more=0, bound=ours)
    assert (found.bound, found.status) == (bound, status)


def test_a_better_answer_is_noted_with_its_value() -> None:
    found = taken(held((0, 3), (1, 2)), answer(), more=1)
    assert [value for _, value in found.progress] == [8]
    assert taken(None, answer()).progress == ()


def test_what_the_clock_cut_does_not_repeat() -> None:
    assert taken(None, answer()).deterministic
    assert not taken(None, answer(deterministic=False)).deterministic
    assert not taken(None, answer(), watch=Watch(cut=True)).deterministic
    assert taken(None, answer(), watch=Watch(interrupted=True)).interrupted


def test_a_grouping_that_is_at_hand_is_not_infeasible() -> None:
    with pytest.warns(RuntimeWarning, match="please report"):
        found = taken(None, answer(status="infeasible"))
    assert found.assignment.tolist() == [0, 1, 0, 1]


# -- stacks --------------------------------------------------------------------------------------


def three(*, limit: int = 2, budget: int = 5, together: int = 2) -> StackProblem:
    """Three fire groups of 3, 2 and 2 PGs, each a crossbar deep; two compute in the same bin."""
    members = Member(0, 0, 0), Member(0, 0, 1), Member(1, 0, 0)
    candidates = tuple(Candidate(of, pgs, 1) for of, pgs in zip(members, (3, 2, 2), strict=True))
    busy = np.array([[6, 0], [5, 1], [0, 9]], dtype=np.int64)
    return StackProblem(candidates, busy, 10, limit, budget, together)


def stacking_of(problem: StackProblem, *stacks: tuple[int, ...]) -> Stacking:
    return Stacking(tuple(tuple(problem.candidates[i].member for i in stack) for stack in stacks))


def test_stacks_are_counted_from_their_definition() -> None:
    """3 PGs for a stack of 3 and 2, 2 for the other; of 10 ps 6 x 5 / 10 ps meet."""
    problem = three()
    assert pgs_of(problem, [[0, 1], [2]]) == 5
    assert met_in(problem, [[0, 1], [2]]) == 3
    assert met_in(problem, [[1, 2], [0]]) == 0  # 1 x 9 / 10, in whole ps
    assert met_in(problem, [[0], [1], [2]]) == 0


def test_stacks_exactly_at_their_limits_pass() -> None:
    problem = three()
    check_stacks(problem, [[0, 1], [2]], stacking_of(problem, (0, 1)))
    check_stacks(problem, [[0, 2], [1]], stacking_of(problem, (0, 2)))  # two layers together


@pytest.mark.parametrize(
    ("changes", "stacks", "check"),
    [
        ({"budget": 4}, [[0, 1], [2]], "PGs of stacks"),
        ({"limit": 1}, [[0, 1], [2]], "crossbars behind a PG"),
        ({"together": 1}, [[0, 2], [1]], "layers in a region"),
        ({}, [[0, 1]], "each fire group once"),
        ({}, [[0, 1], [2], [2]], "each fire group once"),
    ],
)
def test_stacks_one_beyond_a_limit_do_not(
    changes: dict[str, int], stacks: list[list[int]], check: str
) -> None:
    problem = three(**changes)
    several = [tuple(stack) for stack in stacks if len(stack) > 1]
    with pytest.raises(CheckError, match=check):
        check_stacks(problem, stacks, stacking_of(problem, *several))


@pytest.mark.parametrize(
    ("value", "bound", "by_solver", "status"),
    [
        (0, 0, True, "optimal (bound)"),
        (3, 3, False, "optimal (bound)"),
        (3, 3, True, "optimal (solver)"),
        (3, 2, True, "feasible"),
        (3, 2, False, "heuristic"),
    ],
)
def test_who_proves_stacks(value: int, bound: int, by_solver: bool, status: str) -> None:
    found = replace(Found([]), bound=bound, by_solver=by_solver)
    assert status_of_stacks(found, value) == status


# -- slot orders ---------------------------------------------------------------------------------

COUNTS = np.array([[1, 0], [0, 2], [1, 1]])
TABLE = np.array([[0, 1], [2, 1], [-1, 2]])


def test_a_table_of_every_turn_passes() -> None:
    assert check_table(TABLE, COUNTS) is None
    assert check_table(np.vstack([TABLE, [[-1, -1]]]), COUNTS) is None  # a slot in which all idle


@pytest.mark.parametrize(
    ("slot", "group", "token", "wrong"),
    [
        (0, 0, 2, "token 0 has 0 turns in group 0, expected 1"),
        (2, 0, 0, "token 0 has 2 turns in group 0, expected 1"),
        (2, 1, -1, "token 2 has 0 turns in group 1, expected 1"),
        (0, 0, 3, "a token outside -1 to 2"),
        (0, 0, -2, "a token outside -1 to 2"),
    ],
)
def test_a_table_with_a_turn_of_another_does_not(
    slot: int, group: int, token: int, wrong: str
) -> None:
    table = TABLE.copy()
    table[slot, group] = token
    assert check_table(table, COUNTS) == wrong


@pytest.mark.parametrize("table", [TABLE[:, :1], TABLE.ravel(), TABLE[:, [0, 1, 1]]])
def test_a_table_of_other_groups_does_not(table: np.ndarray) -> None:
    assert str(check_table(table, COUNTS)).startswith("shape")


@pytest.mark.parametrize(
    ("counts", "wrong"),
    [([1, 2], "1 dimensions"), ([[0.5]], "type float64"), ([[0, -1]], "token 0, group 1: -1")],
)
def test_counts_are_integers_from_zero_up(counts: Any, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        check_counts(counts)


def test_counts_of_nothing_are_counts() -> None:
    assert check_counts([[0, 3]]).tolist() == [[0, 3]]
    assert check_counts(np.zeros((0, 2))).shape == (0, 2)


IDLE = np.array([[0, -1], [2, 1], [-1, 1], [-1, 2]])  # 5 transfers
BETTER = np.array([[0, 1], [2, 2], [-1, 1], [-1, -1]])  # 4
BEST = np.array([[0, -1], [2, 2], [-1, 1], [-1, 1]])  # as many slots; 0, 2, 1, 1: 4


def solved(table: np.ndarray, **given: Any) -> Solved:
    return Solved(table, given.pop("bound", 3), **given)


def test_a_better_table_is_taken_and_a_wrong_one_not() -> None:
    start = solved(IDLE)
    assert (start.transfers, solved(BEST).transfers, solved(BETTER).transfers) == (5, 4, 4)
    assert improved(COUNTS, start, BETTER).table is BETTER
    assert improved(COUNTS, solved(BETTER), IDLE).table is BETTER
    assert improved(COUNTS, start, TABLE) is start  # of another number of slots
    wrong = BETTER.copy()
    wrong[0, 0] = -1
    assert improved(COUNTS, start, wrong) is start


@pytest.mark.parametrize(
    ("told", "bound"),
    [(None, 3), (2, 3), (4, 4), (5, 3)],  # of 4 transfers none can be told to need 5
)
def test_a_bound_that_a_table_contradicts_is_none(told: int | None, bound: int) -> None:
    found = judged(COUNTS, solved(IDLE), BETTER, answer(bound=told))
    assert found.table is BETTER
    assert found.solver_bound == bound


def test_nothing_is_known_of_a_table_that_no_solver_was_asked_about() -> None:
    plain = Solved(BETTER, 3)
    assert (plain.solver_bound, plain.solver_slots, plain.deterministic) == (0, 0, True)
    assert judged(COUNTS, Solved(IDLE, 0), BETTER, answer()).solver_bound == 0


def test_what_either_cut_short_does_not_repeat() -> None:
    for mine, told in ((True, True), (True, False), (False, True)):
        start = solved(IDLE, deterministic=mine)
        found = judged(COUNTS, start, BETTER, answer(deterministic=told))
        assert found.deterministic == (mine and told)


@pytest.mark.parametrize(
    ("bound", "solver_bound", "solver_slots", "least", "status"),
    [
        (4, 0, 0, 4, "optimal (bound)"),
        (4, 0, 0, 3, "heuristic"),  # fewer slots may do
        (4, 0, 4, 3, "optimal (solver)"),  # but the solver says that they do not
        (3, 4, 0, 4, "optimal (solver)"),
        (3, 3, 0, 4, "feasible"),
        (3, 0, 0, 4, "heuristic"),
        (3, 4, 5, 3, "feasible"),
    ],
)
def test_who_proves_a_slot_order(
    bound: int, solver_bound: int, solver_slots: int, least: int, status: str
) -> None:
    found = solved(BETTER, bound=bound, solver_bound=solver_bound, solver_slots=solver_slots)
    assert found.status(least) == status
    assert found.proven == (4 in (bound, solver_bound))


# -- dies ----------------------------------------------------------------------------------------

TWO_DIES = topology_of(Dies(1, topology="ring"), 2)


def two_items(capacity: int = 10) -> DieProblem:
    """Two items of 5 um2 of one layer; 7 bytes from first to second, 2 from that to both."""
    items = Item(0, 5), Item(0, 5)
    return DieProblem(items, {0: 0}, capacity, (Flow(0, 1, 7),), (Cast(1, (0, 1), 2),))


def assigned(
    monkeypatch: pytest.MonkeyPatch, die: list[int], bound: int = 0, capacity: int = 10
) -> Certificate:
    """What is said of an assignment that a search is made to find."""
    found = of_dies._Found(np.array(die), "search", bound, True)
    monkeypatch.setattr(of_dies, "_found", lambda *_: found)
    return assign(two_items(capacity), TWO_DIES, DieOptions("search")).certificate


def test_dies_are_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert assigned(monkeypatch, [0, 0]).value == 0
    assert assigned(monkeypatch, [0, 1]).value == 9
    assert assigned(monkeypatch, [0, 1], bound=9).status == "optimal (solver)"
    assert assigned(monkeypatch, [0, 1], bound=8).status == "feasible"
    assert assigned(monkeypatch, [0, 1]).status == "heuristic"
    assert assigned(monkeypatch, [0, 0]).status == "optimal (bound)"
    assert assigned(monkeypatch, [0, 1], bound=8).bound == 8


def test_a_bound_above_the_value_of_dies_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckError, match="10 above 9"):
        assigned(monkeypatch, [0, 1], bound=10)


def test_a_die_with_more_than_it_has_room_for_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckError, match="room of dies"):
        assigned(monkeypatch, [0, 0], capacity=9)


def test_items_that_cannot_be_on_dies_are_refused() -> None:
    items = two_items()
    with pytest.raises(InfeasibleError, match=r"for item 0 .* alone"):
        assign(two_items(4), TWO_DIES, DieOptions("search"))
    three = replace(two_items(5), items=(Item(0, 5), Item(0, 5), Item(0, 5)))
    with pytest.raises(InfeasibleError, match="3"):
        assign(three, TWO_DIES, DieOptions("search"))
    with pytest.raises(InputError):
        assign(replace(items, flows=(Flow(0, 2, 7),)), TWO_DIES, DieOptions("search"))
    assert 0 <= assign(items, TWO_DIES, DieOptions("search")).certificate.seconds < 60


def test_a_dies_search_that_needs_all_dies_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for one item a die: two dies are needed, and there are two."""
    assert assigned(monkeypatch, [0, 1], capacity=5).value == 9


def test_links_of_every_net() -> None:
    """Of two dies: the flow and the cast go over the one link, or over none."""
    problem, before = two_items(), before_of(TWO_DIES)
    for die, links in (([0, 1], [1, 1]), ([0, 0], [0, 0]), ([1, 0], [1, 1]), ([1, 1], [0, 0])):
        assert links_of(problem, before, np.array(die)).tolist() == links
    nothing = DieProblem((), {}, 1, (), ())
    assert links_of(nothing, before, np.zeros(0, dtype=np.int64)).tolist() == []


def test_bytes_that_may_be_no_64_bit_number_over_links_are_refused() -> None:
    """Over two dies at most 2^62 - 1 in all: 2^61 - 1 bytes pass."""
    before, die = before_of(TWO_DIES), np.array([0, 1])
    most = replace(two_items(), flows=(Flow(0, 1, 2**61 - 1),), casts=())
    assert links_of(most, before, die).tolist() == [1]
    more = replace(most, flows=(Flow(0, 1, 2**61),))
    alone = before_of(topology_of(Dies(1, topology="ring"), 1))  # where no byte goes over a link
    assert links_of(more, alone, np.zeros_like(die)).tolist() == [0]
    with pytest.raises(InputError, match="64 bits"):
        links_of(more, before, die)


@pytest.mark.parametrize("die", [[0, 2], [-1, 0], [0], [0, 1, 1]])
def test_dies_that_are_not_there_are_a_fault(die: list[int]) -> None:
    with pytest.raises(CheckError, match="expected dies 0 to 1"):
        links_of(two_items(), before_of(TWO_DIES), np.array(die))


# -- residents -----------------------------------------------------------------------------------


def residents(room: int = 2) -> ResidentProblem:
    """Three experts used 5, 3 and 2 times, two of which may stay; a token with all, two with 0."""
    member, start = np.array([0, 1, 2, 0]), np.array([0, 3, 4])
    of = Room(np.zeros(3, dtype=np.int64), np.ones(3, dtype=np.int64), np.array([room]))
    uses, count = np.array([5, 3, 2]), np.array([1, 2])
    return ResidentProblem(of, np.zeros(3, dtype=np.int64), uses, member, start, count)


KEPT = np.array([True, False, True])  # 3 misses, one stall


def known(value: int, bound: int = 0, objective: str = "misses") -> Certificate:
    return Certificate(objective, value, bound, "heuristic")


@pytest.mark.parametrize(
    ("values", "bound", "before", "value", "least", "status", "kept"),
    [
        ((1, 1, 0), 2, 3, 2, 2, "optimal (solver)", [1, 1, 0]),
        ((1, 1, 0), 1, 3, 2, 1, "feasible", [1, 1, 0]),
        ((1, 0, 1), 1, 3, 3, 1, "feasible", [1, 0, 1]),  # as good
        ((0, 1, 1), 1, 3, 3, 1, "feasible", [1, 0, 1]),  # 5 misses: worse than before
    ],
)
def test_residents_that_are_better_are_taken(
    values: tuple[int, ...],
    bound: int,
    before: int,
    value: int,
    least: int,
    status: str,
    kept: list[int],
) -> None:
    found, told = choose._better(residents(), KEPT, known(before), answer(values, bound))
    assert (told.value, told.bound, told.status) == (value, least, status)
    assert found.astype(int).tolist() == kept


def test_residents_that_are_as_good_are_taken() -> None:
    """0 and 1 kept or 0 and 2: one token waits."""
    given = answer((1, 1, 0), 1)
    found, told = choose._better(residents(), KEPT, known(1, objective="stalls"), given)
    assert found.tolist() == [True, True, False]
    assert (told.value, told.status) == (1, "optimal (solver)")


def test_residents_without_an_answer_stay() -> None:
    for given in (answer(None, 2), answer((1, 1, 0), None)):
        found, told = choose._better(residents(), KEPT, known(3), given)
        assert found is KEPT
        assert told == known(3)
    assert not choose._better(residents(), KEPT, known(3), answer(deterministic=False))[
        1
    ].deterministic


def test_the_higher_of_two_bounds_holds() -> None:
    told = choose._better(residents(), KEPT, known(3, bound=2), answer((1, 1, 0), 1))[1]
    assert (told.bound, told.status) == (2, "optimal (solver)")


@pytest.mark.parametrize(
    ("room", "values", "bound", "before"),
    [
        (1, (1, 1, 0), 0, 3),  # no room for two
        (2, (1, 1, 0), 3, 3),  # costs 2, and none should cost less than 3
        (2, (0, 1, 1), 4, 3),  # costs 5, but one of 3 is known
    ],
)
def test_residents_that_cannot_be_are_a_fault(
    room: int, values: tuple[int, ...], bound: int, before: int
) -> None:
    with pytest.raises(CheckError, match="does not hold"):
        choose._better(residents(room), KEPT, known(before), answer(values, bound))


@pytest.mark.parametrize(
    ("room", "proven", "before", "fault"),
    [(2, True, 1, False), (2, False, 1, False), (2, True, 0, True), (1, True, 1, True)],
)
def test_an_exact_search_is_no_worse_and_fits(
    monkeypatch: pytest.MonkeyPatch, room: int, proven: bool, before: int, fault: bool
) -> None:
    """0 and 2 kept: the token with all three waits, the two with 0 do not."""
    monkeypatch.setattr(choose, "search_pool", lambda *_: Searched(KEPT, proven))
    given = known(before, objective="stalls")
    if fault:
        with pytest.raises(CheckError, match="more than"):
            choose._exactly(residents(room), KEPT, given, 1)
        return
    _, told = choose._exactly(residents(room), KEPT, given, 1)
    assert (told.value, told.bound) == (1, 1 if proven else 0)
    assert told.status == ("optimal (solver)" if proven else "heuristic")

"""The solver door: what it reads, what it repeats, how it stops."""

import os
import signal
from typing import Any

import pytest

from compiler import solver
from compiler.options import SolverOptions
from compiler.solver import SolveInterrupted, cp_model, solve
from ir.errors import CheckError, InputError


def knapsack() -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    """Maximise 3x + 5y with x + 2y <= 4, x <= 3, y <= 1: x = 2, y = 1 gives 11; x = 3, y = 0: 9."""
    model = cp_model.CpModel()
    x, y = model.new_int_var(0, 3, "x"), model.new_int_var(0, 1, "y")
    model.add(x + 2 * y <= 4)
    model.maximize(3 * x + 5 * y)
    return model, [x, y]


def hard(n: int = 9, m: int = 9) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    """Multi-way number partitioning with a spread that one worker does not close in seconds."""
    model = cp_model.CpModel()
    sizes = [(7919 * (i + 3) ** 2) % 10007 + 5000 for i in range(n * m)]
    x = [[model.new_bool_var(f"x{i}.{g}") for g in range(m)] for i in range(n * m)]
    for row in x:
        model.add_exactly_one(row)
    top = model.new_int_var(0, sum(sizes), "top")
    low = model.new_int_var(0, sum(sizes), "low")
    for g in range(m):
        load = sum(size * row[g] for size, row in zip(sizes, x, strict=True))
        model.add(load <= top)
        model.add(load >= low)
    model.minimize(7 * top - 5 * low)
    return model, [v for row in x for v in row]


def test_optimal_values_and_bound() -> None:
    answer = solve(*knapsack(), SolverOptions())
    assert (answer.status, answer.values, answer.bound) == ("optimal", (2, 1), 11)
    assert answer.deterministic


def test_minimising_bound_is_rounded_up() -> None:
    # 2x >= 3 in integers: x = 2, though the relaxation says 1.5.
    model = cp_model.CpModel()
    x = model.new_int_var(0, 9, "x")
    model.add(2 * x >= 3)
    model.minimize(x)
    answer = solve(model, [x], SolverOptions())
    assert (answer.status, answer.values, answer.bound) == ("optimal", (2,), 2)


def test_infeasible_model_has_no_values() -> None:
    model = cp_model.CpModel()
    x = model.new_int_var(0, 3, "x")
    model.add(x >= 4)
    answer = solve(model, [x], SolverOptions())
    assert (answer.status, answer.values, answer.bound) == ("infeasible", None, None)


def test_no_objective_has_no_bound() -> None:
    model = cp_model.CpModel()
    x = model.new_int_var(2, 2, "x")
    answer = solve(model, [x], SolverOptions())
    assert (answer.status, answer.values, answer.bound) == ("optimal", (2,), None)


def test_a_limit_before_the_first_solution_reads_nothing() -> None:
    answer = solve(*hard(), SolverOptions(time_s=1e-9))
    assert (answer.status, answer.values, answer.bound) == ("none", None, None)


def test_time_limit_ends_with_a_feasible_answer_and_a_bound_below_it() -> None:
    model, variables = hard()
    answer = solve(model, variables, SolverOptions(time_s=0.5))
    assert answer.status == "feasible" and answer.values is not None
    assert len(answer.values) == 81 * 9 and set(answer.values) == {0, 1}
    assert answer.bound is not None
    assert answer.deterministic and answer.seconds < 10


@pytest.mark.parametrize("workers", [1, 3])
def test_repeats_exactly(workers: int) -> None:
    options = SolverOptions(time_s=0.2, workers=workers, seed=3)
    first, second = (solve(*hard(5, 5), options) for _ in range(2))
    assert first.values is not None
    assert (first.values, first.bound) == (second.values, second.bound)
    assert first.deterministic and second.deterministic


def test_wall_limit_is_marked_as_not_repeatable() -> None:
    answer = solve(*hard(), SolverOptions(time_s=1e6, wall_s=0.3))
    assert not answer.deterministic
    assert answer.seconds < 5


def test_a_limit_of_work_is_marked_as_not_repeatable() -> None:
    answer = solve(*hard(), SolverOptions(time_s=1e6, cpu_s=0.3))
    assert not answer.deterministic
    assert answer.seconds < 20


def test_a_rejected_model_is_our_fault() -> None:
    model = cp_model.CpModel()
    x = model.new_int_var(0, 2**62, "x")
    y = model.new_int_var(0, 2**62, "y")
    model.add(4 * x + 4 * y <= 2**62)  # the sum leaves 64 bits
    with pytest.raises(CheckError, match="solver model"):
        solve(model, [x, y], SolverOptions())


def test_interrupt_stops_the_search_and_keeps_the_best_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupting(solver._Progress):
        """Sends Ctrl-C when there is a first answer."""

        def on_solution_callback(self) -> None:
            super().on_solution_callback()
            if len(self.points) == 1:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(solver, "_Progress", Interrupting)
    with pytest.raises(SolveInterrupted) as caught:
        solve(*hard(), SolverOptions(time_s=1e6, wall_s=60))
    answer = caught.value.answer
    assert answer.seconds < 50  # stopped, not run to its limit
    assert answer.status == "feasible" and answer.values is not None
    assert not answer.deterministic
    assert isinstance(caught.value, KeyboardInterrupt)  # unhandled, it ends the run


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_s", 0.0),
        ("time_s", float("nan")),
        ("wall_s", -1.0),
        ("cpu_s", 0.0),
        ("workers", 0),
        ("seed", -1),
    ],
)
def test_options_are_checked(field: str, value: float) -> None:
    option: dict[str, Any] = {field: value}
    with pytest.raises(InputError, match=field):
        SolverOptions(**option)

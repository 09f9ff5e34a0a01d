"""The door to OR-Tools: every CP-SAT or MathOpt model of this project is solved here.

Linear programs and assignments have their own (`compiler.linear`).

It keeps four promises. A value is read only where the solver says it has one. The default (one
worker, a limit in deterministic time) gives the same answer on every run and machine. A running
solve can be interrupted. The bound is an integer, rounded to the side on which it stays true.
The caller still re-checks the answer in exact integers against its own definition.

HiGHS and SCIP (`solve_mip`) compute in floats and know no deterministic time: their answers are
rounded and re-checked, their bounds rounded to the safe side, and a solve that its clock cut short
says that it does not repeat.
"""

import datetime
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ortools.math_opt.python import mathopt  # type: ignore[import-untyped]  # ships no stubs
from ortools.sat.python import cp_model

from compiler.options import SolverOptions
from ir.errors import CheckError

__all__ = [
    "MipSolver",
    "SolveInterrupted",
    "SolverAnswer",
    "cp_model",
    "mathopt",
    "solve",
    "solve_mip",
]

MipSolver = Literal["highs", "scip"]
AnswerStatus = Literal["optimal", "feasible", "infeasible", "none"]

_STATUS: dict[int, AnswerStatus] = {
    int(cp_model.OPTIMAL): "optimal",
    int(cp_model.FEASIBLE): "feasible",
    int(cp_model.INFEASIBLE): "infeasible",
    int(cp_model.UNKNOWN): "none",
}
_INTERLEAVE_BATCH = 8  # fixed, so that the order of work does not follow the number of workers
_LOOK_S = 0.2  # between two looks at a running solve
_WALL_MARGIN = 0.9  # CP-SAT stops a little before its wall limit when it expects to overrun it
_STOP_S = 1.5  # from Ctrl-C; CP-SAT does not look up while it takes a large model over
_TOLERANCE, _FLOAT = 1e-6, 2.0**-50  # absolute, relative: the bound is a float of an integer
_MIP_TOLERANCE = 1e-4  # relative and absolute: rows of a MIP may be missed by 1e-6 each
_MIP_TYPE = {"highs": mathopt.SolverType.HIGHS, "scip": mathopt.SolverType.GSCIP}
_MIP_STATUS: dict[mathopt.TerminationReason, AnswerStatus] = {
    mathopt.TerminationReason.OPTIMAL: "optimal",
    mathopt.TerminationReason.FEASIBLE: "feasible",
    mathopt.TerminationReason.INFEASIBLE: "infeasible",
    mathopt.TerminationReason.NO_SOLUTION_FOUND: "none",
}


@dataclass(frozen=True)
class SolverAnswer:
    """What one solve found.

    values: one integer per variable asked for, None unless status is optimal or feasible. bound: a
    proven bound on the objective (below it when minimising, above when maximising), None without
    an objective or an answer. deterministic: whether the same call gives the same answer again.
    progress: (seconds, objective) of every better answer; the objective as the solver counts it.
    """

    status: AnswerStatus
    values: tuple[int, ...] | None
    bound: int | None
    seconds: float
    deterministic: bool
    progress: tuple[tuple[float, int], ...] = ()


class SolveInterrupted(KeyboardInterrupt):
    """Ctrl-C during a solve; `answer` is the best found until then.

    A KeyboardInterrupt: a caller that does not handle it stops the whole run, as the user asked;
    one that has finished work to save catches this class, saves, and raises it again.
    """

    def __init__(self, answer: SolverAnswer) -> None:
        super().__init__()
        self.answer = answer


def solve(
    model: cp_model.CpModel,
    variables: Sequence[cp_model.IntVar],
    options: SolverOptions,
    *,
    relax: bool = False,
) -> SolverAnswer:
    """Solve `model` and read `variables`; an objective must have integer coefficients.

    relax: with a linear relaxation of all constraints, worth its time where they are long sums.
    Raises SolveInterrupted on Ctrl-C (the search is stopped first, mostly in well under a second;
    one that does not stop is left behind, without an answer), and CheckError if CP-SAT rejects the
    model, which is a fault of the code that built it.
    """
    solver = _configured(options)
    if relax:
        solver.parameters.linearization_level = 2
    run = _Run(solver, model)
    try:
        run.wait(options.most_s)
    except KeyboardInterrupt:
        answer = SolverAnswer("none", None, None, run.seconds, deterministic=False)
        if run.stop():
            answer = _answer(run, variables, options, interrupted=True)
        raise SolveInterrupted(answer) from None
    return _answer(run, variables, options, interrupted=False)


def _configured(options: SolverOptions) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.max_deterministic_time = options.time_s
    parameters.max_time_in_seconds = options.wall_s
    parameters.random_seed = options.seed
    parameters.num_workers = options.workers
    parameters.catch_sigint_signal = False  # Python's handler must see Ctrl-C
    if options.workers > 1:
        parameters.interleave_search = True
        parameters.interleave_batch_size = _INTERLEAVE_BATCH
    return solver


class _Thread:
    """A call in a thread of its own, because a running solve keeps Ctrl-C from Python."""

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self.call = call
        self.error: Exception | None = None
        # An event, not Thread.join: join interrupted by Ctrl-C takes the thread for dead (3.11).
        self.ended = threading.Event()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        try:
            self.call()
        except Exception as error:  # handed to the caller's thread
            self.error = error
        finally:
            self.ended.set()

    def wait(self) -> None:
        """Return when the call has ended."""
        while not self.ended.wait(_LOOK_S):
            pass


class _Progress(cp_model.CpSolverSolutionCallback):
    """Notes when CP-SAT found which objective."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[tuple[float, int]] = []

    def on_solution_callback(self) -> None:
        """Called by CP-SAT for every better answer."""
        self.points.append((float(self.wall_time), round(self.objective_value)))


class _Run:
    """One CP-SAT solve."""

    def __init__(self, solver: cp_model.CpSolver, model: cp_model.CpModel) -> None:
        self.solver = solver
        self.model = model
        self.status: int | None = None
        self.progress = _Progress()
        self.begun, self.begun_cpu = time.perf_counter(), time.process_time()
        self.cut = False
        self.thread = _Thread("cp-sat", self._solve)

    def _solve(self) -> None:
        self.status = int(self.solver.solve(self.model, self.progress))

    def wait(self, cpu_s: float) -> None:
        """Return when it has ended; after so many seconds of this process's work it is stopped."""
        while not self.thread.ended.wait(_LOOK_S):
            if time.process_time() - self.begun_cpu > cpu_s:
                self.cut = True
                self.solver.stop_search()

    def stop(self) -> bool:
        """End the solve, and whether it has: asked again, for a stop may come too early for it."""
        end = time.perf_counter() + _STOP_S
        while not self.thread.ended.wait(0.05):
            if time.perf_counter() > end:
                return False
            self.solver.stop_search()
        return True

    @property
    def seconds(self) -> float:
        """Time since the solve began."""
        return time.perf_counter() - self.begun


def _answer(
    run: _Run, variables: Sequence[cp_model.IntVar], options: SolverOptions, *, interrupted: bool
) -> SolverAnswer:
    """Read what is there to read; nothing is asked of the solver when it found no solution."""
    if run.thread.error is not None:
        raise run.thread.error
    status = _STATUS.get(int(cp_model.MODEL_INVALID) if run.status is None else run.status)
    if status is None:
        raise CheckError("solver model", run.model.name or "model", run.model.validate().strip())
    solver = run.solver
    seconds = float(solver.wall_time)
    found = status in ("optimal", "feasible")
    late = run.cut or seconds >= _WALL_MARGIN * options.wall_s
    cut = status in ("feasible", "none") and late
    return SolverAnswer(
        status=status,
        values=tuple(int(solver.value(v)) for v in variables) if found else None,
        bound=_safe_bound(run) if found else None,
        seconds=seconds,
        deterministic=not (cut or interrupted),
        progress=tuple(run.progress.points),
    )


def _safe_bound(run: _Run) -> int | None:
    """Round the objective's bound to an integer: up when minimising, down when maximising."""
    if not run.model.has_objective():
        return None
    bound = float(run.solver.best_objective_bound)
    if not math.isfinite(bound):
        return None
    maximising = run.model.proto.objective.scaling_factor < 0
    tolerance = max(_TOLERANCE, abs(bound) * _FLOAT)
    return math.floor(bound + tolerance) if maximising else math.ceil(bound - tolerance)


def solve_mip(
    model: mathopt.Model,
    variables: Sequence[mathopt.Variable],
    solver: MipSolver,
    options: SolverOptions,
    hint: dict[mathopt.Variable, float] | None = None,
) -> SolverAnswer:
    """Solve a minimisation with integer objective by HiGHS or SCIP and read `variables`, rounded.

    `time_s` is wall time here. Raises SolveInterrupted on Ctrl-C, without an answer: HiGHS takes no
    interrupter and SCIP's prints errors (9.15), so the search is left behind until its own limit.
    """
    parameters = mathopt.SolveParameters(
        time_limit=datetime.timedelta(seconds=min(options.time_s, options.wall_s)),
        threads=1 if solver == "scip" else None,  # HiGHS takes none; it runs its search on one
        random_seed=options.seed,
        relative_gap_tolerance=0.0,
        absolute_gap_tolerance=0.5,  # less than one slot: the objective is an integer
    )
    hints = [mathopt.SolutionHint(variable_values=hint)] if hint else []
    run = _MipRun(model, solver, parameters, mathopt.ModelSolveParameters(solution_hints=hints))
    try:
        run.thread.wait()
    except KeyboardInterrupt:
        answer = SolverAnswer("none", None, None, run.seconds, deterministic=False)
        raise SolveInterrupted(answer) from None
    return _mip_answer(run, variables)


class _MipRun:
    """One MathOpt solve."""

    def __init__(
        self,
        model: mathopt.Model,
        solver: MipSolver,
        parameters: mathopt.SolveParameters,
        model_parameters: mathopt.ModelSolveParameters,
    ) -> None:
        self.arguments = (model, _MIP_TYPE[solver])
        self.parameters = parameters
        self.model_parameters = model_parameters
        self.result: mathopt.SolveResult | None = None
        self.begun = time.perf_counter()
        self.thread = _Thread(solver, self._solve)

    def _solve(self) -> None:
        self.result = mathopt.solve(
            *self.arguments,
            params=self.parameters,
            model_params=self.model_parameters,
        )

    @property
    def seconds(self) -> float:
        """Time since the solve began."""
        return time.perf_counter() - self.begun


def _mip_answer(run: _MipRun, variables: Sequence[mathopt.Variable]) -> SolverAnswer:
    if run.thread.error is not None:
        raise run.thread.error
    result = run.result
    if result is None:
        raise CheckError("solver model", "MathOpt", "ended without a result or an error")
    reason = result.termination.reason
    if reason not in _MIP_STATUS:
        raise CheckError("solver model", reason.name.lower(), result.termination.detail)
    status = _MIP_STATUS[reason]
    values = None
    if status in ("optimal", "feasible") and result.has_primal_feasible_solution():
        values = tuple(round(value) for value in result.variable_values(variables))
    bound = result.termination.objective_bounds.dual_bound
    return SolverAnswer(
        status=status,
        values=values,
        bound=_safe_mip_bound(bound),
        seconds=run.seconds,
        deterministic=status in ("optimal", "infeasible"),
    )


def _safe_mip_bound(bound: float) -> int | None:
    """Round a float lower bound up only past what the solver's tolerances may have added."""
    if not math.isfinite(bound):
        return None
    return math.ceil(bound - _MIP_TOLERANCE * max(1.0, abs(bound) * 1e-2))

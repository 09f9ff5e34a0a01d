"""The door to OR-Tools' linear programs and assignments, which need no search and no limits."""

from collections.abc import Iterable, Sequence

import numpy as np
from ortools.graph.python import linear_sum_assignment  # type: ignore[import-untyped]  # no types
from ortools.linear_solver import pywraplp  # type: ignore[import-untyped] # it has no types

from ir.arrays import Ints
from ir.errors import CheckError


class ColumnProgram:
    """A linear program to minimise whose columns come one by one (column generation), by GLOP.

    It restarts from the last basis. Its numbers are floats: take prices from it, and prove what
    they imply in integers. The same calls give the same prices.
    """

    def __init__(self, rows: Sequence[tuple[float, float]]) -> None:
        """Start without columns; rows: lower and upper limit of each row (math.inf for none)."""
        self._solver = pywraplp.Solver.CreateSolver("GLOP")
        self._rows = [self._solver.Constraint(low, high) for low, high in rows]
        self._columns: list[pywraplp.Variable] = []
        self._cost = self._solver.Objective()
        self._cost.SetMinimization()

    def add(self, cost: float, entries: Iterable[tuple[int, float]]) -> None:
        """Add a column from 0 up; entries: (row, coefficient), each row at most once."""
        column = self._solver.NumVar(0.0, self._solver.infinity(), "")
        self._columns.append(column)
        self._cost.SetCoefficient(column, cost)
        for row, coefficient in entries:
            self._rows[row].SetCoefficient(column, coefficient)

    def solve(self) -> tuple[float, list[float]] | None:
        """Return the least cost and the price of each row, or None without an optimum."""
        if self._solver.Solve() != pywraplp.Solver.OPTIMAL:
            return None
        return float(self._cost.Value()), [float(row.dual_value()) for row in self._rows]

    def amounts(self) -> list[float]:
        """How much of each column the last solution takes."""
        return [float(column.solution_value()) for column in self._columns]


def linear_assignment(costs: Ints) -> Ints:
    """Column of each row of a square table at the least sum: int64 [n]; CheckError past 64 bits."""
    n = len(costs)
    assignment = linear_sum_assignment.SimpleLinearSumAssignment()
    row, column = np.divmod(np.arange(n * n), max(1, n))
    assignment.add_arcs_with_cost(row, column, costs.reshape(-1))
    status = assignment.solve()
    if status != assignment.OPTIMAL:
        raise CheckError("solver model", "assignment", f"ended with {status.name}")
    return np.array([assignment.right_mate(i) for i in range(n)], dtype=np.int64)

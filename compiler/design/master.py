"""The best design by some of the paths: a multiple choice for CP-SAT.

Every decision takes one of its values. Numbers that depend on several decisions have a variable for
each combination of their values, of which there is one of each value where that is taken. The time
is at least what the paths so far say, so what is found is a bound for all of them.
"""

from collections.abc import Iterable

from compiler.design.choices import Key
from compiler.design.problem import Asked, Path, Problem, Quantity, Term
from compiler.options import SolverOptions
from compiler.solver import SolverAnswer, cp_model, solve

Sum = cp_model.LinearExprT
SECONDS_10 = 10**13  # ps
WORD = 1 << 61


class Master:
    """Variables, constraints and objective; paths are added as they are found."""

    def __init__(self, problem: Problem, asked: Asked, paths: Iterable[Path]) -> None:
        self.problem, self.asked = problem, asked
        self.model = cp_model.CpModel()
        self.model.name = "design"
        self.taken: dict[tuple[Key, ...], dict[tuple[int, ...], cp_model.IntVar]] = {}
        most = min(SECONDS_10, WORD // max(problem.power, 1))
        self.time = self.model.new_int_var(0, most, "time")
        self.one = self.model.new_constant(1)
        self.one_value_of_each_decision()
        self.amounts = self._amounts()
        self.no_more_than_the_limits()
        for path in paths:
            self.no_faster_than(path)
        self.model.minimize(self.amounts[asked.minimise])

    def one_value_of_each_decision(self) -> None:
        """Each decision has a variable for each value."""
        for key, values in self.problem.menu.items():
            found: dict[tuple[int, ...], cp_model.IntVar] = {
                (value,): self.model.new_bool_var(f"{key}={value}") for value in values
            }
            self.model.add_exactly_one(found.values())
            self.taken[key,] = found

    def together(self, needs: tuple[Key, ...]) -> dict[tuple[int, ...], cp_model.IntVar]:
        """A variable for each combination of the values of `needs`: 1 where all are taken."""
        if needs not in self.taken:
            found = {
                values: self.model.new_bool_var(f"{needs}={values}")
                for values in self.problem.tuples(needs)
            }
            self.model.add_exactly_one(found.values())
            for place, key in enumerate(needs):
                for value in self.problem.menu[key]:
                    mine = [var for values, var in found.items() if values[place] == value]
                    self.model.add(sum(mine) == self.taken[key,][value,])
            self.taken[needs] = found
        return self.taken[needs]

    def total(self, terms: Iterable[Term], factor: int = 1, power: int = 0) -> Sum:
        """`factor` times the sum of terms under the values that are taken, and `power` x time."""
        by_needs: dict[tuple[Key, ...], dict[tuple[int, ...], int]] = {}
        for term in terms:
            table = by_needs.setdefault(term.needs, {})
            for values, number in term.table.items():
                table[values] = table.get(values, 0) + factor * number
        variables, numbers = [self.time, self.one], [power, 0]
        for needs, table in by_needs.items():
            least = min(table.values())
            numbers[1] += least
            if max(table.values()) > least:
                taken = self.together(needs)
                variables += [taken[values] for values in table]
                numbers += [number - least for number in table.values()]
        return cp_model.LinearExpr.weighted_sum(variables, numbers)

    def _amounts(self) -> dict[Quantity, Sum]:
        """Area and time, and energy in thousandths of its unit."""
        problem = self.problem
        energy = self.total(problem.energy, 1000, problem.power)
        return {"area": self.total(problem.area), "time": self.time, "energy": energy}

    def no_more_than_the_limits(self) -> None:
        """What is asked for at most; energy is rounded down to whole units."""
        for quantity, most in self.asked.limits:
            limit = 1000 * most + 999 if quantity == "energy" else most
            self.model.add(self.amounts[quantity] <= limit)

    def no_faster_than(self, path: Path) -> None:
        """A path's terms are a bound on the time."""
        self.model.add(self.total(path.terms, power=-path.times) <= path.times - 1)

    def solve(self, options: SolverOptions) -> tuple[dict[Key, int], SolverAnswer]:
        """The values taken, and the solver's answer; its bound in units of the quantity."""
        variables = [
            (key, value, self.taken[key,][value,])
            for key, values in self.problem.menu.items()
            for value in values
        ]
        answer = solve(self.model, [var for _, _, var in variables], options, relax=True)
        taken = answer.values or (0,) * len(variables)
        values = {key: value for (key, value, _), one in zip(variables, taken, strict=True) if one}
        return values, answer

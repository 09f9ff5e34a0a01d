"""The best group sizes under given decisions of the chip, by some of the paths: for CP-SAT.

Every layer takes one of its values. Numbers that depend on several layers have a variable for each
combination of their values, of which there is one of each value where that is taken. The time is at
least what the paths so far say, so what is found is a bound for all of them.
"""

from collections.abc import Mapping
from itertools import product

from compiler.design.choices import Key
from compiler.design.problem import Asked, Needs, Problem, Quantity
from compiler.options import SolverOptions
from compiler.solver import SolverAnswer, cp_model, solve
from ir.arrays import Ints

Linear = cp_model.LinearExprT
Rows = Mapping[Needs, Ints]  # numbers [sums, combinations] of layers' own decisions
SECONDS_10 = 10**13  # ps
WORD = 1 << 61


class Master:
    """Variables, constraints and objective; all sums under the chip's decisions.

    area: of several the largest counts; energy: of one sum; paths: of all, each to be divided by
    the number in `times`.
    """

    def __init__(
        self, problem: Problem, asked: Asked, sums: Mapping[Quantity, Rows], times: Ints
    ) -> None:
        self.problem, self.asked, self.sums = problem, asked, sums
        self.model = cp_model.CpModel()
        self.model.name = "design"
        self.taken: dict[Needs, list[cp_model.IntVar]] = {}
        most = min(SECONDS_10, WORD // max(problem.power, *times.tolist(), 1))
        self.time = self.model.new_int_var(0, most, "time")
        self.one = self.model.new_constant(1)
        for key in problem.own:
            self.taken[key,] = [self.model.new_bool_var(f"{key}={n}") for n in problem.menu[key]]
            self.model.add_exactly_one(self.taken[key,])
        self.amounts = {quantity: self._amount(quantity) for quantity in asked.quantities}
        self.no_more_than_the_limits()
        for number, steps in enumerate(times.tolist()):
            path = self.total(sums["time"], number, power=-steps)
            self.model.add(path <= steps - 1)
        self.model.minimize(self.amounts[asked.minimise])

    def together(self, needs: Needs) -> list[cp_model.IntVar]:
        """A variable for each combination of the values of `needs`: 1 where all are taken."""
        if needs not in self.taken:
            places = [range(len(self.problem.menu[key])) for key in needs]
            found = {at: self.model.new_bool_var(f"{needs}={at}") for at in product(*places)}
            self.model.add_exactly_one(found.values())
            for axis, key in enumerate(needs):
                for place, one in enumerate(self.taken[key,]):
                    mine = [var for at, var in found.items() if at[axis] == place]
                    self.model.add(sum(mine) == one)
            self.taken[needs] = list(found.values())
        return self.taken[needs]

    def total(self, rows: Rows, number: int, factor: int = 1, power: int = 0) -> Linear:
        """`factor` times a sum under the values that are taken, and `power` x time."""
        variables, numbers = [self.time, self.one], [power, 0]
        for needs, block in rows.items():
            row = block[number]
            least = int(row.min())
            numbers[1] += factor * least
            if needs and row.max() > least:
                variables += self.together(needs)
                numbers += (factor * (row - least)).tolist()
        return cp_model.LinearExpr.weighted_sum(variables, numbers)

    def _amount(self, quantity: Quantity) -> Linear:
        """Area and time, and energy in thousandths of its unit."""
        if quantity == "time":
            return self.time
        if quantity == "area":
            return self._largest(self.sums["area"])
        return self.total(self.sums["energy"], 0, 1000, self.problem.power)

    def _largest(self, rows: Rows) -> Linear:
        """The only sum, or a variable that is at least each of several."""
        count = max((len(block) for block in rows.values()), default=1)
        totals = [self.total(rows, number) for number in range(count)]
        if count == 1:
            return totals[0]
        most = sum(int(block.max()) for block in rows.values())
        largest = self.model.new_int_var(0, max(most, 0), "largest")
        for total in totals:
            self.model.add(total <= largest)
        return largest

    def no_more_than_the_limits(self) -> None:
        """What is asked for at most; energy is rounded down to whole units."""
        for quantity, most in self.asked.limits:
            limit = 1000 * most + 999 if quantity == "energy" else most
            self.model.add(self.amounts[quantity] <= limit)

    def solve(self, options: SolverOptions) -> tuple[dict[Key, int], SolverAnswer]:
        """The layers' values, and the solver's answer; its bound in units of the quantity."""
        variables = [
            (key, value, var)
            for key in self.problem.own
            for value, var in zip(self.problem.menu[key], self.taken[key,], strict=True)
        ]
        answer = solve(self.model, [var for _, _, var in variables], options, relax=True)
        taken = answer.values or (0,) * len(variables)
        return {key: n for (key, n, _), one in zip(variables, taken, strict=True) if one}, answer

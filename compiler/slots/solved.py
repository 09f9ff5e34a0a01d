"""What the exact policies pass on: the best table so far, and who proved which bound."""

from dataclasses import dataclass, replace

from compiler.slots.bounds import check_table
from compiler.solver import SolverAnswer
from ir.arrays import Ints
from ir.certificate import Status
from ir.schedule import distinct_per_row


@dataclass(frozen=True)
class Solved:
    """A table [slots, groups], a proven lower bound on its transfers, and who proved what.

    `bound` is our own; `solver_bound` and `solver_slots` are the solver's word on transfers and
    slots, 0 where it was not asked.
    """

    table: Ints
    bound: int
    solver_bound: int = 0
    solver_slots: int = 0
    deterministic: bool = True

    @property
    def transfers(self) -> int:
        """Transfers of the table."""
        return distinct_per_row(self.table)

    @property
    def proven(self) -> bool:
        """Whether no order of as many slots has fewer transfers."""
        return self.transfers in (self.bound, self.solver_bound)

    def status(self, least: int) -> Status:
        """Who says that the table is optimal, if anyone does; least: our bound on the slots."""
        slots = len(self.table)
        if slots == least and self.transfers == self.bound:
            return "optimal (bound)"
        if slots in (least, self.solver_slots) and self.proven:
            return "optimal (solver)"
        return "feasible" if self.solver_bound else "heuristic"


def improved(counts: Ints, start: Solved, found: Ints) -> Solved:
    """Take the table `found` where it stands a check in exact integers and is better."""
    if len(found) != len(start.table) or check_table(found, counts) is not None:
        return start
    return replace(start, table=min(start.table, found, key=distinct_per_row))


def judged(counts: Ints, start: Solved, found: Ints, answer: SolverAnswer) -> Solved:
    """Keep the better of two tables and the solver's bound where no table contradicts it."""
    best = improved(counts, start, found)
    claims = [start.solver_bound, start.bound, answer.bound or 0]
    return replace(
        best,
        solver_bound=max(claim for claim in claims if claim <= best.transfers),
        deterministic=start.deterministic and answer.deterministic,
    )

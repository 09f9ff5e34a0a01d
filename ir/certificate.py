"""What is proven about a decision: its value beside a lower bound."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["optimal (bound)", "optimal (solver)", "feasible", "heuristic"]
PROVEN: tuple[Status, ...] = ("optimal (bound)", "optimal (solver)")  # by our bound, by the solver


@dataclass(frozen=True)
class Certificate:
    """What is known about an answer's quality: its value, a proven lower bound and who proved it.

    `value` and `bound` are in the units of the objective that `objective` names.
    """

    objective: str
    value: int
    bound: int
    status: Status
    seconds: float = 0.0
    seed: int = 0
    deterministic: bool = True

    @property
    def proven(self) -> bool:
        """Whether no answer is better, as a bound or a solver says."""
        return self.status in PROVEN

    @property
    def gap(self) -> float:
        """(value - bound) / value; 0.0 when proven optimal."""
        return (self.value - self.bound) / self.value if self.value else 0.0

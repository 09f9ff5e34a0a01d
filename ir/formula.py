"""An element-wise function of one number as the steps that compute it.

A flat list of steps and not a tree: a value that is read twice is computed once, two formulas are
compared in the time of reading them, and the length is the number of operations.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


Operand = int | Number  # 0 is the argument, i the result of the i-th step


@dataclass(frozen=True)
class Step:
    """One operation: an operator of ONNX ("Mul"), or a curve ("elu") and its numbers."""

    op: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Formula:
    """The last step's result; without steps, the argument itself."""

    steps: tuple[Step, ...] = ()

    @property
    def operations(self) -> int:
        """How many element-wise operations it takes."""
        return len(self.steps)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The constants in it, each once."""
        found = (o.value for s in self.steps for o in s.operands if isinstance(o, Number))
        return tuple(dict.fromkeys(found))

    @property
    def rounds(self) -> bool:
        """Whether it jumps: a number half way between two goes to one of them by its last bit."""
        return any(step.op in ("Round", "Floor", "Ceil") for step in self.steps)

    @property
    def text(self) -> str:
        """Its operators in order; their number where they are many."""
        if len(self.steps) > 6:
            return f"{len(self.steps)} operations"
        return ", ".join(step.op for step in self.steps)


ITSELF = Formula()  # the argument, as it is

"""What the values between instructions are called: as in the model, or here where it has no name.

A value that the model names goes by that name, a string; the others by what cannot be one.
"""

from dataclasses import dataclass
from enum import Enum

from ir.mapping import Role


class Inner(Enum):
    """What a product and a MoE layer hand on inside; shapes are of one row of a batch."""

    VECTOR = "vector"  # in a group's input buffer: [rows of the matrix]
    ACTED = "acted"  # the activation of the gate's sums: [d_expert]
    HIDDEN = "hidden"  # what the second stage is fed: [d_expert]
    RESULT = "result"  # of one expert: [d_out]
    LOGITS = "logits"  # of a router on crossbars: [experts]
    PICKED = "picked"  # which experts the router picks, as the GATE has it: bool [experts]
    WEIGHTS = "weights"  # of the experts picked: [experts]
    OWN_WEIGHT = "own weight"  # of a token that passes itself on, as the GATE has it: []
    SCORES = "scores"  # of an expert-choice router, -inf = not known: [experts]
    NEAR = "near"  # whether these are of the model's own vector, up to rounding: bool []
    SHARED_GATES = "shared gates"  # factors of the shared experts: [shared experts]
    SELECTED = "selected"  # which experts run, as the TOPK has it: bool [experts]
    FACTORS = "factors"  # of the experts selected: [experts]
    PLACES = "places"  # of each expert among the token's, -1 = none: int [experts]
    OWN_FACTOR = "own factor"  # of a token that passes itself on, as the TOPK has it: []

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Partial:
    """Sums of each row of tiles of a job's matrix: [row tiles, columns]."""

    role: Role

    def __str__(self) -> str:
        return f"partial {self.role}"


@dataclass(frozen=True)
class Added:
    """Sums of a job's matrix, its bias among them: [columns]."""

    role: Role

    def __str__(self) -> str:
        return self.role


@dataclass(frozen=True)
class Moved:
    """The same sums at a digital unit: [columns]."""

    role: Role

    def __str__(self) -> str:
        return f"sum {self.role}"


@dataclass(frozen=True)
class Passed:
    """An output of a MoE layer besides its sum, on its way from the GATE to the COMBINE."""

    name: str

    def __str__(self) -> str:
        return f"passed {self.name}"


Name = str | Inner | Partial | Added | Moved | Passed

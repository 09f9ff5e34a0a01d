"""Activations of feed-forward experts, by kind and numbers; `ir.semantics` computes them."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ir.errors import InputError
from ir.formula import ITSELF, Formula

Curve = Literal[
    "identity",
    "silu",
    "relu",
    "relu2",
    "gelu",
    "gelu-tanh",
    "quick-gelu",
    "sigmoid",
    "tanh",
    "mish",
    "relu6",
    "hard-tanh",
    "hard-sigmoid",
    "hard-swish",
    "leaky-relu",
    "elu",
    "celu",
    "selu",
    "thresholded-relu",
    "shrink",
    "softplus",
    "softsign",
    "erf",
    "exp",
    "sin",
    "cos",
    "abs",
    "square",
]
ActivationKind = Literal[Curve, "swiglu-oai"]
CURVES: tuple[Curve, ...] = get_args(Curve)
_USUAL: dict[ActivationKind, tuple[float, ...]] = {  # of the kinds that have numbers
    "gelu": (math.sqrt(2),),
    "gelu-tanh": (math.sqrt(2 / math.pi), 0.044715),
    "quick-gelu": (1.702,),
    "hard-tanh": (-1.0, 1.0),  # least, greatest
    "hard-sigmoid": (0.2, 0.5),  # slope, value at 0
    "leaky-relu": (0.01,),
    "elu": (1.0,),
    "celu": (1.0,),
    "selu": (1.67326319217681884765625, 1.05070102214813232421875),  # alpha, gamma
    "thresholded-relu": (1.0,),
    "shrink": (0.5, 0.0),  # lambda, bias
    "swiglu-oai": (1.702, 1.0, 7.0),
}


def usual_numbers(kind: ActivationKind) -> tuple[float, ...]:
    """The numbers that an activation is defined with; () for a kind that has none."""
    return _USUAL.get(kind, ())


@dataclass(frozen=True)
class Activation:
    """A function that is known here, with the model's own numbers.

    A model in 16 bits has them rounded: `quick-gelu` of 1.703125 instead of 1.702. `swiglu-oai`,
    the clipped gate of gpt-oss, has alpha, beta and limit: with g = min(gate, limit) and
    u = clip(up, -limit, limit) it is g * sigmoid(alpha * g) * (u + beta); a limit of infinity clips
    nothing.
    """

    kind: ActivationKind
    numbers: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wanted = len(usual_numbers(self.kind))
        if len(self.numbers) != wanted:
            raise InputError(
                f"activation {self.kind}", f"{len(self.numbers)} numbers, expected {wanted}"
            )

    @property
    def text(self) -> str:
        """The kind, followed by its numbers where a curve has others than the usual ones."""
        if self.kind == "swiglu-oai" or self.numbers == usual_numbers(self.kind):
            return self.kind
        return f"{self.kind}({', '.join(map(str, self.numbers))})"


@dataclass(frozen=True)
class Composed:
    """A function that has no name here: the model's own element-wise operations.

    gate: of what goes through the activation; up: of what the result is multiplied with, without
    steps where that is taken as it is, or where there is no gate; after: of the product of both.
    """

    gate: Formula
    up: Formula = ITSELF
    after: Formula = ITSELF

    @property
    def text(self) -> str:
        """The operators of the gate's side, and of the other where it has some."""
        sides = [side.text or "x" for side in (self.gate, self.up, self.after)]
        kept = 3 if self.after.steps else 2 if self.up.steps else 1
        return f"composed({' | '.join(sides[:kept])})"


AnyActivation = Activation | Composed


def rounds(activation: AnyActivation) -> bool:
    """Whether a function jumps, as one of quantised experts does."""
    return isinstance(activation, Composed) and any(
        formula.rounds for formula in (activation.gate, activation.up, activation.after)
    )


def usual(kind: ActivationKind) -> Activation:
    """An activation with the numbers that it is defined with."""
    return Activation(kind, usual_numbers(kind))

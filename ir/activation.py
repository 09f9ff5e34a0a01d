"""Activations of feed-forward experts, by kind and numbers; `ir.semantics` computes them."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ir.errors import InputError

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
]
ActivationKind = Literal[Curve, "swiglu-oai"]
CURVES: tuple[Curve, ...] = get_args(Curve)
_USUAL: dict[ActivationKind, tuple[float, ...]] = {  # of the kinds that have numbers
    "gelu": (math.sqrt(2),),
    "gelu-tanh": (math.sqrt(2 / math.pi), 0.044715),
    "quick-gelu": (1.702,),
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
class UnknownActivation:
    """A function that was read from a model but is not computed here, by its name there."""

    text: str


AnyActivation = Activation | UnknownActivation


def usual(kind: ActivationKind) -> Activation:
    """An activation with the numbers that it is defined with."""
    return Activation(kind, usual_numbers(kind))


def named(name: str) -> AnyActivation:
    """The curve of that name, with its usual numbers where it is known here."""
    for curve in CURVES:
        if curve == name:
            return usual(curve)
    return UnknownActivation(name)

"""How often a vector goes through a digital unit to have a function applied.

Published are ReLU, which is done on the way (3D-CiM: inside the multiply-add), and GeLU, one pass
of a unit for smooth curves. The rule for the others: what only compares, selects or scales by a
constant is done on the way; a product or sum of the argument is an element-wise pass; whatever has
an exponential, a root, a logarithm or an angle in it is a pass of a smooth curve, as GeLU is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from ir.activation import Activation, ActivationKind, AnyActivation, Composed


@dataclass(frozen=True, order=True)
class Passes:
    """Passes of a smooth curve, and element-wise ones; none: done on the way, as ReLU is."""

    smooth: int = 0
    products: int = 0

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(self.smooth + other.smooth, self.products + other.products)


ON_THE_WAY, PRODUCT, SMOOTH = Passes(), Passes(products=1), Passes(smooth=1)

OF_CURVES: Mapping[ActivationKind, Passes] = {
    "identity": ON_THE_WAY,
    "relu": ON_THE_WAY,
    "relu6": ON_THE_WAY,
    "hard-tanh": ON_THE_WAY,
    "leaky-relu": ON_THE_WAY,
    "thresholded-relu": ON_THE_WAY,
    "shrink": ON_THE_WAY,
    "abs": ON_THE_WAY,
    "relu2": PRODUCT,
    "square": PRODUCT,
    "hard-sigmoid": PRODUCT,  # slope x + offset
    "hard-swish": Passes(products=2),  # x / 6 + 1/2, times x
    "silu": SMOOTH,
    "gelu": SMOOTH,
    "gelu-tanh": SMOOTH,
    "quick-gelu": SMOOTH,
    "sigmoid": SMOOTH,
    "tanh": SMOOTH,
    "mish": SMOOTH,
    "elu": SMOOTH,
    "celu": SMOOTH,
    "selu": SMOOTH,
    "softplus": SMOOTH,
    "softsign": SMOOTH,  # a division of the argument by itself
    "erf": SMOOTH,
    "exp": SMOOTH,
    "sin": SMOOTH,
    "cos": SMOOTH,
    "swiglu-oai": SMOOTH + PRODUCT,  # and 1 added to the up side
}

OF_OPERATORS: Mapping[str, Passes] = {  # of ONNX, as steps of a function without a name
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow"), PRODUCT),
    **dict.fromkeys(
        (
            "Sqrt",
            "Reciprocal",
            "Log",
            "Tan",
            "Asin",
            "Acos",
            "Atan",
            "Sinh",
            "Cosh",
            "Asinh",
            "Acosh",
            "Atanh",
        ),
        SMOOTH,
    ),
    **dict.fromkeys(("Min", "Max", "Where", "Neg", "Floor", "Ceil", "Round"), ON_THE_WAY),
    **dict.fromkeys(("Sign", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"), ON_THE_WAY),
    **dict.fromkeys(("Equal", "And", "Or", "Xor", "Not", "Cast"), ON_THE_WAY),
}


def passes_of(activation: AnyActivation) -> Passes:
    """What an activation takes for each of its vectors; the product of gate and up is not in it."""
    match activation:
        case Activation():
            return OF_CURVES[activation.kind]
        case Composed():
            sides = (activation.gate, activation.up, activation.after)
            return _sum(_of_step(step.op) for side in sides for step in side.steps)
        case _:
            assert_never(activation)


def of_curve(name: str) -> Passes | None:
    """Of a curve by its name; None where that is none."""
    return next((passes for kind, passes in OF_CURVES.items() if kind == name), None)


def _of_step(op: str) -> Passes:
    """Of a curve, else of an operator; raises KeyError for one that none knows."""
    named = of_curve(op)
    return OF_OPERATORS[op] if named is None else named


def _sum(passes: Iterable[Passes]) -> Passes:
    return sum(passes, ON_THE_WAY)

"""Every activation at -1 and 2, from its formula written out with other functions than the code's.

The last digits do not matter here: whether a model's nodes compute it is what a proof finds out.
"""

import math
from statistics import NormalDist

import numpy as np
import pytest

from ir.activation import (
    CURVES,
    Activation,
    ActivationKind,
    Composed,
    usual,
    usual_numbers,
)
from ir.arrays import Array
from ir.curves import evaluate
from ir.errors import InputError
from ir.formula import Formula, Number, Step
from ir.semantics import activate, feed_forward, linear
from ir.workload import Expert, Weight

X = (-1.0, 2.0)
ONE_MORE = Formula((Step("Add", (0, Number(1.0))),))
TWICE_SINE = Formula((Step("sin", (0,)), Step("Mul", (Number(2.0), 1))))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def tanh_gelu(x: float) -> float:
    """X * (1 + tanh(y)) / 2 is x * logistic(2 y)."""
    return x * logistic(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))


WANTED: dict[ActivationKind, list[float]] = {
    "identity": [-1, 2],
    "silu": [-logistic(-1), 2 * logistic(2)],
    "relu": [0, 2],
    "relu2": [0, 4],
    "gelu": [x * NormalDist().cdf(x) for x in X],
    "gelu-tanh": [tanh_gelu(x) for x in X],
    "quick-gelu": [x * logistic(1.702 * x) for x in X],
    "sigmoid": [logistic(x) for x in X],
    "tanh": [2 * logistic(2 * x) - 1 for x in X],
    "mish": [x * math.tanh(math.log(1 + math.exp(x))) for x in X],
    "relu6": [0, 2],
    "hard-tanh": [-1, 1],
    "hard-sigmoid": [0.3, 0.9],  # 0.2 x + 0.5
    "hard-swish": [-1 / 3, 5 / 3],  # x (x + 3) / 6
    "leaky-relu": [-0.01, 2],
    "elu": [1 / math.e - 1, 2],
    "celu": [1 / math.e - 1, 2],
    "selu": [1.0507009873554805 * 1.6732632423543772 * (1 / math.e - 1), 2.101401974710961],
    "thresholded-relu": [0, 2],
    "shrink": [-1, 2],
    "softplus": [math.log(1 + math.exp(x)) for x in X],
    "softsign": [-1 / 2, 2 / 3],
    "erf": [2 * NormalDist().cdf(x * math.sqrt(2)) - 1 for x in X],
    "exp": [1 / math.e, math.e**2],
    "sin": [-math.cos(math.pi / 2 - 1), math.cos(math.pi / 2 - 2)],
    "cos": [math.sin(math.pi / 2 - 1), math.sin(math.pi / 2 - 2)],
    "abs": [1, 2],
    "square": [1, 4],
}


TOLERANCE: dict[str, float] = {"selu": 1e-7}  # its numbers are those of 32 bits


def test_all_curves_are_here() -> None:
    assert tuple(WANTED) == CURVES


@pytest.mark.parametrize("curve", CURVES)
def test_curve(curve: ActivationKind) -> None:
    assert np.allclose(
        activate(usual(curve), np.array(X)), WANTED[curve], rtol=TOLERANCE.get(curve, 1e-12)
    )
    up = np.array(X)
    assert linear(usual(curve), up) is up  # the up matrix's sums are taken as they are


def test_numbers_of_the_model() -> None:
    assert activate(Activation("quick-gelu", (0.0,)), np.array(X)).tolist() == [-0.5, 1.0]
    assert usual_numbers("quick-gelu") == (1.702,)
    assert usual_numbers("silu") == ()
    numbers: dict[ActivationKind, tuple[tuple[float, ...], list[float]]] = {
        "relu6": ((), [-8, 0, 8, 6]),
        "hard-tanh": ((-2, 3), [-8, -2, 8, 3]),
        "hard-sigmoid": ((0.25, 0.5), [-8, 0, 1, 0.75]),
        "hard-swish": ((), [-4, 0, 4, 4]),
        "leaky-relu": ((0.25,), [-8, -2, 8, 8]),
        "elu": ((3.0,), [-50, -3, 8, 8]),
        "celu": ((3.0,), [-3, 3 / math.e - 3, 8, 8]),
        "selu": ((3.0, 2.0), [-50, -6, 8, 16]),
        "thresholded-relu": ((5.0,), [4, 0, 8, 8]),
        "shrink": ((2.0, 1.0), [-8, -7, 1, 0]),
    }
    for kind, (own, (low, at_low, high, at_high)) in numbers.items():
        found = activate(Activation(kind, own), np.array([low, high], dtype=float))
        assert np.allclose(found, [at_low, at_high], atol=1e-12), kind
    with pytest.raises(InputError, match="activation silu: 1 numbers, expected 0"):
        Activation("silu", (1.0,))
    with pytest.raises(InputError, match="activation quick-gelu: 0 numbers, expected 1"):
        Activation("quick-gelu")


def test_text() -> None:
    """The kind; then the numbers if they are not the usual ones, but those of a clipped gate."""
    texts: dict[str, Activation | Composed] = {
        "silu": usual("silu"),
        "gelu-tanh": usual("gelu-tanh"),
        "gelu-tanh(0.796875, 0.044677734375)": Activation("gelu-tanh", (0.796875, 0.044677734375)),
        "swiglu-oai": Activation("swiglu-oai", (1.25, 0.5, 2.0)),
        "elu(0.5)": Activation("elu", (0.5,)),
        "composed(sin, Mul)": Composed(TWICE_SINE),
        "composed(sin, Mul | Add)": Composed(TWICE_SINE, ONE_MORE),
        "composed(7 operations)": Composed(Formula((Step("Neg", (0,)),) * 7)),
    }
    assert {activation.text: activation for activation in texts.values()} == texts


def test_formula() -> None:
    """2 sin(x): two operations, whose first result is the second's operand; the number once."""
    assert np.allclose(evaluate(TWICE_SINE, np.array(X)), [2 * math.sin(x) for x in X])
    assert (TWICE_SINE.operations, TWICE_SINE.numbers) == (2, (2.0,))
    x = np.array(X, dtype=np.float32)
    assert evaluate(TWICE_SINE, x).dtype == np.float32
    gated = Composed(TWICE_SINE, ONE_MORE)
    assert np.allclose(activate(gated, x), [2 * math.sin(v) for v in X])
    assert linear(gated, x).tolist() == [0.0, 3.0]
    assert linear(Composed(TWICE_SINE), x) is x


def test_formula_of_truth_values() -> None:
    """Where(x > 1, 5, x < 0 as a number): at -1 that is 1, at 2 it is 5."""
    steps = (
        Step("Greater", (0, Number(1.0))),
        Step("Less", (0, Number(0.0))),
        Step("Cast", (2,)),
        Step("Where", (1, Number(5.0), 3)),
    )
    assert evaluate(Formula(steps), np.array(X)).tolist() == [1.0, 5.0]


def test_an_operator_that_is_not_known() -> None:
    with pytest.raises(InputError, match="activation: operator Blend is not known here"):
        evaluate(Formula((Step("Blend", (0,)),)), np.array(X))


class Identity:
    """Every product gives its input back."""

    def product(self, x: Array, weight: Weight) -> Array:
        return x


def test_clipped_gate() -> None:
    """At 2, alpha 0.5, beta 1, limit 1: gate 1 * logistic(0.5), up 1 + 1; at -1: -1 and -1 + 1."""
    clipped, x = Activation("swiglu-oai", (0.5, 1.0, 1.0)), np.array([X])
    assert np.allclose(activate(clipped, x), [[-logistic(-0.5), logistic(0.5)]])
    assert linear(clipped, x).tolist() == [[0.0, 2.0]]
    assert linear(clipped, np.array([-3.0])).tolist() == [0.0]  # up is clipped below too
    assert np.allclose(activate(clipped, np.array([-3.0])), -3 * logistic(-1.5))  # the gate not
    one = Weight("w", 2, 2)
    found = feed_forward(Identity(), Expert(one, one, one), clipped, x)
    assert np.allclose(found, [[0.0, 2 * logistic(0.5)]])


def test_a_limit_of_infinity_clips_nothing() -> None:
    clipped, x = Activation("swiglu-oai", (0.5, 1.0, math.inf)), np.array([1e30, -1e30])
    assert activate(clipped, x).tolist() == [1e30, 0.0]
    assert linear(clipped, x).tolist() == [1e30, -1e30]

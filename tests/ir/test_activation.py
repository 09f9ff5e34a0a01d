"""Every activation at -1 and 2, from its formula written out with other functions than the code's.

The last digits do not matter here: whether a model's nodes compute it is what a proof finds out.
"""

import math
import re
from statistics import NormalDist

import numpy as np
import pytest

from ir.activation import (
    CURVES,
    Activation,
    ActivationKind,
    UnknownActivation,
    named,
    usual,
    usual_numbers,
)
from ir.arrays import Array
from ir.errors import InputError
from ir.semantics import activate, feed_forward, linear
from ir.workload import Expert, Weight

X = (-1.0, 2.0)


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
}


def test_all_curves_are_here() -> None:
    assert tuple(WANTED) == CURVES


@pytest.mark.parametrize("curve", CURVES)
def test_curve(curve: ActivationKind) -> None:
    assert np.allclose(activate(usual(curve), np.array(X)), WANTED[curve], rtol=1e-12)
    up = np.array(X)
    assert linear(usual(curve), up) is up  # the up matrix's sums are taken as they are


def test_numbers_of_the_model() -> None:
    assert activate(Activation("quick-gelu", (0.0,)), np.array(X)).tolist() == [-0.5, 1.0]
    assert usual_numbers("quick-gelu") == (1.702,)
    assert usual_numbers("silu") == ()
    with pytest.raises(InputError, match="activation silu: 1 numbers, expected 0"):
        Activation("silu", (1.0,))
    with pytest.raises(InputError, match="activation quick-gelu: 0 numbers, expected 1"):
        Activation("quick-gelu")


def test_text() -> None:
    """The kind; then the numbers if they are not the usual ones, but those of a clipped gate."""
    texts: dict[str, Activation | UnknownActivation] = {
        "silu": usual("silu"),
        "gelu-tanh": usual("gelu-tanh"),
        "gelu-tanh(0.796875, 0.044677734375)": Activation("gelu-tanh", (0.796875, 0.044677734375)),
        "swiglu-oai": Activation("swiglu-oai", (1.25, 0.5, 2.0)),
        "elu": UnknownActivation("elu"),
    }
    assert {activation.text: activation for activation in texts.values()} == texts


def test_by_name() -> None:
    assert named("relu") == usual("relu")
    assert named("elu") == UnknownActivation("elu")


def test_unknown_is_not_computed() -> None:
    with pytest.raises(InputError, match=re.escape("activation elu: expected one of identity")):
        activate(UnknownActivation("elu"), np.array(X))


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

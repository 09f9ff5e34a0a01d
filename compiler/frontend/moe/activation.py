"""Which curve a formula is: evaluated, and held against every curve that is known.

Exporters write one curve in many ways (Where, Max, products in any order), so the nodes are not
compared but what they compute: at some 500 numbers, dense around 0, beyond every constant of the
formula, and out to 1000 times either. The numbers of a curve are computed from a few values of the
formula; where the model has that number as a constant, it is the model's. What is no curve with a
name stays the formula that it is.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist, StatisticsError

import numpy as np

from ir.activation import (
    CURVES,
    Activation,
    AnyActivation,
    Composed,
    Curve,
    usual,
    usual_numbers,
)
from ir.arrays import Array
from ir.curves import curve, evaluate
from ir.formula import Formula
from ir.semantics import activate, linear

_NEAR = 1e-6  # of a value, or of 1 where it is smaller: a constant in 32 bits is off by 1e-7
_FAR = 1e3
_BY_NUMBERS = sorted(CURVES, key=lambda kind: len(usual_numbers(kind)))  # the simplest first

Numbers = tuple[float, ...]
Value = Callable[[float], float]


@lru_cache(maxsize=256)
def activation_of(formula: Formula) -> AnyActivation:
    """The curve that a formula is, by name where it has one."""
    return _named(formula) or Composed(formula)


@lru_cache(maxsize=256)
def gated_activation(sides: tuple[Formula, Formula]) -> tuple[AnyActivation, int]:
    """The activation of two factors, and which of them is the gate.

    The gate is the one that is curved; of two that are, one that has a name, else the first. Where
    none is, the first is the gate and goes through unchanged.
    """
    for gate in (0, 1):
        clipped = _clipped(sides[gate], sides[1 - gate])
        if clipped is not None:
            return clipped, gate
    straight = [_is_straight(side) for side in sides]
    names = [_named(side) for side in sides]
    gate = 0
    if straight[0] != straight[1]:
        gate = straight.index(False)
    elif names[0] is None and names[1] is not None:
        gate = 1
    own, up = names[gate], sides[1 - gate]
    if own is not None and names[1 - gate] == usual("identity"):
        return own, gate
    return Composed(sides[gate], up), gate


def _named(formula: Formula) -> Activation | None:
    x = _grid(formula)
    wanted = evaluate(formula, x)
    for kind in _BY_NUMBERS:
        for numbers in _candidates(kind, formula):
            if _same(wanted, curve(kind, x, numbers), x):
                return Activation(kind, numbers)
    return None


def _grid(*formulas: Formula) -> Array:
    """Numbers around 0, around and beyond every constant of the formulas, and far out."""
    fixed = (1.0, *(n for f in formulas for n in f.numbers))
    sizes = {abs(n) for n in fixed if n and math.isfinite(n)}
    points = {s * k for s in sizes | {1 / s for s in sizes} for k in (0.999, 1.001, 2.0, _FAR)}
    half = np.concatenate([np.arange(1, 129) / 16.03, np.geomspace(1e-4, _FAR, 64), list(points)])
    half = half[half < 1e30]
    return np.concatenate([-half[::-1], [0.0], half])


def _same(found: Array, known: Array, x: Array) -> bool:
    """Equal wherever the model's nodes give a number; they must in the middle."""
    whole = np.isfinite(found)
    if not whole[np.abs(x) <= 8].all():
        return False
    with np.errstate(all="ignore"):
        off = np.abs(found - known) / np.maximum(np.abs(known), 1.0)
    return bool((off[whole] < _NEAR).all())


def _is_straight(formula: Formula) -> bool:
    """Whether it is a factor and a shift only."""
    x = _grid(formula)
    y, (low, high) = evaluate(formula, x), evaluate(formula, np.array([0.0, 1.0]))
    return _same(y, low + (high - low) * x, x)


def _candidates(kind: Curve, formula: Formula) -> Iterator[Numbers]:
    """The numbers that a curve may have if the formula is it: the usual, then fitted ones."""
    defined = usual_numbers(kind)
    yield defined
    if not defined:
        return

    def value(x: float) -> float:
        return float(evaluate(formula, np.array([x]))[0])

    try:
        fitted = list(_FITS[kind](value, formula.numbers))
    except (ValueError, ZeroDivisionError, OverflowError, StatisticsError):
        return  # a value that the curve does not take
    for numbers in fitted:
        if all(map(math.isfinite, numbers)):
            yield tuple(
                _snapped(n, d, formula.numbers) for n, d in zip(numbers, defined, strict=True)
            )


def _snapped(number: float, defined: float, constants: Iterable[float]) -> float:
    """The usual number, or a constant of the model or one over it, where it is near enough."""
    inverse = [1 / c for c in constants if c and math.isfinite(c)]
    for known in (defined, *constants, *inverse):
        if abs(known - number) <= _NEAR * abs(known):
            return known
    return number


def _gelu(value: Value, _: Sequence[float]) -> list[Numbers]:
    return [(math.sqrt(2) / NormalDist().inv_cdf(value(1.0)),)]


def _gelu_tanh(value: Value, _: Sequence[float]) -> list[Numbers]:
    """The numbers of a (x + b x^3), from its values at 1/2 and 1."""
    half, one = (math.atanh(2 * value(x) / x - 1) for x in (0.5, 1.0))
    a = (8 * half - one) / 3
    return [(a, one / a - 1)]


def _quick_gelu(value: Value, _: Sequence[float]) -> list[Numbers]:
    return [(_logit(value(1.0)),)]


def _hard_sigmoid(value: Value, constants: Sequence[float]) -> list[Numbers]:
    step = 1e-3
    return [((value(step) - value(-step)) / (2 * step), value(0.0))]


def _shrink(value: Value, constants: Sequence[float]) -> list[Numbers]:
    bias = _FAR - value(_FAR)
    return [(abs(c), b) for c in constants for b in (bias, 0.0)]


_FITS: Mapping[Curve, Callable[[Value, Sequence[float]], list[Numbers]]] = {
    "gelu": _gelu,
    "gelu-tanh": _gelu_tanh,
    "quick-gelu": _quick_gelu,
    "hard-tanh": lambda f, c: [(f(-1e30), f(1e30))],
    "hard-sigmoid": _hard_sigmoid,
    "leaky-relu": lambda f, c: [(-f(-1.0),)],
    "elu": lambda f, c: [(-f(-50.0),)],
    "celu": lambda f, c: [(-f(-1e6),)],
    "selu": lambda f, c: [(-f(-50.0) / f(1.0), f(1.0))],
    "thresholded-relu": lambda f, c: [(n,) for n in c],
    "shrink": _shrink,
}


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _clipped(gate: Formula, up: Formula) -> Activation | None:
    """min(gate, limit) times its sigmoid, and up clipped and shifted; None where it is plain."""
    beta = float(evaluate(up, np.zeros(1))[0])
    top = float(evaluate(up, np.array([1e30]))[0])
    limit = math.inf if top > 1e29 else top - beta
    if not math.isfinite(beta) or limit <= 0 or (limit == math.inf and not beta):
        return None
    at = min(limit, 1.0) / 2
    try:
        alpha = _logit(float(evaluate(gate, np.array([at]))[0]) / at) / at
    except (ValueError, ZeroDivisionError):
        return None
    alpha = _snapped(alpha, 1.0, gate.numbers)
    found = Activation("swiglu-oai", (alpha, _snapped(beta, 1.0, up.numbers), limit))
    x = _grid(gate, up)
    same = _same(evaluate(gate, x), activate(found, x), x)
    return found if same and _same(evaluate(up, x), linear(found, x), x) else None

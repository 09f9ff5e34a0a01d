"""Element-wise functions in numpy: the curves by name, ONNX's operators, formulas of them."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from ir.activation import ActivationKind
from ir.arrays import Array
from ir.errors import InputError
from ir.formula import Formula, Number, Operand

Numbers = tuple[float, ...]


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))


def erf(x: Array) -> Array:
    """The error function."""
    flat = [math.erf(v) for v in np.ravel(x).tolist()]
    return np.array(flat, dtype=x.dtype).reshape(x.shape)


def _softplus(x: Array) -> Array:
    return np.asarray(np.logaddexp(x.dtype.type(0), x))


def _clipped_gate(x: Array, alpha: float, limit: float) -> Array:
    gate = np.minimum(x, limit)
    return np.asarray(gate * sigmoid(alpha * gate))


CURVES: Mapping[ActivationKind, Callable[[Array, Numbers], Array]] = {
    "identity": lambda x, _: x,
    "silu": lambda x, _: x * sigmoid(x),
    "relu": lambda x, _: np.maximum(x, 0),
    "relu2": lambda x, _: np.maximum(x, 0) ** 2,
    "gelu": lambda x, n: 0.5 * x * (1 + erf(x / n[0])),
    "gelu-tanh": lambda x, n: 0.5 * x * (1 + np.tanh(n[0] * (x + n[1] * x**3))),
    "quick-gelu": lambda x, n: x * sigmoid(n[0] * x),
    "sigmoid": lambda x, _: sigmoid(x),
    "tanh": lambda x, _: np.tanh(x),
    "mish": lambda x, _: x * np.tanh(_softplus(x)),
    "relu6": lambda x, _: np.clip(x, 0, 6),
    "hard-tanh": lambda x, n: np.clip(x, n[0], n[1]),
    "hard-sigmoid": lambda x, n: np.clip(n[0] * x + n[1], 0, 1),
    "hard-swish": lambda x, _: x * np.clip(x / 6 + 0.5, 0, 1),
    "leaky-relu": lambda x, n: np.where(x < 0, n[0] * x, x),
    "elu": lambda x, n: np.where(x < 0, n[0] * np.expm1(np.minimum(x, 0)), x),
    "celu": lambda x, n: np.maximum(x, 0) + np.minimum(0, n[0] * np.expm1(x / n[0])),
    "selu": lambda x, n: n[1] * np.where(x < 0, n[0] * np.expm1(np.minimum(x, 0)), x),
    "thresholded-relu": lambda x, n: np.where(x > n[0], x, 0),
    "shrink": lambda x, n: np.where(x < -n[0], x + n[1], np.where(x > n[0], x - n[1], 0)),
    "softplus": lambda x, _: _softplus(x),
    "softsign": lambda x, _: x / (1 + np.abs(x)),
    "erf": lambda x, _: erf(x),
    "exp": lambda x, _: np.exp(x),
    "sin": lambda x, _: np.sin(x),
    "cos": lambda x, _: np.cos(x),
    "abs": lambda x, _: np.abs(x),
    "square": lambda x, _: x * x,
    "swiglu-oai": lambda x, n: _clipped_gate(x, n[0], n[2]),  # the gate's side
}

OPERATORS: Mapping[str, Callable[..., Array]] = {  # of ONNX, that are no curves
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Min": np.minimum,
    "Max": np.maximum,
    "Where": np.where,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Reciprocal": np.reciprocal,
    "Log": np.log,
    "Tan": np.tan,
    "Asin": np.arcsin,
    "Acos": np.arccos,
    "Atan": np.arctan,
    "Sinh": np.sinh,
    "Cosh": np.cosh,
    "Asinh": np.arcsinh,
    "Acosh": np.arccosh,
    "Atanh": np.arctanh,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Round": np.round,
    "Sign": np.sign,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Equal": np.equal,
    "And": np.logical_and,
    "Or": np.logical_or,
    "Xor": np.logical_xor,
    "Not": np.logical_not,
}


def curve(kind: ActivationKind, x: Array, numbers: Numbers) -> Array:
    """A curve with its numbers at every x; what overflows is infinite."""
    with np.errstate(all="ignore"):
        return np.asarray(CURVES[kind](x, numbers), dtype=x.dtype)


def evaluate(formula: Formula, x: Array) -> Array:
    """A formula at every x, in the precision of x; what overflows is infinite.

    Raises InputError for an operator that is not known here.
    """
    made: list[Array] = [x]

    def given(read: Operand) -> Array:
        if isinstance(read, Number):
            return np.asarray(read.value, dtype=x.dtype)
        return made[read]

    with np.errstate(all="ignore"):
        for step in formula.steps:
            if step.op in OPERATORS:
                out = OPERATORS[step.op](*(given(o) for o in step.operands))
            elif (kind := _curve_named(step.op)) is not None:
                numbers = tuple(o.value for o in step.operands[1:] if isinstance(o, Number))
                out = CURVES[kind](given(step.operands[0]), numbers)
            elif step.op == "Cast":  # truth values to numbers
                out = given(step.operands[0]).astype(x.dtype)
            else:
                raise InputError("activation", f"operator {step.op} is not known here")
            made.append(np.asarray(out))
    return np.array(np.broadcast_to(made[-1], x.shape), dtype=x.dtype)


def _curve_named(op: str) -> ActivationKind | None:
    return next((kind for kind in CURVES if kind == op), None)

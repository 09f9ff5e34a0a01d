"""Products of integers as quantisation tools write them: y = x @ (W - zero) * scale."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto

from tests.compiler.frontend.models import Graph, dense_masked

MICROSOFT = "com.microsoft"
X_SCALE, X_ZERO, Y_SCALE, Y_ZERO = 0.04, 120, 0.05, 130  # of static quantisation


def quantised(g: Graph, rows: int, columns: int) -> tuple[Any, Any, Any]:
    """A random matrix as int8 [rows, columns], a scale for each column and one zero point."""
    values = g.random.integers(-120, 120, (rows, columns)).astype(np.int8)
    scale = (0.01 * (1 + g.random.random(columns))).astype(np.float32)
    return values, scale, np.int8(3)


def dynamic(g: Graph, x: str, rows: int, columns: int) -> str:
    """DynamicQuantizeLinear, MatMulInteger, Cast, Mul."""
    values, scale, zero = quantised(g, rows, columns)
    q, own, least = g.many("DynamicQuantizeLinear", x, outputs=3)
    matrix, zeros = g.constant(values, np.int8), g.constant(zero, np.int8)
    made = g("Cast", g("MatMulInteger", q, matrix, least, zeros), to=TensorProto.FLOAT)
    return g("Mul", made, g("Mul", own, g.constant(scale, np.float32)))


def without_zero(g: Graph, x: str, rows: int, columns: int) -> str:
    """The same with a matrix around 0, whose zero point is left out."""
    values, scale, _ = quantised(g, rows, columns)
    q, own, least = g.many("DynamicQuantizeLinear", x, outputs=3)
    made = g("MatMulInteger", q, g.constant(values, np.int8), least)
    factor = g("Mul", own, g.constant(scale[0], np.float32))
    return g("Mul", g("Cast", made, to=TensorProto.FLOAT), factor)


def to_float(g: Graph, x: str, rows: int, columns: int) -> str:
    """com.microsoft::MatMulIntegerToFloat with a bias."""
    values, scale, zero = quantised(g, rows, columns)
    q, own, least = g.many("DynamicQuantizeLinear", x, outputs=3)
    given = [q, g.constant(values, np.int8), own, g.constant(scale, np.float32), least]
    given += [g.constant(np.full(columns, zero), np.int8), g.weight(columns, scale=0.1)]
    return g("MatMulIntegerToFloat", *given, domain=MICROSOFT)


def in_one(g: Graph, x: str, rows: int, columns: int) -> str:
    """com.microsoft::DynamicQuantizeMatMul."""
    values, scale, zero = quantised(g, rows, columns)
    given = [x, g.constant(values, np.int8), g.constant(scale, np.float32)]
    zeros = g.constant(np.full(columns, zero), np.int8)
    return g("DynamicQuantizeMatMul", *given, zeros, domain=MICROSOFT)


def _static(g: Graph, x: str) -> list[str]:
    scale, zero = g.constant(X_SCALE, np.float32), g.constant(X_ZERO, np.uint8)
    return [g("QuantizeLinear", x, scale, zero), scale, zero]


def _result(g: Graph) -> list[str]:
    return [g.constant(Y_SCALE, np.float32), g.constant(Y_ZERO, np.uint8)]


def linear(g: Graph, x: str, rows: int, columns: int) -> str:
    """QuantizeLinear, QLinearMatMul, DequantizeLinear."""
    values, scale, _ = quantised(g, rows, columns)
    given = [g.constant(values, np.int8), g.constant(scale, np.float32)]
    zeros, after = g.constant(np.zeros(columns), np.int8), _result(g)
    made = g("QLinearMatMul", *_static(g, x), *given, zeros, *after)
    return g("DequantizeLinear", made, *after)


def gemm(g: Graph, x: str, rows: int, columns: int) -> str:
    """com.microsoft::QGemm of a turned matrix with a bias of integers."""
    values, _, zero = quantised(g, rows, columns)
    flat = g("Reshape", x, g.constant([-1, rows]))
    given = [g.constant(values.T, np.int8), g.constant(0.01, np.float32), g.constant(zero, np.int8)]
    bias = g.constant(g.random.integers(-99, 99, columns), np.int32)
    after = _result(g)
    made = g("QGemm", *_static(g, flat), *given, bias, *after, domain=MICROSOFT, transB=1)
    shape = g("Concat", g("Shape", x, end=-1), g.constant([columns]), axis=0)
    return g("Reshape", g("DequantizeLinear", made, *after), shape)


def around(g: Graph, x: str, rows: int, columns: int) -> str:
    """QuantizeLinear and DequantizeLinear on both operands and on the result of a MatMul."""
    values, scale, _ = quantised(g, rows, columns)
    stored = g.constant(values, np.int8), g.constant(scale, np.float32)
    matrix = g("DequantizeLinear", *stored, axis=1)
    number, own, zero = _static(g, x)
    made, after = g("MatMul", g("DequantizeLinear", number, own, zero), matrix), _result(g)
    return g("DequantizeLinear", g("QuantizeLinear", made, *after), *after)


Product = Callable[[Graph, str, int, int], str]
DYNAMIC: dict[str, Product] = {
    "MatMulInteger": dynamic,
    "MatMulInteger without a zero point": without_zero,
    "MatMulIntegerToFloat": to_float,
    "DynamicQuantizeMatMul": in_one,
}
STATIC: dict[str, Product] = {"QLinearMatMul": linear, "QGemm": gemm, "QDQ": around}
PRODUCTS = {**DYNAMIC, **STATIC}


def gated_by(product: Product) -> Callable[[Graph, str], str]:
    """A gated expert of three such products."""

    def expert(g: Graph, x: str) -> str:
        gate = product(g, x, g.d, g.hidden)
        hidden = g("Mul", g("Mul", gate, g("Sigmoid", gate)), product(g, x, g.d, g.hidden))
        return product(g, hidden, g.hidden, g.d)

    return expert


def input_quantised(g: Graph, x: str) -> str:
    """QuantizeLinear and DequantizeLinear of an activation, as they stand before every product."""
    number, scale, zero = _static(g, x)
    return g("DequantizeLinear", number, scale, zero)


def static_expert(g: Graph, x: str) -> str:
    """A gated expert with int8 matrices; what its first products give and its last one reads."""

    def product(y: str, rows: int, columns: int) -> str:
        values, scale, _ = quantised(g, rows, columns)
        stored = g.constant(values, np.int8), g.constant(scale / 4, np.float32)
        return g("MatMul", y, g("DequantizeLinear", *stored, axis=1))

    gate = input_quantised(g, product(x, g.d, g.hidden))
    acted = g("Mul", gate, g("Sigmoid", gate))
    hidden = g("Mul", acted, product(x, g.d, g.hidden))
    return product(input_quantised(g, hidden), g.hidden, g.d)


def with_quantised_input(block: Callable[[Graph, str], str]) -> Callable[[Graph, str], str]:
    """A block whose input is quantised once for all that read it."""
    return lambda g, x: block(g, input_quantised(g, x))


STATIC_EXPERTS = with_quantised_input(dense_masked(expert=static_expert))

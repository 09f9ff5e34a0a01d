"""Products of integers as what they are made of: zero points, a product, scales.

(A - a_zero) @ (B - b_zero) is written with nodes of 32-bit floats, in which whole numbers below
2^24 are exact in any order of addition: all sums of a product of 8-bit numbers with at most 258
rows, and all that occur in longer ones unless most of their terms are near the largest and of one
sign; beyond that a sum is rounded to 24 bits. The matrix is a constant, B - b_zero, and a crossbar
holds it as it is; everything else is left to the digital units.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir
from onnx_ir import DataType, Node, Value

from ir.onnxdoor.rewriting.instead import STANDARD, Constants, Instead, stored

MICROSOFT = "com.microsoft"


def as_floats(graph: onnx_ir.Graph) -> bool:
    """Rewrite every product of integers by a constant matrix; whether there was any.

    One whose first operand is the constant stays, as does one with a zero point for each row.
    """
    constants, changed = Constants(), False
    for node in list(graph):
        rule = _RULES.get((node.domain if node.domain not in STANDARD else "", node.op_type))
        if rule is not None and rule(_Operands(graph, node, constants)):
            changed = True
    return changed


class _Operands:
    """A node, its inputs, and the nodes to be in its place."""

    def __init__(self, graph: onnx_ir.Graph, node: Node, constants: Constants) -> None:
        self.node, self.new, self._constants = node, Instead(graph, node), constants

    def at(self, place: int) -> Value | None:
        """An input, None where it is left out."""
        return self.node.inputs[place] if place < len(self.node.inputs) else None

    def given(self, place: int) -> Value:
        """An input that the operator always has."""
        value = self.at(place)
        if value is None:
            raise ValueError(f"node {self.node.name!r}: input {place} is missing")
        return value

    def fits(self, left: int, right: int, zero: int) -> bool:
        """Whether only the second operand is constant, and the first has at most one zero point."""
        given = self.at(zero)
        held = given.const_value.size if given is not None and given.const_value else None
        maker = given.producer() if given is not None else None
        dynamic = maker is not None and maker.op_type == "DynamicQuantizeLinear"
        single = given is None or held == 1 or dynamic
        apart = self.at(right) in self._constants and self.at(left) not in self._constants
        return apart and single

    def product(
        self, left: Value, left_zero: Value | None, right: Value, right_zero: Value | None
    ) -> Value:
        """(left - its zero) @ (right - its zero), in floats."""
        turned = [bool(self.node.attributes.get_int(n, 0)) for n in ("transA", "transB")]
        a, b = self._centred(left, left_zero), self._centred(right, right_zero)
        if any(turned):
            trans: dict[str, Any] = {"transA": int(turned[0]), "transB": int(turned[1])}
            return self.new("Gemm", a, b, dtype=DataType.FLOAT, name=self.node.name, **trans)
        return self.new("MatMul", a, b, dtype=DataType.FLOAT, name=self.node.name)

    def _centred(self, value: Value, zero: Value | None) -> Value:
        wide = self.new.cast(value)
        numbers = stored(zero)
        if zero is None or (numbers is not None and not np.any(numbers)):
            return wide
        return self.new("Sub", wide, self.new.cast(zero), dtype=DataType.FLOAT)

    def scaled(self, product: Value, left: Value, right: Value) -> Value:
        """Times both operands' scales."""
        factor = self.new("Mul", left, right, dtype=DataType.FLOAT)
        return self.new("Mul", product, factor, dtype=DataType.FLOAT)

    def quantised(self, real: Value, scale: Value, zero: Value | None) -> Value:
        """In the integers of the result."""
        kind = zero.dtype if zero is not None else DataType.UINT8
        return self.new("QuantizeLinear", real, scale, zero, dtype=kind)


def _matmul_integer(of: _Operands) -> bool:
    if not of.fits(0, 1, 2):
        return False
    made = of.product(of.given(0), of.at(2), of.given(1), of.at(3))
    of.new.give(of.new.cast(made, DataType.INT32))
    return True


def _to_float(of: _Operands) -> bool:
    if not of.fits(0, 1, 4):
        return False
    made = of.product(of.given(0), of.at(4), of.given(1), of.at(5))
    _with_bias(of, of.scaled(made, of.given(2), of.given(3)), of.at(6))
    return True


def _dynamic(of: _Operands) -> bool:
    if not of.fits(0, 1, 9):
        return False
    kinds: list[DataType | None] = [DataType.UINT8, DataType.FLOAT, DataType.UINT8]
    numbers, scale, zero = of.new.many("DynamicQuantizeLinear", of.given(0), dtypes=kinds)
    made = of.product(numbers, zero, of.given(1), of.at(3))
    _with_bias(of, of.scaled(made, scale, of.given(2)), of.at(4))
    return True


def _with_bias(of: _Operands, made: Value, bias: Value | None) -> None:
    if bias is not None:
        made = of.new("Add", made, bias, dtype=DataType.FLOAT)
    of.new.give(made)


def _linear(of: _Operands) -> bool:
    if not of.fits(0, 3, 2):
        return False
    made = of.product(of.given(0), of.at(2), of.given(3), of.at(5))
    real = of.scaled(made, of.given(1), of.given(4))
    of.new.give(of.quantised(real, of.given(6), of.at(7)))
    return True


def _gemm(of: _Operands) -> bool:
    if not of.fits(0, 3, 2) or of.node.attributes.get_float("alpha", 1.0) != 1.0:
        return False
    made = of.product(of.given(0), of.at(2), of.given(3), of.at(5))
    bias = of.at(6)
    if bias is not None:
        made = of.new("Add", made, of.new.cast(bias), dtype=DataType.FLOAT)
    real, scale = of.scaled(made, of.given(1), of.given(4)), of.at(7)
    of.new.give(real if scale is None else of.quantised(real, scale, of.at(8)))
    return True


_RULES: dict[tuple[str, str], Callable[[_Operands], bool]] = {
    ("", "MatMulInteger"): _matmul_integer,
    ("", "QLinearMatMul"): _linear,
    (MICROSOFT, "MatMulIntegerToFloat"): _to_float,
    (MICROSOFT, "DynamicQuantizeMatMul"): _dynamic,
    (MICROSOFT, "QLinearMatMul"): _linear,
    (MICROSOFT, "QGemm"): _gemm,
}

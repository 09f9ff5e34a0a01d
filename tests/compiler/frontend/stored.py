"""Forms in which a matrix is stored otherwise than as its numbers, and the nodes that make it."""

from collections.abc import Callable
from math import gcd
from typing import Any

import ml_dtypes
import numpy as np
from onnx import TensorProto

from tests.compiler.frontend.models import Graph

FP8: dict[str, Any] = {"e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}
BLOCK = 8  # rows and columns of a block, or their greatest common divisor with it


def fp8_blocks(g: Graph, values: Any, kind: str = "e4m3") -> str:
    """Reshape(Cast(w) * scale): w [.., rows/8, 8, columns/8, 8], a scale for every block."""
    *stack, rows, columns = values.shape
    a, b = gcd(rows, BLOCK), gcd(columns, BLOCK)
    parts = values.reshape(*stack, rows // a, a, columns // b, b)
    scale = np.maximum(np.abs(parts).max(axis=(-3, -1), keepdims=True), 1e-6) / 200
    wide = g("Cast", g.constant(parts / scale, FP8[kind]), to=TensorProto.FLOAT)
    return g("Reshape", g("Mul", wide, g.constant(scale, np.float32)), g.constant(values.shape))


def reshaped_fp8_blocks(g: Graph, values: Any) -> str:
    """Cast, Reshape into blocks, Mul, Reshape back: the stored tensor is the matrix."""
    *stack, rows, columns = values.shape
    a, b = gcd(rows, BLOCK), gcd(columns, BLOCK)
    split = [*stack, rows // a, a, columns // b, b]
    parts = values.reshape(split)
    scale = np.maximum(np.abs(parts).max(axis=(-3, -1), keepdims=True), 1e-6) / 200
    flat = g.constant((parts / scale).reshape(values.shape), FP8["e4m3"])
    wide = g("Reshape", g("Cast", flat, to=TensorProto.FLOAT), g.constant(split))
    return g("Reshape", g("Mul", wide, g.constant(scale, np.float32)), g.constant(values.shape))


def fp8_columns(g: Graph, values: Any) -> str:
    """Cast(w) * scale with a scale for every column."""
    scale = np.maximum(np.abs(values).max(axis=-2, keepdims=True), 1e-6) / 200
    wide = g("Cast", g.constant(values / scale, FP8["e4m3"]), to=TensorProto.FLOAT)
    return g("Mul", wide, g.constant(scale, np.float32))


def turned_int8_rows(g: Graph, values: Any) -> str:
    """Transpose((Cast(w) - zero) / scale): w [.., columns, rows], both for every row of w."""
    turned = np.swapaxes(values, -1, -2)
    scale = 100 / np.maximum(np.abs(turned).max(axis=-1, keepdims=True), 1e-6)
    wide = g("Cast", g.constant(np.rint(turned * scale) + 7, np.int8), to=TensorProto.FLOAT)
    centred = g("Sub", wide, g.constant(np.full(scale.shape, 7.0), np.float32))
    made = g("Div", centred, g.constant(scale, np.float32))
    order = [*range(values.ndim - 2), values.ndim - 1, values.ndim - 2]
    return g("Transpose", made, perm=order)


def int8_blocks(g: Graph, values: Any) -> str:
    """DequantizeLinear with a scale for every block along the rows, as opset 21 has it."""
    rows = values.shape[-2]
    block = gcd(rows, BLOCK)
    parts = values.reshape(*values.shape[:-2], rows // block, block, values.shape[-1])
    scale = np.maximum(np.abs(parts).max(axis=-2, keepdims=True), 1e-6) / 127
    stored = g.constant(np.rint(parts / scale).reshape(values.shape), np.int8)
    factor = g.constant(scale.squeeze(-2), np.float32)
    axis = values.ndim - 2
    return g("DequantizeLinear", stored, factor, axis=axis, block_size=block)


def nibbles(g: Graph, values: Any) -> str:
    """Two columns in a byte, taken apart by bitwise nodes, minus 8, times a scale for each column.

    One more column is stored where their number is odd.
    """
    columns = values.shape[-1]
    even = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, columns % 2)])
    scale = np.maximum(np.abs(even).max(axis=-2, keepdims=True), 1e-6) / 7
    q = (np.rint(even / scale) + 8).astype(np.uint8)
    packed = g.constant(q[..., ::2] | (q[..., 1::2] << 4), np.uint8)
    low = g("BitwiseAnd", packed, g.constant(15, np.uint8))
    high = g("BitShift", packed, g.constant(4, np.uint8), direction="RIGHT")
    last = g.constant([-1])
    both = g("Concat", g("Unsqueeze", low, last), g("Unsqueeze", high, last), axis=-1)
    wide = g("Cast", g("Reshape", both, g.constant(even.shape)), to=TensorProto.FLOAT)
    made = g("Mul", g("Sub", wide, g.constant(8.0, np.float32)), g.constant(scale, np.float32))
    if columns % 2 == 0:
        return made
    return g("Slice", made, g.constant([0]), g.constant([columns]), last)


def scaled(g: Graph, values: Any) -> str:
    """All of a matrix times one number, as equalised learning rates leave it."""
    return g("Mul", g.constant(values * 4, np.float32), g.constant(0.25, np.float32))


STORED: dict[str, tuple[Callable[[Graph, Any], str], int]] = {  # and bits of what is stored
    "fp8 blocks": (fp8_blocks, 8),
    "fp8 e5m2 blocks": (lambda g, values: fp8_blocks(g, values, "e5m2"), 8),
    "fp8 blocks by reshapes": (reshaped_fp8_blocks, 8),
    "fp8 columns": (fp8_columns, 8),
    "int8 rows, turned": (turned_int8_rows, 8),
    "int8 blocks": (int8_blocks, 8),
    "4 bits by bitwise nodes": (nibbles, 4),
    "times a number": (scaled, 32),
}

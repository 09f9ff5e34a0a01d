"""Ternary matrices -s, 0, s as a file may store them, and a shared expert that is in full."""

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.compiler.frontend import models as m


def parts(values: Any) -> tuple[Any, Any]:
    """Signs of the larger elements, and one scale for each matrix [.., 1, 1]."""
    scale = np.abs(values).mean(axis=(-2, -1), keepdims=True)
    return np.clip(np.rint(values / scale), -1, 1), scale


def dequantised(g: m.Graph, values: Any) -> str:
    """DequantizeLinear of int8 with a single scale, as quantisers write it."""
    signs, scale = parts(values)
    if values.ndim > 2:
        return multiplied(g, values)
    return g("DequantizeLinear", g.constant(signs, np.int8), g.constant(scale.item(), np.float32))


def multiplied(g: m.Graph, values: Any) -> str:
    """Cast(w) * scale; of a stack a scale for each matrix."""
    signs, scale = parts(values)
    wide = g("Cast", g.constant(signs, np.int8), to=TensorProto.FLOAT)
    return g("Mul", wide, g.constant(scale, np.float32))


def plain(g: m.Graph, values: Any) -> str:
    """The products in float32, as an exporter that folds constants leaves them."""
    signs, scale = parts(values)
    return g.constant(signs * scale, np.float32)


FORMS = {"DequantizeLinear": dequantised, "Cast, Mul": multiplied, "float32": plain}


def shared_in_full(g: m.Graph, x: str) -> str:
    """Qwen2-MoE's shared expert, its matrices in float32 whatever those of the model are."""
    kept, g.stored = g.stored, None
    out = m.gated_shared(g, x)
    g.stored = kept
    return out

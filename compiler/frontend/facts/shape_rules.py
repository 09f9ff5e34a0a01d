"""Shape arithmetic in numpy, and shapes of operators that ONNX itself does not know."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx_ir import Node

from compiler.frontend.facts.graph import axis_attribute
from ir.arrays import Array

Shape = tuple[int, ...]


def _axes(node: Node, given: Sequence[Array]) -> list[int]:
    """The axes of Squeeze, Unsqueeze or a reduction: second input, or attribute before opset 13."""
    if len(given) > 1:
        return [int(a) for a in np.ravel(given[1])]
    return [int(a) for a in node.attributes.get_ints("axes", ()) or ()]


def _shape(node: Node, given: Sequence[Array]) -> Array:
    start = node.attributes.get_int("start", 0)
    end = node.attributes.get_int("end", None)
    dims: Array = given[0].astype(np.int64)[start:end]
    return dims


def _cast(node: Node, given: Sequence[Array]) -> Array | None:
    kinds = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 11: np.float64, 10: np.float32}
    kind = kinds.get(node.attributes.get_int("to", 0) or 0)
    return None if kind is None else given[0].astype(kind)


def _div(node: Node, given: Sequence[Array]) -> Array:
    del node
    a, b = given
    if np.issubdtype(a.dtype, np.integer) and np.issubdtype(b.dtype, np.integer):
        towards_zero: Array = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))
        return towards_zero.astype(a.dtype)
    return np.asarray(a / b)


def _gather(node: Node, given: Sequence[Array]) -> Array:
    return np.asarray(
        np.take(given[0], given[1].astype(np.int64), axis=node.attributes.get_int("axis", 0))
    )


def _slice(node: Node, given: Sequence[Array]) -> Array:
    data = given[0]
    if len(given) < 3:
        starts = list(node.attributes.get_ints("starts", ()) or ())
        ends = list(node.attributes.get_ints("ends", ()) or ())
        axes = list(node.attributes.get_ints("axes", ()) or range(len(starts)))
        steps = [1] * len(starts)
    else:
        starts, ends = np.ravel(given[1]).tolist(), np.ravel(given[2]).tolist()
        axes = np.ravel(given[3]).tolist() if len(given) > 3 else list(range(len(starts)))
        steps = np.ravel(given[4]).tolist() if len(given) > 4 else [1] * len(starts)
    cut: list[slice] = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        cut[int(axis)] = slice(int(start), int(end), int(step))
    return data[tuple(cut)]


def _squeeze(node: Node, given: Sequence[Array]) -> Array:
    axes = _axes(node, given)
    return np.squeeze(given[0], axis=tuple(axes)) if axes else np.squeeze(given[0])


def _unsqueeze(node: Node, given: Sequence[Array]) -> Array:
    return np.expand_dims(given[0], tuple(_axes(node, given)))


def _reshape(node: Node, given: Sequence[Array]) -> Array:
    del node
    return given[0].reshape([int(d) for d in given[1]])


def _concat(node: Node, given: Sequence[Array]) -> Array:
    return np.concatenate(list(given), axis=node.attributes.get_int("axis", 0) or 0)


def _reduce(function: Callable[..., Any]) -> Callable[[Node, Sequence[Array]], Array]:
    def rule(node: Node, given: Sequence[Array]) -> Array:
        axes = _axes(node, given)
        keep = bool(node.attributes.get_int("keepdims", 1))
        return np.asarray(function(given[0], axis=tuple(axes) if axes else None, keepdims=keep))

    return rule


def _fold(function: Callable[..., Any]) -> Callable[[Node, Sequence[Array]], Array]:
    def rule(node: Node, given: Sequence[Array]) -> Array:
        del node
        out = given[0]
        for other in given[1:]:
            out = np.asarray(function(out, other))
        return np.asarray(out)

    return rule


def _plain(function: Callable[..., Any]) -> Callable[[Node, Sequence[Array]], Array]:
    def rule(node: Node, given: Sequence[Array]) -> Array:
        del node
        return np.asarray(function(*given))

    return rule


def _constant_of_shape(node: Node, given: Sequence[Array]) -> Array | None:
    dims = [int(d) for d in given[0]]
    if np.prod(dims, dtype=np.float64) > 4096:
        return None
    tensor = node.attributes.get_tensor("value", None)
    fill = np.float32(0) if tensor is None else np.ravel(tensor.numpy())[0]
    return np.full(dims, fill)


Rule = Callable[[Node, Sequence[Array]], Array | None]

CONTENT: dict[str, Rule] = {
    "Shape": _shape,
    "Cast": _cast,
    "Div": _div,
    "Gather": _gather,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Concat": _concat,
    "Add": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "Mod": _plain(np.mod),
    "Pow": _plain(np.power),
    "Neg": _plain(np.negative),
    "Abs": _plain(np.abs),
    "Floor": _plain(np.floor),
    "Ceil": _plain(np.ceil),
    "Round": _plain(np.round),
    "Sqrt": _plain(np.sqrt),
    "Identity": _plain(np.asarray),
    "Equal": _plain(np.equal),
    "Less": _plain(np.less),
    "Greater": _plain(np.greater),
    "LessOrEqual": _plain(np.less_equal),
    "GreaterOrEqual": _plain(np.greater_equal),
    "Where": _plain(np.where),
    "Min": _fold(np.minimum),
    "Max": _fold(np.maximum),
    "And": _plain(np.logical_and),
    "Or": _plain(np.logical_or),
    "Not": _plain(np.logical_not),
    "ReduceProd": _reduce(np.prod),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ReduceSum": _reduce(np.sum),
    "ConstantOfShape": _constant_of_shape,
}

_LIKE_FIRST = {
    "SimplifiedLayerNormalization",
    "LayerNormalization",
    "MoE",
    "QMoE",
    "QuickGelu",
    "FastGelu",
    "BiasGelu",
    "Gelu",
    "RotaryEmbedding",
    "CausalConvWithState",
    "BiasAdd",
    "RMSNormalization",
    "Swish",
}


def split_shapes(node: Node, whole: Shape | None, lengths: Array) -> tuple[Shape | None, ...]:
    """The shapes of a Split's outputs, by the lengths it is given."""
    if whole is None or lengths.size != len(node.outputs):
        return (None,) * len(node.outputs)
    axis = axis_attribute(node, 0, len(whole))
    return tuple((*whole[:axis], int(n), *whole[axis + 1 :]) for n in lengths.ravel())


def _fused_product(node: Node, left: Shape | None, right: Shape | None) -> Shape | None:
    """The shape of MatMul with the last two axes of an operand exchanged where it says so."""
    batch = node.attributes.get_int("transBatchA", 0) or node.attributes.get_int("transBatchB", 0)
    if left is None or right is None or batch or min(len(left), len(right)) < 2:
        return None
    rows = left[-1] if node.attributes.get_int("transA", 0) else left[-2]
    columns = right[-2] if node.attributes.get_int("transB", 0) else right[-1]
    lead = left[:-2] if len(left) >= len(right) else right[:-2]
    return (*lead, rows, columns)


def contrib_shape(node: Node, shapes: Sequence[Shape | None]) -> tuple[Shape | None, ...] | None:
    """The shapes of a contributed operator's outputs, or None if it is not one known here."""
    first = shapes[0] if shapes else None
    kind = node.op_type
    if kind in ("SkipSimplifiedLayerNormalization", "SkipLayerNormalization"):
        return (first, None, None, first)[: len(node.outputs)]
    if kind == "FusedMatMul" and len(shapes) > 1:
        return (_fused_product(node, first, shapes[1]),)
    if first is None:
        return None
    norms = ("SimplifiedLayerNormalization", "LayerNormalization")  # also before opset 17
    if kind in _LIKE_FIRST and (node.domain == "com.microsoft" or kind in norms):
        return (first,)
    if node.domain != "com.microsoft":
        return None
    if kind == "MatMulNBits":
        return ((*first[:-1], node.attributes.get_int("N", -1) or -1),)
    if kind == "GroupQueryAttention":
        heads = node.attributes.get_int("num_heads", 0) or 0
        pairs = heads + 2 * (node.attributes.get_int("kv_num_heads", 0) or 0)
        packed = len(shapes) < 2 or node.inputs[1] is None
        width = first[-1] * heads // pairs if packed and pairs and first[-1] > 0 else first[-1]
        return ((*first[:-1], width),)
    if kind == "MultiHeadAttention" and len(first) == 3:
        value = shapes[2] if len(shapes) > 2 else None
        return ((*first[:-1], value[-1] if value is not None and len(value) == 3 else first[-1]),)
    return None

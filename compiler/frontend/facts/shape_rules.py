"""Shapes of operators that ONNX itself does not know, or not at every version."""

from collections.abc import Sequence

from onnx_ir import Node

from compiler.frontend.facts.graph import axis_attribute
from ir.arrays import Array

Shape = tuple[int, ...]
ELEMENTWISE = frozenset(
    """
    Abs Acos Add And BitShift Cast CastLike Ceil Celu Clip Cos Div Elu Equal Erf Exp Floor
    Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less
    LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or Pow PRelu Reciprocal Relu Round
    Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu
    Where Xor QuickGelu FastGelu BiasGelu BiasAdd Dropout DequantizeLinear QuantizeLinear
    """.split()
)
COMPARING = ("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")

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


def broadcast_shape(node: Node, shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape of an elementwise operator's output; None for another, or where one is unknown.

    LessOrEqual and GreaterOrEqual infer none before opset 16.
    """
    known = [s for s, v in zip(shapes, node.inputs, strict=True) if v is not None and s is not None]
    given = sum(v is not None for v in node.inputs)
    if not known or node.op_type not in ELEMENTWISE or len(known) < given:
        return None
    rank = max(len(shape) for shape in known)
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in known), strict=True)
    out: list[int] = []
    for lengths in columns:
        wide = {n for n in lengths if n != 1}
        if len(wide) > 1:  # an unknown one is 1 or as long as the others
            wide -= {-1}
        if len(wide) > 1:
            return None
        out.append(wide.pop() if wide else 1)
    return tuple(out)

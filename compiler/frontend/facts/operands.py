"""What the inputs of an operator are to it: matrices, tables, scales, shapes."""

import math
from collections.abc import Sequence

from onnx_ir import Node

MATRICES: dict[str, tuple[int, ...]] = {  # inputs that are multiplied as matrices or kernels
    "MatMul": (0, 1),
    "FusedMatMul": (0, 1),
    "TransposeMatMul": (0, 1),
    "Gemm": (0, 1),
    "FusedGemm": (0, 1),
    "GemmFastGelu": (0, 1),
    "Einsum": (0, 1, 2, 3),
    "MatMulInteger": (0, 1),
    "MatMulInteger16": (0, 1),
    "MatMulIntegerToFloat": (0, 1),
    "DynamicQuantizeMatMul": (0, 1),
    "QLinearMatMul": (0, 3),
    "QGemm": (0, 3),
    "MatMulNBits": (0, 1),
    "MatMulBnb4": (0, 1),
    "Conv": (0, 1),
    "FusedConv": (0, 1),
    "ConvTranspose": (0, 1),
    "ConvInteger": (0, 1),
    "QLinearConv": (0, 3),
    "MoE": (2, 4, 6),
    "QMoE": (2, 5, 8),
    "Attention": (1,),  # com.microsoft's, which holds its projections; ONNX's has no constant there
    "QAttention": (1,),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "RNN": (1, 2),
}
RECURRENT = ("LSTM", "GRU", "RNN")  # whose matrices are all multiplied by, one after another
KERNELS = ("Conv", "FusedConv", "ConvTranspose", "ConvInteger", "QLinearConv")
FOLDED: dict[str, tuple[int, ...]] = {  # scales and zero points
    "DequantizeLinear": (1, 2),
    "QuantizeLinear": (1, 2),
    "MatMulInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeMatMul": (2, 3),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "MatMulNBits": (2, 3, 4),
    "MatMulBnb4": (2,),
    "ConvInteger": (2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QMoE": (3, 6, 9, 11, 12, 13),
    "QAttention": (3, 4, 6, 7),
    "GatherBlockQuantized": (2, 3),
    "If": (0,),
    "Loop": (0, 1),
}
TABLES: dict[str, tuple[int, ...]] = {  # looked up by token ids or positions
    "EmbedLayerNormalization": (2, 3, 4),
    "GatherBlockQuantized": (0,),
    "RotaryEmbedding": (1, 2, 3),
    "GroupQueryAttention": (7, 8),
}
SELECTING = ("Gather", "GatherND", "GatherElements")  # entries of the first input, by the second
REARRANGING = (  # give (part of) their first input again; the others say how
    *SELECTING,
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Expand", "Tile"),
    *("Cast", "CastLike", "Slice", "Split", "SplitToSequence", "Pad", "Dropout"),
    *("DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "SequenceAt"),
    *("DepthToSpace", "SpaceToDepth", "Compress", "Trilu"),
)
JOINING = ("Concat", "SequenceConstruct", "ConcatFromSequence")
OWN_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


def is_unknown(node: Node) -> bool:
    """Whether a node's operator is not one of ONNX's, and nothing here says what it does."""
    known = (MATRICES, FOLDED, TABLES)
    named = node.op_type.startswith(("Simplified", "Skip", "Bias", "Fast", "Quick"))
    attention = node.op_type.endswith("Attention")
    return (
        node.domain not in OWN_DOMAINS
        and not named
        and not attention
        and all(node.op_type not in table for table in known)
    )


def contracted(node: Node, place: int, shape: Sequence[int | None]) -> int | None:
    """Products summed for one element of a node's output, by the operand at `place` of `shape`.

    None for an operator that is not one product, and where a length is not known.
    """
    kind = node.op_type
    if kind in KERNELS:
        return _product(shape[1:])
    if kind in ("MatMulNBits", "MatMulBnb4"):
        return node.attributes.get_int("K", None)
    if kind == "Einsum":
        return _summed(node, place, shape)
    if kind not in MATRICES or kind in ("MoE", "QMoE", "Attention", "QAttention"):
        return None
    if kind in RECURRENT or len(shape) < 2:
        return None
    right = place == MATRICES[kind][1]
    turned = bool(node.attributes.get_int("transB" if right else "transA", 0))
    return shape[-2] if right != turned else shape[-1]


def _product(lengths: Sequence[int | None]) -> int | None:
    known = [n for n in lengths if n is not None]
    return math.prod(known) if len(known) == len(lengths) else None


def _summed(node: Node, place: int, shape: Sequence[int | None]) -> int | None:
    """The letters of an operand that an Einsum's result does not have."""
    equation = (node.attributes.get_string("equation", "") or "").replace(" ", "")
    terms, arrow, out = equation.partition("->")
    parts = terms.split(",")
    if not arrow or place >= len(parts) or "." in parts[place] or len(parts[place]) != len(shape):
        return None
    return _product([n for c, n in zip(parts[place], shape, strict=True) if c not in out])

"""How QMoE and MatMulNBits pack the elements of a matrix along its rows, 2, 4 or 8 bits each."""

from dataclasses import dataclass

import numpy as np
import onnx_ir

from ir.arrays import Array

PACKED = {  # by operator, the inputs that are packed: their inputs of scales and zero points
    "QMoE": {2: (3, 11), 5: (6, 12), 8: (9, 13)},
    "MatMulNBits": {1: (2, 3)},
}


@dataclass(frozen=True)
class Packing:
    """How a tensor is packed: bits, names of scales and zero points, elements per scale (0 = row).

    Default zero point 2^(bits - 1).
    """

    bits: int
    scales: str
    zeros: str | None
    block: int


def is_packed(graph: onnx_ir.Graph) -> bool:
    """Whether some weights of a graph are packed."""
    return any(node.op_type in PACKED for node in graph)


def reads_packed(node: onnx_ir.Node) -> bool:
    """Whether `load_weight` reads the packed weights of a QMoE or MatMulNBits.

    They and their scales are stored, 2, 4 or 8 bits an element, in order, and no other node reads
    the same bytes in another way.
    """
    places = packed_places(node)
    how = [packing_of(node, place) for place in places]
    beside = {n for h in how if h is not None for n in (h.scales, h.zeros) if n}
    given = [v for v in node.inputs if v is not None and v.name in beside]
    held = [node.inputs[place] for place in places]
    return (
        bool(held)
        and None not in how
        and all(v is not None and v.is_initializer() for v in (*held, *given))
        and all(len({packing_of(*use) for use in v.uses()}) == 1 for v in held if v is not None)
    )


def packed_places(node: onnx_ir.Node) -> list[int]:
    """The inputs of a node that hold packed weights."""
    return [place for place in PACKED.get(node.op_type, {}) if input_name(node, place)]


def bits_of(node: onnx_ir.Node) -> int:
    """Bits of an element of a QMoE's or MatMulNBits' weights."""
    name = "expert_weight_bits" if node.op_type == "QMoE" else "bits"
    return int(node.attributes.get_int(name, 4) or 4)


def packing_of(node: onnx_ir.Node, place: int) -> Packing | None:
    """How a node has its input packed; None where it does not, or not in a way that is read."""
    if place not in PACKED.get(node.op_type, {}):
        return None
    bits = bits_of(node)
    block = node.attributes.get_int("block_size", 0) or 0
    scales, zeros = PACKED[node.op_type][place]
    if node.op_type == "QMoE":
        kind = node.attributes.get_string("quant_type", "int") or "int"
        prepacked = (node.attributes.get_int("weights_prepacked", 0) or 0) > 0
        own = any(f"fc{n}_expert_weight_bits" in node.attributes for n in (1, 2, 3))
        odd = kind != "int" or prepacked or own or any(input_name(node, p) for p in range(15, 21))
    else:
        odd = input_name(node, 4) is not None  # g_idx: another order
    if odd or bits not in (2, 4, 8):
        return None
    return Packing(bits, input_name(node, scales) or "", input_name(node, zeros), int(block))


def unpack_matrix(
    packed: Array, scales: Array, zeros: Array | None, rows: int, how: Packing
) -> Array:
    """(q - zero) * scale in float32, as stored: [columns of the whole matrix, rows].

    Raises ValueError or IndexError where the three do not fit each other.
    """
    outer = packed.shape[0]
    q = _elements(packed.reshape(outer, -1), how.bits)[:, :rows].astype(np.float32)
    factor = scales.astype(np.float32).reshape(outer, -1)
    zero: Array = np.full(factor.shape, 2 ** (how.bits - 1), dtype=np.float32)
    if zeros is not None:
        if zeros.dtype == np.uint8 and how.block:
            zeros = _elements(zeros.reshape(outer, -1), how.bits)[:, : factor.shape[1]]
        elif zeros.dtype == np.uint8:  # one for each row, packed along the rows
            zeros = _elements(zeros.reshape(1, -1), how.bits)[0, :outer]
        zero = zeros.reshape(factor.shape).astype(np.float32)
    place = np.arange(rows) // (how.block or rows)
    return np.asarray((q - zero[:, place]) * factor[:, place])


def _elements(packed: Array, bits: int) -> Array:
    """Unsigned elements of `bits` bits, the lowest first, from bytes [n, m]: [n, m * 8 / bits]."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts = (packed[:, :, None] >> shifts) & np.uint8(2**bits - 1)
    return np.asarray(parts.reshape(len(packed), -1))


def input_name(node: onnx_ir.Node, place: int) -> str | None:
    """The name of a node's input; None where it has none."""
    value = node.inputs[place] if place < len(node.inputs) else None
    return value.name if value is not None else None

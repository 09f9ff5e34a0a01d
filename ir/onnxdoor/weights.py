"""Read the matrices that a workload names from an opened model, dequantised where they are packed.

Who reads a stored tensor says how its bytes are meant: QMoE and MatMulNBits pack elements of 2, 4
or 8 bits along the rows of the matrix, DequantizeLinear scales whole elements.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from ir.errors import InputError
from ir.onnxdoor.load import Source
from ir.onnxdoor.widen import as_stored
from ir.workload import Weight

Array = npt.NDArray[Any]
_PLACES = {  # inputs that are packed: their inputs of scales and zero points
    "QMoE": {2: (3, 11), 5: (6, 12), 8: (9, 13)},
    "MatMulNBits": {1: (2, 3)},
}


def load_weight(source: Source, weight: Weight) -> Array:
    """The matrix [rows, columns]; packed or scaled elements come as float32, others as stored.

    Raises InputError if it is not there or not of that shape.
    """
    reader = _packed_reader(source, weight.tensor)
    if reader is not None:
        stored = _unpacked(source, weight, reader)
        return part_of(source, stored, replace(weight, index=None))
    return part_of(source, _scaled(source, weight.tensor), weight)


def part_of(source: Source, stored: Array, weight: Weight) -> Array:
    """The matrix [rows, columns] in an array of its stored tensor's shape: a view."""
    rank = 2 if weight.index is None else 3
    squeezed = stored
    if stored.ndim > rank:
        squeezed = stored.reshape([d for d in stored.shape if d != 1])
    where = f"{source.path}: tensor {weight.tensor!r}"
    if squeezed.ndim != rank:
        raise InputError(where, f"{list(stored.shape)}, expected {rank} axes")
    matrix = squeezed if rank == 2 else squeezed[weight.index]
    matrix = matrix.T if weight.transposed else matrix
    part = matrix[:, _columns(weight)]
    if part.shape != (weight.rows, weight.columns):
        raise InputError(where, f"holds {part.shape}, expected {(weight.rows, weight.columns)}")
    return part


def stored_as_is(source: Source, name: str) -> Array | None:
    """A copy of a stored tensor; None where its elements are packed or to be scaled."""
    if _packed_reader(source, name) is not None or _scaling(source, name) is not None:
        return None
    return np.array(_tensor(source, name))


def load_bias(source: Source, weight: Weight) -> Array | None:
    """The bias [columns] that belongs to a matrix, or None."""
    if weight.bias is None:
        return None
    stored = _tensor(source, weight.bias)
    index = weight.index if weight.bias_index is None else weight.bias_index
    if index is not None and stored.ndim > 1:
        stored = stored[index]
    vector = np.ravel(stored)
    return vector[_columns(weight)] if vector.size != weight.columns else vector


def stored_bytes(source: Source, name: str) -> int | None:
    """Bytes of a stored tensor; None if it lies in a file that is mostly holes, never written."""
    value = source.graph.initializers.get(name)
    if value is None or value.const_value is None:
        raise InputError(str(source.path), f"no stored tensor {name!r}")
    tensor = as_stored(value.const_value)
    if isinstance(tensor, onnx_ir.ExternalTensor):
        info = Path(tensor.path).stat()
        if info.st_blocks * 512 < info.st_size // 2:
            return None
    return tensor.nbytes


def _columns(weight: Weight) -> slice:
    stop = weight.start + weight.step * (weight.columns - 1) + 1
    return slice(weight.start, stop, weight.step)


def _tensor(source: Source, name: str) -> Array:
    value = source.graph.initializers.get(name)
    if value is None or value.const_value is None:
        raise InputError(str(source.path), f"no stored tensor {name!r}")
    return np.asarray(as_stored(value.const_value).numpy())


@dataclass(frozen=True)
class _Packed:
    """How a tensor is packed: bits, names of scales and zero points, elements per scale (0 = row).

    Default zero point 2^(bits - 1).
    """

    bits: int
    scales: str
    zeros: str | None
    block: int


def reads_packed(node: onnx_ir.Node) -> bool:
    """Whether `load_weight` reads the packed weights of a QMoE or MatMulNBits.

    They and their scales are stored, 2, 4 or 8 bits an element, in order, and no other node reads
    the same bytes in another way.
    """
    places = [p for p in _PLACES.get(node.op_type, {}) if _name(node, p)]
    how = [_packing(node, place) for place in places]
    beside = {n for h in how if h is not None for n in (h.scales, h.zeros) if n}
    given = [v for v in node.inputs if v is not None and v.name in beside]
    held = [node.inputs[place] for place in places]
    return (
        bool(held)
        and None not in how
        and all(v is not None and v.is_initializer() for v in (*held, *given))
        and all(len({_packing(*use) for use in v.uses()}) == 1 for v in held if v is not None)
    )


def _packing(node: onnx_ir.Node, place: int) -> _Packed | None:
    """How a node has its input packed; None where it does not, or not in a way that is read."""
    if place not in _PLACES.get(node.op_type, {}):
        return None
    moe = node.op_type == "QMoE"
    bits = node.attributes.get_int("expert_weight_bits" if moe else "bits", 4) or 4
    block = node.attributes.get_int("block_size", 0) or 0
    scales, zeros = _PLACES[node.op_type][place]
    if moe:
        kind = node.attributes.get_string("quant_type", "int") or "int"
        prepacked = (node.attributes.get_int("weights_prepacked", 0) or 0) > 0
        own = any(f"fc{n}_expert_weight_bits" in node.attributes for n in (1, 2, 3))
        odd = kind != "int" or prepacked or own or any(_name(node, p) for p in range(15, 21))
    else:
        odd = _name(node, 4) is not None  # g_idx: another order
    if odd or bits not in (2, 4, 8):
        return None
    return _Packed(int(bits), _name(node, scales) or "", _name(node, zeros), int(block))


def _packed_reader(source: Source, name: str) -> _Packed | None:
    """How the operator that reads a tensor has it packed, None where it does not."""
    value = source.graph.initializers.get(name)
    if value is None:
        raise InputError(str(source.path), f"no stored tensor {name!r}")
    found = [(node, p) for node, p in value.uses() if p in _PLACES.get(node.op_type, {})]
    if not found:
        return None
    if not all(reads_packed(node) for node, _ in found):
        raise InputError(str(source.path), f"tensor {name!r}: packed in a way that is not read")
    return _packing(*found[0])


def _name(node: onnx_ir.Node, place: int) -> str | None:
    value = node.inputs[place] if place < len(node.inputs) else None
    return value.name if value is not None else None


def _unpacked(source: Source, weight: Weight, how: _Packed) -> Array:
    """One matrix as stored, [columns of the whole matrix, rows], in float32: (q - zero) * scale."""

    def entry(name: str) -> Array:
        stored = _tensor(source, name)
        return stored if weight.index is None else stored[weight.index]

    packed = entry(weight.tensor)
    outer = packed.shape[0]
    q = _elements(packed.reshape(outer, -1), how.bits)[:, : weight.rows].astype(np.float32)
    scales = entry(how.scales).astype(np.float32).reshape(outer, -1)
    zero: Array = np.full(scales.shape, 2 ** (how.bits - 1), dtype=np.float32)
    if how.zeros is not None:
        raw = entry(how.zeros)
        if raw.dtype == np.uint8 and how.block:
            raw = _elements(raw.reshape(outer, -1), how.bits)[:, : scales.shape[1]]
        elif raw.dtype == np.uint8:  # one for each row, packed along the rows
            raw = _elements(raw.reshape(1, -1), how.bits)[0, :outer]
        zero = raw.reshape(scales.shape).astype(np.float32)
    block = how.block or weight.rows
    place = np.arange(weight.rows) // block
    return np.asarray((q - zero[:, place]) * scales[:, place])


def _elements(packed: Array, bits: int) -> Array:
    """Unsigned elements of `bits` bits, the lowest first, from bytes [n, m]: [n, m * 8 / bits]."""
    if bits not in (1, 2, 4, 8):
        raise InputError("weights", f"packed in elements of {bits} bits, expected 2, 4 or 8")
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts = (packed[:, :, None] >> shifts) & np.uint8(2**bits - 1)
    return np.asarray(parts.reshape(len(packed), -1))


def _scaling(source: Source, name: str) -> onnx_ir.Node | None:
    """The DequantizeLinear that reads a tensor."""
    readers = [n for n, place in source.graph.initializers[name].uses() if place == 0]
    return readers[0] if readers and readers[0].op_type == "DequantizeLinear" else None


def _scaled(source: Source, name: str) -> Array:
    """A stored tensor, multiplied out if it is only read through one DequantizeLinear."""
    stored, node = _tensor(source, name), _scaling(source, name)
    if node is None:
        return stored
    scale: Array = _tensor(source, _name(node, 1) or "").astype(np.float32)
    zeros = _name(node, 2)
    zero: Array = np.zeros_like(scale)
    if zeros is not None:
        zero = _tensor(source, zeros).astype(np.float32)
    axis = int(node.attributes.get_int("axis", 1) or 0)
    block = int(node.attributes.get_int("block_size", 0) or 0)
    if block:
        length = int(stored.shape[axis])
        within: Array = np.floor_divide(np.arange(length, dtype=np.int64), block)
        scale, zero = scale.take(within, axis=axis), zero.take(within, axis=axis)
    elif scale.size > 1:
        shape = [-1 if i == axis % stored.ndim else 1 for i in range(stored.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return np.asarray((stored.astype(np.float32) - zero) * scale)

"""Read the matrices that a workload names from an opened model, dequantised where they are packed.

Who reads a stored tensor says how its bytes are meant: QMoE and MatMulNBits pack elements (see
`packing`), DequantizeLinear scales whole ones. A name that is no stored tensor's is that of a
constant which nodes make (see `computed`).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir

from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.computed import computed, is_computed, stored_for
from ir.onnxdoor.load import Source
from ir.onnxdoor.packing import (
    Packing,
    input_name,
    packed_places,
    packing_of,
    reads_packed,
    unpack_matrix,
)
from ir.onnxdoor.widen import as_stored
from ir.products import product
from ir.workload import Weight

BLOCK = 8  # rows that are multiplied at once: none at the edge of a kernel


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
    if is_computed(source, name) or _scaling(source, name) is not None:
        return None
    if _packed_reader(source, name) is not None:
        return None
    return np.array(_tensor(source, name))


def load_bias(source: Source, weight: Weight) -> Array | None:
    """The bias [columns] that belongs to a matrix, or None."""
    if weight.bias is None:
        return None
    stored = _scaled(source, weight.bias)
    if stored.ndim > 2:
        stored = stored.reshape([d for d in stored.shape if d != 1])
    index = weight.index if weight.bias_index is None else weight.bias_index
    if index is not None and stored.ndim > 1:
        stored = stored[index]
    vector = np.ravel(stored)
    return vector[_columns(weight)] if vector.size != weight.columns else vector


class StoredMatrices:
    """The weights of a layer as float32, each read once."""

    def __init__(self, source: Source) -> None:
        """Read from `source`."""
        self._source = source
        self._held: dict[Weight, tuple[Array, Array | None]] = {}

    def product(self, x: Array, weight: Weight) -> Array:
        """X [n, rows] @ W (+ bias): [n, columns], a row the same whatever other rows there are."""
        if weight not in self._held:
            bias = load_bias(self._source, weight)
            self._held[weight] = (
                load_weight(self._source, weight).astype(np.float32),
                None if bias is None else bias.astype(np.float32),
            )
        matrix, bias = self._held[weight]
        out = _by_blocks(x, matrix)
        return out if bias is None else out + bias


def _by_blocks(x: Array, matrix: Array) -> Array:
    """X [.., rows] @ matrix in blocks of as many rows.

    A matrix library adds up in another order for other numbers of rows on some processors, and near
    ties of a router are then decided by which tokens run together.
    """
    rows = x.reshape(-1, x.shape[-1])
    blocks = -(-len(rows) // BLOCK)
    padded = np.zeros((blocks * BLOCK, rows.shape[1]), dtype=x.dtype)
    padded[: len(rows)] = rows
    out = product(padded.reshape(blocks, BLOCK, rows.shape[1]), matrix)
    return out.reshape(-1, matrix.shape[1])[: len(rows)].reshape(*x.shape[:-1], -1)


def stored_bytes(source: Source, name: str) -> int | None:
    """Bytes of a stored tensor, or of those that a constant is made of.

    None if one lies in a file that is mostly holes, never written.
    """
    if is_computed(source, name):
        tensors = stored_for(source, name)
    else:
        value = source.graph.initializers.get(name)
        if value is None or value.const_value is None:
            raise InputError(str(source.path), f"no stored tensor {name!r}")
        tensors = [as_stored(value.const_value)]
    for tensor in tensors:
        if isinstance(tensor, onnx_ir.ExternalTensor):
            info = Path(tensor.path).stat()
            if info.st_blocks * 512 < info.st_size // 2:
                return None
    return sum(tensor.nbytes for tensor in tensors)


def _columns(weight: Weight) -> slice:
    stop = weight.start + weight.step * (weight.columns - 1) + 1
    return slice(weight.start, stop, weight.step)


def _tensor(source: Source, name: str) -> Array:
    if is_computed(source, name):
        return computed(source, name)
    value = source.graph.initializers.get(name)
    if value is None or value.const_value is None:
        raise InputError(str(source.path), f"no stored tensor {name!r}")
    return np.asarray(as_stored(value.const_value).numpy())


def _packed_reader(source: Source, name: str) -> Packing | None:
    """How the operator that reads a tensor has it packed, None where it does not."""
    value = source.graph.initializers.get(name)
    if value is None:
        return None
    found = [(node, place) for node, place in value.uses() if place in packed_places(node)]
    if not found:
        return None
    if not all(reads_packed(node) for node, _ in found):
        raise InputError(str(source.path), f"tensor {name!r}: packed in a way that is not read")
    return packing_of(*found[0])


def _unpacked(source: Source, weight: Weight, how: Packing) -> Array:
    """One matrix as stored, [columns of the whole matrix, rows], in float32."""

    def entry(name: str) -> Array:
        stored = _tensor(source, name)
        return stored if weight.index is None else stored[weight.index]

    packed, scales = entry(weight.tensor), entry(how.scales)
    zeros = None if how.zeros is None else entry(how.zeros)
    try:
        return unpack_matrix(packed, scales, zeros, weight.rows, how)
    except (ValueError, IndexError) as error:
        found = [
            f"{name} {list(a.shape)}"
            for name, a in (
                ("elements", packed),
                ("scales", scales),
                ("zero points", zeros),
            )
            if a is not None
        ]
        raise InputError(
            str(source.path),
            f"tensor {weight.tensor!r}: {', '.join(found)} do not fit each other, for "
            f"{weight.rows} rows of {how.bits} bits",
        ) from error


def _scaling(source: Source, name: str) -> onnx_ir.Node | None:
    """The DequantizeLinear that reads a tensor."""
    value = source.graph.initializers.get(name)
    readers = [n for n, place in value.uses() if place == 0] if value is not None else []
    return readers[0] if readers and readers[0].op_type == "DequantizeLinear" else None


def _scaled(source: Source, name: str) -> Array:
    """A stored tensor, multiplied out if it is only read through one DequantizeLinear."""
    stored, node = _tensor(source, name), _scaling(source, name)
    if node is None:
        return stored
    scale: Array = _tensor(source, input_name(node, 1) or "").astype(np.float32)
    zeros = input_name(node, 2)
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

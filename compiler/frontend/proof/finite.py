"""Refuse weights that are no numbers: NaN anywhere, infinity in a matrix.

A mask may hold infinities. What computes with such a weight proves nothing of a layer, which would
be taken for none.
"""

import numpy as np
import onnx_ir

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from ir.arrays import Array, Bools
from ir.errors import InputError
from ir.onnxdoor.widen import as_stored


def refuse_not_finite(facts: Facts) -> None:
    """InputError names the first such element: its tensor, where it is in it, and who reads it."""
    for stored, uses in facts.uses.of.items():
        tensor = stored.const_value
        if tensor is None or not tensor.dtype.is_floating_point():
            continue
        wrong = _wrong(as_stored(tensor), matrix=any(use.role == "matrix" for use in uses))
        if wrong is None:
            continue
        place, number = wrong
        readers = [use.node for use in uses] or [node for node, _ in stored.uses()]
        by = f" of node {readers[0].name!r} ({readers[0].op_type})" if readers else ""
        told = f"tensor {name_of(stored)!r}{by}: element {place} is {number}"
        raise InputError(facts.graph.name, f"{told}, expected a finite number")


def _wrong(tensor: onnx_ir.TensorProtocol, *, matrix: bool) -> tuple[list[int], float] | None:
    """Where the first element is that is no number, and what it is; None where there is none."""
    array: Array = tensor.numpy()
    if array.dtype.kind != "f":
        array = array.astype(np.float32)  # of 16 or 8 bits, which numpy does not know
    bad: Bools = np.isnan(array) if not matrix else ~np.isfinite(array)
    if not bad.any():
        return None
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    return list(place), float(array[place])

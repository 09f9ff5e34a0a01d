"""Ternary weights: told from their values, or put in place of others when a model is opened."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx_ir

from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.weights import part_of, stored_as_is
from ir.onnxdoor.widen import Widened, as_stored
from ir.workload import Weight, Workload


def open_as(model: str | Path | Source, workload: Workload, as_it_is: bool = False) -> Source:
    """The model that a workload was read from, with those weights rounded that it says are.

    A model opened before is itself the answer where no weight is, and is left as it is where some
    are. as_it_is: see `open_model`. Raises InputError if the file has changed, or stores
    such a weight packed or scaled.
    """
    weights = list(dict.fromkeys(_rounded(workload)))
    if isinstance(model, Source) and not weights:
        source = model
    else:
        source = open_model(model.path if isinstance(model, Source) else model, as_it_is)
    if source.sha256 != workload.sha256:
        raise InputError(str(source.path), "changed since it was read as a workload")
    _replace(source, weights)
    return source


def _replace(source: Source, weights: Iterable[Weight]) -> None:
    """Put ternary values in place of each of the weights."""
    by_tensor: dict[str, list[Weight]] = {}
    for weight in weights:
        by_tensor.setdefault(weight.tensor, []).append(weight)
    for name, parts in by_tensor.items():
        stored = stored_as_is(source, name)
        if stored is None:
            raise InputError(
                str(source.path),
                f"tensor {name!r}: packed or scaled integers cannot be made ternary",
                "use the model with its experts in floating point",
            )
        for weight in parts:
            part = part_of(source, stored, weight)
            part[:] = ternary(part)
        value = source.graph.initializers[name]
        before = value.const_value
        kind = as_stored(before).dtype if before is not None else None
        tensor = onnx_ir.Tensor(stored, dtype=kind, name=name)
        value.const_value = Widened(tensor) if isinstance(before, Widened) else tensor


def _rounded(workload: Workload) -> list[Weight]:
    return [
        weight
        for op in workload.moe_layers
        for expert in op.experts
        for weight in expert.weights
        if weight.rounded
    ]


def is_ternary(values: Array) -> bool:
    """Whether a matrix [rows, columns] has elements -s, 0 and s only, for one s above 0."""
    for part in (values[:1], values):  # most others show in one row
        sizes = np.abs(part.astype(np.float32))
        largest = sizes.max(initial=0)
        if not ((sizes == 0) | (sizes == largest)).all():
            return False
    return bool(largest > 0)


def ternary(values: Array) -> Array:
    """RoundClip(W / g, -1, 1) * g with g = mean |W|, in the values' own type.

    The absmean quantisation of BitNet b1.58 (arXiv 2402.17764, equations 1 to 3), one scale for
    each matrix.
    """
    wide = values.astype(np.float32)
    scale = values.dtype.type(np.abs(wide).mean(dtype=np.float64))
    signs = np.clip(np.rint(wide / np.float32(scale)), -1, 1) if scale else np.zeros_like(wide)
    return np.asarray(signs.astype(values.dtype) * scale)

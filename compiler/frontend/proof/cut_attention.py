"""One attention cut out of its model, to be run on vectors of our own."""

from collections.abc import Mapping, Sequence
from types import TracebackType

import numpy as np
import onnx_ir
from onnx_ir import Value

from compiler.frontend.facts import Facts
from compiler.frontend.facts.graph import name_of
from ir.arrays import Array
from ir.onnxdoor.extract import extract
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Attention


class UnknownShapeError(Exception):
    """Names a value whose shape for a number of tokens cannot be told."""


class CutAttention:
    """An attention in the child process; what tokens are is given, all else of the model is ones.

    Raises InputError where it cannot be loaded.
    """

    def __init__(
        self, facts: Facts, runtime: Runtime, attention: Attention, wanted: Sequence[Value]
    ) -> None:
        """Load what of the model makes the `wanted` values."""
        graph = facts.graph
        values = graph.by_name
        self._facts, self._wanted = facts, [name_of(v) for v in wanted]
        self._vectors = [values[n] for n in attention.inputs if values[n] in graph.data]
        self._kinds = {
            name_of(v): facts.sizes.kind(v) or onnx_ir.DataType.FLOAT for v in self._vectors
        }
        self._others = [v for v in graph.inputs if name_of(v) not in self._kinds]
        kinds = {**self._kinds, **{name_of(v): v.dtype for v in self._others}}
        model = extract(graph.source, kinds, self._wanted)
        self._model = runtime.load(model, attention.name)

    def __enter__(self) -> "CutAttention":
        """Return the attention itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Let the child process forget it."""
        self._model.drop()

    def vectors(self, tokens: int, random: np.random.Generator) -> dict[str, Array]:
        """Random vectors for so many tokens, by name; may raise UnknownShapeError."""
        return {name_of(v): random.standard_normal(self._dims(v, tokens)) for v in self._vectors}

    def run(self, vectors: Mapping[str, Array], tokens: int) -> dict[str, Array]:
        """The wanted values of the first so many tokens of the vectors."""
        feeds = {name_of(v): _other(v, tokens) for v in self._others}
        for value in self._vectors:
            name, axis = name_of(value), self._facts.axes.of(value)
            length = tokens * (axis.inner if axis is not None else 1)
            part = vectors[name].take(np.arange(length), axis=axis.axis if axis else 1)
            feeds[name] = part.astype(self._kinds[name].numpy())
        return self._model.run(feeds, self._wanted)

    def _dims(self, value: Value, tokens: int) -> list[int]:
        """The shape of a value for a number of tokens."""
        shape, axis = self._facts.sizes.shape(value), self._facts.axes.of(value)
        dims = [] if shape is None else [int(d) for d in shape[:, 0]]
        if axis is not None and dims:
            dims[axis.axis] = tokens * axis.inner
        if axis is None or not dims or any(d < 0 for d in dims):
            raise UnknownShapeError(f"the shape of {name_of(value)!r} is not known")
        return dims


def _other(value: Value, tokens: int) -> Array:
    """A model input that only its length and position matter of: ids, mask, positions."""
    dims = [d if isinstance(d, int) else tokens for d in value.shape or ()]
    if len(dims) > 1 and value.shape is not None and not isinstance(value.shape[0], int):
        dims[0] = 1
    kind = value.dtype.numpy() if value.dtype is not None else np.dtype(np.int64)
    if "position" in name_of(value):
        return np.broadcast_to(np.arange(dims[-1]), dims).astype(kind)
    return np.ones(dims, dtype=kind)

"""What a file declares of its inputs of tokens: their axes, fixed lengths, sequences together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx_ir import Value

from compiler.frontend.facts.graph import Graph


def token_dims(
    graph: Graph, samples: Sequence[int], lengths: Mapping[Value, int]
) -> tuple[int | None, dict[str, Any]]:
    """The fixed token count, or None; and the value of each symbolic dimension name.

    lengths: of the inputs of tokens, which then are fixed.
    """
    params: dict[str, Any] = {}
    for value in graph.token_inputs:
        if value.shape is None or not len(value.shape):
            continue
        rank = len(value.shape)
        axis = token_axis_of_input(value)
        dim = value.shape[axis]
        if rank > 1 and axis == 1 and not isinstance(value.shape[0], int):
            params[str(value.shape[0].value)] = 1
        if lengths:
            own = lengths.get(value, max(lengths.values()))
            params |= {} if isinstance(dim, int) else {str(dim.value): own}
        elif isinstance(dim, int):  # of a side before it that is free, too
            return dim, {n: p if isinstance(p, int) else dim for n, p in params.items()}
        else:
            params[str(dim.value)] = np.array(samples, dtype=np.int64)
    return max(lengths.values(), default=None), params


def fixed_batch(graph: Graph) -> int | None:
    """Number of sequences that the file was exported for; None where any number will do."""
    for value in graph.token_inputs:
        if value.shape is not None and len(value.shape) and token_axis_of_input(value) == 1:
            lead = value.shape[0]
            return lead if isinstance(lead, int) else None
    return None


def token_axis_of_input(value: Value) -> int:
    """The token axis of a model input: ids [batch, tokens] or [tokens]; vectors have one more."""
    rank = len(value.shape) if value.shape is not None else 2
    integer = value.dtype is not None and value.dtype.is_integer()
    return 1 if rank >= (2 if integer else 3) else 0

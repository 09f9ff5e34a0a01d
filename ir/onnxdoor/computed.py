"""Constants that nodes make of stored tensors, such as weights in blocks with a scale each.

They are computed when they are asked for, by ONNX's reference in numpy, as float32.
"""

import numpy as np
import onnx_ir
from onnx import helper
from onnx.reference import ReferenceEvaluator

from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.load import Source, first_line
from ir.onnxdoor.widen import as_stored

HELD_BYTES = 2**28  # of computed constants that an opened model keeps


def computed(source: Source, name: str) -> Array:
    """The value of that name, which nodes make of stored tensors alone.

    Raises InputError where the reference cannot compute it.
    """
    if name not in source.computed:
        array = _run(source, name)
        held = sum(a.nbytes for a in source.computed.values())
        if held + array.nbytes > HELD_BYTES:
            source.computed.clear()
        source.computed[name] = array
    return source.computed[name]


def is_computed(source: Source, name: str) -> bool:
    """Whether a value is not stored, but made by a node."""
    value = source.values.get(name)
    return value is not None and value.producer() is not None


def made_of(value: onnx_ir.Value) -> tuple[list[onnx_ir.Node], list[onnx_ir.Value]]:
    """The nodes that make a constant, in order of computation, and the stored values they read."""
    nodes: dict[onnx_ir.Node, None] = {}
    stored: dict[onnx_ir.Value, None] = {}
    todo = [value]
    while todo:
        value = todo[-1]
        node = value.producer()
        if node is None or node in nodes:
            if node is None:
                stored[value] = None
            todo.pop()
            continue
        ahead = [v for v in node.inputs if v is not None and v not in stored]
        ahead = [v for v in ahead if (maker := v.producer()) is None or maker not in nodes]
        if ahead:
            todo.extend(ahead)
        else:
            nodes[node] = None
    return list(nodes), list(stored)


def origin(value: onnx_ir.Value) -> onnx_ir.Value | None:
    """The largest stored value that a constant is made of, the first of equals."""
    held = [v for v in made_of(value)[1] if v.const_value is not None]
    return max(held, key=_size, default=None)


def _size(value: onnx_ir.Value) -> int:
    return 0 if value.const_value is None else int(value.const_value.size)


def _run(source: Source, name: str) -> Array:
    nodes, stored = made_of(source.values[name])
    opsets = [helper.make_opsetid(d, v) for d, v in source.model.opset_imports.items()]
    inputs = [v.name or "" for v in stored]
    function = helper.make_function(
        "moexbar", "constant", inputs, [name], [source.proto(n) for n in nodes], opsets
    )
    feeds = {v.name or "": v.const_value.numpy() for v in stored if v.const_value is not None}
    try:
        (made,) = ReferenceEvaluator(function).run(  # pyright: ignore[reportUnknownMemberType]
            None, feeds, attributes={}
        )
    except Exception as error:  # the reference raises of any kind where types do not fit
        problem = f"constant {name!r} cannot be computed: {first_line(error)}"
        raise InputError(str(source.path), problem) from error
    return np.asarray(made, dtype=np.float32)


def stored_for(source: Source, name: str) -> list[onnx_ir.TensorProtocol]:
    """The stored tensors that a computed value is made of."""
    _, stored = made_of(source.values[name])
    return [as_stored(v.const_value) for v in stored if v.const_value is not None]

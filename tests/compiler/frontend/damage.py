"""Models damaged at random: a node left out, an attribute, a size, a type or the opset changed."""

import random
from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from ir.arrays import Array

Damage = Callable[[onnx.ModelProto, random.Random], str]


def without_a_node(model: onnx.ModelProto, draw: random.Random) -> str:
    """What read a node's first output reads its first input."""
    graph = model.graph
    nodes = [n for n in graph.node if n.input and n.output[0] != graph.output[0].name]
    gone = draw.choice(nodes)
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == gone.output[0]:
                node.input[place] = gone.input[0]
    graph.node.remove(gone)
    return f"without {gone.op_type}"


def other_attribute(model: onnx.ModelProto, draw: random.Random) -> str:
    """A number of a node, one more or less, or far off."""
    found = [(node, a) for node in model.graph.node for a in node.attribute if a.type in (1, 2, 7)]
    if not found:
        return "nothing"
    node, attribute = draw.choice(found)
    change = draw.choice([1, -1, 7, -100])
    if attribute.type == onnx.AttributeProto.INT:
        attribute.i += change
    elif attribute.type == onnx.AttributeProto.FLOAT:
        attribute.f *= change
    elif attribute.ints:
        place = draw.randrange(len(attribute.ints))
        attribute.ints[place] += change
    return f"{node.op_type}.{attribute.name}"


def other_size(model: onnx.ModelProto, draw: random.Random) -> str:
    """A stored tensor with an entry of one axis less or twice, or another size of an input."""
    if draw.random() < 0.2:
        shape = draw.choice(model.graph.input).type.tensor_type.shape
        dim = draw.choice(shape.dim)
        dim.Clear()
        dim.dim_value = draw.choice([0, 1, 2, 3, 64])
        return "size of an input"
    stored = list(model.graph.initializer)
    tensor = draw.choice([t for t in stored if t.dims] or stored)
    array = numpy_helper.to_array(tensor)
    if array.ndim:
        axis = draw.randrange(array.ndim)
        kept = range(array.shape[axis] - 1)
        chosen = draw.choice([[*kept], [*range(array.shape[axis]), 0], []])
        array = np.take(array, np.array(chosen, dtype=np.int64), axis=axis)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))
    return f"size of {tensor.name}"


def other_type(model: onnx.ModelProto, draw: random.Random) -> str:
    """A stored tensor, or an input, of another element type."""
    kind = draw.choice([np.float32, np.float64, np.float16, np.int64, np.int32, np.bool_])
    if draw.random() < 0.2:
        draw.choice(model.graph.input).type.tensor_type.elem_type = draw.choice(
            [TensorProto.FLOAT, TensorProto.INT32, TensorProto.BOOL, TensorProto.FLOAT16]
        )
        return "type of an input"
    tensor = draw.choice(model.graph.initializer)
    array: Array = numpy_helper.to_array(tensor).astype(kind)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return f"type of {tensor.name}"


def other_values(model: onnx.ModelProto, draw: random.Random) -> str:
    """A small stored tensor of integers (axes, shapes, ids) with one of them changed."""
    small = [t for t in model.graph.initializer if t.data_type == TensorProto.INT64]
    if not small:
        return "nothing"
    tensor = draw.choice(small)
    array: Array = numpy_helper.to_array(tensor).copy()
    if array.size:
        array.reshape(-1)[draw.randrange(array.size)] += draw.choice([1, -1, 5, -100])
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return f"values of {tensor.name}"


def other_opset(model: onnx.ModelProto, draw: random.Random) -> str:
    """Another version of the standard operators."""
    version = draw.randint(7, 26)
    model.opset_import[0].version = version
    return f"opset {version}"


DAMAGES: tuple[Damage, ...] = (
    without_a_node,
    other_attribute,
    other_size,
    other_type,
    other_values,
    other_opset,
)

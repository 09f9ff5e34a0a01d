"""Every tensor that a model file stores, listed before anything in its graphs is changed."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import onnx_ir

from ir.onnxdoor.packing import PACKED, bits_of

_NUMBERS = ("value_int", "value_ints", "value_float", "value_floats")


def stored_tensors(model: onnx_ir.Model) -> tuple[onnx_ir.TensorProtocol, ...]:
    """Initialisers and Constant nodes of all graphs and functions, subgraphs included.

    A Constant of plain numbers gets them as a tensor. What is made of a graph later on still holds
    these same objects, so each can be told from all others.
    """
    found: dict[int, onnx_ir.TensorProtocol] = {}
    for graph in _graphs(model):
        held = [v.const_value for v in getattr(graph, "initializers", {}).values()]
        for node in graph:
            if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
                _as_tensor(node)
                held += _tensors_of(node)
            elif model.functions and node.op_identifier() in model.functions:
                held += _tensors_of(node)
        found.update((id(tensor), tensor) for tensor in held if tensor is not None)
    return tuple(found.values())


def data_of(initialiser: onnx_ir.Value) -> onnx_ir.TensorProtocol:
    """What an initialiser holds: in an opened model none is without."""
    return cast("onnx_ir.TensorProtocol", initialiser.const_value)


def elements_per_item(value: onnx_ir.Value) -> int:
    """Elements in each stored item of an initialiser: several where an operator packs bytes."""
    tensor = value.const_value
    if tensor is None or tensor.dtype != onnx_ir.DataType.UINT8:
        return 1
    for node, place in value.uses():
        packed = PACKED.get(node.op_type, {})
        beside = {zeros for _, zeros in packed.values()}
        if place in packed or place in beside:
            return max(8 // bits_of(node), 1)
    return 1


def _graphs(model: onnx_ir.Model) -> Iterator[onnx_ir.Graph | onnx_ir.Function]:
    every: tuple[onnx_ir.Graph | onnx_ir.Function, ...] = (model.graph, *model.functions.values())
    for whole in every:
        yield whole
        yield from whole.subgraphs()


def _tensors_of(node: onnx_ir.Node) -> list[onnx_ir.TensorProtocol]:
    return [
        attribute.as_tensor()
        for attribute in node.attributes.values()
        if attribute.type == onnx_ir.AttributeType.TENSOR and not attribute.is_ref()
    ]


def _as_tensor(node: onnx_ir.Node) -> None:
    """Give a Constant of plain numbers a tensor of them instead."""
    for name in _NUMBERS:
        attribute = node.attributes.get(name)
        if attribute is None or attribute.is_ref():
            continue
        kind = np.int64 if name.startswith("value_int") else np.float32
        tensor = onnx_ir.Tensor(np.array(attribute.value, dtype=kind), name=node.outputs[0].name)
        del node.attributes[name]
        node.attributes["value"] = onnx_ir.AttrTensor("value", tensor)

"""A model written for opset 18 as one of another opset: what stood elsewhere there is moved."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

AXES_SINCE = {"Squeeze": 13, "Unsqueeze": 13, "ReduceSum": 13}  # an input from then on
AXES_SINCE |= dict.fromkeys(["ReduceMean", "ReduceMax", "ReduceL2"], 18)
SINCE = {"Einsum": 12, "Celu": 12, "Max": 12, "Min": 12, "Pow": 12, "HardSwish": 14, "Trilu": 14}
SINCE |= {"LayerNormalization": 17, "Mish": 18}  # some of them before, but of floats alone
NOT = {"GreaterOrEqual": "Less", "LessOrEqual": "Greater"}  # there since opset 12


def least_opset(model: onnx.ModelProto) -> int:
    """The lowest opset that `as_opset` can write a model for."""
    found = 11
    for node in model.graph.node:
        found = max(found, SINCE.get(node.op_type, 0))
        if node.op_type in ("ScatterND", "ScatterElements") and _attribute(node, "reduction"):
            found = max(found, 18)
        if any(a.HasField("g") for a in node.attribute):  # what is inside is left as it is
            found = max(found, 18)
        if node.op_type == "DequantizeLinear" and _attribute(node, "axis") is not None:
            found = max(found, 13)
    return found


def as_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The same model by the operators of `opset`, 11 or later."""
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += _written(node, constants, opset)
    del graph.node[:]
    graph.node.extend(nodes)
    made = {n: a for n, a in constants.items() if n not in {t.name for t in graph.initializer}}
    graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in made.items())
    for imported in model.opset_import:
        if imported.domain == "":
            imported.version = opset
    model.ir_version = 8 if opset < 18 else 10
    return model


def _written(
    node: onnx.NodeProto, constants: dict[str, np.ndarray], opset: int
) -> Sequence[onnx.NodeProto]:
    kind = node.op_type
    if opset < AXES_SINCE.get(kind, 0) and len(node.input) > 1:
        axes = np.ravel(constants[node.input[1]]).tolist()
        return [_with(node, node.input[:1], axes=axes)]
    if kind in NOT and opset < 12:
        other = f"{node.output[0]}_not"
        less = helper.make_node(NOT[kind], node.input, [other])
        return [less, helper.make_node("Not", [other], node.output)]
    if kind == "Split" and opset < 18:
        node = _without(node, "num_outputs")
    if kind == "Split" and opset < 13 and len(node.input) > 1 and node.input[1] in constants:
        lengths = np.ravel(constants[node.input[1]]).tolist()
        return [_with(node, node.input[:1], split=lengths)]
    if kind == "Shape" and opset < 15 and node.attribute:
        return _part_of_shape(node, constants)
    return [node]


def _part_of_shape(
    node: onnx.NodeProto, constants: dict[str, np.ndarray]
) -> Sequence[onnx.NodeProto]:
    """Shape with a start and an end, as Shape and Slice."""
    whole = f"{node.output[0]}_whole"
    ends = [_attribute(node, "start") or 0, _attribute(node, "end") or 2**31]
    names = [f"{whole}_{place}" for place in ("start", "end")]
    constants |= {n: np.array([int(e)]) for n, e in zip(names, ends, strict=True)}
    return [
        helper.make_node("Shape", node.input, [whole]),
        helper.make_node("Slice", [whole, *names], node.output),
    ]


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def _without(node: onnx.NodeProto, name: str) -> onnx.NodeProto:
    kept: dict[str, Any] = {
        a.name: helper.get_attribute_value(a) for a in node.attribute if a.name != name
    }
    return helper.make_node(node.op_type, node.input, node.output, domain=node.domain, **kept)


def _with(node: onnx.NodeProto, inputs: Sequence[str], **attributes: object) -> onnx.NodeProto:
    own = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    own |= attributes
    return helper.make_node(node.op_type, inputs, node.output, domain=node.domain, **own)

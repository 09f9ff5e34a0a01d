"""ONNX's own shape inference, one node at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir
from onnx import helper, shape_inference
from onnx_ir import Node

from compiler.frontend.facts.graph import name_of
from ir.arrays import Array
from ir.onnxdoor.load import Source

Shape = tuple[int, ...] | None
Kind = onnx_ir.DataType | None
Inferred = tuple[tuple[Shape, int], ...]
UNKNOWN = -1
KEPT = 20_000  # inferences; where there are more, they are forgotten and begun anew
_HELD = {  # types whose contents shapes depend on: Range takes floats
    int(onnx_ir.DataType.INT64): np.int64,
    int(onnx_ir.DataType.INT32): np.int32,
    int(onnx_ir.DataType.FLOAT): np.float32,
}
_known: dict[tuple[Any, ...], Inferred] = {}


class Inference:
    """Infers outputs of nodes of `source`.

    Nodes alike in all that matters are inferred once in a process: layers are, and so are models.
    """

    def __init__(self, source: Source) -> None:
        """Nothing is inferred yet."""
        self._source = source
        self._versions = {
            domain: source.model.opset_imports.get(domain, source.model.opset_imports.get("", 1))
            for domain in {node.domain for node in _every(source)}
        }

    def of(
        self,
        node: Node,
        kinds: Sequence[Kind],
        shapes: Sequence[Shape],
        contents: Sequence[Array | None],
    ) -> Inferred:
        """Shape (None, or axes of which -1 are unknown) and element type (0 = unknown) per output.

        kinds, shapes, contents: of the inputs, None where unknown.
        """
        key = _key(node, kinds, shapes, contents)
        if key is None:
            return self._infer(node, kinds, shapes, contents)
        key = (self._versions[node.domain], *key)
        inferred = _known.get(key)
        if inferred is None:
            inferred = self._infer(node, kinds, shapes, contents)
            if len(_known) >= KEPT:
                _known.clear()
            _known[key] = inferred
        return inferred

    def _infer(
        self,
        node: Node,
        kinds: Sequence[Kind],
        shapes: Sequence[Shape],
        contents: Sequence[Array | None],
    ) -> Inferred:
        domain = "" if node.domain == "ai.onnx" else node.domain
        version = self._versions[node.domain]
        unknown: Inferred = ((None, 0),) * len(node.outputs)
        if not onnx.defs.has(node.op_type, domain=domain) or _has_subgraph(node):
            return unknown
        types: dict[str, onnx.TypeProto] = {}
        data: dict[str, onnx.TensorProto] = {}
        for value, declared, shape, content in zip(
            node.inputs, kinds, shapes, contents, strict=True
        ):
            if value is None:
                continue
            kind = int(declared or onnx_ir.DataType.FLOAT)
            dims = None if shape is None else [None if d < 0 else d for d in shape]
            types[name_of(value)] = helper.make_tensor_type_proto(kind, dims)
            if content is not None and kind in _HELD:
                data[name_of(value)] = onnx.numpy_helper.from_array(content.astype(_HELD[kind]))
        try:
            schema = onnx.defs.get_schema(node.op_type, version, domain)
            outputs = shape_inference.infer_node_outputs(
                schema,
                self._source.proto(node),
                types,
                data,
                opset_imports=[helper.make_opsetid(domain, version)],
            )
        except (
            ValueError,
            TypeError,
            RuntimeError,
            onnx.defs.SchemaError,
            shape_inference.InferenceError,
            onnx.checker.ValidationError,
        ):
            return unknown
        return tuple(_dims_and_kind(outputs.get(name_of(value))) for value in node.outputs)


def _every(source: Source) -> Iterator[Node]:
    """The nodes of a model, those of subgraphs too."""
    return iter(onnx_ir.traversal.RecursiveGraphIterator(source.graph))


def _has_subgraph(node: Node) -> bool:
    kinds = (onnx_ir.AttributeType.GRAPH, onnx_ir.AttributeType.GRAPHS)
    return any(a.type in kinds for a in node.attributes.values())


def _dims_and_kind(kind: onnx.TypeProto | None) -> tuple[Shape, int]:
    if kind is None:
        return None, 0
    element = int(kind.tensor_type.elem_type)
    if not kind.tensor_type.HasField("shape"):
        return None, element
    dims = kind.tensor_type.shape.dim
    return tuple(d.dim_value if d.HasField("dim_value") else UNKNOWN for d in dims), element


def _key(
    node: Node,
    kinds: Sequence[Kind],
    shapes: Sequence[Shape],
    contents: Sequence[Array | None],
) -> tuple[Any, ...] | None:
    """What the inferred shapes depend on, or None where that is not a short tuple."""
    attributes = []
    for name, attribute in node.attributes.items():
        if not isinstance(attribute.value, (int, float, str, tuple, list)):
            return None
        value = attribute.value
        attributes.append((name, tuple(value) if isinstance(value, list) else value))
    held = tuple(None if c is None else (c.tobytes(), c.shape) for c in contents)
    given = tuple(v is not None for v in node.inputs)
    known = (given, tuple(kinds), tuple(shapes), held)
    return (node.domain, node.op_type, len(node.outputs), *attributes, *known)

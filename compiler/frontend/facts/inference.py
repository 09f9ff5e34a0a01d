"""ONNX's own shape inference, one node at a time, and the rules for what it does not know."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir
from onnx import helper
from onnx_ir import Node

from compiler.frontend.facts.graph import name_of
from compiler.frontend.facts.shape_rules import (
    COMPARING,
    broadcast_shape,
    contrib_shape,
    split_shapes,
)
from ir.arrays import Array, Ints
from ir.onnxdoor.load import Source
from ir.onnxdoor.processes.onnx_process import infer_outputs

Content = tuple[Array, ...]
Shape = tuple[int, ...] | None
Kind = onnx_ir.DataType | None
UNKNOWN = -1
KEPT = 20_000  # inferences; where there are more, they are forgotten and begun anew
_HELD = {  # types whose contents shapes depend on: Range takes floats
    int(onnx_ir.DataType.INT64): np.int64,
    int(onnx_ir.DataType.INT32): np.int32,
    int(onnx_ir.DataType.FLOAT): np.float32,
}


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a node's inputs, None where unknown.

    kinds, shapes [rank, samples], contents (of each sample): of each; samples: how many there are.
    """

    kinds: Sequence[Kind]
    shapes: Sequence[Ints | None]
    contents: Sequence[Content | None]
    samples: int


@dataclass(frozen=True, eq=False)
class Inferred:
    """The outputs of a node.

    shapes: [rank, samples] of each, -1 = unknown, None where not even the rank is; kinds: element
    types, 0 = unknown; failed: the samples of which nothing is known of the first output.
    """

    shapes: tuple[Ints | None, ...]
    kinds: tuple[int, ...]
    failed: frozenset[int]


_Outputs = tuple[tuple[Shape, int], ...]  # of one sample
_inferred: dict[tuple[Any, ...], Inferred] = {}


class Inference:
    """Infers outputs of nodes of `source`.

    Nodes alike in all that matters are inferred once in a process: layers are, and so are models.
    """

    def __init__(self, source: Source) -> None:
        """Nothing is inferred yet."""
        self._source = source
        self._versions = {
            domain: source.model.opset_imports.get(domain, source.model.opset_imports.get("", 1))
            for domain in {node.domain for node in source.every_node}
        }

    def of(self, node: Node, known: Known) -> Inferred:
        """What is known of a node's outputs by that of its inputs."""
        key = _key(node, known)
        if key is None:
            return self._of_samples(node, known)
        key = (self._versions[node.domain], *key)
        inferred = _inferred.get(key)
        if inferred is None:
            inferred = self._of_samples(node, known)
            if len(_inferred) >= KEPT:
                _inferred.clear()
            _inferred[key] = inferred
        return inferred

    def _of_samples(self, node: Node, known: Known) -> Inferred:
        """Every sample by itself; those alike are inferred once."""
        unknown: list[Shape] = [None] * known.samples
        columns = [unknown if s is None else [*map(tuple, s.T.tolist())] for s in known.shapes]
        found: dict[tuple[Any, ...], _Outputs] = {}
        each: list[_Outputs] = []
        for sample in range(known.samples):
            given = [column[sample] for column in columns]
            held = [None if c is None else c[sample] for c in known.contents]
            key = (*given, *map(id, held))
            if key not in found:
                found[key] = self._of_sample(node, known.kinds, given, held)
            each.append(found[key])
        return _together(each)

    def _of_sample(
        self,
        node: Node,
        kinds: Sequence[Kind],
        shapes: Sequence[Shape],
        contents: Sequence[Array | None],
    ) -> _Outputs:
        special = contrib_shape(node, shapes)
        if special is not None:
            special += (None,) * (len(node.outputs) - len(special))
            return tuple((shape, 0) for shape in special)
        inferred = self._infer(node, kinds, shapes, contents)
        if node.op_type in COMPARING:
            inferred = tuple((shape, kind or onnx_ir.DataType.BOOL) for shape, kind in inferred)
        found, types = [shape for shape, _ in inferred], [kind for _, kind in inferred]
        lengths = contents[1] if node.op_type == "Split" and len(contents) > 1 else None
        if lengths is not None:  # known even where the length of what is split is not
            found = list(split_shapes(node, shapes[0], lengths))
        elif len(found) == 1 and found[0] is None:
            found[0] = broadcast_shape(node, shapes)
        return tuple(zip(found, types, strict=True))

    def _infer(
        self,
        node: Node,
        kinds: Sequence[Kind],
        shapes: Sequence[Shape],
        contents: Sequence[Array | None],
    ) -> _Outputs:
        domain = "" if node.domain == "ai.onnx" else node.domain
        version = self._versions[node.domain]
        unknown: _Outputs = ((None, 0),) * len(node.outputs)
        if not onnx.defs.has(node.op_type, domain=domain) or _has_subgraph(node):
            return unknown
        types: dict[str, onnx.TypeProto] = {}
        data: dict[str, onnx.TensorProto] = {}
        for value, declared, shape, content in zip(
            node.inputs, kinds, shapes, contents, strict=True
        ):
            if value is None:
                continue
            name = name_of(value)
            kind = int(declared or onnx_ir.DataType.FLOAT)
            dims = None if shape is None else [None if d < 0 else d for d in shape]
            types[name] = helper.make_tensor_type_proto(kind, dims)
            if content is not None and kind in _HELD:
                array = content.astype(_HELD[kind])
                data[name] = onnx.numpy_helper.from_array(array, name)
        opset = helper.make_opsetid(domain, version)
        outputs = infer_outputs(
            self._source.proto(node), opset, types, list(data.values()), str(self._source.path)
        )
        return tuple(_dims_and_kind(outputs.get(name_of(value))) for value in node.outputs)


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


def _together(each: Sequence[_Outputs]) -> Inferred:
    """The outputs of all samples: a shape where it is known, and of one rank, in all of them."""
    shapes: list[Ints | None] = []
    for column in zip(*([shape for shape, _ in outputs] for outputs in each), strict=True):
        known = [shape for shape in column if shape is not None]
        if len(known) < len(column) or len({len(shape) for shape in known}) > 1:
            shapes.append(None)
            continue
        table = np.array(known, dtype=np.int64).reshape(len(known), len(known[0])).T
        table.flags.writeable = False  # nodes alike share it
        shapes.append(table)
    kinds = tuple(next(filter(None, of), 0) for of in zip(*_kinds(each), strict=True))
    failed = frozenset(s for s, outputs in enumerate(each) if outputs and outputs[0][0] is None)
    return Inferred(tuple(shapes), kinds, failed)


def _kinds(each: Sequence[_Outputs]) -> list[list[int]]:
    return [[int(kind) for _, kind in outputs] for outputs in each]


def _key(node: Node, known: Known) -> tuple[Any, ...] | None:
    """What the inferred shapes depend on, or None where that is not a short tuple."""
    attributes = []
    for name, attribute in node.attributes.items():
        if not isinstance(attribute.value, (int, float, str, tuple, list)):
            return None
        value = attribute.value
        attributes.append((name, tuple(value) if isinstance(value, list) else value))
    held = tuple(
        None if of is None else tuple((one.dtype.str, one.shape, one.tobytes()) for one in of)
        for of in known.contents
    )
    tables = tuple(
        None if table is None else (len(table), table.tobytes()) for table in known.shapes
    )
    given = tuple(v is not None for v in node.inputs)
    outputs = (node.domain, node.op_type, len(node.outputs), known.samples)
    return (*outputs, *attributes, given, tuple(known.kinds), tables, held)

"""What a model file must not contain, checked on the parsed protobuf before anything uses it.

Nothing here reads a weight: sizes come from declared shapes, external data is only located.
"""

import math
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx

from ir.errors import InputError
from ir.onnxdoor.links import check_link

MAX_NODES = 2_000_000
MAX_NAME = 4096
MAX_DEPTH = 32
MAX_ELEMENTS = 2**40
_BITS: dict[int, int] = {  # per element, for types with raw_data of a fixed size
    onnx.TensorProto.FLOAT: 32,
    onnx.TensorProto.UINT8: 8,
    onnx.TensorProto.INT8: 8,
    onnx.TensorProto.UINT16: 16,
    onnx.TensorProto.INT16: 16,
    onnx.TensorProto.INT32: 32,
    onnx.TensorProto.INT64: 64,
    onnx.TensorProto.BOOL: 8,
    onnx.TensorProto.FLOAT16: 16,
    onnx.TensorProto.DOUBLE: 64,
    onnx.TensorProto.UINT32: 32,
    onnx.TensorProto.UINT64: 64,
    onnx.TensorProto.BFLOAT16: 16,
    onnx.TensorProto.UINT4: 4,
    onnx.TensorProto.INT4: 4,
}


def check_proto(proto: onnx.ModelProto, path: Path) -> None:
    """Refuse a model that is empty, too deep, too large, misnamed, or reaches outside its folder.

    Raises InputError naming the file and the node or tensor.
    """
    if not proto.HasField("graph") or not proto.graph.node:
        raise InputError(str(path), "no graph with nodes in it, expected an ONNX model")
    if not proto.opset_import:
        raise InputError(str(path), "opset_import: none, expected at least one operator set")
    _check_size(proto, path)
    for name in (
        *(opset.domain for opset in proto.opset_import),
        *(value.name for value in (*proto.graph.input, *proto.graph.output)),
    ):
        _check_name(name, path)
    for body in _bodies(proto, path):
        for node in body.nodes:
            own = (node.name, node.op_type, node.domain, *node.input, *node.output)
            for name in (*own, *(a.name for a in node.attribute)):
                _check_name(name, path)
    for tensor in tensors(proto, path):
        _check_tensor(tensor, path)
    _check_operators(proto, path)
    _check_scope(proto.graph, set(), path)
    for function in proto.functions:
        _check_sources(function.node, set(function.input), path)


def _check_operators(proto: onnx.ModelProto, path: Path) -> None:
    """Every node of a standard operator must have the attributes and inputs of its definition."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version = proto.ir_version
    context.opset_imports = {o.domain: o.version for o in proto.opset_import}
    version = context.opset_imports.get("", context.opset_imports.get("ai.onnx", 0))
    for body in _bodies(proto, path):
        for node in body.nodes:
            nested = any(a.HasField("g") or a.graphs for a in node.attribute)
            known = node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type, version)
            if nested or not known:
                continue
            try:
                onnx.checker.check_node(node, context)
            except onnx.checker.ValidationError as error:
                reason = str(error).strip().splitlines()[0][:200]
                raise InputError(
                    str(path), f"node {node.name!r} ({node.op_type}): {reason}"
                ) from error


def _check_scope(graph: onnx.GraphProto, outer: set[str], path: Path) -> None:
    """Every value that is read must be made somewhere in the graph or around it."""
    known = outer | {v.name for v in graph.input} | {t.name for t in graph.initializer}
    known |= {t.values.name for t in graph.sparse_initializer}
    known = _check_sources(graph.node, known, path)
    for value in graph.output:
        if value.name not in known:
            raise InputError(str(path), f"output {value.name!r}: nothing makes it")


def _check_sources(nodes: Sequence[onnx.NodeProto], given: set[str], path: Path) -> set[str]:
    """The names known in a body; InputError where a node reads another one."""
    known = given | {name for node in nodes for name in node.output}
    for node in nodes:
        for name in node.input:
            if name and name not in known:
                raise InputError(
                    str(path),
                    f"node {node.name!r} ({node.op_type}): reads {name!r}, which nothing makes",
                )
        for attribute in node.attribute:
            single = [attribute.g] if attribute.HasField("g") else []
            for inner in (*single, *attribute.graphs):
                _check_scope(inner, known, path)
    return known


@dataclass(frozen=True)
class _Body:
    """What a graph or a function holds that can carry data."""

    nodes: Sequence[onnx.NodeProto]
    initializers: Sequence[onnx.TensorProto] = ()
    sparse: Sequence[onnx.SparseTensorProto] = ()


def tensors(proto: onnx.ModelProto, path: Path) -> Iterator[onnx.TensorProto]:
    """Every tensor of the model: initialisers, sparse ones, attributes, functions, training."""
    for body in _bodies(proto, path):
        yield from body.initializers
        attributes = [a for node in body.nodes for a in node.attribute]
        sparse = [
            *body.sparse,
            *(a.sparse_tensor for a in attributes if a.HasField("sparse_tensor")),
        ]
        for tensor in sparse:
            yield tensor.values
            yield tensor.indices
        for attribute in attributes:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _bodies(proto: onnx.ModelProto, path: Path) -> Iterator[_Body]:
    """Every graph of the model and every function's body, nested ones included."""
    yield from _nested(_body(proto.graph), path, 0)
    for training in proto.training_info:
        yield from _nested(_body(training.algorithm), path, 0)
        yield from _nested(_body(training.initialization), path, 0)
    for function in proto.functions:
        yield from _nested(_Body(function.node), path, 0)


def _body(graph: onnx.GraphProto) -> _Body:
    return _Body(graph.node, graph.initializer, graph.sparse_initializer)


def _nested(body: _Body, path: Path, depth: int) -> Iterator[_Body]:
    if depth > MAX_DEPTH:
        raise InputError(str(path), f"subgraphs nested deeper than {MAX_DEPTH}")
    yield body
    for node in body.nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nested(_body(attribute.g), path, depth + 1)
            for inner in attribute.graphs:
                yield from _nested(_body(inner), path, depth + 1)


def _check_size(proto: onnx.ModelProto, path: Path) -> None:
    """Count the nodes there will be once functions are inlined, without inlining them."""
    functions = {(f.domain, f.name): f for f in proto.functions}
    sizes: dict[tuple[str, str], int] = {}

    def expanded(key: tuple[str, str], stack: tuple[tuple[str, str], ...]) -> int:
        if key in stack or len(stack) > MAX_DEPTH:
            raise InputError(str(path), f"function {key[1]!r}: calls itself or is nested too deep")
        if key not in sizes:
            sizes[key] = sum(
                expanded(call, (*stack, key)) if call in functions else 1
                for call in ((n.domain, n.op_type) for n in functions[key].node)
            )
        return sizes[key]

    total = 0
    for body in _bodies(proto, path):
        for node in body.nodes:
            call = (node.domain, node.op_type)
            total += expanded(call, ()) if call in functions else 1
            if total > MAX_NODES:
                raise InputError(str(path), f"more than {MAX_NODES} nodes with functions inlined")


def _check_name(name: object, path: Path) -> None:
    if not isinstance(name, str):
        raise InputError(str(path), f"name {name!r}: not UTF-8")
    if len(name) > MAX_NAME:
        raise InputError(str(path), f"a name of {len(name)} characters, at most {MAX_NAME}")
    if any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise InputError(str(path), f"name {name[:60]!r}: has control characters")


def _check_tensor(tensor: onnx.TensorProto, path: Path) -> None:
    _check_name(tensor.name, path)
    where = f"{path}: tensor {tensor.name!r}"
    if any(d < 0 for d in tensor.dims) or math.prod(tensor.dims) > MAX_ELEMENTS:
        raise InputError(where, f"dims {list(tensor.dims)}, at most 2^40 elements, none negative")
    bits = _BITS.get(tensor.data_type)
    expected = None if bits is None else -(-math.prod(tensor.dims) * bits // 8)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        _check_external(tensor, expected, where, path.parent)
    elif tensor.HasField("raw_data") and expected not in (None, len(tensor.raw_data)):
        raise InputError(where, f"{len(tensor.raw_data)} bytes, its shape needs {expected}")


def _check_external(
    tensor: onnx.TensorProto, expected: int | None, where: str, folder: Path
) -> None:
    """External data must be a plain file inside the model's folder, long enough for the tensor.

    Or a link to one that a hub cache keeps so (see `links`).
    """
    entries = {e.key: e.value for e in tensor.external_data}
    location = entries.get("location", "")
    pure = PurePosixPath(location)
    bad = not location or pure.is_absolute() or ".." in pure.parts
    if bad or "\\" in location or "\0" in location or ":" in location:
        raise InputError(where, f"external data at {location!r}, expected a file in its folder")
    step = folder
    for part in pure.parts:
        step = step / part
        if step.is_symlink():
            check_link(step, folder, where, location)
    try:
        info = step.stat()
    except OSError as error:
        raise InputError(where, f"external data at {location!r}: {error.strerror}") from error
    if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
        raise InputError(where, f"external data at {location!r}: not a plain file of one name")
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(info.st_size - offset)))
    except ValueError as error:
        raise InputError(where, "external data: offset or length is not a number") from error
    if offset < 0 or length < 0 or offset + length > info.st_size:
        raise InputError(
            where,
            f"external data: bytes {offset} to {offset + length} of {location!r}, "
            f"which has {info.st_size}",
        )
    if expected is not None and length != expected:
        raise InputError(where, f"external data: {length} bytes, its shape needs {expected}")

"""Cut a self-contained sub-model out of an opened model, in memory, with the weights it needs."""

import itertools
from collections.abc import Collection, Mapping

import onnx
import onnx_ir

from ir.errors import InputError
from ir.onnxdoor.load import Source, first_line
from ir.onnxdoor.stored import data_of
from ir.onnxdoor.unpack import unpack
from ir.onnxdoor.widen import Widened, as_stored


def extract(
    source: Source,
    inputs: Mapping[str, onnx_ir.DataType | None],
    outputs: Collection[str],
    nodes: Collection[str] | None = None,
    *,
    unpacked: bool = False,
) -> bytes:
    """A serialised model that computes `outputs` from `inputs` (value names).

    inputs: element type per value, None = as the graph declares it. Nodes that depend on no
    model input (weight casts, constants) are copied in as needed; with `nodes` given, any other
    node outside that set is an error, as is a model input that is not listed. unpacked: products
    by packed weights become products by 32-bit floats (see `unpack`). Raises InputError.
    """
    needed = _backward(source, set(inputs), outputs, nodes)
    ordered = [node for node in source.nodes if node in needed]
    parts = unpack(source, ordered) if unpacked else {}
    constants = _initialisers(source, [n for n in ordered if n not in parts], set(inputs), outputs)
    read = {name for part, _ in parts.values() for node in part for name in node.input}
    constants |= {v: None for v in source.graph.initializers.values() if v.name in read}
    try:
        graph = onnx.GraphProto(name="part")
        graph.node.extend(_cast(v) for v in constants if isinstance(v.const_value, Widened))
        made_of = (parts[n][0] if n in parts else [source.proto(n)] for n in ordered)
        graph.node.extend(itertools.chain.from_iterable(made_of))
        graph.input.extend(_declare(source, n, t) for n, t in inputs.items())
        graph.output.extend(onnx.ValueInfoProto(name=n) for n in outputs)
        graph.initializer.extend(_embedded(value) for value in constants)
        made = {tensor.name: tensor for _, tensors in parts.values() for tensor in tensors}
        graph.initializer.extend(made.values())
        model = onnx.ModelProto(ir_version=source.model.ir_version, graph=graph)
        for domain, version in source.model.opset_imports.items():
            model.opset_import.append(onnx.helper.make_opsetid(domain, version))
        data: bytes = model.SerializeToString()
    except (ValueError, TypeError, OSError, onnx.checker.ValidationError) as e:
        raise InputError(str(source.path), f"cannot cut out {outputs}: {first_line(e)}") from e
    return data


def with_outputs(source: Source, outputs: Collection[str], *, unpacked: bool = False) -> bytes:
    """The whole model, serialised in memory, with `outputs` instead of its own."""
    inputs = {value.name or "": None for value in _real_inputs(source)}
    return extract(source, inputs, outputs, unpacked=unpacked)


def _real_inputs(source: Source) -> list[onnx_ir.Value]:
    return [v for v in source.graph.inputs if not v.is_initializer()]


def _backward(
    source: Source,
    stop: set[str],
    outputs: Collection[str],
    allowed: Collection[str] | None,
) -> set[onnx_ir.Node]:
    """The nodes between `stop` and `outputs`."""
    where = str(source.path)
    needed: set[onnx_ir.Node] = set()
    free = _ConstantNodes(source)
    for name in (*outputs, *stop):
        if name not in source.values:
            raise InputError(where, f"no value {name!r} in the graph")
    todo = [source.values[name] for name in outputs]
    while todo:
        value = todo.pop()
        node = value.producer()
        if value.name in stop or value.is_initializer():
            continue
        if node is None:
            raise InputError(where, f"{list(outputs)} need the model input {value.name!r}")
        if node in needed:
            continue
        if allowed is not None and node.name not in allowed and not free.holds(node):
            raise InputError(where, f"{list(outputs)} need node {node.name!r}, which is not listed")
        needed.add(node)
        todo.extend(source.reads(node))
    return needed


class _ConstantNodes:
    """Which nodes depend on no model input."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[onnx_ir.Node, bool] = {}

    def holds(self, node: onnx_ir.Node) -> bool:
        """Whether everything `node` reads is an initialiser or made from initialisers."""
        stack = [node]
        while stack:
            top = stack[-1]
            reads = self._source.reads(top)
            makers = [v.producer() for v in reads if not v.is_initializer()]
            waiting = [m for m in makers if m is not None and m not in self._known]
            if waiting:
                stack.extend(waiting)
                continue
            self._known[top] = all(m is not None and self._known[m] for m in makers)
            stack.pop()
        return self._known[node]


def _initialisers(
    source: Source,
    nodes: Collection[onnx_ir.Node],
    given: set[str],
    outputs: Collection[str],
) -> dict[onnx_ir.Value, None]:
    found: dict[onnx_ir.Value, None] = {}
    for node in nodes:
        for value in source.reads(node):
            if value.is_initializer() and value.name not in given:
                found[value] = None
    asked = [source.values[name] for name in outputs]
    found.update((value, None) for value in asked if value.is_initializer())
    return found


def _declare(
    source: Source,
    name: str,
    dtype: onnx_ir.DataType | None,
) -> onnx.ValueInfoProto:
    value = source.values[name]
    if dtype is None and value.dtype is None:
        raise InputError(str(source.path), f"value {name!r}: its element type is not declared")
    info = onnx.ValueInfoProto(name=name)
    info.type.tensor_type.elem_type = int(dtype if dtype is not None else value.dtype or 0)
    return info


def _cast(value: onnx_ir.Value) -> onnx.NodeProto:
    """Makes a widened initialiser of what is stored, half as large."""
    stored = _stored_name(value)
    return onnx.helper.make_node(
        "Cast", [stored], [value.name or ""], stored, to=onnx.TensorProto.FLOAT
    )


def _stored_name(value: onnx_ir.Value) -> str:
    name = value.name or ""
    return f"{name}/stored" if isinstance(value.const_value, Widened) else name


def _embedded(value: onnx_ir.Value) -> onnx.TensorProto:
    """The initialiser with its data inside, read now if it is external; a widened one as stored."""
    tensor = as_stored(data_of(value))
    proto = onnx.TensorProto()
    if isinstance(tensor, onnx_ir.TensorProtoTensor):
        proto.CopyFrom(tensor.raw)
    else:
        proto.CopyFrom(onnx_ir.to_proto(_in_memory(tensor)))
    proto.name = _stored_name(value)
    return proto


def _in_memory(tensor: onnx_ir.TensorProtocol) -> onnx_ir.TensorProtocol:
    if isinstance(tensor, onnx_ir.ExternalTensor):
        return onnx_ir.Tensor(tensor.numpy(), dtype=tensor.dtype, name=tensor.name)
    return tensor

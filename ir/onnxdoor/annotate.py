"""An opened model as a file whose nodes say something, for viewers such as Netron.

The graph is the one that the compiler reads: functions inlined, every node with a name of its own.
Large tensors are declared with type and shape, and their data left out: what is looked at is the
graph, and the file can be given away without the weights.
"""

from collections.abc import Mapping

import onnx
import onnx_ir

from ir.errors import InputError
from ir.onnxdoor.load import Source, first_line
from ir.onnxdoor.stored import data_of

KEPT_BYTES = 1024  # of a tensor: shapes, axes and scales are worth looking at
LEFT_OUT = "weights-left-out"  # the file that holds them, which there is none of
FORM = 1  # of the notes, in the model's own metadata
METADATA_IR = 10  # the version of ONNX in which nodes have metadata


def constants_read(source: Source) -> dict[str, frozenset[str]]:
    """{node of the main graph: stored tensors that it reads, and constants made of these}.

    What nodes make of constants alone, as a cast of a weight, counts as read by who reads it.
    """
    held: dict[onnx_ir.Value, frozenset[str]] = {}
    found: dict[str, frozenset[str]] = {}
    for node in source.nodes:
        reads = source.reads(node)
        names = [_names(value, held) for value in reads]
        together = frozenset[str]().union(*(n for n in names if n is not None))
        found[node.name or ""] = together
        if reads and all(n is not None for n in names):
            for value in node.outputs:
                held[value] = together | {value.name or ""}
    return found


def annotated(source: Source, notes: Mapping[str, Mapping[str, str]], about: str) -> bytes:
    """The model with `notes`, {node: {key: text}}, as metadata of its nodes; without its weights.

    about: for people, the model's description. Raises InputError where it cannot be written.
    """
    graph = onnx.GraphProto(name=source.graph.name or "model")
    try:
        for node in source.nodes:
            proto = onnx.NodeProto()
            proto.CopyFrom(source.proto(node))
            for key, text in notes.get(node.name or "", {}).items():
                proto.metadata_props.add(key=key, value=text)
            graph.node.append(proto)
        inputs = [value for value in source.graph.inputs if not value.is_initializer()]
        graph.input.extend(onnx_ir.serde.serialize_value(value) for value in inputs)
        graph.output.extend(onnx_ir.serde.serialize_value(v) for v in source.graph.outputs)
        graph.initializer.extend(map(_declared, source.graph.initializers.values()))
    except (ValueError, TypeError, OSError) as error:
        problem = f"cannot be written again: {first_line(error)}"
        raise InputError(str(source.path), problem) from error
    version = max(METADATA_IR, source.model.ir_version or 0)
    model = onnx.ModelProto(ir_version=version, graph=graph, doc_string=about)
    model.producer_name = "moexbar"
    model.metadata_props.add(key="moexbar.form", value=str(FORM))
    for domain, opset in source.model.opset_imports.items():
        model.opset_import.append(onnx.helper.make_opsetid(domain, opset))
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _names(
    value: onnx_ir.Value, held: Mapping[onnx_ir.Value, frozenset[str]]
) -> frozenset[str] | None:
    """Names of the constants that a value is or is made of; None where it depends on inputs."""
    if value.is_initializer():
        return frozenset({value.name or ""})
    return held.get(value)


def _declared(value: onnx_ir.Value) -> onnx.TensorProto:
    """A stored tensor: small ones with their data."""
    tensor = data_of(value)
    if tensor.nbytes <= KEPT_BYTES:
        proto = onnx_ir.to_proto(onnx_ir.Tensor(tensor.numpy(), dtype=tensor.dtype))
        kept = onnx.TensorProto()
        kept.CopyFrom(proto)
    else:
        kept = onnx.TensorProto(data_type=int(tensor.dtype), dims=tensor.shape.numpy())
        kept.data_location = onnx.TensorProto.EXTERNAL
        kept.external_data.add(key="location", value=LEFT_OUT)
    kept.name = value.name or ""
    return kept

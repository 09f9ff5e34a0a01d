"""A model that computes in 16 bits as one that computes in 32: the same numbers, less rounding.

On a CPU ONNX Runtime has few operators in 16 bits and none in bfloat16. It casts around the others,
and leaves out the casts between two of them: what such a model computes, and where two experts'
scores are close also whom it selects, depends on the values that are asked for (decision 12).
"""

import onnx_ir

from ir.onnxdoor.subgraphs import every_node, subgraphs

HALVES = (onnx_ir.DataType.FLOAT16, onnx_ir.DataType.BFLOAT16)
_SINGLE = onnx_ir.DataType.FLOAT
_ELEMENT_TYPES = {  # attributes that name an element type, of all operators that have one
    "to",
    "dtype",
    "output_dtype",
    "output_datatype",
    "softmax_precision",
    "stash_type",
}


class Widened(onnx_ir.LazyTensor):
    """A tensor of 16-bit floats read as 32-bit ones; `stored` is as the file has it."""

    def __init__(self, stored: onnx_ir.TensorProtocol) -> None:
        """Nothing is read before it is asked for."""
        super().__init__(
            lambda: onnx_ir.Tensor(stored.numpy().astype("float32")),
            _SINGLE,
            _shape(stored),
            name=stored.name,
        )
        self.stored = stored


def as_stored(tensor: onnx_ir.TensorProtocol) -> onnx_ir.TensorProtocol:
    """The tensor as the file has it."""
    return tensor.stored if isinstance(tensor, Widened) else tensor


def widen(graph: onnx_ir.Graph) -> bool:
    """Make every 16-bit float of a graph and of its subgraphs a 32-bit one; whether any was.

    What is only stored in 16 bits, and cast before anything computes with it, stays.
    """
    changed, nodes = False, list(every_node(graph))
    graphs = [graph, *(inner for node in nodes for inner in subgraphs(node))]
    held = [v for g in graphs for v in (*g.inputs, *g.initializers.values(), *g.outputs)]
    made = [v for node in nodes for v in node.outputs]
    for value in [v for v in (*held, *made) if not _only_stored(v)]:
        if value.dtype in HALVES:
            value.dtype, changed = _SINGLE, True
        if value.const_value is not None and value.const_value.dtype in HALVES:
            value.const_value, changed = Widened(value.const_value), True
    for node in (n for n in nodes if n.attributes):
        for name, attribute in list(node.attributes.items()):
            wide = _wide(attribute)
            if wide is not None:
                node.attributes[name], changed = wide, True
    return changed


def _only_stored(value: onnx_ir.Value) -> bool:
    """Whether a value is a stored one that only Cast nodes read, to another type than 16 bits."""
    return (
        value.is_initializer()
        and not value.is_graph_output()
        and all(
            node.op_type == "Cast" and node.attributes.get_int("to", 0) not in HALVES
            for node in value.consumers()
        )
    )


def _wide(attribute: onnx_ir.Attr) -> onnx_ir.Attr | None:
    """The attribute with 32-bit floats, None where it says nothing of 16 bits."""
    if attribute.type == onnx_ir.AttributeType.INT:
        if attribute.name in _ELEMENT_TYPES and attribute.as_int() in HALVES:
            return onnx_ir.AttrInt64(attribute.name, int(_SINGLE))
    elif attribute.type == onnx_ir.AttributeType.TENSOR:
        tensor = attribute.as_tensor()
        if tensor.dtype in HALVES:
            wide = onnx_ir.Tensor(tensor.numpy().astype("float32"), name=tensor.name)
            return onnx_ir.AttrTensor(attribute.name, wide)
    return None


def _shape(tensor: onnx_ir.TensorProtocol) -> onnx_ir.Shape:
    return onnx_ir.Shape([int(d) for d in tensor.shape.numpy()])

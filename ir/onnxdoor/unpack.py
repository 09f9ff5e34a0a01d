"""Packed products as products of 32-bit floats, for running a model by its definition.

ONNX Runtime rounds the activations that meet packed weights to 8 bits in some kernels (MatMulNBits,
QMoE by blocks of 8 bits: up to 0.2 of a layer's output), and every router after them then selects
by that. What is recorded and executed goes by the definition.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir
from onnx import helper, numpy_helper

from ir.onnxdoor.load import Source
from ir.onnxdoor.packing import PACKED, bits_of, input_name, packed_places, reads_packed
from ir.onnxdoor.weights import load_weight
from ir.onnxdoor.widen import as_stored
from ir.workload import Weight

MAX_BYTES = 3 * 2**29  # of weights in one message, which protobuf limits to 2 GiB
_KEPT = (
    "k",
    "activation_type",
    "swiglu_fusion",
    "activation_alpha",
    "activation_beta",
    "swiglu_limit",
)

Part = tuple[list[onnx.NodeProto], list[onnx.TensorProto]]


def unpack(source: Source, nodes: Sequence[onnx_ir.Node]) -> dict[onnx_ir.Node, Part]:
    """Nodes and weights in place of each packed one among `nodes`.

    Empty where the weights would be too many in 32 bits. What the front end leaves digital stays.
    """
    packed = [] if too_large(nodes) else [n for n in nodes if _is_readable(n)]
    return {n: _moe(source, n) if n.op_type == "QMoE" else _product(source, n) for n in packed}


def too_large(nodes: Iterable[onnx_ir.Node]) -> bool:
    """Whether some of the nodes are packed, and their weights unpacked exceed MAX_BYTES.

    With those of the other nodes, which go into the same message.
    """
    total, others, packed = 0, set[onnx_ir.Value](), False
    for node in nodes:
        if _is_readable(node):
            packed, total = True, total + _bytes(node)
        else:
            others.update(v for v in node.inputs if v is not None and v.is_initializer())
    total += sum(as_stored(v.const_value).nbytes for v in others if v.const_value is not None)
    return packed and total > MAX_BYTES


def _is_readable(node: onnx_ir.Node) -> bool:
    """Whether its weights are read, and an operator of floats is its equal.

    No MoE takes routing weights (input 14 of QMoE) or clips after its activation.
    """
    if node.op_type not in PACKED:
        return False
    after = node.attributes.get_int("swiglu_limit_after_activation", 0)
    return not _input(node, 14) and not after and reads_packed(node)


def _product(source: Source, node: onnx_ir.Node) -> Part:
    """MatMulNBits: x @ W (+ bias)."""
    rows, columns = (int(node.attributes.get_int(name) or 0) for name in ("K", "N"))
    name, out, bias = _input(node, 1), node.outputs[0].name or "", _input(node, 5)
    weight = load_weight(source, Weight(name, rows, columns, bits_of(node), transposed=True))
    stored = numpy_helper.from_array(np.ascontiguousarray(weight), f"{name}/unpacked")
    product = f"{out}/product" if bias else out
    nodes = [helper.make_node("MatMul", [_input(node, 0), stored.name], [product], node.name)]
    if bias:
        nodes += [helper.make_node("Add", [product, bias], [out], f"{node.name}/bias")]
    return nodes, [stored]


def _moe(source: Source, node: onnx_ir.Node) -> Part:
    """QMoE: MoE, whose gates it always renormalises."""
    inputs, tensors = [_input(node, 0), _input(node, 1)], list[onnx.TensorProto]()
    for place in PACKED["QMoE"]:  # its bias is two further
        name = _input(node, place)
        if name:
            stored = numpy_helper.from_array(_experts(source, node, name), f"{name}/unpacked")
            tensors.append(stored)
        inputs += [f"{name}/unpacked" if name else "", _input(node, place + 2)]
    while not inputs[-1]:
        inputs.pop()
    made = helper.make_node(
        "MoE",
        inputs,
        [v.name or "" for v in node.outputs],
        node.name,
        domain="com.microsoft",
        normalize_routing_weights=1,
    )
    made.attribute.extend(a for a in source.proto(node).attribute if a.name in _KEPT)
    return [made], tensors


def _experts(source: Source, node: onnx_ir.Node, name: str) -> npt.NDArray[np.float32]:
    """The matrices of all experts: [experts, columns, rows]."""
    stored = source.graph.initializers[name].const_value
    count, columns, packed = stored.shape.numpy() if stored is not None else (0, 0, 0)
    rows = packed * 8 // bits_of(node)
    each = [Weight(name, rows, columns, bits_of(node), e, transposed=True) for e in range(count)]
    return np.stack([load_weight(source, weight).T for weight in each])


def _bytes(node: onnx_ir.Node) -> int:
    """Bytes of a packed node's weights in 32 bits."""
    held = [node.inputs[place] for place in packed_places(node)]
    return sum(v.const_value.nbytes for v in held if v and v.const_value) * 32 // bits_of(node)


def _input(node: onnx_ir.Node, place: int) -> str:
    return input_name(node, place) or ""

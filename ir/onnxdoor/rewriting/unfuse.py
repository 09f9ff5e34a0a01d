"""Split ONNX Runtime's nodes with an activation inside: what comes before it, the activation.

A saved, optimised model has them; everything after sees one kind of product and of bias.
"""

import onnx_ir
from onnx_ir import Attr, Node

_GELU = {"BiasGelu": "Gelu", "FastGelu": "FastGelu"}  # with a bias as second input: without
_CURVES: dict[str, tuple[str, ...]] = {  # of a FusedGemm, and their attributes in its order
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
    "Softplus": (),
    "Softsign": (),
    "LeakyRelu": ("alpha",),
    "Elu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
}


def unfuse(graph: onnx_ir.Graph) -> None:
    """Make two nodes of every com.microsoft FusedGemm, and of BiasGelu and FastGelu with a bias.

    A FusedGemm of a curve that is not known, or without the curve's numbers, stays.
    """
    for node in [n for n in graph if n.domain == "com.microsoft"]:
        if node.op_type == "FusedGemm":
            _unfuse_product(graph, node)
        elif node.op_type in _GELU and len(node.inputs) > 1 and node.inputs[1] is not None:
            add = Node("", "Add", node.inputs[:2], name=f"{node.name}/bias")
            gelu = Node(node.domain, _GELU[node.op_type], add.outputs, name=node.name)
            _replace(graph, node, add, gelu, "biased")


def _unfuse_product(graph: onnx_ir.Graph, node: Node) -> None:
    curve = node.attributes.get_string("activation", "") or ""
    given = [node.attributes.get(f"activation_{name}") for name in _CURVES.get(curve, ())]
    numbers = [a for a in given if a is not None]
    if curve not in _CURVES or len(numbers) != len(given):
        return
    kept = [a for name, a in node.attributes.items() if not name.startswith("activation")]
    gemm = Node("", "Gemm", node.inputs, kept, name=node.name)
    own = [
        Attr(name, number.type, number.value)
        for name, number in zip(_CURVES[curve], numbers, strict=True)
    ]
    after = Node("", curve, gemm.outputs, own, name=f"{node.name}/{curve}")
    _replace(graph, node, gemm, after, "product")


def _replace(graph: onnx_ir.Graph, node: Node, first: Node, second: Node, what: str) -> None:
    """Put two nodes in the place of one; `what` the first makes is named after its output."""
    before, out = node.outputs[0], second.outputs[0]
    first.outputs[0].name = f"{before.name}/{what}"
    if before.dtype is not None:
        first.outputs[0].dtype = out.dtype = before.dtype
    name, out.shape = before.name, before.shape
    before.name = None
    onnx_ir.convenience.replace_nodes_and_values(
        graph, node, [node], [first, second], [before], [out]
    )
    out.name = name

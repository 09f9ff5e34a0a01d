"""Split ONNX Runtime's product-with-activation into the product and the activation."""

import onnx_ir

_CURVES = ("Relu", "Sigmoid", "Tanh")


def unfuse_products(graph: onnx_ir.Graph) -> None:
    """Make a Gemm and a curve of every com.microsoft::FusedGemm whose curve has no numbers.

    A saved, optimised model has them; everything after sees one kind of product.
    """
    for node in [n for n in graph if n.op_type == "FusedGemm" and n.domain == "com.microsoft"]:
        curve = node.attributes.get_string("activation", "") or ""
        if curve not in _CURVES:
            continue
        kept = [a for name, a in node.attributes.items() if not name.startswith("activation")]
        gemm = onnx_ir.Node("", "Gemm", node.inputs, kept, name=node.name)
        after = onnx_ir.Node("", curve, gemm.outputs, name=f"{node.name}/{curve}")
        before, out = node.outputs[0], after.outputs[0]
        gemm.outputs[0].name = f"{before.name}/product"
        if before.dtype is not None:
            gemm.outputs[0].dtype = out.dtype = before.dtype
        name, out.shape = before.name, before.shape
        before.name = None
        onnx_ir.convenience.replace_nodes_and_values(
            graph, node, [node], [gemm, after], [before], [out]
        )
        out.name = name

"""Models whose products are MatMulNBits, which ONNX Runtime computes with vectors of 8 bits."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

BLOCK = 16  # rows with one scale


def pack_products(path: Path, bits: int = 8) -> Path:
    """Make a MatMulNBits of every MatMul by a stored matrix in the file, in blocks of 16 rows.

    accuracy_level 4: ONNX Runtime may round the other factor to 8 bits.
    """
    model = onnx.load(path)
    graph = model.graph
    stored = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in stored:
            continue
        matrix = numpy_helper.to_array(stored[node.input[1]])
        if matrix.ndim == 2:
            _pack(graph, node, matrix, bits)
    read = {name for node in graph.node for name in node.input}
    for tensor in [t for t in graph.initializer if t.name not in read]:
        graph.initializer.remove(tensor)
    if all(opset.domain != "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    return path


def _pack(graph: onnx.GraphProto, node: onnx.NodeProto, matrix: Any, bits: int) -> None:
    """One product: bytes [columns, blocks, 16 * bits / 8] and scales [columns * blocks]."""
    rows, columns = matrix.shape
    blocks = -(-rows // BLOCK)
    turned = np.zeros((columns, blocks * BLOCK), dtype=np.float32)
    turned[:, :rows] = matrix.T
    parts = turned.reshape(columns, blocks, BLOCK)
    middle = 2 ** (bits - 1)
    scale = np.maximum(np.abs(parts).max(axis=2), 1e-6) / (middle - 1)
    whole = (np.rint(parts / scale[..., None]) + middle).astype(np.uint8)
    data = whole if bits == 8 else whole[..., ::2] | (whole[..., 1::2] << 4)
    name = node.output[0]
    graph.initializer.append(numpy_helper.from_array(data, f"{name}/packed"))
    graph.initializer.append(numpy_helper.from_array(scale.ravel(), f"{name}/scales"))
    node.op_type, node.domain = "MatMulNBits", "com.microsoft"
    node.input[1] = f"{name}/packed"
    node.input.append(f"{name}/scales")
    for key, value in {"K": rows, "N": columns, "bits": bits, "block_size": BLOCK}.items():
        node.attribute.append(helper.make_attribute(key, value))
    node.attribute.append(helper.make_attribute("accuracy_level", 4))

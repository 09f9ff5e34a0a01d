"""Bad models, a few lines each: what writes them into a folder, and what must be said of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.compiler.frontend import models as m

FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64
Made = onnx.ModelProto | bytes
N = helper.make_node


@dataclass(frozen=True)
class Bad:
    """A case: its model (or None, where `files` writes it), and what is said of it (a pattern).

    files: writes what lies beside the model.
    """

    says: str
    model: Callable[[], Made] | None = None
    files: Callable[[Path], object] | None = None

    def write(self, folder: Path) -> Path:
        """The path of the model, written."""
        path = folder / "model.onnx"
        if self.files is not None:
            self.files(folder)
        if self.model is not None:
            path.write_bytes(serialised(self.model()))
        return path


def serialised(made: Made) -> bytes:
    data: bytes = made if isinstance(made, bytes) else made.SerializeToString()
    return data


def tensor(array: Any, name: str, kind: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array, dtype=kind), name)


def model(
    nodes: Sequence[onnx.NodeProto],
    stored: Mapping[str, Any] | None = None,
    *,
    dims: Sequence[Any] = (2, 4),
    functions: Sequence[onnx.FunctionProto] = (),
    opset: int = 18,
    tensors: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """From x to y. stored: arrays of whole numbers, or of floats as they are."""
    own = [
        tensor(a, name, np.int64 if np.asarray(a).dtype.kind == "i" else np.float32)
        for name, a in (stored or {}).items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, dims)],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        [*own, *tensors],
    )
    domains = dict.fromkeys(f.domain for f in functions)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions), ir_version=10)


def changed(change: Callable[[onnx.ModelProto], object]) -> Callable[[], onnx.ModelProto]:
    """The product with something else about it."""

    def made() -> onnx.ModelProto:
        proto = product()
        change(proto)
        return proto

    return made


def product() -> onnx.ModelProto:
    """Y = x @ w, of a stored w [4, 4]."""
    return model([N("MatMul", ["x", "w"], ["y"], name="p")], {"w": np.eye(4)})


def transformer(*blocks: m.Ffn, graph: m.Graph | None = None) -> onnx.ModelProto:
    """One layer for each block, by default one of experts."""
    return written(m.transformer(graph or m.Graph(), blocks or (m.dense_masked(),)))


def written(g: m.Graph) -> onnx.ModelProto:
    graph = helper.make_graph(
        g.nodes,
        "test",
        [helper.make_tensor_value_info("input_ids", INT, [1, "tokens"])],
        [helper.make_tensor_value_info("logits", FLOAT, m.LOGITS["logits"])],
        g.tensors,
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)

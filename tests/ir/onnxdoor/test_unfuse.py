"""Products with an activation inside, as a saved, optimised model has them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.session import Runtime


def fused(folder: Path, activation: str, **numbers: Any) -> tuple[Path, np.ndarray, np.ndarray]:
    """Out = activation(x @ w^T + b), read by a second node, and a model output itself."""
    random = np.random.default_rng(0)
    w, b = random.standard_normal((5, 3)), random.standard_normal(5)
    tensors = [numpy_helper.from_array(a.astype(np.float32), n) for a, n in ((w, "w"), (b, "b"))]
    nodes = [
        helper.make_node(
            "FusedGemm",
            ["x", "w", "b"],
            ["out"],
            name="both",
            transB=1,
            domain="com.microsoft",
            activation=activation,
            **numbers,
        ),
        helper.make_node("Neg", ["out"], ["negative"], name="after"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [4, 3])],
        [helper.make_tensor_value_info(n, 1, [4, 5]) for n in ("negative", "out")],
        tensors,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "m.onnx")
    return folder / "m.onnx", w, b


@pytest.mark.parametrize("activation", ["Relu", "Sigmoid", "Tanh"])
def test_split_in_two(activation: str, tmp_path: Path) -> None:
    path, w, b = fused(tmp_path, activation)
    source = open_model(path)
    assert [n.op_type for n in source.graph] == ["Gemm", activation, "Neg"]
    assert [n.name for n in source.graph] == ["both", f"both/{activation}", "after"]
    x = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    with Runtime() as runtime:
        found = runtime.load(with_outputs(source, ["negative", "out"])).run(
            {"x": x}, ["negative", "out"]
        )
    product = x @ w.T + b
    wanted = {
        "Relu": np.maximum(product, 0),
        "Sigmoid": 1 / (1 + np.exp(-product)),
        "Tanh": np.tanh(product),
    }[activation]
    assert np.allclose(found["out"], wanted, atol=1e-6)
    assert np.allclose(found["negative"], -wanted, atol=1e-6)


def test_a_curve_with_numbers_stays(tmp_path: Path) -> None:
    path, _, _ = fused(tmp_path, "LeakyRelu", activation_alpha=0.1)
    assert [n.op_type for n in open_model(path).graph] == ["FusedGemm", "Neg"]

"""Products with an activation inside, as a saved, optimised model has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import helper, numpy_helper

from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime


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


CURVES: dict[str, tuple[dict[str, float], Callable[[np.ndarray], np.ndarray]]] = {
    "Relu": ({}, lambda x: np.maximum(x, 0)),
    "Sigmoid": ({}, lambda x: 1 / (1 + np.exp(-x))),
    "Tanh": ({}, np.tanh),
    "LeakyRelu": ({"activation_alpha": 0.125}, lambda x: np.maximum(x, x / 8)),
    "HardSigmoid": (
        {"activation_alpha": 0.25, "activation_beta": 0.5},
        lambda x: np.clip(x / 4 + 0.5, 0, 1),
    ),
}


@pytest.mark.parametrize("activation", CURVES)
def test_split_in_two(activation: str, tmp_path: Path) -> None:
    numbers, function = CURVES[activation]
    path, w, b = fused(tmp_path, activation, **numbers)
    source = open_model(path)
    assert [n.op_type for n in source.graph] == ["Gemm", activation, "Neg"]
    assert [n.name for n in source.graph] == ["both", f"both/{activation}", "after"]
    x = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
    with Runtime() as runtime:
        found = runtime.load(with_outputs(source, ["negative", "out"])).run(
            {"x": x}, ["negative", "out"]
        )
    wanted = function(x @ w.T + b)
    assert np.allclose(found["out"], wanted, atol=1e-6)
    assert np.allclose(found["negative"], -wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "numbers"), [("Celu", {"activation_alpha": 0.1}), ("LeakyRelu", {})]
)
def test_a_curve_that_cannot_be_split_off_stays(
    activation: str, numbers: dict[str, float], tmp_path: Path
) -> None:
    """One that FusedGemm does not say the numbers of, and one whose number is missing."""
    path, _, _ = fused(tmp_path, activation, **numbers)
    assert [n.op_type for n in open_model(path).graph] == ["FusedGemm", "Neg"]


@pytest.mark.parametrize("op", ["BiasGelu", "FastGelu"])
def test_a_bias_inside_a_curve(op: str, tmp_path: Path) -> None:
    """The same numbers as the one node gives, from an addition and a curve."""
    text = f"""<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
    net (float[3, 4] x) => (float[3, 4] y) <float[4] b = {{-1.0, 0.0, 0.5, 2.0}}>
    {{ y = com.microsoft.{op} (x, b) }}"""
    model = onnx.parser.parse_model(text)
    model.graph.node[0].name = "both"
    onnx.save(model, tmp_path / "m.onnx")
    source = open_model(tmp_path / "m.onnx")
    kind = "Gelu" if op == "BiasGelu" else op
    assert [(n.name, n.op_type) for n in source.graph] == [("both/bias", "Add"), ("both", kind)]
    x = {"x": np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)}
    with Runtime() as runtime:
        whole = runtime.load(model.SerializeToString()).run(x, ["y"])["y"]
        split = runtime.load(with_outputs(source, ["y"])).run(x, ["y"])["y"]
    assert np.allclose(split, whole, atol=1e-6)
    assert np.abs(whole).max() > 1

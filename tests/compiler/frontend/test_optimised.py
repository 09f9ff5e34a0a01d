"""Operators of models that ONNX Runtime optimised and saved: their shapes and what is read."""

from pathlib import Path
from typing import Any

import numpy as np

from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.sizes import Sizes
from ir.onnxdoor.load import open_model
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def test_shapes_of_fused_operators(tmp_path: Path) -> None:
    """LayerNormalization stands in files of any opset, not from 17 on; FusedMatMul turns sides."""
    g = m.Graph()
    x = g("Gather", g.weight(m.VOCAB, m.D, scale=1.0), "input_ids")
    normed = g("LayerNormalization", x, g.weight(1, m.D), axis=-1)
    turned = g("FusedMatMul", normed, x, domain="com.microsoft", transB=1)
    g("FusedMatMul", x, turned, domain="com.microsoft", transA=1, transB=1)
    g.nodes[-1].output[0] = "out"
    path = g.model(tmp_path / "m.onnx", {"out": [1, m.D, "tokens"]}, opset=15)
    graph = Graph.of(open_model(path))
    sizes = Sizes(graph, (5, 7))
    values = {name_of(v): v for n in graph.nodes for v in n.outputs}

    def shape(name: str) -> object:
        found = sizes.shape(values[name])
        assert found is not None
        return found.tolist()

    assert shape(normed) == [[1, 1], [5, 7], [m.D, m.D]]
    assert shape(turned) == [[1, 1], [5, 7], [5, 7]]  # [1, T, d] with itself
    assert shape("out") == [[1, 1], [m.D, m.D], [5, 7]]


def test_gate_of_a_shared_expert_in_one_product(tmp_path: Path, runtime: Any) -> None:
    """FusedGemm with a Sigmoid inside is the gate like any other."""

    def shared(g: m.Graph, x: str) -> str:
        gate = g("FusedGemm", x, g.weight(m.D, 1), domain="com.microsoft", activation="Sigmoid")
        return g("Mul", m.gated(g, x), gate)

    path = m.write(tmp_path, [m.dense_masked(shared=shared)])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.gated_shared, layer.proof) == (1, "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_plain_experts_in_fused_products(tmp_path: Path, runtime: Any) -> None:
    def expert(g: m.Graph, x: str) -> str:
        up = g("FusedGemm", x, g.weight(m.D, m.HIDDEN), domain="com.microsoft", activation="Relu")
        return g("Gemm", up, g.weight(m.HIDDEN, m.D), g.constant(np.ones(m.D), np.float32))

    path = m.write(tmp_path, [m.dense_masked(expert=expert)])
    (layer,) = read_model(path).moe_layers
    assert (layer.activation.text, layer.gated, layer.proof) == ("relu", False, "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5

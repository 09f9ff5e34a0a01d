"""Which operators a model is cut into, their kinds, scopes, sizes and layers."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from ir.passes import PRODUCT, SMOOTH
from ir.workload import Attention, Dense, Digital, Operator, Workload
from ir.workload_text import workload_text
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def kinds(workload: Workload) -> list[str]:
    return [op.kind if isinstance(op, Digital) else type(op).__name__ for op in workload.operators]


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Workload:
    """Two layers, no MoE, one kv head for two heads."""
    return read_model(
        m.write(tmp_path_factory.mktemp("m"), [m.gated, m.plain], kv_heads=1), runtime=runtime
    )


def test_order_and_kinds(dense: Workload) -> None:
    layer = ["norm", "Dense", "Dense", "Dense", "Attention", "Dense", "add", "norm"]
    first = [*layer, "Dense", "Dense", "act", "Dense", "add"]
    second = [*layer, "Dense", "act", "Dense", "add"]
    assert kinds(dense) == ["other", "embed", *first, *second, "norm", "Dense"]


def test_layers(dense: Workload) -> None:
    """Positions and embedding before the first; final norm and head in the last."""
    numbers = [op.layer for op in dense.operators]
    assert numbers == [-1, -1] + [0] * 13 + [1] * 12 + [1, 1]
    assert numbers == sorted(numbers)


def test_attention_sizes(dense: Workload) -> None:
    found = [op for op in dense.operators if isinstance(op, Attention)]
    assert [(a.heads, a.kv_heads, a.head_dim, a.causal) for a in found] == [(2, 1, 8, True)] * 2
    assert found[0].width == 16  # the out-projection's input


def test_scopes_and_elements(dense: Workload) -> None:
    digital = [op for op in dense.operators if isinstance(op, Digital)]
    assert [op.scope for op in digital] == ["constant"] + ["token"] * (len(digital) - 1)
    norm = next(op for op in digital if op.kind == "norm")
    # x*x 16, mean 1, + eps 1, sqrt 1, reciprocal 1, x* 16, scale 16
    assert norm.elements == 16 + 4 + 16 + 16
    act = next(op for op in digital if op.kind == "act")
    assert (act.width, act.elements) == (24, 3 * 24)  # sigmoid, times x, times up
    assert act.passes == SMOOTH + PRODUCT  # SiLU, and the product of gate and up


def test_constant_elements_at_a_length(tmp_path: Path, runtime: Runtime) -> None:
    """Positions: range T, cast T, angle 4T, both 8T, cos 8T, sin 8T, mask T^2; views are free."""
    path = m.write(tmp_path, [m.gated, m.gated])

    def shared(tokens: int) -> int:
        op = read_model(path, tokens, runtime=runtime).operators[0]
        assert isinstance(op, Digital)
        return op.elements

    assert shared(10) == (1 + 1 + 4 + 8 + 8 + 8) * 10 + 10 * 10
    assert shared(20) == 30 * 20 + 400


def test_unique_names_and_values(dense: Workload) -> None:
    names = Counter(op.name for op in dense.operators)
    assert set(names.values()) == {1}
    outputs = Counter(name for op in dense.operators for name in op.outputs)
    assert set(outputs.values()) == {1}


def test_topological(dense: Workload) -> None:
    made = set(dense.inputs)
    for op in dense.operators:
        assert set(op.inputs) <= made, op.name
        made |= set(op.outputs)
    assert set(dense.outputs) <= made


def test_text_fits(dense: Workload) -> None:
    text = workload_text(dense)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert len(text.splitlines()) == 3 + len(dense.operators)
    assert "2 heads, 1 kv heads, head_dim 8, causal" in text


def test_deterministic(tmp_path: Path, runtime: Runtime) -> None:
    path = m.write(tmp_path, [m.dense_masked(), m.expert_choice()])
    assert read_model(path, runtime=runtime) == read_model(path, runtime=runtime)


def test_bias_after_matmul_and_in_gemm(tmp_path: Path, runtime: Any) -> None:
    """X W + b as MatMul, Add and as Gemm with a transposed matrix: both Dense with a bias."""
    g = m.Graph()
    x = g("Reshape", "x", g.constant([-1, m.D]))
    one = g("Add", g.constant(np.ones(8), np.float32), m.linear(g, x, m.D, 8))
    g.nodes.append(
        onnx.helper.make_node(
            "Gemm", [one, g.weight(5, 8), g.constant(np.ones(5), np.float32)], ["y"], transB=1
        )
    )
    path = g.model(
        tmp_path / "m.onnx",
        {"y": ["tokens", 5]},
        {"x": (onnx.TensorProto.FLOAT, [1, "tokens", m.D])},
    )
    first, second = read_model(path, runtime=runtime).dense()
    assert (first.weight.rows, first.weight.columns, first.weight.transposed) == (16, 8, False)
    assert (second.weight.rows, second.weight.columns, second.weight.transposed) == (8, 5, True)
    assert first.weight.bias is not None
    assert second.weight.bias is not None
    x_in = {"x": np.random.default_rng(0).standard_normal((1, 7, m.D)).astype(np.float32)}
    assert compare(runtime, path, x_in) < 1e-6


def test_product_over_the_token_axis_is_not_dense(tmp_path: Path, runtime: Runtime) -> None:
    """x^T W mixes the tokens of a static export: it stays digital, and a note says so."""
    g = m.Graph()
    turned = g("Transpose", "x", perm=[0, 2, 1])
    g.nodes.append(onnx.helper.make_node("MatMul", [turned, g.weight(6, 3)], ["y"]))
    path = g.model(
        tmp_path / "m.onnx", {"y": [1, m.D, 3]}, {"x": (onnx.TensorProto.FLOAT, [1, 6, m.D])}
    )
    workload = read_model(path, runtime=runtime)
    assert not list(workload.dense())
    (note,) = workload.notes
    assert "MatMul" in note
    assert "not one per token" in note
    assert [op.scope for op in workload.operators if isinstance(op, Digital)][-1] == "sequence"


def test_no_attention_and_an_unknown_operator(tmp_path: Path, runtime: Runtime) -> None:
    """An operator nobody knows is one digital operation; the rest is read as usual."""
    g = m.Graph()
    y = m.linear(g, "x", m.D, m.D)
    z = g("Whatever", y, domain="com.microsoft")
    g.nodes.append(onnx.helper.make_node("MatMul", [z, g.weight(m.D, 4)], ["y"]))
    path = g.model(
        tmp_path / "m.onnx",
        {"y": [1, "tokens", 4]},
        {"x": (onnx.TensorProto.FLOAT, [1, "tokens", m.D])},
    )
    workload = read_model(path, runtime=runtime)
    assert sum(isinstance(op, Dense) for op in workload.operators) >= 1
    assert any("Whatever" in n for op in workload.operators for n in op.nodes)


def test_convolutions_stay_digital(tmp_path: Path, runtime: Any) -> None:
    g = m.Graph()
    y = g("Conv", "image", g.weight(4, 3, 3, 3, scale=0.2), pads=[1, 1, 1, 1])
    pooled = g("Flatten", g("GlobalAveragePool", g("Relu", y)))
    g.nodes.append(onnx.helper.make_node("MatMul", [pooled, g.weight(4, 2)], ["y"]))
    path = g.model(
        tmp_path / "m.onnx", {"y": [1, 2]}, {"image": (onnx.TensorProto.FLOAT, [1, 3, 8, 8])}
    )
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers == ()
    image = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    assert compare(runtime, path, {"image": image}) < 1e-5


def blocks_side_by_side(g: m.Graph, blocks: list[m.Ffn]) -> m.Graph:
    """X + attention(n) + block(n) with n = norm(x), as in GPT-J and Falcon."""
    at = m.positions(g)
    x = g("Gather", g.weight(m.VOCAB, m.D, scale=1.0), "input_ids")
    for block in blocks:
        n = m.rms_norm(g, x)
        x = g("Add", g("Add", x, m.attention(g, n, at)), block(g, n))
    g.nodes.append(onnx.helper.make_node("MatMul", [x, g.weight(m.D, m.VOCAB)], ["logits"]))
    return g


def norms_after(g: m.Graph, blocks: list[m.Ffn]) -> m.Graph:
    """norm(x + attention(x)), norm(y + block(y)), as in BERT: the norm is the residual stream."""
    at = m.positions(g)
    x = g("Gather", g.weight(m.VOCAB, m.D, scale=1.0), "input_ids")
    for block in blocks:
        x = m.rms_norm(g, g("Add", x, m.attention(g, x, at)))
        x = m.rms_norm(g, g("Add", x, block(g, x)))
    g.nodes.append(onnx.helper.make_node("MatMul", [x, g.weight(m.D, m.VOCAB)], ["logits"]))
    return g


@pytest.mark.parametrize(
    ("build", "per_layer"),
    # norm, q, k, v, attention, out, add, moe, add | the same with one norm more, at the ends
    [(blocks_side_by_side, 9), (norms_after, 10)],
)
def test_other_orders_of_blocks(build: Any, per_layer: int, tmp_path: Path, runtime: Any) -> None:
    g = build(m.Graph(), [m.dense_masked(), m.dense_masked()])
    path = g.model(tmp_path / "m.onnx", m.LOGITS)
    workload = read_model(path, runtime=runtime)
    numbers = Counter(op.layer for op in workload.operators)
    assert numbers == {-1: 2, 0: per_layer, 1: per_layer + 1}  # the head is in the last layer
    assert [layer.layer for layer in workload.moe_layers] == [0, 1]
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_constant_outputs_and_subgraphs(tmp_path: Path, runtime: Any) -> None:
    """An If whose branches read an outer value, and an output that no input influences."""
    g = m.Graph()
    x, w = g("Relu", "x"), g.weight(m.D, m.D)
    kind = onnx.TensorProto.FLOAT
    branches = {
        name: onnx.helper.make_graph(
            [onnx.helper.make_node(op, inputs, [name])],
            name,
            [],
            [onnx.helper.make_tensor_value_info(name, kind, None)],
        )
        for name, op, inputs in (("then_branch", "MatMul", [x, w]), ("else_branch", "Neg", [x]))
    }
    test = g("Greater", g("ReduceSum", "x", keepdims=0), g.constant(0, np.float32))
    g.nodes.append(onnx.helper.make_node("If", [test], ["y"], **branches))
    g.nodes.append(onnx.helper.make_node("Add", [w, w], ["z"]))
    path = g.model(
        tmp_path / "m.onnx",
        {"y": [1, "tokens", m.D], "z": [m.D, m.D]},
        {"x": (kind, [1, "tokens", m.D])},
    )
    for sign in (1, -1):
        x_in = {"x": np.full((1, 3, m.D), sign, np.float32)}
        assert compare(runtime, path, x_in) < 1e-6


def test_every_operator_is_of_a_known_type(dense: Workload) -> None:
    known = (Attention, Dense, Digital)
    assert all(isinstance(op, known) and type(op) is not Operator for op in dense.operators)

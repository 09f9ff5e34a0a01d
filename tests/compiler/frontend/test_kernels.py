"""Products by a stored matrix in other words than MatMul: opened as MatMul, read, executed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from compiler.frontend import read_model
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare

Linear = Callable[[m.Graph, str, int, int], str]


def flat(g: m.Graph, x: str, rows: int) -> str:
    return g("Reshape", x, g.constant([-1, rows]))


def factors(g: m.Graph, x: str, rows: int, columns: int) -> str:
    """Gemm: 2 x @ W + 0.5 b."""
    w, b = g.weight(rows, columns), g.weight(columns, scale=0.1)
    return g("Gemm", flat(g, x, rows), w, b, alpha=2.0, beta=0.5)


def turned_first(g: m.Graph, x: str, rows: int, columns: int) -> str:
    """Gemm of x stored with its tokens last."""
    turned = g("Transpose", flat(g, x, rows), perm=[1, 0])
    return g("Gemm", turned, g.weight(columns, rows), transA=1, transB=1)


def fused_factor(g: m.Graph, x: str, rows: int, columns: int) -> str:
    return g("FusedMatMul", x, g.weight(rows, columns), alpha=0.5, domain="com.microsoft")


def first_operand(g: m.Graph, x: str, rows: int, columns: int) -> str:
    """(W @ x^T)^T."""
    turned = g("Transpose", flat(g, x, rows), perm=[1, 0])
    return g("Transpose", g("MatMul", g.weight(columns, rows), turned), perm=[1, 0])


def positions(g: m.Graph, x: str, rows: int, columns: int) -> str:
    """Conv of kernel 1 along the tokens, [1, rows, tokens]."""
    turned = g("Transpose", g("Unsqueeze", flat(g, x, rows), g.constant([0])), perm=[0, 2, 1])
    kernel = g.constant(g.random.standard_normal((columns, rows, 1)) / 4, np.float32)
    made = g("Conv", turned, kernel, g.weight(columns, scale=0.1), kernel_shape=[1])
    return flat(g, g("Transpose", made, perm=[0, 2, 1]), columns)


def stored_positions(g: m.Graph, x: str, rows: int, columns: int) -> str:
    """Conv of kernel 1 x 1 on [tokens, rows, 1, 1]."""
    kernel = g.constant(g.random.standard_normal((columns, rows, 1, 1)) / 4, np.float32)
    return flat(g, g("Conv", g("Reshape", x, g.constant([-1, rows, 1, 1])), kernel), columns)


def ellipsis(g: m.Graph, x: str, rows: int, columns: int) -> str:
    return g("Einsum", x, g.weight(rows, columns), equation="...d,df->...f")


def columns_first(g: m.Graph, x: str, rows: int, columns: int) -> str:
    """Einsum with the matrix first and its columns before the tokens."""
    made = g("Einsum", g.weight(columns, rows), flat(g, x, rows), equation="fd,td->ft")
    return g("Transpose", made, perm=[1, 0])


def heads(g: m.Graph, x: str, rows: int, columns: int) -> str:
    """Two letters for the columns, and two summed to come back."""
    w = g.constant(g.random.standard_normal((rows, 2, columns)) / 4, np.float32)
    wide = g("Einsum", flat(g, x, rows), w, equation="td,dhk->thk")
    back = g.constant(g.random.standard_normal((columns, 2, columns)) / 4, np.float32)
    return g("Einsum", wide, back, equation="thk,khf->tf")


WORDS: dict[str, Linear] = {
    "Gemm with factors": factors,
    "Gemm of a turned first operand": turned_first,
    "FusedMatMul with a factor": fused_factor,
    "constant first operand": first_operand,
    "Conv of kernel 1": positions,
    "Conv of kernel 1 x 1": stored_positions,
    "Einsum with an ellipsis": ellipsis,
    "Einsum, matrix and columns first": columns_first,
    "Einsum of several letters": heads,
}


def alone(folder: Path, product: Linear) -> Path:
    g = m.Graph()
    made = g("Reshape", product(g, "x", m.D, 24), g.constant([1, -1, 24]))
    g.nodes.append(helper.make_node("Identity", [made], ["y"]))
    inputs: Any = {"x": (TensorProto.FLOAT, [1, "tokens", m.D])}
    return g.model(folder / "m.onnx", {"y": [1, "tokens", 24]}, inputs)


@pytest.mark.parametrize("name", WORDS)
def test_a_product(name: str, tmp_path: Path, runtime: Runtime) -> None:
    path = alone(tmp_path, WORDS[name])
    source = open_model(path)
    workload = read_model(source, runtime=runtime)
    assert len(list(workload.dense())) == (2 if name == "Einsum of several letters" else 1)
    feeds: Any = {"x": np.random.default_rng(0).standard_normal((1, 9, m.D)).astype(np.float32)}
    ours = runtime.load(with_outputs(source, ["y"])).run(feeds, ["y"])["y"]
    theirs = runtime.load(path.read_bytes()).run(feeds, ["y"])["y"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert compare(runtime, path, feeds, workload=workload) < 1e-5


@pytest.mark.parametrize("name", [n for n in WORDS if n != "Einsum of several letters"])
def test_experts_of_them(name: str, tmp_path: Path, runtime: Runtime) -> None:
    product = WORDS[name]

    def expert(g: m.Graph, x: str) -> str:
        gate, up = (product(g, x, g.d, g.hidden) for _ in range(2))
        return product(g, g("Mul", m.silu(g, gate), up), g.hidden, g.d)

    path = m.write(tmp_path, [m.dense_masked(expert=expert)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.activation.text, layer.proof, workload.notes) == ("silu", "run", ())
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_patches(tmp_path: Path, runtime: Runtime) -> None:
    """Kernel and stride of 2 x 3 on a picture of 4 x 9: 2 x 3 patches of 3 * 2 * 3 numbers."""
    g = m.Graph()
    kernel = g.constant(g.random.standard_normal((5, 3, 2, 3)), np.float32)
    made = g("Conv", "x", kernel, g.weight(5, scale=0.1), strides=[2, 3])
    g.nodes.append(helper.make_node("Identity", [made], ["y"]))
    inputs: Any = {"x": (TensorProto.FLOAT, [2, 3, 4, 9])}
    path = g.model(tmp_path / "m.onnx", {"y": [2, 5, 2, 3]}, inputs)
    source = open_model(path)
    assert "Conv" not in {n.op_type for n in source.graph}
    feeds: Any = {"x": np.random.default_rng(0).standard_normal((2, 3, 4, 9)).astype(np.float32)}
    ours = runtime.load(with_outputs(source, ["y"])).run(feeds, ["y"])["y"]
    theirs = runtime.load(path.read_bytes()).run(feeds, ["y"])["y"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


OTHERS: dict[str, dict[str, Any]] = {
    "padding": {"pads": [1, 1, 1, 1]},
    "overlap": {"strides": [1, 2]},
    "groups": {"strides": [2, 2], "group": 3},
    "spread": {"strides": [2, 2], "dilations": [2, 2]},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_convolutions_stay(name: str, tmp_path: Path) -> None:
    g = m.Graph()
    channels = 1 if name == "groups" else 3
    kernel = g.constant(g.random.standard_normal((6, channels, 2, 2)), np.float32)
    g.nodes.append(helper.make_node("Conv", ["x", kernel], ["y"], **OTHERS[name]))
    inputs: Any = {"x": (TensorProto.FLOAT, [1, 3, 8, 8])}
    path = g.model(tmp_path / "m.onnx", {"y": [1, 6, "h", "w"]}, inputs)
    assert not open_model(path).rewritten

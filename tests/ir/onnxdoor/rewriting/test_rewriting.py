"""Products that another form of words stands for: which are rewritten, and which stay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from ir.errors import InputError
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.rewriting.instead import shape_of
from tests.hostile.build import N, model, tensor

SQUARE = np.arange(16.0).reshape(4, 4)
X = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], dtype=np.float32)
MICROSOFT = "com.microsoft"


def opened(
    folder: Path, nodes: Sequence[onnx.NodeProto], stored: dict[str, Any], **more: Any
) -> Source:
    proto = model(nodes, stored, **more)
    proto.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return open_model(path)


def operators(source: Source) -> list[str]:
    return [node.op_type for node in source.graph]


@pytest.mark.parametrize(
    ("equation", "dims", "matrices"),
    [
        ("td,df", (2, 4), [(4, 4)]),  # whose result goes by the alphabet
        ("...de,def->...f", (2, 4, 4), [(4, 4, 4)]),  # of unknown rank, two axes summed
        ("td,edf,e->tf", (2, 4), [(4, 4, 4)]),  # two operands only
    ],
)
def test_an_equation_that_is_no_product(
    equation: str, dims: tuple[int, ...], matrices: list[tuple[int, ...]], tmp_path: Path
) -> None:
    names = ["w", "v"][: len(matrices)]
    stored = {name: np.ones(shape) for name, shape in zip(names, matrices, strict=True)}
    nodes = [N("Einsum", ["x", *names], ["y"], equation=equation)]
    source = opened(tmp_path, nodes, stored, dims=dims)
    assert operators(source) == ["Einsum"]
    assert not source.rewritten


@pytest.mark.parametrize(
    ("equation", "rewritten"),
    [
        ("td,edf,te->tf", True),  # experts of tokens, weighted and summed
        ("td,df,tf->tf", False),  # one matrix, no stack of them
        ("td,edd,te->td", False),  # the matrices' diagonals
        ("td,edf,te->f", True),  # over the tokens too
        ("td,gedf,te->tf", False),  # over stacks that have no weights
    ],
)
def test_a_weighted_sum_of_products(
    equation: str, rewritten: bool, tmp_path: Path, runtime: Runtime
) -> None:
    """Vectors x, stored matrices, and weights that are made of x."""
    nodes = [
        N("Softmax", ["x"], ["gates"]),
        N("Einsum", ["x", "w", "gates"], ["y"], equation=equation),
    ]
    matrices = equation.split(",")[1]
    w = np.arange(4.0 ** len(matrices)).reshape((4,) * len(matrices))
    source = opened(tmp_path, nodes, {"w": w})
    assert operators(source) == ["Softmax", *["Einsum"] * (1 + rewritten)]
    found = runtime.load(with_outputs(source, ["y"])).run({"x": X}, ["y"])["y"]
    gates = np.exp(X - X.max(axis=1, keepdims=True))
    gates /= gates.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, np.einsum(equation, X, w, gates), rtol=1e-5)


INTEGERS = {
    "MatMulIntegerToFloat": ["w", "q", "s", "s"],
    "DynamicQuantizeMatMul": ["w", "q", "s"],
    "QLinearMatMul": ["w", "s", "z", "q", "s", "z", "s", "z"],
    "QGemm": ["w", "s", "z", "q", "s", "z", "", "s", "z"],
}
BYTES = [tensor(np.ones((4, 4)), "w", np.uint8), tensor(0, "z", np.uint8)]


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_whose_constant_comes_first_stay(kind: str, tmp_path: Path) -> None:
    domain = "" if kind == "QLinearMatMul" else MICROSOFT
    quantise = N("QuantizeLinear", ["x", "s", "z"], ["q"])
    nodes = [quantise, N(kind, INTEGERS[kind], ["made"], domain=domain), N("Neg", ["made"], ["y"])]
    source = opened(tmp_path, nodes, {"s": np.array(1.0)}, tensors=BYTES)
    assert operators(source) == ["QuantizeLinear", kind, "Neg"]


def test_a_product_of_integers_without_a_bias(tmp_path: Path) -> None:
    """QGemm whose inputs end with its matrix's zero point: floats come out."""
    nodes = [
        N("QuantizeLinear", ["x", "s", "z"], ["q"]),
        N("QGemm", ["q", "s", "z", "w", "s", "z"], ["y"], domain=MICROSOFT),
    ]
    source = opened(tmp_path, nodes, {"s": np.array(1.0)}, tensors=BYTES)
    assert operators(source) == ["QuantizeLinear", "Cast", "Cast", "MatMul", "Mul", "Mul"]


def test_a_product_of_integers_whose_input_is_missing(tmp_path: Path) -> None:
    """Its domain is not ONNX's own, so that nobody has checked it: a scale, and the matrix."""
    nodes = [
        N("QuantizeLinear", ["x", "s", "z"], ["q"]),
        N("QGemm", ["q", "s", "z", "w", "", "z"], ["y"], "sum", domain=MICROSOFT),
    ]
    with pytest.raises(InputError, match="node 'sum': input 4 is missing"):
        opened(tmp_path, nodes, {"s": np.array(1.0)}, tensors=BYTES)
    nodes[1].input[3] = ""
    assert "QGemm" in operators(opened(tmp_path, nodes, {"s": np.array(1.0)}, tensors=BYTES))


def test_a_factor_of_the_models_output(tmp_path: Path, runtime: Runtime) -> None:
    """Gemm with alpha = 2 makes y: its stored operand is doubled, and y keeps its name and type."""
    source = opened(tmp_path, [N("Gemm", ["x", "w"], ["y"], alpha=2.0)], {"w": SQUARE})
    assert operators(source) == ["Mul", "Gemm"]
    assert str(source.graph.outputs[0].dtype) == "FLOAT"
    found = runtime.load(with_outputs(source, ["y"])).run({"x": X}, ["y"])["y"]
    np.testing.assert_array_equal(found, 2 * X @ SQUARE.astype(np.float32))


CONVOLVED = [N("Conv", ["x", "w"], ["made"], kernel_shape=[1, 1])]


def test_a_picture_that_is_used_twice(tmp_path: Path, runtime: Runtime) -> None:
    """A Conv's result with its channels last, which cancels, and as it is: both are there."""
    nodes = [
        *CONVOLVED,
        N("Transpose", ["made"], ["last"], perm=[0, 2, 3, 1]),
        N("ReduceMax", ["made"], ["most"], keepdims=0),
        N("Add", ["last", "most"], ["y"]),
    ]
    kernel = SQUARE.reshape(4, 4, 1, 1)
    source = opened(tmp_path, nodes, {"w": kernel}, dims=(1, 4, 2, 3))
    assert operators(source).count("Transpose") == 2 + 1  # x, the matrix; for the maximum
    x = np.arange(24, dtype=np.float32).reshape(1, 4, 2, 3)
    found = runtime.load(with_outputs(source, ["y"])).run({"x": x}, ["y"])["y"]
    made = np.einsum("nchw,oc->nhwo", x, SQUARE.astype(np.float32))
    np.testing.assert_array_equal(found, made + made.max())


def test_axes_in_a_third_order_stay(tmp_path: Path) -> None:
    """[n, c, h, w] to [n, w, h, c] is not the opposite of [n, h, w, c] to [n, c, h, w]."""
    nodes = [*CONVOLVED, N("Transpose", ["made"], ["y"], perm=[0, 3, 2, 1])]
    kernel = SQUARE.reshape(4, 4, 1, 1)
    source = opened(tmp_path, nodes, {"w": kernel}, dims=(1, 4, 2, 3))
    assert operators(source)[-2:] == ["Transpose", "Transpose"]


def test_a_kernel_that_is_an_input_stays(tmp_path: Path) -> None:
    nodes = [N("Identity", ["x"], ["kernel"]), N("Conv", ["w", "kernel"], ["y"])]
    source = opened(tmp_path, nodes, {"w": np.ones((1, 4, 2, 3))}, dims=(4, 4, 1, 1))
    assert operators(source) == ["Identity", "Conv"]


def test_the_shape_of_a_constant_through_casts(tmp_path: Path) -> None:
    """Of what is computed otherwise, or an operator of somebody else's makes of nothing, none."""
    nodes = [
        N("Cast", ["w"], ["wide"], to=1),
        N("Identity", ["wide"], ["same"]),
        N("Neg", ["same"], ["other"]),
        N("Identity", [""], ["nothing"], domain=MICROSOFT),
        N("Sum", ["x", "other", "nothing"], ["y"]),
    ]
    source = opened(tmp_path, nodes, {"w": np.ones((2, 4))})
    found = {name: shape_of(source.values[name]) for name in ("w", "same", "other", "nothing")}
    assert found == {"w": [2, 4], "same": [2, 4], "other": None, "nothing": None}
    assert shape_of(None) is None

"""Norms, attentions and products in many spellings, between an embedding and a head.

Whatever an operator is taken for, the operators together compute the model.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from compiler.frontend import survey_model
from compiler.frontend.facts.graph import FOLLOWED
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare
from tests.compiler.frontend.models import Ffn, Graph
from tests.compiler.frontend.moe.curves import num
from tests.compiler.frontend.operators.test_operators import kinds

MS = "com.microsoft"


def model(folder: Path, block: Ffn, **shown: m.Dims) -> Path:
    """Embedding, block, head; shown: further outputs of the model, which the block makes."""
    g = Graph()
    x = g("Gather", g.weight(g.vocab, g.d, scale=1.0), "input_ids")
    head = [block(g, x), g.weight(g.d, g.vocab)]
    g.nodes.append(helper.make_node("MatMul", head, ["logits"]))
    return g.model(folder / "m.onnx", {**m.LOGITS, **shown}, opset=23)


def show(g: Graph, value: str, name: str) -> None:
    """Make a value an output of the model."""
    g.nodes.append(helper.make_node("Identity", [value], [name]))


# Norms


def mean(g: Graph, x: str) -> str:
    return g("ReduceMean", x, g.constant([-1]), keepdims=1)


def scaled(g: Graph, x: str) -> str:
    return g("Mul", x, g.weight(g.d, scale=1.0))


def layer_norm(g: Graph, x: str, steps: int = 0) -> str:
    """steps: so many nodes that change nothing, on the way of the variance."""
    less = g("Sub", x, mean(g, x))
    root = g("Sqrt", g("Add", mean(g, g("Pow", less, num(g, 2))), num(g, 1e-5)))
    for _ in range(steps):
        root = g("Identity", root)
    return scaled(g, g("Div", less, root))


def two_variances(g: Graph, x: str) -> str:
    less = g("Sub", x, mean(g, x))
    both = g("Add", mean(g, g("Mul", less, less)), mean(g, g("Pow", less, num(g, 2))))
    return g("Div", less, g("Sqrt", both))


def in_64_bits(g: Graph, x: str) -> str:
    """The squares are averaged in more bits."""
    squares = g("Cast", g("Mul", x, x), to=TensorProto.DOUBLE)
    return g("Div", x, g("Cast", g("Sqrt", mean(g, squares)), to=TensorProto.FLOAT))


def shown_mean(g: Graph, x: str) -> str:
    average = mean(g, g("Mul", x, x))
    show(g, average, "average")
    return g("Div", x, g("Sqrt", average))


def one_node(op: str) -> Ffn:
    return lambda g, x: g(op, x, g.weight(g.d, scale=1.0))


NORMS: dict[str, tuple[Ffn, list[str]]] = {
    "by nodes": (layer_norm, ["norm"]),
    "by many nodes": (lambda g, x: layer_norm(g, x, 12), ["norm"]),
    "by more nodes than are followed": (
        lambda g, x: layer_norm(g, x, FOLLOWED),
        ["other"],
    ),
    "of more bits": (in_64_bits, ["norm"]),
    "times a gate": (lambda g, x: g("Mul", m.rms_norm(g, x), g("Sigmoid", x)), ["norm", "act"]),
    "the mean alone": (lambda g, x: g("Sub", x, mean(g, x)), ["other"]),
    "two variances": (two_variances, ["other", "other", "other", "add", "other"]),
}
NORMS |= {
    f"one node, {op}": (one_node(op), ["norm"])
    for op in ("LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization")
}


@pytest.mark.parametrize("name", NORMS)
def test_norms(name: str, tmp_path: Path, runtime: Runtime) -> None:
    block, wanted = NORMS[name]
    path = model(tmp_path, block)
    workload, _ = survey_model(path, runtime=runtime)
    assert kinds(workload) == ["embed", *wanted, "Dense"]
    assert workload.notes == ()
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_a_norm_whose_mean_is_shown(tmp_path: Path, runtime: Runtime) -> None:
    """Its nodes stay apart: one operation would not give the mean."""
    path = model(tmp_path, shown_mean, average=[1, "tokens", 1])
    workload, _ = survey_model(path, runtime=runtime)
    assert "norm" not in kinds(workload)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


# Attentions


def heads(g: Graph, x: str) -> list[str]:
    """Queries, keys and values of two heads of 8: [1, 2, T, 8]."""
    made = [m.linear(g, x, g.d, 16) for _ in range(3)]
    apart = [g("Reshape", y, g.constant([0, -1, 2, 8])) for y in made]
    return [g("Transpose", y, perm=[0, 2, 1, 3]) for y in apart]


def joined(g: Graph, y: str) -> str:
    rows = g("Reshape", g("Transpose", y, perm=[0, 2, 1, 3]), g.constant([0, -1, 16]))
    return m.linear(g, rows, 16, g.d)


def by_nodes(g: Graph, q: str, k: str, v: str, mask: str = "") -> str:
    scores = g("MatMul", q, g("Transpose", k, perm=[0, 1, 3, 2]))
    scores = g("Add", scores, mask) if mask else scores
    return joined(g, g("MatMul", g("Softmax", scores, axis=-1), v))


def stored_triangle(g: Graph, x: str) -> str:
    """The first T rows and columns of a stored mask of 64."""
    mask = g.constant(np.triu(np.full((64, 64), -1e9), 1), np.float32)
    length = g("Shape", g.ids, start=1, end=2)
    ends = g("Concat", length, length, axis=0)
    part = g("Slice", mask, g.constant([0, 0]), ends, g.constant([0, 1]))
    q, k, v = heads(g, x)
    return by_nodes(g, q, k, v, part)


def twice_the_keys(g: Graph, x: str) -> str:
    """Each token has two keys and two values, all of one kind first."""
    q, *both = heads(g, x)
    return by_nodes(g, q, *(g("Concat", y, g("Tanh", y), axis=2) for y in both))


def keys_shown(g: Graph, x: str) -> str:
    q, k, v = heads(g, x)
    show(g, k, "keys")
    return by_nodes(g, q, k, v)


def onnx_attention(causal: int) -> Ffn:
    return lambda g, x: joined(g, g("Attention", *heads(g, x), is_causal=causal))


def multi_head(unidirectional: int) -> Ffn:
    def block(g: Graph, x: str) -> str:
        made = [m.linear(g, x, g.d, 16) for _ in range(3)]
        kinds = {"domain": MS, "num_heads": 2, "unidirectional": unidirectional}
        return m.linear(g, g("MultiHeadAttention", *made, **kinds), 16, g.d)

    return block


ATTENTIONS: dict[str, tuple[Ffn, bool]] = {  # and whether it is causal
    "ONNX's, one-way": (onnx_attention(1), True),
    "ONNX's, both ways": (onnx_attention(0), False),
    "one-way": (multi_head(1), True),
    "both ways": (multi_head(0), False),
    "a stored triangle": (stored_triangle, True),
    "twice the keys": (twice_the_keys, False),
    "no mask": (lambda g, x: by_nodes(g, *heads(g, x)), False),
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attentions(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """Two heads of 8, proven causal by a run where they are: such models decode."""
    block, causal = ATTENTIONS[name]
    path = model(tmp_path, block)
    workload, decode = survey_model(path, runtime=runtime)
    assert kinds(workload) == ["embed", *["Dense"] * 3, "Attention", *["Dense"] * 2]
    (found,) = workload.attentions()
    assert (found.heads, found.kv_heads, found.head_dim) == (2, 2, 8)
    assert (found.causal, found.proven, workload.notes) == (causal, causal, ())
    assert decode.kind == ("derived" if causal else "no")
    assert causal or decode.reason == f"{found.name} is not causal"
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


def test_keys_that_are_an_output(tmp_path: Path, runtime: Runtime) -> None:
    """They are made before the attention, not within it."""
    path = model(tmp_path, keys_shown, keys=[1, 2, "tokens", 8])
    workload, _ = survey_model(path, runtime=runtime)
    (found,) = workload.attentions()
    assert found.outputs[0] != "keys"
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize("op", ["Gemm", "MatMul"])
def test_a_bias_that_is_a_part_of_a_tensor(op: str, tmp_path: Path, runtime: Runtime) -> None:
    """The second half of what is stored: a product with a bias, which is that half alone."""

    def block(g: Graph, x: str) -> str:
        stored, ends = g.weight(2 * g.d, scale=1.0), (g.constant([g.d]), g.constant([2 * g.d]))
        bias = g("Slice", stored, *ends)
        if op == "MatMul":
            return g("Add", g("MatMul", x, g.weight(g.d, g.d)), bias)
        return g("Reshape", g("Gemm", m.flat(g, x), g.weight(g.d, g.d), bias), g("Shape", x))

    path = model(tmp_path, block)
    workload, _ = survey_model(path, runtime=runtime)
    first, _ = (dense.weight for dense in workload.dense())
    assert (first.bias is not None, workload.notes) == (True, ())
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


# Matrices that stay digital


def flipped(g: Graph, x: str) -> str:
    """W x^T, turned back."""
    made = g("Gemm", g.weight(g.d, g.d), g("Transpose", m.flat(g, x), perm=[1, 0]))
    return g("Reshape", g("Transpose", made, perm=[1, 0]), g("Shape", x))


def whole_numbers(g: Graph, x: str) -> str:
    """By 16 rows of a stored matrix of integers that has 32."""
    stored = g.constant(g.random.integers(-3, 3, (32, 16)), np.int32)
    cut = g("Slice", stored, g.constant([5]), g.constant([21]), g.constant([0]))
    vectors = g("Cast", g("Mul", x, num(g, 3)), to=TensorProto.INT32)
    return g("Cast", g("MatMul", vectors, cut), to=TensorProto.FLOAT)


def recurrent(g: Graph, x: str) -> str:
    matrices = [g.weight(1, 4 * g.d, g.d, scale=0.2) for _ in range(2)]
    made = g("LSTM", g("Transpose", x, perm=[1, 0, 2]), *matrices, hidden_size=g.d)
    return g("Transpose", g("Squeeze", made, g.constant([1])), perm=[1, 0, 2])


def packed(g: Graph, x: str) -> str:
    """Matrices packed in 4 bits, with scales that a node makes."""
    data = g.constant(g.random.integers(0, 256, (g.d, 1, g.d // 2)), np.uint8)
    scales = g("Identity", g.constant(np.full(g.d, 0.1), np.float32))
    sizes = {"K": g.d, "N": g.d, "bits": 4, "block_size": 16}
    return g("MatMulNBits", x, data, scales, domain=MS, **sizes)


def any_axes(g: Graph, x: str) -> str:
    return g("Einsum", x, g.weight(1, g.d, g.d), equation="b...d,...df->b...f")


def picked_twice(g: Graph, x: str) -> str:
    """A token's matrix is taken of a stack by a number of its own, and multiplied twice."""
    tokens = m.flat(g, x)
    total = g("Abs", g("ReduceSum", tokens, g.constant([-1]), keepdims=0))
    number = g("Cast", g("Clip", total, num(g, 0), num(g, 3)), to=TensorProto.INT64)
    matrix = g("Gather", g.weight(4, g.d, g.d), number)
    rows = g("Unsqueeze", tokens, g.constant([1]))
    both = g("MatMul", rows, matrix), g("MatMul", g("Tanh", rows), g("Sin", matrix))
    return g("Reshape", g("Add", *both), g("Shape", x))


DIGITAL: dict[str, tuple[Ffn, str, int, int]] = {  # and products and bytes of weights a token
    "matrix first": (flipped, "the constant matrix is the first operand", 256, 1024),
    "part of integers": (whole_numbers, "its matrix is not a plain part of 'c1'", 256, 2048),
    "recurrent": (
        recurrent,
        "not read as a product of tokens with one stored matrix",
        2 * 64 * 16 + 512,
        4 * (2 * 64 * 16 + 512),
    ),
    "packed, scales made": (
        packed,
        "not read as a product of tokens with one stored matrix",
        256,
        128,
    ),
    "any axes of the matrix": (
        any_axes,
        "not read as a product of tokens with one stored matrix",
        256,
        1024,
    ),
    "picked, and multiplied twice": (picked_twice, "several matrices in one product", 512, 0),
}


@pytest.mark.parametrize("name", DIGITAL)
def test_matrices_that_stay_digital(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """16 x 16 products a token are counted where they are done, and all bytes that are stored.

    Of the recurrent one both matrices of 64 x 16, and those of the head: tokens meet before it.
    """
    block, words, macs, held = DIGITAL[name]
    path = model(tmp_path, block)
    workload, _ = survey_model(path, runtime=runtime)
    assert any(words in note for note in workload.notes)
    digital = [op for op in workload.digital() if op.kind != "embed"]
    assert sum(op.macs for op in digital) == macs
    assert sum(op.weight_bytes for op in digital) == held
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


Fed = Callable[[Graph, str], str]


def turned(g: Graph, x: str) -> str:
    """Queries turned by places in stored tables of cosines and sines."""
    length = g("Squeeze", g("Shape", g.ids, start=1, end=2))
    places = g("Unsqueeze", g("Range", g.constant(0), length, g.constant(1)), g.constant([0]))
    tables = [g.weight(40, 4) for _ in range(2)]
    return g("RotaryEmbedding", x, places, *tables, domain=MS, num_heads=2)


def by_a_sum(g: Graph, x: str) -> str:
    """Rows of a table by what is made of a token's vector."""
    total = g("Abs", g("ReduceSum", x, g.constant([-1]), keepdims=0))
    number = g("Cast", g("Clip", total, num(g, 0), num(g, 7)), to=TensorProto.INT64)
    return g("Add", x, g("Gather", g.weight(8, g.d), number))


@pytest.mark.parametrize("block", [turned, by_a_sum])
def test_tables_are_no_matrices(block: Fed, tmp_path: Path, runtime: Runtime) -> None:
    path = model(tmp_path, block)
    workload, _ = survey_model(path, runtime=runtime)
    assert (workload.notes, sum(op.macs for op in workload.digital())) == ((), 0)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5

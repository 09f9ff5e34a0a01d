"""Which nodes are products with a constant matrix, and which only look like one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx_ir import Node

from compiler.frontend.facts.graph import name_of
from compiler.frontend.facts.products import Product, Products
from tests.compiler.frontend import models as m
from tests.compiler.frontend.facts.graphs import Facts
from tests.compiler.frontend.moe.curves import num

Make = Callable[[m.Graph], str]
MS = "com.microsoft"


def products(folder: Path, make: Make) -> tuple[Facts, dict[Node, Product]]:
    """Of what is written over x [1, tokens, 16]."""
    g = m.Graph()
    facts = Facts(folder, g, [make(g)])
    return facts, Products(facts.graph, facts.sizes).by_node


def flat(g: m.Graph) -> str:
    return g("Reshape", "x", g.constant([-1, 16]))


def gemm(g: m.Graph, *bias: str, **attributes: float) -> str:
    return g("Gemm", flat(g), g.weight(16, 5), *bias, **attributes)


def matrix_first(g: m.Graph, **attributes: float) -> str:
    """W x^T, with what makes x^T at hand or in the operator."""
    vectors = flat(g) if attributes.get("transB") else g("Transpose", flat(g), perm=[1, 0])
    return g("Gemm", g.weight(5, 16), vectors, **attributes)


def part_of(g: m.Graph, *shape: int) -> str:
    """The last entries along the first axis of a stored tensor that has twice as many."""
    stored = g.weight(2 * shape[0], *shape[1:], scale=1.0)
    return g("Slice", stored, g.constant([shape[0]]), g.constant([2**31]), g.constant([0]))


def einsum(equation: str, *shape: int) -> Make:
    """Of x [1, tokens, 16], or of the vectors where they have one letter, with a weight."""

    def make(g: m.Graph) -> str:
        vectors = "x" if "." in equation or equation.startswith("b") else flat(g)
        return g("Einsum", vectors, g.weight(*shape), equation=equation)

    return make


def ids(g: m.Graph) -> str:
    """A whole number for each token, by what it is: [tokens]."""
    return g("ArgMax", flat(g), axis=-1, keepdims=0)


def gathered(how: str, equation: str = "") -> Make:
    """A product with matrices that ids pick from a stack, in some form.

    equation: of an Einsum; without, a MatMul of rows.
    """

    def make(g: m.Graph) -> str:
        rows = g("Unsqueeze", flat(g), g.constant([1]))  # [T, 1, 16]
        if how == "vector":
            picked = g("Gather", g.weight(16, scale=1.0), ids(g))
            return g("MatMul", flat(g), g("Unsqueeze", picked, g.constant([1])))
        if how == "second axis":
            picked = g("Gather", g.weight(16, 4, 5), ids(g), axis=1)
            return g("MatMul", rows, g("Transpose", picked, perm=[1, 0, 2]))
        if how == "pairs":
            both = g("Concat", *[g("Unsqueeze", ids(g), g.constant([1]))] * 2, axis=1)
            return g("MatMul", rows, g("GatherND", g.weight(4, 4, 16, 5), both))
        stack = g.weight(4, 5, 16) if how == "turned after" else g.weight(4, 16, 5)
        picked = g("Gather", stack, ids(g))
        if how == "turned after":
            picked = g("Transpose", picked, perm=[0, 2, 1])
        if how == "ids behind":
            picked = g("Transpose", picked, perm=[1, 0, 2])
            return g("MatMul", g("Transpose", rows, perm=[2, 1, 0]), picked)
        if how == "passed on":
            picked = g("Identity", picked)
        if equation:
            return g("Einsum", flat(g), picked, equation=equation)
        return g("MatMul", rows, picked)

    return make


def packed(bits: int = 4, *, made: bool = False, rows: int | None = 16) -> Make:
    """MatMulNBits of 16 rows and 5 columns; made: its scales by a node."""

    def make(g: m.Graph) -> str:
        data = g.constant(g.random.integers(0, 256, (5, 1, 8)), np.uint8)
        scales = g.constant(np.ones(5), np.float32)
        scales = g("Identity", scales) if made else scales
        sizes = {"N": 5, "bits": bits, "block_size": 16} | ({} if rows is None else {"K": rows})
        return g("MatMulNBits", "x", data, scales, domain=MS, **sizes)

    return make


FOUND: dict[str, tuple[Make, tuple[int, ...]]] = {  # and the axes of its matrix
    "MatMul": (lambda g: g("MatMul", "x", g.weight(16, 5)), (16, 5)),
    "Gemm": (gemm, (16, 5)),
    "Gemm, matrix first": (matrix_first, (16, 5)),
    "twice the product": (lambda g: gemm(g, alpha=2.0), (16, 5)),
    "half the bias": (lambda g: gemm(g, g.weight(5, scale=1.0), beta=0.5), (16, 5)),
    "vectors turned": (
        lambda g: g("Gemm", g("Transpose", flat(g)), g.weight(16, 5), transA=1),
        (16, 5),
    ),
    "a bias by tokens": (
        lambda g: gemm(g, g("Cast", g("Unsqueeze", ids(g), g.constant([1])), to=1)),
        (16, 5),
    ),
    "a bias that is a part": (lambda g: gemm(g, part_of(g, 5)), (16, 5)),
    "FusedMatMul": (lambda g: g("FusedMatMul", "x", g.weight(16, 5), domain=MS), (16, 5)),
    "Einsum": (einsum("td,df->tf", 16, 5), (16, 5)),
    "Einsum, turned": (einsum("td,fd->tf", 5, 16), (16, 5)),
    "Einsum, any axes": (einsum("...d,df->...f", 16, 5), (16, 5)),
    "Einsum of a stack": (einsum("td,edf->tef", 4, 16, 5), (4, 16, 5)),
    "Einsum of a stack, its letter last": (einsum("td,edf->tfe", 4, 16, 5), (5, 16, 4)),
    "Einsum of two letters": (einsum("td,dfe->tef", 16, 5, 4), (16, 20)),
    "Einsum, tokens last": (einsum("td,df->ft", 16, 5), (16, 5)),
    "gathered": (gathered(""), (4, 16, 5)),
    "gathered, passed on": (gathered("passed on"), (4, 16, 5)),
    "gathered, turned after": (gathered("turned after"), (4, 16, 5)),
    "gathered, Einsum": (gathered("", "td,tdf->tf"), (4, 16, 5)),
    "packed": (packed(), (16, 5)),
}


@pytest.mark.parametrize("name", FOUND)
def test_products(name: str, tmp_path: Path) -> None:
    make, shape = FOUND[name]
    _, found = products(tmp_path, make)
    assert [p.matrix.shape for p in found.values()] == [shape]


NONE: dict[str, Make] = {
    "no first operand": lambda g: g("FusedMatMul", "", "x", domain=MS),
    "scores of two vectors": lambda g: g("FusedMatMul", "x", "x", domain=MS, transB=1),
    "constants, the bias is none": lambda g: g(
        "Gemm", g.weight(5, 3), g.weight(3, 16), g("ReduceMean", "x", g.constant([0, 1]))
    ),
    "matrix first, times 2": lambda g: matrix_first(g, alpha=2.0),
    "matrix first, vectors turned": lambda g: matrix_first(g, transB=1),
    "vectors turned": lambda g: g(
        "FusedMatMul", g("Transpose", flat(g)), g.weight(16, 5), domain=MS, transA=1
    ),
    "stacks of stacks": lambda g: g("MatMul", "x", g.weight(2, 2, 16, 5)),
    "a matrix of ones": lambda g: g(
        "Einsum", flat(g), g("Expand", num(g, 1), g.constant([16, 5])), equation="td,df->tf"
    ),
    "sums over two letters": lambda g: g(
        "Einsum",
        g("Reshape", "x", g.constant([-1, 4, 4])),
        g.weight(4, 4),
        equation="tab,ab->t",
    ),
    "sum over the stack": einsum("td,edf->tf", 4, 16, 5),
    "letters for any axes of the matrix": einsum("...d,...df->...f", 1, 16, 5),
    "gathered numbers": gathered("vector"),
    "gathered on another axis": gathered("second axis"),
    "gathered by two numbers": gathered("pairs"),
    "what is gathered, ids behind": gathered("ids behind"),
    "gathered, no columns": gathered("", "td,tdf->t"),
    "gathered, a sum over tokens": gathered("", "sd,tdf->tf"),
    "packed, of unknown rows": packed(rows=None),
    "packed, scales made": packed(made=True),
}


@pytest.mark.parametrize("name", NONE)
def test_no_products(name: str, tmp_path: Path) -> None:
    """They stay with the digital operators: what a crossbar gives is another number."""
    assert products(tmp_path, NONE[name])[1] == {}


@pytest.mark.parametrize("axis", [1, 2])
def test_products_side_by_side(axis: int, tmp_path: Path) -> None:
    """Rows of two vectors one after the other are of one joined product, columns of two are not."""

    def make(g: m.Graph) -> str:
        first, second = g("Relu", "x"), g("Tanh", "x")
        each = [g("MatMul", v, g.weight(16, 5)) for v in (first, second)]
        return g("Concat", *each, axis=axis)

    _, found = products(tmp_path, make)
    assert [len(p.members) for p in found.values()] == ([2] if axis == 1 else [0, 0])


@pytest.mark.parametrize("whole", [True, False])
def test_biases_of_a_stack(whole: bool, tmp_path: Path) -> None:
    """[4, 1, 5] for four matrices, all that is stored or the last half of it."""

    def make(g: m.Graph) -> str:
        bias = g.weight(4, 1, 5, scale=1.0) if whole else part_of(g, 4, 1, 5)
        return g("Add", g("MatMul", flat(g), g.weight(4, 16, 5)), bias)

    facts, found = products(tmp_path, make)
    (product,) = found.values()
    adder = product.nodes[-1]
    assert adder.op_type == "Add"
    assert product.out is adder.outputs[0]
    assert product.bias == name_of(adder.inputs[1])
    assert (product.bias in facts.values) != whole

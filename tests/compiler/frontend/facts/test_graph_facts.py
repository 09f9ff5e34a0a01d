"""The facts everything rests on: sizes, token axes, constants, dominators."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir
import pytest
from onnx_ir import DataType

from compiler.frontend.facts.axes import TokenAxis
from compiler.frontend.facts.constants import matrices_of, view_of, weight_of
from compiler.frontend.facts.dominators import computed_from, nodes_between, post_dominators
from compiler.frontend.facts.graph import axis_attribute
from compiler.frontend.facts.sizes import SAMPLES
from ir.errors import InputError
from ir.workload import Weight
from tests.compiler.frontend import models as m
from tests.compiler.frontend.facts.graphs import Facts

MS = "com.microsoft"


def test_sizes_for_every_sample(tmp_path: Path) -> None:
    g = m.Graph()
    y = g("Reshape", "x", g.constant([-1, 4, 4]))
    facts = Facts(tmp_path, g, [y])
    shape = facts.sizes.shape(facts.values[y])
    assert shape is not None
    assert shape.tolist() == [list(SAMPLES), [4] * len(SAMPLES), [4] * len(SAMPLES)]
    assert facts.sizes.fixed(facts.values[y]) == (None, 4, 4)
    assert facts.sizes.per_token(facts.values[y]) == 16


def test_shape_arithmetic(tmp_path: Path) -> None:
    """(2 T + 3) / 5, at least 20, through Shape, Gather, Cast and float division."""
    g = m.Graph()
    length = g("Gather", g("Shape", "x"), g.constant(1))
    doubled = g("Add", g("Mul", length, g.constant(2)), g.constant(3))
    real = g("Div", g("Cast", doubled, to=1), g.constant(5.0, np.float32))
    whole = g("Cast", g("Floor", real), to=7)
    k = g("Max", whole, g.constant(20))
    facts = Facts(tmp_path, g, [k])
    content = facts.sizes.content(facts.values[k])
    assert content is not None
    # T = 37: 77 / 5 = 15 -> 20; T = 64: 131 / 5 = 26
    assert [int(c) for c in content[:3]] == [20, 26, 41]


def test_facts_leave_the_model_as_it_was_opened(tmp_path: Path) -> None:
    """The file declares the type of x alone; what follows from the nodes is known to `Sizes`."""
    g = m.Graph()
    y = g("Relu", "x")
    length, large = g("Shape", y), g("Greater", y, g.constant(1.0, np.float32))
    facts = Facts(tmp_path, g, [y, length, large])
    values = [facts.values[name] for name in ("x", y, length, large)]
    declared = [value.dtype for value in values]
    kinds = [facts.sizes.kind(value) for value in values]
    assert declared == [DataType.FLOAT, None, None, None]
    assert kinds == [DataType.FLOAT, DataType.FLOAT, DataType.INT64, DataType.BOOL]
    assert facts.sizes.kind(None) is None


@pytest.mark.parametrize(
    ("make", "axis", "scope"),
    [
        (lambda g: g("Relu", "x"), TokenAxis(1), "token"),
        (lambda g: g("Transpose", "x", perm=[2, 0, 1]), TokenAxis(2), "token"),
        (lambda g: g("Reshape", "x", g.constant([-1, m.D])), TokenAxis(0), "token"),
        # each token in 4 rows
        (lambda g: g("Reshape", "x", g.constant([-1, 4])), TokenAxis(0, 4), "token"),
        (lambda g: g("Softmax", "x", axis=-1), TokenAxis(1), "token"),
        (lambda g: g("Softmax", "x", axis=1), TokenAxis(1), "sequence"),
        (lambda g: g("ReduceMean", "x", g.constant([2]), keepdims=0), TokenAxis(1), "token"),
        (lambda g: g("ReduceMean", "x", g.constant([0]), keepdims=0), TokenAxis(0), "token"),
        (lambda g: g("ReduceSum", "x", g.constant([1]), keepdims=0), None, "sequence"),
        (lambda g: g("MatMul", "x", g.weight(m.D, 3)), TokenAxis(1), "token"),
        # x x^T: row t of the result needs every token, but it is still row t
        (lambda g: g("MatMul", "x", g("Transpose", "x", perm=[0, 2, 1])), TokenAxis(1), "sequence"),
        (lambda g: g("Gather", "x", g.constant(0), axis=1), None, "sequence"),
        (lambda g: g("Gather", "x", g.constant(0), axis=2), TokenAxis(1), "token"),
        (lambda g: g("Concat", "x", "x", axis=2), TokenAxis(1), "token"),
        (lambda g: g("Concat", "x", "x", axis=1), None, "sequence"),
        (lambda g: g("Shape", "x"), None, "constant"),
        (lambda g: g("CumSum", "x", g.constant(1)), TokenAxis(1), "sequence"),
        (lambda g: g("Squeeze", "x", g.constant([0])), TokenAxis(0), "token"),
        (lambda g: g("Unsqueeze", "x", g.constant([0])), TokenAxis(2), "token"),
        (lambda g: g("Squeeze", "x"), TokenAxis(0), "token"),
        # x x^T by an operator that turns the second; rows of what is turned are columns
        (lambda g: g("FusedMatMul", "x", "x", domain=MS, transB=1), TokenAxis(1), "sequence"),
        (
            lambda g: g("FusedMatMul", turned(g), g.weight(m.D, 3), domain=MS, transA=1),
            TokenAxis(1),
            "token",
        ),
        (lambda g: g("Concat", "x", turned(g), axis=0), None, "sequence"),
        # one part of all tokens, which `Split` may not be seen to keep apart
        (lambda g: g("Split", "x", axis=1, num_outputs=1), TokenAxis(1), "sequence"),
        (lambda g: g("CumSum", "x", unknown(g, 1)), TokenAxis(1), "sequence"),
        (
            lambda g: g("ScatterElements", strange(g), g("Cast", "x", to=7), "x", axis=2),
            None,
            "sequence",
        ),
        (
            lambda g: g("SkipLayerNormalization", "x", turned(g), g.weight(1, m.D), domain=MS),
            TokenAxis(1),
            "sequence",
        ),
    ],
)
def test_token_axis(tmp_path: Path, make: Any, axis: TokenAxis | None, scope: str) -> None:
    g = m.Graph()
    y = make(g)
    facts = Facts(tmp_path, g, [y])
    assert facts.axes.of(facts.values[y]) == axis
    assert facts.scope(y) == scope


def turned(g: m.Graph) -> str:
    return g("Transpose", "x", perm=[0, 2, 1])


def strange(g: m.Graph) -> str:
    """A constant by an operator that nobody knows, whose rank is open."""
    return g("Make", g.constant([1.0], np.float32), domain="acme")


def unknown(g: m.Graph, number: int) -> str:
    """A number that an operator makes of which nothing is computed here."""
    made = g("Gelu", g.constant(number, np.float32), domain=MS)
    return g("Cast", made, to=7)


@pytest.mark.parametrize(
    "make",
    [
        lambda g: g("Softmax", "x", axis=-1),
        lambda g: g("LayerNormalization", "x", g.weight(1, m.D)),
        lambda g: g("ReduceSum", "x", g.constant([2])),
        lambda g: g("Transpose", "x", perm=[0, 2, 1]),
        lambda g: g("Reshape", "x", g.constant([-1, m.D])),
        lambda g: g("MatMul", "x", g.weight(m.D, 3)),
        lambda g: g("Gather", "x", g.constant(0), axis=2),
        lambda g: g("Concat", "x", "x", axis=2),
        lambda g: g("Squeeze", "x"),
        lambda g: g("OneHot", g("Cast", "x", to=7), g.constant(5), g.constant([0, 1])),
    ],
)
def test_an_input_of_unknown_rank(tmp_path: Path, make: Any) -> None:
    """Nothing tells how its axes are counted, so that no node is seen to keep tokens apart."""
    g = m.Graph()
    y = make(g)
    facts = Facts(tmp_path, g, [y], "unknown")
    assert facts.sizes.rank(facts.values["x"]) is None
    assert (facts.axes.of(facts.values[y]), facts.scope(y)) == (None, "sequence")


def test_axes_of_unknown_length_behind_the_tokens(tmp_path: Path) -> None:
    """Rows of [1, tokens, width] put together: how many of them are a token's is not known."""
    g = m.Graph()
    y = g("Reshape", "x", g.constant([-1, 4]))
    facts = Facts(tmp_path, g, [y], [1, "tokens", "width"])
    assert (facts.axes.of(facts.values[y]), facts.scope(y)) == (None, "sequence")


@pytest.mark.parametrize("dims", [[None, m.D], [None, None, m.D]])
def test_axes_without_a_name(dims: list[int | None], tmp_path: Path) -> None:
    """Of two axes the first is the tokens, of three it is sequences: one."""
    g = m.Graph()
    y = g("MatMul", "x", g.weight(m.D, 3))
    facts = Facts(tmp_path, g, [y], dims)
    shape = facts.sizes.shape(facts.values[y])
    assert shape is not None
    assert shape[:-1].tolist() == [[1] * len(SAMPLES)] * (len(dims) - 2) + [list(SAMPLES)]
    assert (facts.axes.of(facts.values[y]), facts.scope(y)) == (TokenAxis(len(dims) - 2), "token")


def test_the_only_token_taken_out(tmp_path: Path) -> None:
    """Of a file of one token its axis is gone."""
    g = m.Graph()
    y = g("Squeeze", "x", g.constant([1]))
    facts = Facts(tmp_path, g, [y], [1, 1, m.D])
    assert (facts.axes.of(facts.values[y]), facts.scope(y)) == (None, "sequence")


def test_constant_views(tmp_path: Path) -> None:
    """Which part of the stored tensor a rearranged constant is."""
    g = m.Graph()
    stack = g.weight(4, 6, m.D)  # [E, F, D], as many exporters store it
    name = g.tensors[-1].name
    one = g("Gather", stack, g.constant(2), axis=0)
    turned = g("Transpose", one, perm=[1, 0])  # [D, F]
    half = g("Slice", turned, g.constant([3]), g.constant([6]), g.constant([1]))
    odd = g("Slice", turned, g.constant([1]), g.constant([6]), g.constant([1]), g.constant([2]))
    first, second = g.many("Split", stack, g.constant([1, 3]), outputs=2, axis=0)
    single = g("Squeeze", first, g.constant([0]))
    y = [g("MatMul", "x", w) for w in (turned, half, odd)]
    z = g("MatMul", "x", g("Transpose", single, perm=[1, 0]))
    facts = Facts(tmp_path, g, [*y, z, second])

    def weight(value: str) -> Weight | None:
        view = view_of(facts.graph, facts.sizes, facts.maker(value).inputs[1])
        assert view is not None
        return weight_of(view)

    def second_of(columns: int, start: int = 0, step: int = 1) -> Weight:
        """Columns of the stored matrix of index 2."""
        return Weight(name, m.D, columns, index=2, transposed=True, start=start, step=step)

    assert weight(y[0]) == second_of(6)
    assert weight(y[1]) == second_of(3, start=3)
    assert weight(y[2]) == second_of(3, start=1, step=2)
    assert weight(z) == Weight(name, m.D, 6, index=0, transposed=True)
    rest = view_of(facts.graph, facts.sizes, facts.values[second])
    assert rest is not None
    assert (rest.shape, rest.axes[0].start) == ((3, 6, m.D), 1)


def test_what_is_no_part_of_a_tensor(tmp_path: Path) -> None:
    """Sums of weights are a tensor of their own; so are rows cut out of a matrix, the first too."""
    g = m.Graph()
    w = g.weight(m.D, m.D)
    total = g("Add", w, w)
    rows = g("Slice", g.weight(2 * m.D, 5), g.constant([3]), g.constant([3 + m.D]), g.constant([0]))
    first = g("Slice", g.weight(2 * m.D, 5), g.constant([0]), g.constant([m.D]), g.constant([0]))
    y = [g("MatMul", "x", w) for w in (total, rows, first)]
    facts = Facts(tmp_path, g, y)
    values = [facts.maker(v).inputs[1] for v in y]
    summed = view_of(facts.graph, facts.sizes, values[0])
    assert summed is not None
    assert weight_of(summed) == Weight(total, m.D, m.D)
    for name, value in zip((rows, first), values[1:], strict=True):
        cut = view_of(facts.graph, facts.sizes, value)
        found = matrices_of(facts.graph, facts.sizes, value)
        assert cut is not None and found is not None
        assert weight_of(cut) is None
        assert weight_of(found) == Weight(name, m.D, 5)


def test_a_number_of_all_tokens_beside_each(tmp_path: Path) -> None:
    """One scale for all leaves tokens apart; a number for each of 16 tokens turned mixes them."""
    g = m.Graph()
    largest = g("ReduceMax", "x", keepdims=0)
    wide = g("ReduceMax", "x", g.constant([0, 1]), keepdims=0)  # one for each column
    turned = g("Transpose", "x", perm=[0, 2, 1])
    y = [g("Mul", "x", largest), g("Mul", "x", wide), g("Mul", turned, wide)]
    facts = Facts(tmp_path, g, y, [1, 16, m.D])
    assert [facts.scope(name) for name in (largest, *y)] == ["sequence", *["token"] * 2, "sequence"]


def test_region_and_post_dominators(tmp_path: Path) -> None:
    """X -> a -> (b, c) -> d -> e = d + x.

    From a: b, c, d are computed from it alone, e is not (x reaches it too); d is the first value
    that all paths from a pass, and the last before the outside.
    """
    g = m.Graph()
    a = g("Relu", "x")
    b, c = g("Sigmoid", a), g("Tanh", a)
    d = g("Mul", b, c)
    e = g("Add", d, "x")
    facts = Facts(tmp_path, g, [e])
    v = facts.values
    region = computed_from(facts.graph, v[a])
    assert [value.name for value in region] == [a, b, c, d]
    assert [u.name for u in post_dominators(facts.graph, region, [v[a]])] == [d]
    assert [u.name for u in post_dominators(facts.graph, region, [v[b], v[c]])] == [d]
    nodes = nodes_between(facts.graph, {v[a]}, [v[d]], region)
    assert [n.op_type for n in nodes] == ["Sigmoid", "Tanh", "Mul"]


def test_a_value_shown_outside_has_no_post_dominator(tmp_path: Path) -> None:
    g = m.Graph()
    a = g("Relu", "x")
    b = g("Sigmoid", a)
    c = g("Tanh", b)
    facts = Facts(tmp_path, g, [b, c])
    region = computed_from(facts.graph, facts.values[a])
    chain = [u.name for u in post_dominators(facts.graph, region, [facts.values[a]])]
    assert chain == [b]  # b's copy leaves on its own, so c does not gather all paths
    assert facts.maker(b).op_type == "Sigmoid"


@pytest.mark.parametrize(
    ("op_type", "axis", "found"), [("TopK", 2, 2), ("TopK", -3, 0), ("Flatten", 3, 3)]
)
def test_an_axis_is_counted_from_the_front(op_type: str, axis: int, found: int) -> None:
    node = onnx_ir.node(op_type, [], {"axis": axis})
    assert axis_attribute(node, -1, 3) == found


@pytest.mark.parametrize(("op_type", "axis"), [("TopK", 3), ("TopK", -4), ("Flatten", 4)])
def test_an_axis_that_a_value_has_not_is_named(op_type: str, axis: int) -> None:
    node = onnx_ir.node(op_type, [], {"axis": axis}, name="n")
    with pytest.raises(InputError, match=rf"node 'n' \({op_type}\): axis: {axis}, expected -3 to"):
        axis_attribute(node, -1, 3)

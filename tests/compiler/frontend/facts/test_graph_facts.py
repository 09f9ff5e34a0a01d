"""The facts everything rests on: sizes, token axes, constants, dominators."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import TensorProto, helper
from onnx_ir import DataType

from compiler.frontend.facts.axes import Axes, TokenAxis
from compiler.frontend.facts.constants import matrices_of, view_of, weight_of
from compiler.frontend.facts.dominators import computed_from, nodes_between, post_dominators
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.sizes import SAMPLES, Sizes
from ir.onnxdoor.load import open_model
from ir.workload import Weight
from tests.compiler.frontend import models as m


class Facts:
    """A graph over x [1, tokens, D] (or `dims`) with the values by name."""

    def __init__(self, folder: Path, g: m.Graph, outputs: Sequence[str], dims: Any = None) -> None:
        for name in outputs:
            g.nodes.append(helper.make_node("Identity", [name], [f"out_{name}"]))
        path = folder / "m.onnx"
        g.model(
            path,
            {f"out_{n}": [] for n in outputs},
            {"x": (TensorProto.FLOAT, dims or [1, "tokens", m.D])},
        )
        proto = onnx.load(path)
        for output in proto.graph.output:  # of any type and rank
            output.type.Clear()
        path.write_bytes(proto.SerializeToString())
        self.graph = Graph.of(open_model(path))
        self.sizes = Sizes(self.graph)
        self.axes = Axes(self.graph, self.sizes)
        self.values = {v.name: v for n in self.graph.nodes for v in n.outputs}
        self.values |= {v.name: v for v in self.graph.inputs}

    def maker(self, name: str) -> onnx_ir.Node:
        """The node that computes a value."""
        maker = self.values[name].producer()
        assert maker is not None
        return maker

    def scope(self, name: str) -> str:
        return self.axes.scope(self.maker(name))


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
    ],
)
def test_token_axis(tmp_path: Path, make: Any, axis: TokenAxis | None, scope: str) -> None:
    g = m.Graph()
    y = make(g)
    facts = Facts(tmp_path, g, [y])
    assert facts.axes.of(facts.values[y]) == axis
    assert facts.scope(y) == scope


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

"""What small values hold, computed as ONNX's reference does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.sizes import MAX_CONTENT, Sizes
from ir.onnxdoor.load import open_model
from tests.compiler.frontend import models as m

TOKENS = (5, 8)


def content(folder: Path, g: m.Graph, name: str, opset: int = 18) -> list[Any] | None:
    """What value `name` holds for x of 5 tokens and of 8; None where that is not known."""
    out = f"{name}_out"
    g.nodes.append(helper.make_node("Identity", [name], [out]))
    path = g.model(
        folder / "m.onnx", {out: []}, {"x": (TensorProto.FLOAT, [1, "tokens", m.D])}, opset
    )
    graph = Graph.of(open_model(path))
    sizes = Sizes(graph, TOKENS)
    values = {v.name: v for node in graph.nodes for v in node.outputs}
    known = sizes.content(values[name])
    return None if known is None else [array.tolist() for array in known]


def test_division_of_integers_is_towards_zero(tmp_path: Path) -> None:
    """(T - 12) / 2 for T = 5, 8: -7 / 2 = -3 and -4 / 2 = -2, as in C."""
    g = m.Graph()
    length = g("Gather", g("Shape", "x"), g.constant(1))
    half = g("Div", g("Sub", length, g.constant(12)), g.constant(2))
    assert content(tmp_path, g, half) == [-3, -2]


def test_a_step_without_axes(tmp_path: Path) -> None:
    """[0, 1, 2, 3, 4, 5][1:6:2], the axes left out: an empty name, not the next input."""
    g = m.Graph()
    whole = g.constant(np.arange(6))
    part = g("Slice", whole, g.constant([1]), g.constant([6]), "", g.constant([2]))
    assert content(tmp_path, g, part) == [[1, 3, 5]] * 2


@pytest.mark.parametrize("opset", [11, 18])
def test_axes_as_the_model_s_opset_says_them(opset: int, tmp_path: Path) -> None:
    """Before opset 13 the axes of Squeeze and Unsqueeze are attributes, since then inputs."""
    g = m.Graph()
    if opset < 13:
        row = g("Unsqueeze", g("Shape", "x"), axes=[0])
        back = g("Squeeze", row, axes=[0])
    else:
        row = g("Unsqueeze", g("Shape", "x"), g.constant([0]))
        back = g("Squeeze", row, g.constant([0]))
    assert content(tmp_path, g, back, opset) == [[1, 5, m.D], [1, 8, m.D]]


def test_what_is_taken_of_a_shape_known_in_part(tmp_path: Path) -> None:
    """The rows of NonZero(x) cannot be known, its three columns can: [3, ?]."""
    g = m.Graph()
    shape = g("Shape", g("NonZero", "x"))
    first, last = g("Gather", shape, g.constant([0])), g("Gather", shape, g.constant([1]))
    assert content(tmp_path, g, first) == [[3], [3]]
    assert content(tmp_path, g, last) is None


@pytest.mark.parametrize(("rows", "known"), [(MAX_CONTENT, True), (MAX_CONTENT + 1, False)])
def test_only_small_contents_are_kept(rows: int, known: bool, tmp_path: Path) -> None:
    g = m.Graph()
    zeros = g("ConstantOfShape", g.constant([rows]))
    assert (content(tmp_path, g, zeros) == [[0.0] * rows] * 2) is known


def test_a_large_constant_is_never_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2^48 zeros are asked for, a petabyte: that is seen without asking numpy for them."""
    asked: list[object] = []
    full = np.full

    def watched(shape: Any, *rest: Any) -> Any:
        asked.append(shape)
        return full(shape, *rest)

    monkeypatch.setattr(np, "full", watched)
    g = m.Graph()
    zeros = g("ConstantOfShape", g.constant([2**20, 2**28]))
    assert content(tmp_path, g, zeros) is None
    assert (2**20, 2**28) not in asked


def test_what_does_not_fit_is_unknown(tmp_path: Path) -> None:
    """[0, 1, 2] reshaped to 2 rows: no valid model, and nothing that stops the reading of one."""
    g = m.Graph()
    rows = g("Reshape", g.constant(np.arange(3)), g.constant([2, -1]))
    assert content(tmp_path, g, rows) is None

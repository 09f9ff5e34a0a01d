"""Attention regions: what they hold, their sizes, and which masks make them causal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from compiler.frontend import read_model
from compiler.frontend.read import survey_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Attention, Dense, Digital
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare

T = 9


def stored(mask: np.ndarray) -> Callable[[m.Graph], str]:
    return lambda g: g.constant(mask, np.bool_)


def near(distance: int) -> np.ndarray:
    """Causal with a window: position t sees t - distance + 1 to t."""
    place = np.arange(T)
    gap = place[:, None] - place[None, :]
    return (gap >= 0) & (gap < distance)


@pytest.mark.parametrize(
    ("mask", "causal"),
    [
        (None, True),  # compares positions
        (lambda g: "", False),
        (stored(np.tri(T, dtype=bool)), True),
        (stored(near(3)), True),
        (stored(np.ones((T, T), dtype=bool)), False),
        (stored(np.tri(T, dtype=bool).T), False),  # sees the future only
        (lambda g: g("Trilu", g.constant(np.ones((T, T)), np.bool_), upper=0), True),
    ],
    ids=["positions", "none", "stored", "window", "all ones", "upper", "trilu"],
)
def test_causal(mask: Any, causal: bool, tmp_path: Path, runtime: Any) -> None:
    g = m.transformer(m.Graph(), [m.gated], mask=mask)
    path = g.model(tmp_path / "m.onnx", {"logits": [1, T, m.VOCAB]}, {"input_ids": (7, [1, T])})
    (found,) = (
        op for op in read_model(path, runtime=runtime).operators if isinstance(op, Attention)
    )
    assert found.causal is causal
    assert (found.heads, found.head_dim) == (2, 8)
    assert compare(runtime, path, m.token_ids(tokens=T)) < 1e-5


def test_it_starts_at_the_projections(tmp_path: Path, runtime: Runtime) -> None:
    """Inputs: the outputs of q, k, v and tables; output: the out-projection's input."""
    workload = read_model(m.write(tmp_path, [m.gated, m.gated]), runtime=runtime)
    found = next(op for op in workload.operators if isinstance(op, Attention))
    dense = [op for op in workload.operators if isinstance(op, Dense)][:4]
    tables = next(op for op in workload.operators if isinstance(op, Digital))
    assert set(found.inputs) == {op.outputs[0] for op in dense[:3]} | set(tables.outputs)
    assert dense[3].inputs == found.outputs


def test_grouped_query_attention_operator(tmp_path: Path, runtime: Any) -> None:
    """com.microsoft::GroupQueryAttention with packed q, k, v and empty caches."""
    path = m.with_past(tmp_path)
    workload = read_model(path, runtime=runtime)
    (found,) = (op for op in workload.operators if isinstance(op, Attention))
    assert (found.heads, found.kv_heads, found.head_dim, found.causal) == (2, 1, 8, True)
    assert found.width == 16
    assert workload.moe_layers[0].layer == 0
    feeds = {
        **m.token_ids(),
        **{n: np.zeros((1, 1, 0, m.HEAD), np.float32) for n in ("past_key", "past_value")},
    }
    assert compare(runtime, path, feeds) < 1e-5


def test_a_model_that_takes_its_past_can_decode(tmp_path: Path) -> None:
    assert survey_model(m.with_past(tmp_path))[1].kind == "native"


def test_but_not_with_another_state(tmp_path: Path) -> None:
    """A sum over the tokens so far is a state besides keys and values, which nothing keeps."""
    verdict = survey_model(m.with_past(tmp_path, running_sum=True))[1]
    assert verdict.kind == "no"
    assert "mixes tokens outside attention" in verdict.reason


def test_nor_with_a_head_over_all_tokens(tmp_path: Path) -> None:
    """A mean over the tokens after the last layer needs vectors that a step has not."""
    verdict = survey_model(m.with_past(tmp_path, pooled=True))[1]
    assert verdict.kind == "no"
    assert "mixes tokens outside attention (node 'ReduceMean" in verdict.reason


def test_a_residual_addition_stands_alone(tmp_path: Path, runtime: Any) -> None:
    """X + Relu(x W): the Relu is no part of the addition."""
    g = m.Graph()
    x = g("Relu", "x")
    g.nodes.append(helper.make_node("Add", [x, m.relu(g, m.linear(g, x, m.D, m.D))], ["y"]))
    path = g.model(tmp_path / "m.onnx", {"y": [1, "tokens", m.D]}, {"x": (1, [1, "tokens", m.D])})
    kinds = [
        op.kind for op in read_model(path, runtime=runtime).operators if isinstance(op, Digital)
    ]
    assert kinds == ["act", "act", "add"]
    x_in = np.random.default_rng(0).standard_normal((1, 5, m.D)).astype(np.float32)
    assert compare(runtime, path, {"x": x_in}) < 1e-5

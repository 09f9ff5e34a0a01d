"""Regions that look like a MoE layer and compute something slightly different.

Each must be read with the numbers that it has, or stay digital with a reason; in both cases the
operators together compute what the model computes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.profile import profile
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def masked(change: Callable[[m.Graph, str, str, int], tuple[str, str]]) -> m.Ffn:
    """Every expert times its column, after `change(graph, tokens, column, expert)` had its way."""

    def block(g: m.Graph, x: str) -> str:
        tokens = m.flat(g, x)
        ids, gates = m.topk_softmax(g, tokens)
        shape = g("Concat", g("Shape", tokens, end=1), g.constant([m.EXPERTS]), axis=0)
        zeros = g("Expand", g.constant(0.0, np.float32), shape)
        combine, total = g("ScatterElements", zeros, ids, gates, axis=1), ""
        for e in range(m.EXPERTS):
            column = g("Slice", combine, g.constant([e]), g.constant([e + 1]), g.constant([1]))
            out, column = change(g, tokens, column, e)
            part = g("Mul", out, column)
            total = g("Add", total, part) if total else part
        return g("Reshape", total, g("Shape", x))

    return block


def one_doubled(g: m.Graph, x: str, column: str, e: int) -> tuple[str, str]:
    out = m.gated(g, x)
    return (g("Mul", out, g.constant(2.0, np.float32)) if e == 2 else out), column


def one_weight_squared(g: m.Graph, x: str, column: str, e: int) -> tuple[str, str]:
    return m.gated(g, x), g("Mul", column, column) if e == 2 else column


def one_sees_the_token_before(g: m.Graph, x: str, column: str, e: int) -> tuple[str, str]:
    if e == 2:
        first = g("Slice", x, g.constant([0]), g.constant([1]), g.constant([0]))
        rest = g("Slice", x, g.constant([0]), g.constant([-1]), g.constant([0]))
        x = g("Concat", first, rest, axis=0)
    return m.gated(g, x), column


def one_keeps_the_token(g: m.Graph, x: str, column: str, e: int) -> tuple[str, str]:
    out = m.gated(g, x)
    return (g("Add", out, x) if e == 2 else out), column


def one_of_another_curve(g: m.Graph, x: str, column: str, e: int) -> tuple[str, str]:
    return m.gated(g, x, act=m.relu if e == 2 else m.silu), column


def one_slightly_off(g: m.Graph, x: str, column: str, e: int) -> tuple[str, str]:
    """Three per cent: far above rounding, far below what shapes or sizes would show."""
    out = m.gated(g, x)
    return (g("Mul", out, g.constant(1.03, np.float32)) if e == 2 else out), column


REFUSED = {
    f.__name__: f
    for f in (
        one_doubled,
        one_weight_squared,
        one_sees_the_token_before,
        one_keeps_the_token,
        one_of_another_curve,
        one_slightly_off,
    )
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_one_expert_differs(
    change: Callable[[m.Graph, str, str, int], tuple[str, str]], tmp_path: Path, runtime: Runtime
) -> None:
    """No definition of a layer fits: digital, and the reason names a node."""
    path = m.write(tmp_path, [masked(change)])
    workload = read_model(path, runtime=runtime)
    assert workload.moe_layers == ()
    (suspect,) = workload.suspects
    assert suspect.reason
    assert any("stays digital" in note and suspect.reason[:20] in note for note in workload.notes)
    assert compare(runtime, path, m.token_ids()) < 1e-5


def raw(g: m.Graph, x: str) -> tuple[str, str]:
    """Softmax, then the best two, not renormalised."""
    scores = g("Softmax", m.linear(g, x, m.D, m.EXPERTS), axis=-1)
    best, ids = g.many("TopK", scores, g.constant([m.TOP]), outputs=2, axis=-1)
    return ids, best


def squared(g: m.Graph, x: str) -> tuple[str, str]:
    ids, best = raw(g, x)
    return ids, g("Mul", best, best)


def by_length(g: m.Graph, x: str) -> tuple[str, str]:
    """Divided by the 2-norm of the two, not their sum."""
    ids, best = raw(g, x)
    return ids, g("Div", best, g("ReduceL2", best, g.constant([-1]), keepdims=1))


def tenfold(g: m.Graph, x: str) -> tuple[str, str]:
    ids, best = raw(g, x)
    return ids, g("Mul", best, g.constant(10.0, np.float32))


@pytest.mark.parametrize("router", [raw, squared, by_length, tenfold])
def test_weights_are_those_that_the_region_uses(
    router: m.Router, tmp_path: Path, runtime: Runtime
) -> None:
    path = m.write(tmp_path, [m.dense_masked(router)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.scale) == ("run", 1.0)
    assert compare(runtime, path, m.token_ids()) < 1e-5
    weights = profile(path, workload, m.token_ids(tokens=20), runtime=runtime).weights
    assert weights is not None
    both = weights[0]
    if router is by_length:
        assert np.allclose((both**2).sum(axis=1), 1.0, atol=1e-5)
    else:  # two of four probabilities: below 1 in all, squares smaller still, tenfold above 5
        ranges: dict[m.Router, tuple[float, float]] = {
            raw: (0.5, 1),
            squared: (0.1, 1),
            tenfold: (5, 10),
        }
        low, high = ranges[router]
        assert both.sum(axis=1).min() > low * 0.99
        assert both.sum(axis=1).max() < high


def test_factor_that_depends_on_the_token(tmp_path: Path, runtime: Runtime) -> None:
    """The sum times tanh(x @ w): no constant, so the layer ends before it."""

    def block(g: m.Graph, x: str) -> str:
        out = m.dense_masked()(g, x)
        return g("Mul", out, g("Tanh", m.linear(g, x, m.D, 1)))

    path = m.write(tmp_path, [block])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.scale, layer.shared, layer.proof) == (1.0, (), "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_shared_expert_with_another_gate(tmp_path: Path, runtime: Runtime) -> None:
    """Times tanh, not sigmoid: no shared expert of the layer; its matrices are dense ones."""

    def shared(g: m.Graph, x: str) -> str:
        return g("Mul", m.gated(g, x), g("Tanh", m.linear(g, x, m.D, 1)))

    path = m.write(tmp_path, [m.dense_masked(shared=shared)])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert (len(layer.shared), layer.proof) == (0, "run")
    assert m.HIDDEN in [d.weight.columns for d in workload.dense()]
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_shared_expert_doubled(tmp_path: Path, runtime: Runtime) -> None:
    def shared(g: m.Graph, x: str) -> str:
        return g("Mul", m.gated(g, x), g.constant(2.0, np.float32))

    path = m.write(tmp_path, [m.dense_masked(shared=shared)])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (len(layer.shared), layer.proof) == (0, "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5


def test_residual_is_not_swallowed(tmp_path: Path, runtime: Runtime) -> None:
    """A block that adds its own input: the layer ends before the addition."""

    def block(g: m.Graph, x: str) -> str:
        return g("Add", m.dense_masked()(g, x), x)

    path = m.write(tmp_path, [block])
    (layer,) = read_model(path, runtime=runtime).moe_layers
    assert (layer.shared, layer.proof) == ((), "run")
    assert compare(runtime, path, m.token_ids()) < 1e-5

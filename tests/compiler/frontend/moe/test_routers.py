"""Routers of other kinds than the best of a projection, read and proven by running them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from compiler.profiling.profile import profile
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import models as m
from tests.compiler.frontend import routers as r
from tests.compiler.frontend.execute import compare

MASKED = {f"{name}, masked": [m.dense_masked(router)] for name, router in r.ROUTERS.items()}
GATHERED = {
    f"{name}, gathered": [m.gather_batched(router)]
    for name, router in r.ROUTERS.items()
    if name != "top-p"  # takes all experts of every token
}
WEIGHTED = {f"{name}, weighted": [r.weighted(wide)] for name, wide in r.WIDE.items()}
STACKED = {f"{name}, stacked": [r.weighted_stack(wide)] for name, wide in r.WIDE.items()}
ONE = {**MASKED, **GATHERED, **WEIGHTED, **STACKED}
APART = {
    "before the norm, masked": [r.before_the_norm(m.dense_masked)],
    "before the norm, gathered": [r.before_the_norm(m.gather_batched)],
    "before the norm, a norm of its own": [r.before_the_norm(m.dense_masked, r.own_norm)],
    "latent, masked": [r.latent(m.dense_masked)],
    "latent, gathered": [r.latent(m.gather_batched)],
    "latent, sigmoid": [r.latent(m.gather_batched, router=m.sigmoid_topk)],
    "pre-gated": r.pre_gated(m.dense_masked),
    "pre-gated, gathered": r.pre_gated(m.gather_batched),
}


@pytest.mark.parametrize("name", [*ONE, *APART])
def test_is_read_and_proven(name: str, tmp_path: Path, runtime: Runtime) -> None:
    blocks: Sequence[m.Ffn] = (ONE | APART)[name]
    path = m.write(tmp_path, blocks)
    workload = read_model(path, runtime=runtime)
    assert [layer.proof for layer in workload.moe_layers] == ["run"] * len(blocks), workload.notes
    assert workload.notes == ()
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize("name", APART)
def test_the_last_layer_reads_two_values(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """The experts' vectors first, then the router's; the chip's router multiplies the second."""
    layer = read_model(m.write(tmp_path, APART[name]), runtime=runtime).moe_layers[-1]
    assert len(layer.inputs) == 2
    assert layer.router.reads == layer.inputs[1]
    assert layer.router.projection is not None


def test_a_gate_of_zero_is_no_work(tmp_path: Path, runtime: Runtime) -> None:
    """Of the four experts that top-p records some have a gate of exactly 0: -1 in the trace."""
    path = m.write(tmp_path, [m.dense_masked(r.top_p)])
    routing = profile(path, read_model(path, runtime=runtime), m.token_ids(30), runtime=runtime)
    assert routing.choices is not None
    assert routing.weights is not None
    taken = routing.choices[0] >= 0
    assert np.array_equal(taken, routing.weights[0] > 0)
    # half of the probability is reached by at least one expert, and before the last
    assert taken.any(axis=1).all()
    assert not taken.all(axis=1).any()


def test_a_soft_mixture_selects_nothing(tmp_path: Path, runtime: Runtime) -> None:
    """Its weights are a softmax, never 0: every expert is dense work, and nothing is suspected."""
    wide = r.weighted(lambda g, x: g("Softmax", m.router_logits(g, x), axis=-1))
    workload = read_model(m.write(tmp_path, [wide]), runtime=runtime)
    assert workload.moe_layers == ()
    assert workload.suspects == ()


def test_one_choice_for_all_tokens(tmp_path: Path, runtime: Runtime) -> None:
    """The mean of the tokens is routed: the layer stays digital, and the note says why."""
    workload = read_model(m.write(tmp_path, [r.of_the_mean]), runtime=runtime)
    assert workload.moe_layers == ()
    (suspect,) = workload.suspects
    assert "its choice is not one for each token" in suspect.reason


def test_a_first_matrix_that_others_read_is_no_routers(tmp_path: Path, runtime: Runtime) -> None:
    """Experts and router read GELU of one wide product: that product is dense, before the layer."""

    def block(g: m.Graph, x: str) -> str:
        wide = 5 * g.experts
        hidden = m.erf_gelu(g, m.linear(g, x, g.d, wide))
        inner = m.Graph(d=wide)  # its sizes alone: nodes and tensors are the outer graph's
        inner.nodes, inner.tensors, inner.random = g.nodes, g.tensors, g.random
        return m.linear(g, m.dense_masked()(inner, hidden), wide, g.d)

    workload = read_model(m.write(tmp_path, [block]), runtime=runtime)
    (layer,) = workload.moe_layers
    assert (layer.proof, layer.width) == ("run", 20)
    assert layer.router.projection is not None
    assert (layer.router.projection.rows, layer.router.projection.columns) == (20, 4)

"""Routed projections of attention are MoE layers of single matrices."""

from pathlib import Path

import pytest

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from tests.compiler.frontend import mixed_attention as a
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def test_values_and_outputs_of_switch_head(tmp_path: Path, runtime: Runtime) -> None:
    """Two layers of four matrices around one attention; the second's router reads x, not values."""
    path = a.write(tmp_path, a.switch_head)
    workload = read_model(path, runtime=runtime)
    values, outputs = workload.moe_layers
    assert workload.notes == ()
    for layer in (values, outputs):
        assert (layer.proof, layer.form, layer.router.kind) == (
            "run",
            "dense-batched",
            "sigmoid-topk",
        )
        assert (layer.single, layer.router.experts, layer.router.top_k) == (True, 4, 2)
    assert [layer.router.reads for layer in (values, outputs)] == ["", values.inputs[0]]
    assert len(list(workload.attentions())) == 1
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize("how", a.HOWS)
def test_queries_and_outputs_of_a_mixture_of_attention(
    how: str, tmp_path: Path, runtime: Runtime
) -> None:
    """Two experts of a token: 2 x 16 queries apart, attended by 4 heads, and 16 of them to each."""
    path = a.write(tmp_path, a.mixture(how))
    workload = read_model(path, runtime=runtime)
    queries, outputs = workload.moe_layers
    assert workload.notes == ()
    form = "grouped" if how == "sorted" else "gather-batched"
    for layer in (queries, outputs):
        assert (layer.proof, layer.form, layer.router.kind) == ("run", form, "topk-softmax")
        assert (layer.single, layer.router.experts, layer.places) == (True, 4, 2)
    assert (queries.apart, queries.d_model, queries.d_out) == ("outputs", 16, 32)
    assert (outputs.apart, outputs.d_model, outputs.d_out) == ("inputs", 32, 16)
    (attention,) = workload.attentions()
    assert (attention.heads, attention.kv_heads, attention.head_dim) == (4, 2, 8)
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5


@pytest.mark.parametrize("how", a.HOWS)
def test_the_router_is_the_first_halfs(how: str, tmp_path: Path, runtime: Runtime) -> None:
    """The second half reads its ids and weights, and nothing of how the first sorts its pairs."""
    workload = read_model(a.write(tmp_path, a.mixture(how)), runtime=runtime)
    queries, outputs = workload.moe_layers
    assert outputs.inputs[1:3] == outputs.router.exposed
    assert set(outputs.router.exposed) <= set(queries.outputs[1:])
    assert (queries.router.projection is None, outputs.router.projection is None) == (False, True)
    assert (queries.score_products, outputs.score_products) == (16, 0)


@pytest.mark.parametrize("how", a.HOWS)
def test_any_step_between_the_halves(how: str, tmp_path: Path, runtime: Runtime) -> None:
    """A softmax over each expert's vector is no curve: both of its products are layers."""
    path = m.write(tmp_path, [a.around(how, m.sigmoid_topk)])
    workload = read_model(path, runtime=runtime)
    assert [layer.apart for layer in workload.moe_layers] == ["outputs", "inputs"]
    assert [layer.proof for layer in workload.moe_layers] == ["run", "run"]
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5
